//! What the host does for one bus's module.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use kozo_abi::{Delivered, Level, Limits, Readiness};
use kozo_ground::clock;
use kozo_ground::lock::LockAnyway;
use kozo_ground::queue::QueueLimits;
use rustix::io::Errno;

use super::attendant::Attended;
use super::condition::Condition;
use super::mailbox::{Datagram, Mailbox, News};
use crate::modules::{BusIdentity, BusServices, ServiceError};
use crate::stop_signal::StopSignal;
use crate::transports::StateFolders;

/// The longest reason for which a connection is gone that is kept, in characters.
const MAX_REASON: usize = 500;

pub(super) struct Services {
    identity: BusIdentity,
    state_folders: Arc<StateFolders>,
    stop: StopSignal,
    pub(super) attended: Attended,
    pub(super) mailbox: Mailbox,
    pub(super) condition: Mutex<Condition>,
    /// How often the engine has refused a message that was published.
    refused: AtomicU64,
    /// How much may be published and not confirmed.
    window: OnceLock<QueueLimits>,
}

impl Services {
    pub(super) fn new(
        identity: BusIdentity,
        state_folders: Arc<StateFolders>,
        mailbox: Mailbox,
    ) -> Result<Arc<Self>, Errno> {
        Ok(Arc::new(Self {
            identity,
            state_folders,
            stop: StopSignal::new()?,
            attended: Attended::default(),
            mailbox,
            condition: Mutex::default(),
            refused: AtomicU64::new(0),
            window: OnceLock::new(),
        }))
    }

    /// Nobody but the node waits for what is confirmed, and it keeps so much.
    pub(super) fn set_window(&self, window: QueueLimits) {
        // It is said once, before the module is made.
        let _ = self.window.set(window);
    }

    /// How often the engine has refused a message that was published.
    pub(super) fn refused_messages(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }

    /// The bus is being stopped: whatever waits here ends.
    pub(super) fn stop(&self) {
        self.stop.give();
        self.mailbox.close();
    }

    /// There is no connection any more, for this reason.
    pub(super) fn lost(&self, reason: String) {
        self.condition.lock_anyway().disconnected();
        self.mailbox.tell(News::Down(reason));
    }

    /// Sleeps; false when the bus is being stopped.
    pub(super) fn sleep(&self, time: Duration) -> bool {
        matches!(self.stop.wait(None, Some(time)), Ok(Readiness::TimedOut))
    }
}

impl BusServices for Services {
    fn identity(&self) -> &BusIdentity {
        &self.identity
    }

    fn stopping(&self) -> bool {
        self.stop.is_given()
    }

    fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        time: Option<Duration>,
    ) -> Result<Readiness, ServiceError> {
        self.stop
            .wait(Some(fd), time)
            .map_err(|error| format!("waiting for the engine: {error}").into())
    }

    fn up(&self, limits: Limits) {
        self.mailbox.tell(News::Up(limits));
    }

    fn down(&self, reason: &str) {
        self.lost(reason.chars().take(MAX_REASON).collect());
    }

    fn deliver(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Delivered {
        let longest = kozo_abi::MAX_SUBJECT;
        if subject.len() > longest || reply.is_some_and(|reply| reply.len() > longest) {
            // None of this host's; to come again would make it no shorter.
            self.mailbox.dropped(1);
            return Delivered::Taken;
        }
        if kozo_bus::is_of_lane(subject)
            && let Some(attendant) = self.attended.attendant()
            && attendant.take_alone(subject, data)
        {
            return Delivered::Taken;
        }
        self.mailbox.deliver(Datagram {
            subject: subject.to_owned(),
            reply: reply.map(str::to_owned),
            data: data.to_vec(),
        })
    }

    fn wait_for_room(&self, timeout: Duration) -> bool {
        self.mailbox.wait_for_room(timeout)
    }

    fn dropped(&self, count: u64) {
        self.mailbox.dropped(count);
    }

    fn confirmed(&self, number: u64) {
        self.mailbox.confirm(number);
    }

    fn window(&self) -> QueueLimits {
        let none = QueueLimits { length: 0, size: 0 };
        self.window.get().copied().unwrap_or(none)
    }

    fn nobody(&self, subject: &str) {
        if subject.len() <= kozo_abi::MAX_SUBJECT {
            self.mailbox.tell(News::Nobody(subject.to_owned()));
        }
    }

    fn refused(&self, subject: &str, reason: &str) {
        let bus = &self.identity.name;
        if reason.is_empty() {
            if self.condition.lock_anyway().allow(subject) {
                tracing::info!(target: "bus", %bus, "the engine no longer refuses this node `{subject}`");
            }
            return;
        }
        // What is published has no wildcard, and a subscription to lanes of any node has one.
        if kozo_bus::is_of_lane(subject) && !subject.contains(['*', '>', '+', '#']) {
            self.refused.fetch_add(1, Ordering::AcqRel);
        }
        let is_new = self
            .condition
            .lock_anyway()
            .deny(subject, reason, clock::now());
        if is_new {
            tracing::warn!(
                target: "bus",
                %bus,
                "the engine refuses this node `{subject}`: {reason}; see what it has to allow: `kozo bus permissions`",
            );
        }
    }

    fn round_trip(&self, time: Duration) {
        self.condition.lock_anyway().set_round_trip(time);
    }

    fn state_dir(&self) -> Result<PathBuf, ServiceError> {
        let BusIdentity { node, name, .. } = &self.identity;
        Ok(self.state_folders.folder(node, name.as_str())?)
    }

    fn set_status(&self, text: &str) {
        self.condition.lock_anyway().set_says(text);
    }

    fn log(&self, level: Level, text: &str) {
        let bus = &self.identity.name;
        match level {
            Level::Error => tracing::error!(target: "bus", %bus, "{text}"),
            Level::Warn => tracing::warn!(target: "bus", %bus, "{text}"),
            Level::Info => tracing::info!(target: "bus", %bus, "{text}"),
            Level::Debug => tracing::debug!(target: "bus", %bus, "{text}"),
        }
    }
}
