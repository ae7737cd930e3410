//! The program's log, on the standard error output.
//!
//! The parts of the host write it with the macros of `tracing`. A line names the part that wrote
//! it: the room of the library, or what an event states as its target. How a line looks is decided
//! once, by [`LogFormat`] and by where it goes:
//!
//! ```text
//! 2026-11-20T12:00:00.123Z INFO link: up peer=scribe transport=tcp address=192.0.2.7:6020
//! <6>link: up peer=scribe transport=tcp address=192.0.2.7:6020        (into the journal)
//! {"time":"2026-11-20T12:00:00.123Z","level":"INFO","target":"link","message":"up","fields":{…}}
//! ```
//!
//! Texts of peers and modules are in there, so control characters are always escaped: a line is
//! one line, and nothing in it moves a terminal's cursor.
//!
//! Whoever writes a line never waits for whoever reads the log (`spool`), and nobody can fill it
//! with lines of one kind (`limit`).

mod filter;
mod levels;
mod limit;
mod line;
mod output;
mod spool;
mod style;
#[cfg(test)]
mod tests;
mod timestamp;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kozo_status::{LogLevels, LogLosses};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

pub(crate) use filter::LogFilter;
use levels::Levels;
pub(crate) use levels::LevelsError;
pub(crate) use line::{Fields, Line};
use output::{Libraries, LogLayer};
use spool::Spool;
pub(crate) use style::LogFormat;
pub(crate) use style::shows_colours;
use style::{Destination, Style};
pub(crate) use timestamp::utc;

pub(crate) use limit::{Allowance, BOUNDED, Budget, WINDOW, windows};

/// How long a process that ends waits until its last lines are read.
const END_LIMIT: Duration = Duration::from_secs(2);

/// How long a thread that panics waits for that: it may be the end of the process.
const PANIC_LIMIT: Duration = Duration::from_secs(1);

/// How long a module that has written a line does: what it does next may be the end of the process.
/// The log's thread needs less by far, but for a machine that is very busy.
const MODULE_LIMIT: Duration = Duration::from_millis(5);

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// There is a log already.
    #[error("something else writes the log of this process already")]
    Started,
    /// The log has a thread of its own.
    #[error("cannot start a thread for the log: {0}")]
    Thread(std::io::Error),
}

static STARTED: OnceLock<Log> = OnceLock::new();

/// The log of this process.
struct Log {
    style: Style,
    spool: Arc<Spool>,
    levels: Levels,
}

/// Starts the log of this process. What is logged before goes nowhere.
///
/// Panics become lines of it as well, in place of the standard library's own text. Whoever ends the
/// process calls [`finish`].
///
/// # Errors
/// [`LogError`]
pub(crate) fn start(filter: &LogFilter, format: LogFormat) -> Result<(), LogError> {
    let style = Style::choose(format, &Destination::read());
    let spool = Arc::new(Spool::new(style));
    let of_parts = Arc::clone(&spool);
    let (levels, layer) = Levels::new(filter.clone());
    let subscriber = Registry::default()
        .with(layer)
        .with(LogLayer::new(move |line, cause| of_parts.line(line, cause)));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
    let of_libraries = Libraries::new(levels.of_libraries(), Arc::clone(&spool));
    ::log::set_boxed_logger(Box::new(of_libraries)).map_err(|_| LogError::Started)?;
    ::log::set_max_level(filter.most_verbose());
    let writer = Arc::clone(&spool);
    std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.write())
        .map_err(LogError::Thread)?;
    log_panics();
    // A second start has failed above.
    let _ = STARTED.set(Log {
        style,
        spool,
        levels,
    });
    Ok(())
}

/// Waits until all lines are written, for 2 s at most: somebody may have stopped to read them.
pub(crate) fn finish() {
    if let Some(spool) = spool() {
        spool.flush(END_LIMIT);
    }
}

/// Prints a text to the standard error output, in its place among the lines.
pub(crate) fn print(text: String) {
    match spool() {
        Some(spool) => spool.text(text),
        // With nobody who reads there is nobody to tell.
        None => drop(std::io::Write::write_all(
            &mut std::io::stderr().lock(),
            text.as_bytes(),
        )),
    }
}

/// Gives the line that a module has just written the time to be written: should the module take the
/// process with it, its last words are known. Short, and not at all while nobody reads the log.
pub(crate) fn settle_module_line() {
    if let Some(spool) = spool() {
        spool.settle_unless_stalled(MODULE_LIMIT);
    }
}

/// How many lines are not in the log as they were.
pub(crate) fn losses() -> LogLosses {
    spool().map_or_else(LogLosses::default, |spool| spool.losses())
}

/// Which lines are written from now on. With `reset` it is first what the log was started with; `set`
/// changes that, as `--log` writes it.
///
/// # Errors
/// [`LevelsError`]
pub(crate) fn change_levels(set: Option<&str>, reset: bool) -> Result<LogLevels, LevelsError> {
    let log = STARTED.get().ok_or(LevelsError::NotOurs)?;
    log.levels.change(set, reset)
}

fn spool() -> Option<&'static Spool> {
    STARTED.get().map(|log| &*log.spool)
}

/// Starts the log of a process whose lines, up to [`tracing::Level::DEBUG`], somebody else takes.
///
/// # Errors
/// [`LogError`] when there is a log already.
pub(crate) fn start_with(write: impl Fn(&Line) + Send + Sync + 'static) -> Result<(), LogError> {
    let most = tracing_subscriber::filter::LevelFilter::DEBUG;
    let output = LogLayer::new(move |line, _| write(&line));
    let subscriber = Registry::default().with(most).with(output);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)?;
    log_panics();
    Ok(())
}

fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let thread = std::thread::current();
        tracing::error!(
            target: "kozo",
            place,
            thread = thread.name(),
            "panicked: {}",
            panic.payload_as_str().unwrap_or("no text was given"),
        );
        if let Some(spool) = spool() {
            spool.settle(PANIC_LIMIT);
        }
    }));
}

/// Whether programs read the log rather than people: it has been started as JSON, or goes to the
/// journal. What is wrong at the start then belongs into it, too.
pub(crate) fn is_read_by_programs() -> bool {
    let style = STARTED.get().map(|log| log.style);
    matches!(style, Some(Style::Json | Style::Journal))
}
