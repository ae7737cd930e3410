//! Starts gdbserver for one of the daemon's processes.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{PTracer, Pid, set_ptracer};

/// The one that a session has started. It ends with the session.
#[derive(Default)]
pub(crate) struct Gdbservers(Mutex<Option<Child>>);

impl Gdbservers {
    /// Starts one, in place of an earlier one; the port on this machine that it listens on. It touches no
    /// process before gdb connects and says so: all of them go on.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) fn start(&self) -> Result<u16, String> {
        let mut running = self.running();
        end(&mut running);
        let failed = |error: io::Error| format!("gdbserver cannot be started: {error}");
        // It is free now, and gdbserver says so if somebody else is faster.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(failed)?
            .port();
        let child = Command::new("gdbserver")
            .args(["--multi", "--once", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    "gdbserver is not installed (Debian's package `gdbserver` has it)".to_owned()
                }
                _ => failed(error),
            })?;
        allow(&child);
        *running = Some(child);
        Ok(port)
    }

    /// Whether there is one, which may have ended by itself.
    pub(crate) fn is_running(&self) -> bool {
        self.running().is_some()
    }

    fn running(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gdbservers {
    fn drop(&mut self) {
        end(&mut self.running());
    }
}

/// Lets a child look into this process, where only parents may (`kernel.yama.ptrace_scope` is 1).
/// Systems without that need no permission, and refuse to give it.
pub(crate) fn allow(child: &Child) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(id) = id {
        let _ = set_ptracer(PTracer::ProcessID(id));
    }
}

/// Ends it: what it has hold of goes on.
fn end(running: &mut Option<Child>) {
    if let Some(mut child) = running.take() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn gdb_reaches_a_process_by_what_was_started_and_leaves_it_running() {
        let servers = Gdbservers::default();
        let port = match servers.start() {
            Ok(port) => port,
            Err(error) => {
                println!("skipped: {error}");
                assert!(error.contains("not installed"), "{error}");
                return;
            }
        };
        let mut sleeper = Command::new("sleep").arg("600").spawn().unwrap();
        let place = format!("target extended-remote 127.0.0.1:{port}");
        let attach = format!("attach {}", sleeper.id());
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut has_told = false;
        while !has_told && Instant::now() < deadline {
            let gdb = Command::new("gdb")
                .args(["-nx", "-batch", "-iex", "set auto-solib-add off"])
                .args(["-ex", &place, "-ex", &attach, "-ex", "p $pc"])
                .args(["-ex", "detach"])
                .stdin(Stdio::null())
                .output();
            match gdb {
                Ok(told) => has_told = String::from_utf8_lossy(&told.stdout).contains("$1 = "),
                Err(error) => {
                    println!("skipped: {error}");
                    break;
                }
            }
        }
        assert!(has_told || Instant::now() < deadline);
        assert!(sleeper.try_wait().unwrap().is_none());
        // The next one takes the place of the first, and none is left.
        assert_ne!(servers.start(), Ok(port));
        drop(servers);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }
}
