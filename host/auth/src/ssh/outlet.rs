//! The way into a session's task, the same for both directions.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use russh::{ChannelId, ChannelWriteHalf, Disconnect, client, server};

use super::client::ClientHandler;
use crate::plain::PlainOutlet;
use crate::secured::Closed;

/// Queues what is to be sent on a session's one channel.
#[derive(Clone)]
pub(crate) enum Outlet {
    /// This node accepted the connection.
    Server {
        handle: server::Handle,
        channel: ChannelId,
    },
    /// This node dialled.
    Client(Arc<Dialled>),
    /// The transport secures the stream by itself.
    Plain(PlainOutlet),
}

/// The two handles that russh gives who dials: one sends bytes, the other closes the channel.
pub(crate) struct Dialled {
    pub(super) handle: client::Handle<ClientHandler>,
    pub(super) channel: ChannelWriteHalf<client::Msg>,
}

impl Outlet {
    pub(crate) async fn send(&self, bytes: Bytes) -> Result<(), Closed> {
        let sent = match self {
            Self::Server { handle, channel } => handle.data(*channel, bytes).await,
            Self::Client(dialled) => dialled.handle.data(dialled.channel.id(), bytes).await,
            Self::Plain(outlet) => return outlet.send(bytes).await,
        };
        sent.map_err(|_| Closed)
    }

    /// Queues the goodbye. Errors mean that the session is over, which is what is wanted.
    pub(crate) async fn close(&self) {
        match self {
            Self::Server { handle, channel } => {
                // With these `ssh -s` ends well; a disconnect message would make it report 255,
                // so the end of the connection is left to the peer.
                let _ = handle.exit_status_request(*channel, 0).await;
                let _ = handle.eof(*channel).await;
                let _ = handle.close(*channel).await;
            }
            Self::Client(dialled) => {
                let _ = dialled.channel.eof().await;
                let _ = dialled.channel.close().await;
                let _ = dialled
                    .handle
                    .disconnect(Disconnect::ByApplication, "", "")
                    .await;
            }
            Self::Plain(outlet) => outlet.close().await,
        }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server { .. } => "Server",
            Self::Client(_) => "Client",
            Self::Plain(_) => "Plain",
        })
    }
}
