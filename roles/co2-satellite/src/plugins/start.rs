//! How the process of the plug-ins is started.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Stdio};

use kozo_abi::Error;
use kozo_child::{Child, Program};

/// What the process runs. It is given through its input, so there is no file that could be changed or missing.
const PLUGHOST: &str = include_str!("../plughost/plughost.py");

/// What takes that in.
const START: &str = include_str!("../plughost/start.py");

/// By this variable all that plug-ins have started is found, and ended with them.
const MARK: &str = "KOZO_CO2_PLUGINS";

/// The process, and its streams.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// Starts a Python in a folder, and gives it the program.
///
/// # Errors
/// It cannot be started.
pub(super) fn start(python: &str, home: &Path) -> Result<Started, Error> {
    let started = Program::new(python)
        // Unbuffered, so that what is printed is a line of the log at once.
        .args([
            "-u".to_owned(),
            "-c".to_owned(),
            START.to_owned(),
            PLUGHOST.len().to_string(),
        ])
        .env("PYTHONIOENCODING", "utf-8:backslashreplace")
        .folder(home)
        .mark(MARK)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .start()
        .map_err(|error| format!("`python`: {error}"))?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (started.stdin, started.stdout, started.stderr)
    else {
        return Err("the process of the plug-ins has no streams".into());
    };
    // It reads this before all else; one that has ended instead is found out by its output.
    if let Err(error) = stdin.write_all(PLUGHOST.as_bytes())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(error.into());
    }
    Ok(Started {
        child: started.child,
        stdin,
        stdout,
        stderr,
    })
}
