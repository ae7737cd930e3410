//! The signals that a daemon heeds.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::modules::signals;

pub(super) use signals::hold;

/// How often it is looked whether a module has taken a signal for itself, besides after each call of
/// a role.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Puts back what modules change about signals, for as long as this is polled.
pub(super) async fn keep() {
    let mut interval = tokio::time::interval(LOOK_EVERY);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        signals::take_back(None);
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalRequest {
    /// It asks to stop; the signal has this name.
    Stop(&'static str),
    /// It asks to open files again.
    Reopen,
}

pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn next(&mut self) -> SignalRequest {
        tokio::select! {
            _ = self.interrupt.recv() => SignalRequest::Stop("SIGINT"),
            _ = self.terminate.recv() => SignalRequest::Stop("SIGTERM"),
            _ = self.hangup.recv() => SignalRequest::Reopen,
        }
    }

    /// Waits for the next signal that asks to stop.
    pub(super) async fn stop(&mut self) {
        while self.next().await == SignalRequest::Reopen {}
    }
}
