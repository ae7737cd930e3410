//! The `config.py` of an installation, run in a process of its own: it is a program, not a table.

use std::io::{BufReader, Write};
use std::path::Path;
use std::time::Duration;

use kozo_abi::Error;
use kozo_child::{Interrupt, Lines, Reader};
use kozo_co2::{Struct, Value};

use super::frame::{self, Heard};
use super::start::{Started, start};
use super::told::Told;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest line of what it prints, in bytes.
const MAX_LINE: usize = 4000;

/// The plain values that a file has, and the names of those that are none.
///
/// # Errors
/// It cannot be run, with the reason.
pub(crate) fn configuration(python: &str, file: &Path) -> Result<(Struct, Vec<String>), Error> {
    let shown = file.display();
    if let Err(error) = std::fs::File::open(file) {
        return Err(format!(
            "`config`: `{shown}`: {error}: correct it, or let the daemon's user read it (the unit of the package \
             hides `/home`)"
        )
        .into());
    }
    let file = std::path::absolute(file)?;
    let home = file.parent().unwrap_or_else(|| Path::new("/"));
    let Started {
        mut child,
        mut stdin,
        stdout,
        stderr,
    } = start(python, home)?;
    let name = Value::String(file.to_string_lossy().into_owned());
    let ask = frame::write("configure", Struct::from([("file".to_owned(), name)]))?;
    // One that has ended says why below.
    let _ = stdin.write_all(&ask);
    let interrupt = Interrupt::new()?;
    let errors = Reader::new(stderr, interrupt.clone())?;
    let mut input = BufReader::new(Reader::new(stdout, interrupt.clone())?);
    let handle = std::sync::Arc::clone(child.handle());
    let (told, last_line) = std::thread::scope(|scope| {
        let printed = scope.spawn(|| {
            let mut lines = Lines::new(errors, MAX_LINE);
            let mut last = String::new();
            while let Ok(Some(line)) = lines.next_line() {
                last = String::from_utf8_lossy(line.text).trim_end().to_owned();
            }
            last
        });
        scope.spawn(|| {
            if !handle.wait(LIMIT) {
                handle.kill();
                handle.wait(Duration::MAX);
            }
            interrupt.raise();
        });
        let told = frame::read(&mut input);
        // It has said all that is wanted of it.
        handle.kill();
        (told, printed.join().unwrap_or_default())
    });
    let ended = child.end(Duration::ZERO);
    let told = match told? {
        Heard::Frame(frame) => Told::of(frame),
        _ => None,
    };
    match told {
        Some(Told::Configured { values, left_out }) => Ok((values, left_out)),
        Some(Told::Unconfigured { reason }) => {
            Err(format!("`config`: `{shown}` cannot be run: {reason}").into())
        }
        _ => {
            let how = ended.map_or_else(|error| error.to_string(), |ended| ended.to_string());
            let limit = LIMIT.as_secs();
            let line = match last_line.as_str() {
                "" => String::new(),
                line => format!("; its last line is `{line}`"),
            };
            Err(format!(
                "`config`: `{shown}` told nothing within {limit} s: `{python}` {how}{line}"
            )
            .into())
        }
    }
}
