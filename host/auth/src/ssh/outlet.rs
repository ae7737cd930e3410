//! The way into a session's task, the same for both directions.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use russh::{ChannelId, ChannelWriteHalf, Disconnect, client, server};

use super::client_handler::ClientHandler;
use crate::noise::NoiseOutlet;
use crate::secured::{Closed, Outlet};

/// Queues what is to be sent on a session's one channel, or hands it to what the session has handed its stream to.
#[derive(Clone)]
pub struct SshOutlet(End);

#[derive(Clone)]
enum End {
    /// This node accepted the connection.
    Server(server::Handle, ChannelId),
    /// This node dialled.
    Client(Arc<Dialled>),
    /// The session has handed its stream over.
    HandedOver(NoiseOutlet),
}

/// The two handles that russh gives who dials: one sends bytes, the other closes the channel.
struct Dialled {
    handle: client::Handle<ClientHandler>,
    channel: ChannelWriteHalf<client::Msg>,
}

impl SshOutlet {
    pub(super) fn accepted(handle: server::Handle, channel: ChannelId) -> Self {
        Self(End::Server(handle, channel))
    }

    pub(super) fn dialled(
        handle: client::Handle<ClientHandler>,
        channel: ChannelWriteHalf<client::Msg>,
    ) -> Self {
        Self(End::Client(Arc::new(Dialled { handle, channel })))
    }

    pub(super) fn handed_over(outlet: NoiseOutlet) -> Self {
        Self(End::HandedOver(outlet))
    }
}

impl Outlet for SshOutlet {
    async fn send(&self, bytes: Bytes) -> Result<(), Closed> {
        let sent = match &self.0 {
            End::Server(handle, channel) => handle.data(*channel, bytes).await,
            End::Client(dialled) => dialled.handle.data(dialled.channel.id(), bytes).await,
            End::HandedOver(outlet) => return outlet.send(bytes).await,
        };
        sent.map_err(|_| Closed)
    }

    async fn close(&self) {
        match &self.0 {
            End::Server(handle, channel) => {
                // With these `ssh -s` ends well; a disconnect message would make it report 255,
                // so the end of the connection is left to the peer.
                let _ = handle.exit_status_request(*channel, 0).await;
                let _ = handle.eof(*channel).await;
                let _ = handle.close(*channel).await;
            }
            End::Client(dialled) => {
                let _ = dialled.channel.eof().await;
                let _ = dialled.channel.close().await;
                let _ = dialled
                    .handle
                    .disconnect(Disconnect::ByApplication, "", "")
                    .await;
            }
            End::HandedOver(outlet) => outlet.close().await,
        }
    }
}

impl fmt::Debug for SshOutlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            End::Server(..) => "Server",
            End::Client(_) => "Client",
            End::HandedOver(_) => "HandedOver",
        })
    }
}
