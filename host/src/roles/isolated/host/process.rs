//! A role's process: how it is started, how it ends, and how that is told.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kozo_ground::clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::remains::{Mark, VARIABLE};
use crate::roles::error::RoleError;
use crate::roles::isolated::protocol::COMMAND;

/// This program, also when its file was replaced since it was started.
const PROGRAM: &str = "/proc/self/exe";

/// What the process sees of the environment; besides, everything that begins with [`LOCALE`].
const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
const LOCALE: &[u8] = b"LC_";

/// How long a process may take to end once it has nothing to do any more.
const EXIT_LIMIT: Duration = Duration::from_secs(1);

/// A process. When this is dropped it is ended, with everything that it has started.
#[derive(Debug)]
pub(super) struct RoleProcess {
    child: Child,
    handle: Arc<Handle>,
    mark: Mark,
    is_reaped: bool,
}

/// What several threads hold of a process: stands for it also when it has ended.
#[derive(Debug)]
pub(super) struct Handle(OwnedFd);

impl Handle {
    /// Waits until it has ended; false when it does not within `limit`.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let deadline = clock::now() + limit;
        loop {
            let left = deadline.since(clock::now());
            let left = Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            });
            let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut polled, Some(&left)) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(rustix::io::Errno::INTR) => {}
                // There are no errors for this kind of descriptor; whoever waits would kill it then.
                Err(_) => return false,
            }
        }
    }

    /// Ends it, whatever it does.
    pub(super) fn kill(&self) {
        // An error is that it has ended.
        let _ = pidfd_send_signal(&self.0, Signal::KILL);
    }
}

impl RoleProcess {
    /// Starts the process of a role, which `label` names in lists of processes. The result is also
    /// this end of the socket pair, and what it writes as its error output.
    pub(super) fn start(label: &str) -> Result<(Self, UnixStream, ChildStderr), RoleError> {
        let (own, other) =
            UnixStream::pair().map_err(RoleError::system("no socket pair for its process"))?;
        let mark = Mark::new();
        let mut child = Command::new(PROGRAM)
            .arg0(env!("CARGO_PKG_NAME"))
            .args([COMMAND, label])
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_kept(name)))
            .env(VARIABLE, mark.value())
            // Ctrl-C is for the host, which stops its roles in order.
            .process_group(0)
            .stdin(OwnedFd::from(other))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(RoleError::system("its process cannot be started"))?;
        let stderr = child.stderr.take();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        match (pidfd, stderr) {
            (Ok(pidfd), Some(stderr)) => {
                let handle = Arc::new(Handle(pidfd));
                let process = Self {
                    child,
                    handle,
                    mark,
                    is_reaped: false,
                };
                Ok((process, own, stderr))
            }
            (pidfd, _) => {
                let _ = child.kill();
                let _ = child.wait();
                let error: io::Error = pidfd.err().map_or(io::ErrorKind::Other.into(), Into::into);
                let what = "its process cannot be watched (`pidfd_open`, Linux 5.3)";
                Err(RoleError::system(what)(error))
            }
        }
    }

    pub(super) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Waits for its end, which is near, and brings it about if it is not; says how it ended.
    pub(super) fn end(&mut self) -> String {
        if !self.handle.wait(EXIT_LIMIT) {
            self.handle.kill();
        }
        self.reap()
            .map_or_else(|error| format!("cannot be waited for: {error}"), describe)
    }

    /// What it has started ends with it: the number of its group stays its own until it is waited
    /// for.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        if !std::mem::replace(&mut self.is_reaped, true) {
            self.handle.wait(Duration::MAX);
            // An error is that there is nothing left.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            self.mark.end_all();
        }
        self.child.wait()
    }
}

impl Drop for RoleProcess {
    fn drop(&mut self) {
        self.handle.kill();
        let _ = self.reap();
    }
}

fn is_kept(name: &OsStr) -> bool {
    ENVIRONMENT.iter().any(|kept| name == *kept) || name.as_encoded_bytes().starts_with(LOCALE)
}

/// How a process ended, behind "it".
fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(number), _) => match signal_name(number) {
            Some(name) => format!("ended by signal {number} ({name})"),
            None => format!("ended by signal {number}"),
        },
        (None, Some(code)) => format!("ended by itself, with exit code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The names of those signals that end processes which did something wrong.
fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    let named = names
        .into_iter()
        .find(|(signal, _)| signal.as_raw() == number);
    named.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_with_the_signals_number_and_name() {
        assert_eq!(
            describe(ExitStatus::from_raw(11)),
            "ended by signal 11 (SIGSEGV)"
        );
        assert_eq!(describe(ExitStatus::from_raw(40)), "ended by signal 40");
        assert_eq!(
            describe(ExitStatus::from_raw(3 << 8)),
            "ended by itself, with exit code 3"
        );
    }

    #[test]
    fn a_process_sees_only_ordinary_variables() {
        for name in ["PATH", "HOME", "LANG", "TZ", "LC_ALL", "LC_TIME"] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
        for name in [
            "PATHS",
            "SSH_AUTH_SOCK",
            "NOTIFY_SOCKET",
            "LD_PRELOAD",
            "LC",
        ] {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
    }
}
