//! Processes of a test: what they print can be waited for, and they end with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

use rustix::process::{Pid, Signal, kill_process};

/// How long a condition is waited for: generous, since machines that test have much to do.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// How long a process lives if nobody ends it.
pub const LIFETIME: Duration = Duration::from_secs(900);

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// Why there can be no such network here: a reason to skip a test, and to say so.
#[derive(Debug)]
pub struct Unavailable(pub String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// A process that ends when this is dropped, or with the thread that started it. Its output is in a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: PathBuf,
    name: String,
}

impl Process {
    /// Starts a command, whose output goes to a file of this name in a folder.
    ///
    /// # Panics
    /// It cannot be started.
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> Self {
        let output = free_name(folder, name);
        let file = fs::File::create(&output).expect("a file for output can be made");
        let errors = file.try_clone().expect("a descriptor can be copied");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            child,
            output,
            name: name.to_owned(),
        }
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        let bytes = fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The process's number. It is the program's own, whatever it was started through.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something is in what it printed.
    ///
    /// # Errors
    /// It ended before, or printed no such thing within [`DEADLINE`]; with all that it printed.
    pub fn wait_for(&mut self, text: &str) -> Result<(), String> {
        let end = Instant::now() + DEADLINE;
        loop {
            // Looked at in this order, so that the last words of one that ended are seen.
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            let output = self.output();
            if output.contains(text) {
                return Ok(());
            }
            if ended || Instant::now() > end {
                let what = if ended { "ended" } else { "goes on" };
                return Err(format!(
                    "`{}` {what} without `{text}`:\n{output}",
                    self.name
                ));
            }
            thread::sleep(PERIOD);
        }
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end, for as long as `limit`.
    ///
    /// # Errors
    /// It goes on; with all that it printed.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, String> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() > end {
                return Err(format!("`{}` goes on:\n{}", self.name, self.output()));
            }
            thread::sleep(PERIOD);
        }
    }

    /// Kills it at once, without a word (SIGKILL), and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end (SIGTERM), and kills it if it does not.
    pub fn stop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.signal(Signal::TERM);
        if self.wait(GRACE).is_err() {
            self.kill();
        }
    }

    /// Stops it for a while (SIGSTOP), as if its machine stood still. It does when this returns.
    ///
    /// # Panics
    /// It has ended.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        wait_until("a process stands still", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
            // Its state stands behind its name, which may have anything in it.
            let (_, behind) = stat.rsplit_once(") ")?;
            behind.starts_with('T').then_some(())
        });
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Tells it that its configuration is another one (SIGHUP).
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends it SIGUSR2, which has a meaning of its own for each program.
    pub fn signal_usr2(&self) {
        self.signal(Signal::USR2);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that stands still cannot be asked.
        self.thaw();
        self.stop();
    }
}

fn free_name(folder: &Path, name: &str) -> PathBuf {
    let numbers = (0..).map(|number: u32| folder.join(format!("{name}.{number}.log")));
    numbers
        .into_iter()
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(name))
}

/// Waits until there is a value.
///
/// # Panics
/// There is none within [`DEADLINE`].
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(PERIOD);
    }
}
