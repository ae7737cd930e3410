//! The web server: connections within limits, each answered by [`exchange`].

mod assets;
mod body;
mod exchange;
mod live;
mod patience;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kozo_http::{Limits, Listener, NotAccepted, Places};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

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

/// How long a browser may take nothing of what there is for it.
const WRITE_TIME: Duration = Duration::from_secs(60);

/// How long requests that are being answered have when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Serves until `stopped` turns true.
pub(crate) async fn serve(listener: Listener, site: Arc<Site>, mut stopped: watch::Receiver<bool>) {
    let shared = Shared {
        site: Arc::clone(&site),
        stopped: stopped.clone(),
    };
    let places = Places::new(LIMITS, shared);
    let stop = async move {
        let _ = stopped.wait_for(|&stopped| stopped).await;
    };
    let warn = |fault: &NotAccepted| match fault {
        // That is no news for the log: whoever does that has enough connections to be seen.
        NotAccepted::Refused(_) => {}
        NotAccepted::System(_) => site.host.warn(&fault.to_string()),
    };
    let connections = listener.accept(&places, stop, warn, connection).await;
    connections.end(LAST_ANSWERS).await;
}

/// What all connections have in common.
struct Shared {
    site: Arc<Site>,
    stopped: watch::Receiver<bool>,
}

/// The place of a connection.
type Place = kozo_http::Place<Shared>;

/// A request that is being answered.
type Busy = kozo_http::Busy<Shared>;

async fn connection(stream: TcpStream, place: Place) {
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, WRITE_TIME);
    let Some(tls) = place.shared().site.tls.clone() else {
        talk(stream, place).await;
        return;
    };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(LIMITS.head_time, tls.accept(stream)) => shaken,
        () = place.lost() => return,
    };
    // Who speaks no TLS here gets no answer, which could not be read either.
    if let Ok(Ok(stream)) = shaken {
        talk(stream, place).await;
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, place: Place) {
    let place = Arc::new(place);
    let mut stopped = place.shared().stopped.clone();
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
    tokio::select! {
        // How a connection ends matters to nobody here.
        _ = connection => {}
        // It has lost its place to another one.
        () = place.lost() => {}
        // What is told as it happens would go on for ever.
        _ = stopped.wait_for(|&stopped| stopped) => {}
    }
}
