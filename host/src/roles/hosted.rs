//! A role that this node hosts, as the rest of the host sees it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kozo_faces::Face;
use kozo_ground::clock::{self, Moment};
use kozo_ground::names::{ModuleName, RoleName};
use kozo_status::{RoleState, RoleStatus};

use super::error::RoleError;
use super::inbox::Inbox;
use super::line::RoleLog;
use super::services::{AnswerDesk, Dispatcher};
use super::setup::{RoleSetup, RoleStartError};
use super::source::CodeSource;
use super::spawn::{ROLE_STACK, spawn};
use super::thread::{LifeProgress, Phase, RoleThread};

/// A role on its thread. Dropping this asks it to stop, and does not wait for that.
pub(crate) struct HostedRole {
    name: RoleName,
    module: ModuleName,
    inbox: Arc<Inbox>,
    log: Arc<RoleLog>,
    progress: Arc<LifeProgress>,
    stop_limit: Duration,
    source: Arc<dyn CodeSource>,
    faces: Arc<[Face]>,
}

impl HostedRole {
    /// Starts a role on a thread of its own and returns at once. `inbox` is where its messages
    /// come in, from the moment that the router knows it. `desk` answers what it asks about the node. `source` is asked for its code at each life
    /// of the role anew; its error is a failure like any other, after which the role tries again.
    ///
    /// # Errors
    /// The system gave no thread.
    pub(crate) fn start(
        setup: RoleSetup,
        inbox: Arc<Inbox>,
        dispatcher: Arc<dyn Dispatcher>,
        desk: Arc<dyn AnswerDesk>,
        source: Arc<dyn CodeSource>,
    ) -> Result<Self, RoleStartError> {
        let hosted = Self {
            name: setup.name.clone(),
            module: setup.module.clone(),
            inbox,
            log: Arc::new(RoleLog::new(setup.name.clone(), setup.module.clone())),
            progress: Arc::new(LifeProgress::new()),
            stop_limit: setup.stop_limit,
            source: Arc::clone(&source),
            faces: Arc::clone(&setup.faces),
        };
        let thread = RoleThread {
            setup,
            inbox: Arc::clone(&hosted.inbox),
            dispatcher,
            desk,
            log: Arc::clone(&hosted.log),
            progress: Arc::clone(&hosted.progress),
            source,
        };
        spawn(hosted.name.as_str(), ROLE_STACK, move || thread.run()).map_err(|reason| {
            RoleStartError::Thread {
                role: hosted.name.clone(),
                reason,
            }
        })?;
        Ok(hosted)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &RoleName {
        &self.name
    }

    /// Asks it to stop for good, and returns at once: its waits end, `stop` is called, and
    /// nothing is put into its inbox any more.
    pub(crate) fn stop(&self) {
        self.inbox.request(|requests| requests.stop = true);
    }

    /// Asks it to stop and to be made anew, from its module's present file; what waits in its
    /// inbox stays there. A role that waits after a failure is made anew at once. Blocks for as long
    /// as it takes to look at the file.
    ///
    /// # Errors
    /// Why the present file cannot be used; the role goes on as it was.
    pub(crate) fn restart(&self) -> Result<(), RoleError> {
        self.source.renew()?;
        self.inbox.request(|requests| requests.restart = true);
        Ok(())
    }

    /// Asks it to stop until it is [resumed](Self::resume), and returns at once: what waits in its inbox is
    /// dropped then, and nothing is put into it meanwhile.
    pub(crate) fn halt(&self) {
        self.inbox.request(|requests| requests.halt = true);
    }

    /// Whether it was asked to stop until it is resumed.
    pub(crate) fn is_halted(&self) -> bool {
        self.inbox.requests().halt
    }

    /// Makes it anew after it was halted, from its module's present file. Blocks as
    /// [`restart`](Self::restart) does.
    ///
    /// # Errors
    /// Why the present file cannot be used; the role stays as it is.
    pub(crate) fn resume(&self) -> Result<(), RoleError> {
        self.source.renew()?;
        self.inbox.request(|requests| {
            requests.halt = false;
            // It may not have come to stop yet.
            requests.restart = true;
        });
        Ok(())
    }

    /// Asks it to open its files again: as soon as `run` returns, which it is asked to do.
    pub(crate) fn reopen(&self) {
        self.inbox.request(|requests| requests.reopen = true);
    }

    /// Waits until it has stopped, for as long as its setup allows from `asked` on. False: it has not;
    /// the log names it, and its thread is left behind. Whoever stops many asks all of them first.
    pub(crate) fn join(&self, asked: Moment) -> bool {
        let limit = self.stop_limit;
        let left = (asked + limit).since(clock::now());
        let stopped = self.progress.wait_until_stopped(left);
        if !stopped {
            self.log.host_line(
                kozo_abi::Level::Warn,
                &format!("it did not stop within {limit:.1?} and is left behind"),
            );
        }
        stopped
    }

    /// How it is at `now`.
    pub(crate) fn status(&self, now: Moment) -> RoleStatus {
        let report = self.progress.report();
        let (state, restart_in) = match report.phase {
            Phase::Stopped | Phase::Halted => (RoleState::Stopped, None),
            _ if self.inbox.requests().stops() => (RoleState::Stopping, None),
            Phase::Starting => (RoleState::Starting, None),
            Phase::Running => (RoleState::Running, None),
            Phase::Waiting { until } => (RoleState::Waiting, Some(until.since(now))),
        };
        RoleStatus {
            name: self.name.clone(),
            module: self.module.clone(),
            state,
            restart_in_seconds: restart_in.as_ref().map(Duration::as_secs_f64),
            restarts: report.restarts,
            failures: report.failures,
            last_error: report.last_error,
            status: report.status.get(),
            lines_left_out: self.log.lines_left_out(),
            inbox: self.inbox.status(),
            faces: self.faces.to_vec(),
            faces_left_out: 0,
        }
    }
}

impl Drop for HostedRole {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for HostedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostedRole({} of module {})", self.name, self.module)
    }
}
