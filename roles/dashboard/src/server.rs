//! The web server: connections within limits, each answered by [`exchange`].

mod assets;
mod body;
mod exchange;
mod live;
mod patience;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kozo_http::{Door, Entry, Limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::site::Site;
use patience::Patient;

/// What visitors may cost.
const LIMITS: Limits = Limits {
    connections: 128,
    connections_of_one: 64,
    head_time: Duration::from_secs(10),
    body_time: Duration::from_secs(10),
    // One on which things are told as they happen is busy all the time, and gives signs of life of its own.
    silence: Duration::from_secs(24 * 60 * 60),
};

/// The largest head of a request, in bytes, and how much is held of what a browser does not take.
const MAX_HEAD: usize = 16 * 1024;

/// How long nothing is accepted after that failed, for lack of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long a browser may take nothing of what there is for it.
const WRITE_TIME: Duration = Duration::from_secs(60);

/// How long requests that are being answered have when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Serves until `stopped` turns true.
pub(crate) async fn serve(
    listener: TcpListener,
    site: Arc<Site>,
    mut stopped: watch::Receiver<bool>,
) {
    let shared = Arc::new(Shared {
        site,
        doors: Mutex::new(Doors {
            door: Door::new(LIMITS),
            closing: HashMap::new(),
        }),
        stopped: stopped.clone(),
    });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|&stopped| stopped) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                if let Some(place) = Place::take(&shared, client) {
                    connections.spawn(connection(stream, place));
                }
            }
            // The client has gone again; there is nothing wrong with the listener.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                let text = format!("cannot accept connections: {error}");
                shared.site.host.warn(&text);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ANSWERS, ended).await;
}

/// What all connections have in common.
struct Shared {
    site: Arc<Site>,
    doors: Mutex<Doors>,
    stopped: watch::Receiver<bool>,
}

struct Doors {
    door: Door,
    /// What ends a connection.
    closing: HashMap<u64, Arc<Notify>>,
}

impl Shared {
    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection, until it is dropped.
struct Place {
    shared: Arc<Shared>,
    client: SocketAddr,
    id: u64,
    close: Arc<Notify>,
}

impl Place {
    /// A place for a new connection; none where there is none to be had, which is no news for the log: whoever does
    /// that has enough connections to be seen.
    fn take(shared: &Arc<Shared>, client: SocketAddr) -> Option<Self> {
        // A socket for both kinds of addresses shows those of IPv4 as ones of IPv6.
        let client = SocketAddr::new(client.ip().to_canonical(), client.port());
        let mut doors = shared.doors();
        let Entry::Admitted { id, closing } = doors.door.enter(client.ip(), Instant::now()) else {
            return None;
        };
        if let Some(close) = closing.and_then(|id| doors.closing.remove(&id)) {
            close.notify_one();
        }
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

    /// Says that a request is being answered, until what this returns is dropped.
    fn busy(self: &Arc<Self>) -> Busy {
        self.set_busy(true);
        Busy(Arc::clone(self))
    }

    fn set_busy(&self, busy: bool) {
        let now = Instant::now();
        self.shared.doors().door.set_busy(self.id, busy, now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut doors = self.shared.doors();
        doors.door.leave(self.id);
        doors.closing.remove(&self.id);
    }
}

/// A request that is being answered.
struct Busy(Arc<Place>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}

async fn connection(stream: TcpStream, place: Place) {
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, WRITE_TIME);
    let Some(tls) = place.shared.site.tls.clone() else {
        talk(stream, place).await;
        return;
    };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(LIMITS.head_time, tls.accept(stream)) => shaken,
        () = place.close.notified() => return,
    };
    // Who speaks no TLS here gets no answer, which could not be read either.
    if let Ok(Ok(stream)) = shaken {
        talk(stream, place).await;
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, place: Place) {
    let place = Arc::new(place);
    let mut stopped = place.shared.stopped.clone();
    let answer = {
        let place = Arc::clone(&place);
        service_fn(move |request| {
            let place = Arc::clone(&place);
            async move { Ok::<_, Infallible>(exchange::answer(request, &place).await) }
        })
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIMITS.head_time)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    tokio::select! {
        // How a connection ends matters to nobody here.
        _ = connection.as_mut() => {}
        // It has lost its place to another one.
        () = place.close.notified() => {}
        // What is told as it happens would go on for ever.
        _ = stopped.wait_for(|&stopped| stopped) => connection.as_mut().graceful_shutdown(),
    }
}
