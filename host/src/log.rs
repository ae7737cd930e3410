//! The program's log, on the standard error output.
//!
//! The parts of the host write it with the macros of `tracing`. A line names the part that wrote
//! it: the room of the library, or what an event states as its target. How a line looks is decided
//! once, by [`Format`] and by where it goes:
//!
//! ```text
//! 2026-11-20T12:00:00.123Z INFO link: up peer=scribe transport=tcp address=192.0.2.7:6020
//! <6>link: up peer=scribe transport=tcp address=192.0.2.7:6020        (into the journal)
//! {"time":"2026-11-20T12:00:00.123Z","level":"INFO","target":"link","message":"up","fields":{…}}
//! ```
//!
//! Texts of peers and modules are in there, so control characters are always escaped: a line is
//! one line, and nothing in it moves a terminal's cursor.

mod filter;
mod line;
mod output;
mod panic_text;
mod style;
#[cfg(test)]
mod tests;
mod timestamp;

use std::sync::OnceLock;

use clap::ValueEnum;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

pub use filter::{Filter, FilterError};
pub use kozo_abi::error_text;
pub use line::{Fields, Line, printable};
use output::{Libraries, Output};
pub(crate) use panic_text::panic_text;
use style::{Style, Surroundings};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Lines for people, or for the journal when they go there.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("something else writes the log of this process already")]
pub struct StartError;

static STARTED: OnceLock<Style> = OnceLock::new();

/// Starts the log of this process. What is logged before goes nowhere.
///
/// Panics become lines of it as well, in place of the standard library's own text.
///
/// # Errors
/// [`StartError`] when there is a log already.
pub fn start(filter: &Filter, format: Format) -> Result<(), StartError> {
    let style = Style::choose(format, &Surroundings::read());
    let subscriber = Registry::default()
        .with(filter.own())
        .with(Output::new(move |line: &Line| output::write(line, style)));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| StartError)?;
    ::log::set_boxed_logger(Box::new(Libraries::new(filter.of_libraries(), style)))
        .map_err(|_| StartError)?;
    ::log::set_max_level(filter.most_verbose());
    log_panics();
    // A second start has failed above.
    let _ = STARTED.set(style);
    Ok(())
}

/// Starts the log of a process whose lines, up to [`tracing::Level::DEBUG`], somebody else takes.
///
/// # Errors
/// [`StartError`] when there is a log already.
pub(crate) fn start_with(write: impl Fn(&Line) + Send + Sync + 'static) -> Result<(), StartError> {
    let most = tracing_subscriber::filter::LevelFilter::DEBUG;
    let subscriber = Registry::default().with(most).with(Output::new(write));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| StartError)?;
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
    }));
}

/// Whether programs read the log rather than people: it has been started as JSON, or goes to the
/// journal. What is wrong at the start then belongs into it, too.
pub fn is_read_by_programs() -> bool {
    matches!(STARTED.get(), Some(Style::Json | Style::Journal))
}
