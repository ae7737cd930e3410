//! `kozo password`: what stands for a password in the network's file.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use kozo_password::{MAX_PASSWORD_LEN, PasswordError, hash};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::failure::Failure;
use super::output;

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("the password cannot be read")]
    Read(#[source] io::Error),
    #[error("the two passwords differ: try again")]
    Differ,
    #[error(transparent)]
    Password(#[from] PasswordError),
}

pub(super) fn password() -> Result<(), Failure> {
    let line = made().map_err(Failure::other)?;
    output::print(&format!("{line}\n"))
}

fn made() -> Result<String, Reason> {
    let stdin = io::stdin();
    let password = if stdin.is_terminal() {
        let _hidden = Hidden::new().map_err(Reason::Read)?;
        let password = asked("Password: ")?;
        if asked("Once more: ")? != password {
            return Err(Reason::Differ);
        }
        password
    } else {
        line()?
    };
    // In quotes, since nobody shall have to know what YAML makes of `$` and `,`.
    Ok(format!("password: '{}'", hash(&password)?))
}

fn asked(prompt: &str) -> Result<String, Reason> {
    // The prompt is no part of what is printed. That it is not seen is no failure.
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    let read = line();
    let _ = writeln!(stderr);
    read
}

/// A line of the standard input, without its end.
fn line() -> Result<String, Reason> {
    let mut text = String::new();
    let longest = MAX_PASSWORD_LEN as u64 + 2;
    let mut stdin = io::stdin().lock().take(longest);
    stdin.read_line(&mut text).map_err(Reason::Read)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Where the terminal is gone, nobody sees it.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
