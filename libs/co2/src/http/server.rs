//! The server: accepts connections, and ends those that take too much.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kozo_http::{Door, Entry};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::body::Memory;
use super::exchange::exchange;
use super::{Limits, MAX_HEAD};
use crate::document::MethodCall;
use crate::fault::Fault;
use crate::page::Page;
use crate::value::Value;

/// How long nothing is accepted after that failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long requests that are being answered have when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// What a server is for.
pub trait Service: Send + Sync + 'static {
    /// Answers a call. `client` is the caller's address, as the connection has it. The result has to be
    /// [`sendable`](crate::value::sendable).
    fn call(
        &self,
        call: MethodCall,
        client: SocketAddr,
    ) -> impl Future<Output = Result<Value, Fault>> + Send;

    /// The page of a path, for a browser.
    fn page(&self, path: &str) -> Option<Page>;

    /// A request was answered: a line in the form of [`crate::log::request`].
    fn log(&self, line: &str);

    /// Something went wrong that is nobody's request.
    fn warn(&self, text: &str);
}

/// Why a server cannot listen.
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

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
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

    /// Serves until `stop` ends, and then for as long as what is being answered takes, but not for long.
    pub async fn serve<S: Service>(
        self,
        service: Arc<S>,
        limits: Limits,
        stop: impl Future<Output = ()>,
    ) {
        let (stopping, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            service,
            limits,
            memory: Memory::default(),
            doors: Mutex::new(Doors {
                door: Door::new(limits),
                closing: HashMap::new(),
            }),
            stopped,
        });
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    if let Some(place) = Place::take(&shared, client) {
                        connections.spawn(serve_connection(stream, place));
                    }
                }
                // The client has gone again; there is nothing wrong with the listener.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    shared
                        .service
                        .warn(&format!("cannot accept connections: {error}"));
                    tokio::select! {
                        () = &mut stop => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        drop(self.listener);
        let _ = stopping.send(true);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_ANSWERS, ended).await;
    }
}

/// What all connections have in common.
pub(super) struct Shared<S> {
    pub(super) service: Arc<S>,
    pub(super) limits: Limits,
    pub(super) memory: Memory,
    doors: Mutex<Doors>,
    stopped: watch::Receiver<bool>,
}

struct Doors {
    door: Door,
    /// What ends a connection.
    closing: HashMap<u64, Arc<Notify>>,
}

impl<S> Shared<S> {
    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection, until it is dropped.
pub(super) struct Place<S> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) client: SocketAddr,
    id: u64,
    close: Arc<Notify>,
}

impl<S: Service> Place<S> {
    fn take(shared: &Arc<Shared<S>>, client: SocketAddr) -> Option<Self> {
        // A socket for both kinds of addresses shows those of IPv4 as ones of IPv6.
        let client = SocketAddr::new(client.ip().to_canonical(), client.port());
        let mut doors = shared.doors();
        let id = match doors.door.enter(client.ip(), Instant::now()) {
            Entry::Admitted { id, closing } => {
                if let Some(close) = closing.and_then(|id| doors.closing.remove(&id)) {
                    close.notify_one();
                }
                id
            }
            refused => {
                drop(doors);
                shared.service.warn(&refusal(refused, client.ip()));
                return None;
            }
        };
        let close = Arc::new(Notify::new());
        doors.closing.insert(id, Arc::clone(&close));
        drop(doors);
        Some(Self {
            shared: Arc::clone(shared),
            client,
            id,
            close,
        })
    }

    fn patience(&self) -> Option<Duration> {
        self.shared.doors().door.patience(self.id, Instant::now())
    }
}

impl<S> Place<S> {
    /// Says that a request is being answered, until what this returns is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy<S> {
        self.set_busy(true);
        Busy(Arc::clone(self))
    }

    fn set_busy(&self, busy: bool) {
        let now = Instant::now();
        self.shared.doors().door.set_busy(self.id, busy, now);
    }
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        let mut doors = self.shared.doors();
        doors.door.leave(self.id);
        doors.closing.remove(&self.id);
    }
}

/// A request that is being answered.
pub(super) struct Busy<S>(Arc<Place<S>>);

impl<S> Drop for Busy<S> {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}

fn refusal(entry: Entry, ip: IpAddr) -> String {
    match entry {
        Entry::TooManyOfOne => format!(
            "refused a connection of {ip}, which has as many as one address may have, and all are busy"
        ),
        _ => format!(
            "refused a connection of {ip}, since there are as many as there may be, and all are busy"
        ),
    }
}

async fn serve_connection<S: Service>(stream: TcpStream, place: Place<S>) {
    let _ = stream.set_nodelay(true);
    let place = Arc::new(place);
    let mut stopped = place.shared.stopped.clone();
    let answer = {
        let place = Arc::clone(&place);
        service_fn(move |request| {
            let place = Arc::clone(&place);
            async move { Ok::<_, Infallible>(exchange(request, &place).await) }
        })
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Some end their side once they have said all, and wait for the answer.
        .half_close(true)
        .header_read_timeout(place.shared.limits.head_time)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    let mut ending = false;
    loop {
        let Some(patience) = place.patience() else {
            if !ending {
                // It has lost its place to another one: what it is about to say may still be said.
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(LAST_ANSWERS, connection).await;
            }
            return;
        };
        tokio::select! {
            // How a connection ends matters to nobody here.
            _ = connection.as_mut() => return,
            () = place.close.notified() => {}
            _ = stopped.wait_for(|&stopped| stopped), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(patience) => {}
        }
    }
}
