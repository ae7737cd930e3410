//! A role's process: how it is started, and how its end is told.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{ChildStderr, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kozo_abi::Level;
use kozo_child::{Child, ISOLATED_ROLE, Lines, Program};

use crate::modules::RoleServices;
use crate::roles::error::RoleError;
use crate::roles::isolated::protocol::{COMMAND, MAX_TEXT};
use crate::roles::services::LifeServices;

/// This program, also when its file was replaced since it was started.
const PROGRAM: &str = "/proc/self/exe";

/// How long a process may take to end once it has nothing to do any more.
const EXIT_LIMIT: Duration = Duration::from_secs(1);

/// Starts the process of a role, which `label` names in lists of processes. The result is also this end of
/// the socket pair, and what it writes as its error output.
pub(super) fn start(label: &str) -> Result<(Child, UnixStream, ChildStderr), RoleError> {
    let (own, other) =
        UnixStream::pair().map_err(RoleError::system("no socket pair for its process"))?;
    let started = Program::new(PROGRAM)
        .arg0(env!("CARGO_PKG_NAME"))
        .args([COMMAND, label])
        .mark(ISOLATED_ROLE)
        .stdin(OwnedFd::from(other))
        .stderr(Stdio::piped())
        .start()?;
    let no_output = || RoleError::system("its error output cannot be read");
    let stderr = started.stderr;
    let stderr = stderr.ok_or_else(|| no_output()(std::io::ErrorKind::NotFound))?;
    Ok((started.child, own, stderr))
}

/// Waits for its end, which is near, and brings it about if it is not; says how it ended.
pub(super) fn end(process: &mut Child) -> String {
    let ended = process.end(EXIT_LIMIT);
    ended.map_or_else(
        |error| format!("cannot be waited for: {error}"),
        |ended| ended.to_string(),
    )
}

/// Takes all that a role's process writes to its error output, until nobody writes any more: lines of the
/// role's. Of longer ones than [`MAX_TEXT`] bytes there is the beginning.
pub(super) fn follow(stderr: ChildStderr, services: &Arc<LifeServices>) {
    let mut lines = Lines::new(stderr, MAX_TEXT);
    while let Ok(Some(line)) = lines.next_line() {
        let text = String::from_utf8_lossy(line.text);
        let text = text.trim_end();
        match line.left_out {
            0 if text.is_empty() => {}
            0 => services.log(Level::Warn, text),
            more => services.log(Level::Warn, &format!("{text}… ({more} more bytes)")),
        }
    }
}
