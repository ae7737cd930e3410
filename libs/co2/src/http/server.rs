//! The server: answers on connections, and ends those that take too much.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kozo_http::{Listener, NotAccepted, Places};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::body::Memory;
use super::exchange::exchange;
use super::{Limits, MAX_HEAD};
use crate::document::MethodCall;
use crate::fault::Fault;
use crate::page::Page;
use crate::value::Value;

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

/// Serves until `stop` ends, and then for as long as what is being answered takes, but not for long.
pub async fn serve<S: Service>(
    listener: Listener,
    service: Arc<S>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let (stopping, stopped) = watch::channel(false);
    let shared = Shared {
        service: Arc::clone(&service),
        limits,
        memory: Memory::default(),
        stopped,
    };
    let places = Places::new(limits, shared);
    let warn = |fault: &NotAccepted| service.warn(&fault.to_string());
    let connections = listener.accept(&places, stop, warn, serve_connection).await;
    let _ = stopping.send(true);
    connections.end(LAST_ANSWERS).await;
}

/// What all connections have in common.
pub(super) struct Shared<S> {
    pub(super) service: Arc<S>,
    pub(super) limits: Limits,
    pub(super) memory: Memory,
    stopped: watch::Receiver<bool>,
}

/// The place of a connection.
pub(super) type Place<S> = kozo_http::Place<Shared<S>>;

/// A request that is being answered.
pub(super) type Busy<S> = kozo_http::Busy<Shared<S>>;

async fn serve_connection<S: Service>(stream: TcpStream, place: Place<S>) {
    let _ = stream.set_nodelay(true);
    let place = Arc::new(place);
    let mut stopped = place.shared().stopped.clone();
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
        .header_read_timeout(place.shared().limits.head_time)
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
            () = place.lost() => {}
            _ = stopped.wait_for(|&stopped| stopped), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(patience) => {}
        }
    }
}
