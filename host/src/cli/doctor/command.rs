//! Other programs of this machine that are asked something, for so long and no longer.

use std::env;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How much of what it prints is read, in bytes.
const MAX_OUTPUT: u64 = 4 * 1024 * 1024;

/// Where programs of the administrator are, which may not be in the `PATH` of others.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Why a program says nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// It is not installed.
    #[error("`{0}` is not installed")]
    Missing(&'static str),
    /// It cannot be started, or read.
    #[error("`{program}` cannot be asked: {reason}")]
    System {
        program: &'static str,
        reason: io::Error,
    },
    /// It took too long.
    #[error("`{0}` did not answer in time")]
    TimedOut(&'static str),
    /// It failed.
    #[error("`{program}` fails: {said}")]
    Failed { program: &'static str, said: String },
}

/// What a program prints, when it is started with these words.
///
/// # Errors
/// Why there is nothing.
pub(super) fn ask(program: &'static str, words: &[&str]) -> Result<String, CommandError> {
    let path = find(program).ok_or(CommandError::Missing(program))?;
    let system = |reason| CommandError::System { program, reason };
    let mut child = Command::new(path)
        .args(words)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(system)?;
    let (sender, receiver) = mpsc::channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::spawn(move || {
        // Both are short, or only the first one is long.
        let said = read(stdout).and_then(|out| Ok((out, read(stderr)?)));
        let _ = sender.send(said);
    });
    let Ok(said) = receiver.recv_timeout(LIMIT) else {
        end(&mut child);
        return Err(CommandError::TimedOut(program));
    };
    let (out, err) = said.map_err(|reason| {
        end(&mut child);
        system(reason)
    })?;
    // It has closed its output, so it ends, or is told to.
    let status = match child.try_wait().map_err(system)? {
        Some(status) => status,
        None => child.wait().map_err(system)?,
    };
    match status.success() {
        true => Ok(out),
        false => Err(CommandError::Failed {
            program,
            said: err.lines().next().unwrap_or("without a word").to_owned(),
        }),
    }
}

fn read(stream: Option<impl Read>) -> io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(MAX_OUTPUT).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
    let mut candidates = folders.map(|folder: PathBuf| folder.join(program));
    candidates.find(|path: &PathBuf| Path::is_file(path))
}

/// The values of `NAME=VALUE` lines, as `systemctl show` and `timedatectl show` print them.
pub(super) fn properties(text: &str) -> impl Fn(&str) -> Option<String> {
    let pairs: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    move |wanted| {
        let found = pairs.iter().find(|(name, _)| name == wanted);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_and_its_failures_are_told() {
        assert_eq!(ask("echo", &["a", "b"]).unwrap(), "a b\n");
        let missing = ask("kozo-no-such-program", &[]).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "`kozo-no-such-program` is not installed"
        );
        assert!(matches!(
            ask("sh", &["-c", "echo no >&2; exit 3"]),
            Err(CommandError::Failed { said, .. }) if said == "no"
        ));
    }

    #[test]
    fn properties_without_a_value_are_none() {
        let of = properties("User=kozo\nGroup=\nEnv=A=B\n");
        assert_eq!(of("User").as_deref(), Some("kozo"));
        assert_eq!((of("Group"), of("Gone")), (None, None));
        assert_eq!(of("Env").as_deref(), Some("A=B"));
    }
}
