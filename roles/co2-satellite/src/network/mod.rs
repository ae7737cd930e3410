//! The network's thread: the server, the relay, and calls to others.
//!
//! ```text
//!  relay, others ── calls ──▶ service ──▶ events, plug-ins
//!  orders, plug-ins ──▶ outbox ──▶ relay (registers, sends) ──▶ the relay
//!  orders `call` ──▶ outgoing ──▶ others ──▶ events `result`
//! ```

mod outgoing;
mod relay;
mod service;

pub(crate) use outgoing::tell;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kozo_abi::Error;
use kozo_co2::http::{Limits, Listener, ServerThread, serve};
use tokio::sync::{mpsc, watch};

use crate::core::RemoteCall;
use crate::shared::Shared;
use outgoing::Outgoing;
use service::Satellite;

/// How many orders `call` wait for the thread.
const ORDERS: usize = 64;

/// How long the server may take to end at the end: plug-ins and relay have the most of it.
const SERVER_LIMIT: Duration = Duration::from_millis(300);

/// How much longer than a method may take a connection lasts on which nothing else happens.
const ANSWER_MARGIN: Duration = Duration::from_secs(30);

/// The thread at work.
pub(crate) struct Network {
    calls: mpsc::Sender<RemoteCall>,
    thread: ServerThread,
}

impl Network {
    /// Listens, and begins to register.
    ///
    /// # Errors
    /// It cannot be listened there, or there is no thread to be had.
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self, Error> {
        let (calls, ordered) = mpsc::channel(ORDERS);
        let place = (shared.settings.bind_address.as_str(), shared.settings.port);
        let own = Arc::clone(shared);
        let thread = ServerThread::start("co2 network", place, None, move |server, stopped| {
            work(own, server, ordered, stopped)
        })?;
        Ok(Self { calls, thread })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.thread.address()
    }

    /// Orders a call; gives it back when there are too many.
    pub(crate) fn call(&self, call: RemoteCall) -> Result<(), RemoteCall> {
        self.calls.try_send(call).map_err(|error| match error {
            mpsc::error::TrySendError::Full(call) | mpsc::error::TrySendError::Closed(call) => call,
        })
    }

    /// Whether it works; it always does, unless there is a mistake in it.
    pub(crate) fn is_at_work(&self) -> bool {
        self.thread.is_at_work()
    }

    /// Sends what waits, deregisters, and ends.
    pub(crate) fn stop(&mut self) {
        self.thread.stop();
    }
}

async fn work(
    shared: Arc<Shared>,
    server: Listener,
    ordered: mpsc::Receiver<RemoteCall>,
    stopped: watch::Receiver<bool>,
) {
    let address = server.address();
    let service = Arc::new(Satellite::new(Arc::clone(&shared)));
    let heard = service.heard();
    // It answers until the relay has been told: it may still ask.
    let (end, ended) = watch::channel(false);
    let limits = limits(shared.settings.answer_time);
    let serving = serve(server, service, limits, raised(ended));
    let mut serving = tokio::task::spawn_local(serving);
    let calling = Outgoing::new(Arc::clone(&shared), address).run(ordered);
    let calling = tokio::task::spawn_local(calling);
    let relay = relay::Relay::new(Arc::clone(&shared), address, heard).run(raised(stopped));
    tokio::select! {
        () = relay => {
            let _ = end.send(true);
            let _ = tokio::time::timeout(SERVER_LIMIT, &mut serving).await;
            serving.abort();
        }
        // It does not by itself: the role is made anew.
        _ = &mut serving => {}
    }
    calling.abort();
}

/// What callers may cost: a connection lasts for as long as a method may take to answer, and longer.
fn limits(answer_time: Duration) -> Limits {
    let limits = Limits::default();
    Limits {
        silence: limits.silence.max(answer_time + ANSWER_MARGIN),
        ..limits
    }
}

/// Ends when the flag is raised, or nobody can raise it any more.
async fn raised(mut flag: watch::Receiver<bool>) {
    let _ = flag.wait_for(|raised| *raised).await;
}

/// The address of this machine that others are to be called from, so that they see the one where they reach this
/// satellite: relays know satellites by it. None: whichever the system takes.
fn source(own: SocketAddr, peer: &kozo_co2::http::Endpoint) -> Option<std::net::IpAddr> {
    let ip = own.ip();
    if ip.is_unspecified() {
        return None;
    }
    // From there nobody else is reached.
    match ip.is_loopback() {
        true => is_this_machine(peer).then_some(ip),
        false => Some(ip),
    }
}

/// Whether an address is one of this machine's own, that no other has.
fn is_this_machine(peer: &kozo_co2::http::Endpoint) -> bool {
    let ip: Result<std::net::IpAddr, _> = peer.host.parse();
    ip.map_or(peer.host == "localhost", |ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_outlasts_the_slowest_answer() {
        for seconds in [0.1, 110.0, 300.0] {
            let answer_time = Duration::from_secs_f64(seconds);
            assert!(limits(answer_time).silence > answer_time, "{seconds}");
        }
        let usual = Limits::default().silence;
        assert_eq!(limits(Duration::from_secs(10)).silence, usual);
    }
}
