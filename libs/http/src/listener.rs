//! Listening, and taking connections in.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{Place, Places, Refused};

/// How long nothing is accepted after that failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Why it cannot be listened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error(
        "cannot listen on {address}: another program or role already does; end it, or choose another `port`"
    )]
    InUse {
        /// Where.
        address: String,
    },
    /// The address is of another machine.
    #[error("cannot listen on {address}: this machine has no such address; correct `bindAddress`")]
    NotOurs {
        /// Where.
        address: String,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// There is no place.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The system does not let it.
    #[error("cannot accept connections: {0}")]
    System(io::Error),
}

/// Where a server listens.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on an address of this machine, given without a port, and a port; 0 lets the system choose.
    ///
    /// # Errors
    /// It cannot be listened there.
    pub async fn bind(address: &str, port: u16) -> Result<Self, ListenError> {
        let shown = match address.contains(':') {
            true => format!("[{address}]:{port}"),
            false => format!("{address}:{port}"),
        };
        let bound = match TcpListener::bind((address, port)).await {
            Ok(listener) => listener.local_addr().map(|address| (listener, address)),
            Err(error) => Err(error),
        };
        match bound {
            Ok((listener, address)) => Ok(Self { listener, address }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::AddrInUse => ListenError::InUse { address: shown },
                io::ErrorKind::AddrNotAvailable => ListenError::NotOurs { address: shown },
                _ => ListenError::Other {
                    address: shown,
                    source: error,
                },
            }),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections in until `stop` ends, and has each served by `serve`. Whoever is not let in is told of by
    /// `warn`.
    pub async fn accept<S, Served>(
        self,
        places: &Arc<Places<S>>,
        stop: impl Future<Output = ()>,
        warn: impl Fn(&NotAccepted),
        serve: impl Fn(TcpStream, Place<S>) -> Served,
    ) -> Connections
    where
        Served: Future<Output = ()> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => match places.take(client) {
                    Ok(place) => {
                        connections.spawn(serve(stream, place));
                    }
                    Err(refused) => warn(&refused.into()),
                },
                // The client has gone again; there is nothing wrong with the listener.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn(&NotAccepted::System(error));
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        Connections(connections)
    }
}

/// The connections that there are when a server stops. They end when this is dropped.
#[derive(Debug)]
pub struct Connections(JoinSet<()>);

impl Connections {
    /// Gives them so long to end by themselves.
    pub async fn end(mut self, limit: Duration) {
        let ended = async { while self.0.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limit, ended).await;
    }
}
