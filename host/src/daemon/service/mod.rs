//! What the service manager is told, in the notation of `sd_notify`: that the node is there, how it
//! is, that its links' thread still works, and that it stops. Where nobody asks for it, nothing is
//! done.
//!
//! It is a datagram of a few lines on a socket that `NOTIFY_SOCKET` names. The crate `sd-notify` sends it
//! with a call that waits while the manager's queue is full, and this thread is that of the links.

mod channel;
mod status;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kozo_ground::clock;
use kozo_status::{BusState, RoleState};
use tokio::sync::Notify;

use crate::bus::Buses;
use crate::link::PeerLink;
use crate::roles::HostedRole;

use channel::Channel;
use channel::Invitation;
pub(super) use status::Counts;

/// How often the state of the roles is looked at; that of the links is known at once.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// When it is tried again to tell what could not be told.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What is said of a stop.
const STOP: &str = "STOPPING=1\nSTATUS=stopping";

/// Signs of life go out so many times as often as they are asked for, so that a late one harms
/// nothing.
const SIGNS_PER_WATCHDOG: u32 = 2;

/// The service manager, if there is one.
pub(super) struct Service {
    channel: Option<Channel>,
    is_stopping: AtomicBool,
    /// Whether the stop could not be told when it was to be.
    owes_stop: AtomicBool,
}

impl Service {
    /// The one that started this process. That it cannot be reached is said, and no reason not to
    /// start.
    pub(super) fn of_this_process() -> Self {
        let channel = Channel::open(&Invitation::read()).unwrap_or_else(|error| {
            tracing::warn!(target: "kozo", "the service manager is told nothing: {error}");
            None
        });
        Self::new(channel)
    }

    /// Nobody, who is told nothing.
    pub(super) fn none() -> Self {
        Self::new(None)
    }

    fn new(channel: Option<Channel>) -> Self {
        Self {
            channel,
            is_stopping: AtomicBool::new(false),
            owes_stop: AtomicBool::new(false),
        }
    }

    /// Says that the node is there; then gives signs of life, and says how it is when that changes,
    /// until the future is dropped. `changed` wakes it in between.
    ///
    /// This has to run on the thread that runs the links: its signs of life are those of that
    /// thread.
    pub(super) async fn attend(self: Arc<Self>, changed: Arc<Notify>, look: impl Fn() -> Counts) {
        let Some(channel) = &self.channel else {
            return;
        };
        let _: Infallible = self.tell(channel, &changed, look).await;
    }

    async fn tell(
        &self,
        channel: &Channel,
        changed: &Notify,
        look: impl Fn() -> Counts,
    ) -> Infallible {
        let interval = match channel.watchdog() {
            Some(limit) => LOOK_INTERVAL.min(limit / SIGNS_PER_WATCHDOG),
            None => LOOK_INTERVAL,
        };
        // What was told last; nothing before the node was said to be there.
        let mut told: Option<String> = None;
        loop {
            let status = look().to_string();
            let mut text = String::new();
            if told.is_none() {
                text.push_str("READY=1\n");
            }
            if channel.watchdog().is_some() {
                text.push_str("WATCHDOG=1\n");
            }
            let owes_stop = self.owes_stop.load(Ordering::Relaxed);
            if owes_stop {
                text.push_str(STOP);
            } else if told.as_ref() != Some(&status) && !self.is_stopping.load(Ordering::Relaxed) {
                text.push_str("STATUS=");
                text.push_str(&status);
            }
            let mut pause = interval;
            match channel.send(&text) {
                Ok(()) => {
                    told = Some(status);
                    if owes_stop {
                        self.owes_stop.store(false, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    tracing::debug!(target: "kozo", "the service manager is told later: {error}");
                    pause = pause.min(RETRY_INTERVAL);
                }
            }
            wait(pause, changed.notified()).await;
        }
    }

    /// Says that the node stops, or lets it be said with the next sign of life. From now on there are
    /// only those.
    pub(super) fn stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        if let Some(channel) = &self.channel
            && let Err(error) = channel.send(STOP)
        {
            tracing::debug!(target: "kozo", "the service manager is told of the stop later: {error}");
            self.owes_stop.store(true, Ordering::Relaxed);
        }
    }
}

async fn wait(limit: Duration, event: impl Future) {
    // That the time is over is as good as the event.
    let _ = tokio::time::timeout(limit, event).await;
}

/// How many of these roles run, and how many of these nodes there is a link with.
pub(super) fn count(roles: &[HostedRole], peers: &[Arc<PeerLink>], buses: &Buses) -> Counts {
    let now = clock::now();
    let buses = buses.status(now);
    let is_failing = |role: &&HostedRole| role.status(now).state == RoleState::Waiting;
    Counts {
        roles: roles.len(),
        failing: roles.iter().filter(is_failing).count(),
        nodes: peers.len(),
        linked: peers
            .iter()
            .filter(|link| link.look(|peer| peer.is_linked()))
            .count(),
        buses: buses.len(),
        connected: buses.iter().filter(|bus| bus.state == BusState::Up).count(),
    }
}
