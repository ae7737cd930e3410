//! The thread of a role: one life after another, until it is told to stop.
//!
//! ```text
//!            ┌──────────── restart ────────────┐
//!            ▼                                 │
//!        Starting ──code, create, inbox────▶ Running ──stop──▶ Stopped
//!         ▲  ▲ │                               │  │               ▲
//!         │  │ └───────── error or panic ──────┤  │               │
//!         │  │                                 ▼  │               │
//!         │  └────── time is up, restart ── Waiting ────stop──────┤
//!         │                                    │  │               │
//!         └───────────── resume ───────────── Halted ────stop─────┘
//!                                          (both: halt)
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kozo_abi::Level;
use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_ground::text::{error_text, panic_text};

use super::error::RoleError;
use super::inbox::{Inbox, PauseUntil};
use super::life::{End, Life};
use super::line::{RoleLog, harmless};
use super::restart::RestartBackoff;
use super::services::{AnswerDesk, Dispatcher, LifeServices, StatusText};
use super::setup::RoleSetup;
use super::source::CodeSource;

/// Where the thread is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Running,
    Waiting {
        until: Moment,
    },
    /// It was told to stop until it is started again.
    Halted,
    Stopped,
}

/// What the thread tells of itself.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) phase: Phase,
    pub(super) restarts: u64,
    pub(super) failures: u64,
    pub(super) last_error: Option<String>,
    /// What the present life says that it is about; threads of an earlier one say it in vain.
    pub(super) status: Arc<StatusText>,
}

/// The thread's report, for all who want to see it.
#[derive(Debug)]
pub(super) struct LifeProgress {
    report: Mutex<Report>,
    changed: Condvar,
}

impl LifeProgress {
    pub(super) fn new() -> Self {
        Self {
            report: Mutex::new(Report {
                phase: Phase::Starting,
                restarts: 0,
                failures: 0,
                last_error: None,
                status: Arc::default(),
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn report(&self) -> Report {
        self.lock().clone()
    }

    /// Waits until the thread has stopped; false when it does not within `limit`.
    pub(super) fn wait_until_stopped(&self, limit: Duration) -> bool {
        let report = self.lock();
        let running = |report: &mut Report| report.phase != Phase::Stopped;
        let waited = self.changed.wait_timeout_while(report, limit, running);
        waited.unwrap_or_else(PoisonError::into_inner).0.phase == Phase::Stopped
    }

    fn update(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        self.report.lock_anyway()
    }
}

/// Everything that a role's thread needs.
pub(super) struct RoleThread {
    pub(super) setup: RoleSetup,
    pub(super) inbox: Arc<Inbox>,
    pub(super) dispatcher: Arc<dyn Dispatcher>,
    pub(super) desk: Arc<dyn AnswerDesk>,
    pub(super) log: Arc<RoleLog>,
    pub(super) progress: Arc<LifeProgress>,
    pub(super) source: Arc<dyn CodeSource>,
}

impl RoleThread {
    /// The thread's whole work.
    pub(super) fn run(mut self) {
        let mut backoff = RestartBackoff::new(self.setup.restart);
        let mut random = fastrand::Rng::new();
        loop {
            let requests = self.inbox.requests();
            if requests.stop {
                break;
            }
            if requests.halt {
                self.stay_halted();
                backoff.reset();
                continue;
            }
            let born = clock::now();
            self.progress
                .update(|report| report.phase = Phase::Starting);
            let outcome = self.guarded_life(&mut random);
            self.log.settle(clock::now());
            match outcome {
                Ok(End::Stop) if self.inbox.requests().stops() => continue,
                Ok(End::Stop | End::Restart) => backoff.reset(),
                Err(error) if self.inbox.requests().stops() => {
                    let error = error_text(&error);
                    let text = format!("it failed while it was being stopped: {error}");
                    self.log.host_line(Level::Error, &text);
                    continue;
                }
                Err(error) => {
                    let now = clock::now();
                    let wait = backoff.next(now.since(born), &mut random);
                    self.wait_after(&error_text(&error), now, wait);
                    if self.inbox.requests().restart {
                        backoff.reset();
                    }
                }
            }
            self.progress.update(|report| report.restarts += 1);
        }
    }

    /// A life, from which no panic escapes: modules catch their own, but what a broken one hands
    /// over may make the host's side of the interface panic.
    fn guarded_life(&mut self, random: &mut fastrand::Rng) -> Result<End, RoleError> {
        let life = AssertUnwindSafe(|| self.life(random));
        let outcome = catch_unwind(life).unwrap_or_else(|payload| {
            let text = panic_text(payload.as_ref()).to_owned();
            // Its own drop might panic.
            std::mem::forget(payload);
            Err(RoleError::HostPanic(text))
        });
        // Threads that a role left behind which was never whole shall not take what the next life
        // waits for either.
        self.inbox.retire_readers();
        self.progress
            .update(|report| report.status = Arc::default());
        outcome
    }

    fn life(&mut self, random: &mut fastrand::Rng) -> Result<End, RoleError> {
        let reader = self.inbox.reader();
        let status = Arc::<StatusText>::default();
        self.progress
            .update(|report| report.status = Arc::clone(&status));
        let services = Arc::new(LifeServices {
            node: self.setup.node.clone(),
            name: self.setup.name.clone(),
            reader,
            dispatcher: Arc::clone(&self.dispatcher),
            questions: self.desk.open(&self.setup.name),
            storage: self.setup.storage.clone(),
            log: Arc::clone(&self.log),
            status,
            longest_wait: self.setup.longest_wait,
        });
        let instance = self.source.code()?.create(services, &self.setup.options)?;
        self.source.made();
        let mut life = Life::new(instance, &self.inbox, &self.log, random);
        life.agree_on_inbox(self.setup.inbox)?;
        self.progress.update(|report| report.phase = Phase::Running);
        life.live()
    }

    /// The role is gone, with what waited for it, until somebody starts it again.
    fn stay_halted(&self) {
        self.inbox.clear();
        self.progress.update(|report| report.phase = Phase::Halted);
        self.inbox.wait_while_halted();
        self.progress.update(|report| {
            report.phase = Phase::Starting;
            report.restarts += 1;
        });
    }

    fn wait_after(&self, error: &str, now: Moment, wait: Duration) {
        let text = format!("it failed and is made anew in {wait:.1?}: {error}");
        self.log.host_line(Level::Error, &text);
        let until = now + wait;
        self.progress.update(|report| {
            report.failures += 1;
            report.last_error = Some(harmless(error).into_owned());
            report.phase = Phase::Waiting { until };
        });
        self.inbox.pause(until, PauseUntil::Time);
    }
}

impl Drop for RoleThread {
    /// However the thread ends, it is seen to have ended.
    fn drop(&mut self) {
        self.inbox.clear();
        self.progress.update(|report| report.phase = Phase::Stopped);
    }
}
