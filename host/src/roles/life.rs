//! One life of a role: from its creation to the error, restart or stop that ends it.

use kozo_abi::{InboxLimits as WantedLimits, Level, Pace};
use kozo_ground::clock;
use kozo_ground::text::error_text;

use super::error::RoleError;
use super::inbox::{Inbox, PauseUntil};
use super::instance::Instance;
use super::line::RoleLog;
use super::pace::{SPIN_PAUSE, SPIN_RUNS, Schedule, Spin, SpinGuard};
use crate::config::InboxLimits;

/// Why a life ended without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The role was told to stop, for good or until it is started again.
    Stop,
    /// Somebody asked for a new life.
    Restart,
}

/// A role that was made.
pub(super) struct Life<'r> {
    instance: Box<dyn Instance>,
    inbox: &'r Inbox,
    log: &'r RoleLog,
    schedule: Schedule,
    spin: SpinGuard,
    random: &'r mut fastrand::Rng,
}

impl<'r> Life<'r> {
    /// Begins with a role that was made just now.
    pub(super) fn new(
        instance: Box<dyn Instance>,
        inbox: &'r Inbox,
        log: &'r RoleLog,
        random: &'r mut fastrand::Rng,
    ) -> Self {
        Self {
            instance,
            inbox,
            log,
            schedule: Schedule::default(),
            spin: SpinGuard::default(),
            random,
        }
    }

    /// Asks the role how much may wait for it.
    pub(super) fn agree_on_inbox(&mut self, configured: InboxLimits) -> Result<(), RoleError> {
        let wanted = self.instance.inbox(WantedLimits {
            length: configured.length as u64,
            size: configured.size as u64,
        })?;
        self.inbox.set_limits(InboxLimits {
            length: usize::try_from(wanted.length).unwrap_or(usize::MAX),
            size: usize::try_from(wanted.size).unwrap_or(usize::MAX),
        });
        Ok(())
    }

    /// Calls `run` at the role's pace until the role fails, stops, or is to be made anew.
    pub(super) fn live(mut self) -> Result<End, RoleError> {
        loop {
            let requests = self.inbox.requests();
            if requests.stops() || requests.restart {
                self.stop();
                return Ok(if requests.stops() {
                    End::Stop
                } else {
                    End::Restart
                });
            }
            if requests.reopen {
                // This comes before the call: a request during it is answered by another one.
                self.inbox.reopened();
                self.instance.reopen()?;
            } else if requests.lost || self.wait_for_turn()? {
                // When the role's process has ended, this call says how.
                self.run()?;
            }
        }
    }

    /// Waits until the role's pace allows a call of `run`. False: something else is to be done
    /// first.
    fn wait_for_turn(&mut self) -> Result<bool, RoleError> {
        let pace = self.instance.pace()?;
        let Some(start) = self.schedule.next_start(pace, clock::now(), self.random) else {
            return Ok(true);
        };
        let until = match pace {
            Pace::EveryOrMessage(_) => PauseUntil::TimeOrReopenOrMessage,
            Pace::AtOnce | Pace::Every(_) => PauseUntil::TimeOrReopen,
        };
        self.inbox.pause(start, until);
        Ok(!self.inbox.requests().any())
    }

    fn run(&mut self) -> Result<(), RoleError> {
        let activity = self.inbox.activity();
        let start = clock::now();
        self.schedule.started(start);
        self.instance.run()?;
        let now = clock::now();
        self.log.settle(now);
        let was_active = self.inbox.activity() != activity;
        let spin = self.spin.after_run(was_active, start, now);
        if spin == Spin::PauseAndWarn {
            self.log.host_line(
                Level::Warn,
                &format!(
                    "its `run` came back {SPIN_RUNS} times in a second without having waited: it is called less often now; it should wait in `receive` or `sleep`, or have a pace"
                ),
            );
        }
        if spin != Spin::No {
            self.inbox.pause(now + SPIN_PAUSE, PauseUntil::TimeOrReopen);
        }
        Ok(())
    }

    fn stop(&mut self) {
        if let Err(error) = self.instance.stop() {
            let text = format!("while it was stopped: {}", error_text(&error));
            self.log.host_line(Level::Error, &text);
        }
    }
}

impl Drop for Life<'_> {
    /// Before the role itself is dropped, the waits of its other threads end: its own `drop` may
    /// join them.
    fn drop(&mut self) {
        self.inbox.retire_readers();
    }
}
