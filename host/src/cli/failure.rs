//! What keeps a command from doing what it was asked for: printed here, and only here, with the
//! exit codes.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use kozo_description::{Class, Problems, Severity};
use kozo_ground::text::error_text;
use kozo_ground::text::printable_lines;

use crate::log::{BOUNDED, is_read_by_programs, print};

/// The exit codes, as `--help` explains them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  the command line is wrong, or the demo did not do what it should
  2  there is no such file, or it cannot be read
  3  the configuration file is not valid, or this machine does not fit it
  4  the node is not in the configuration file
  5  anything else that keeps the command from doing its work; of `run` also that the node runs
     on this machine already
`kozo doctor`, `tail`, `send` and `ping` have codes of their own: see `kozo doctor --help`, …";

/// Those of `kozo doctor`.
pub(super) const DOCTOR_EXIT_CODES: &str = "\
Exit codes:
  0  nothing is wrong, as far as it could be looked at
  1  there are warnings, or the command line is wrong
  2  there are faults: something does not work as the file says
  5  anything else that keeps the command from doing its work";

/// Those of commands that wait for something.
pub(super) const WAITING_EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  the command line is wrong
  2  what was waited for did not come: a message, an answer, an acknowledgement
  5  anything else that keeps the command from doing its work";

const USAGE: u8 = 1;
const UNREADABLE: u8 = 2;
const NOTHING_CAME: u8 = 2;
const INVALID: u8 = 3;
const UNKNOWN_NODE: u8 = 4;
const OTHER: u8 = 5;

/// The part that start-up failures are of, in the log.
const TARGET: &str = "start";

/// Why a command could not do what it was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong, or asks for a help text.
    Usage(clap::Error),
    /// The first word is neither a command nor a file.
    NoCommand {
        /// The word.
        word: String,
        /// The command that is called much like it.
        near: String,
    },
    /// The configuration file cannot be used.
    Report(Problems),
    /// The same, and the report was what was asked for: it is printed already.
    Reported(Class),
    /// Something is wrong with this machine, as it was printed already; with the exit code for it.
    Diagnosed(u8),
    /// The demo did not do what it should.
    Demo(Box<dyn Error + Send + Sync>),
    /// What the command waited for did not come.
    NothingCame(String),
    /// The standard output cannot be written.
    Output(io::Error),
    /// Anything else.
    Other(Box<dyn Error + Send + Sync>),
}

impl Failure {
    pub(super) fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    /// The program's exit code.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(error) if !error.use_stderr() => return ExitCode::SUCCESS,
            Self::Usage(_) | Self::NoCommand { .. } | Self::Demo(_) => USAGE,
            Self::Report(problems) => of_class(problems.class()),
            Self::Reported(class) => of_class(*class),
            Self::Diagnosed(code) => *code,
            Self::NothingCame(_) => NOTHING_CAME,
            Self::Output(_) | Self::Other(_) => OTHER,
        })
    }

    /// Prints it to the standard error output; help texts to the standard output.
    pub(super) fn print(&self) {
        match self {
            // An error here is that nobody reads.
            Self::Usage(error) => drop(error.print()),
            Self::Report(problems) => print_report(problems),
            Self::Reported(_) | Self::Diagnosed(_) => {}
            Self::NoCommand { word, near } => print_error(&format!(
                "there is no file `{word}` and no command of that name: did you mean `kozo {near}`?"
            )),
            Self::Demo(error) | Self::Other(error) => print_error(&error_text(error.as_ref())),
            Self::NothingCame(text) => print_error(text),
            Self::Output(error) => {
                print_error(&format!("cannot write to the standard output: {error}"));
            }
        }
    }
}

fn of_class(class: Class) -> u8 {
    match class {
        Class::Unreadable => UNREADABLE,
        Class::Invalid => INVALID,
        Class::UnknownNode => UNKNOWN_NODE,
    }
}

fn print_error(text: &str) {
    if is_read_by_programs() {
        tracing::error!(target: TARGET, "{text}");
    } else {
        print(format!("error: {}\n", printable_lines(text)));
    }
}

fn print_report(problems: &Problems) {
    if is_read_by_programs() {
        log_problems(problems);
    } else {
        print(printable_lines(&format!("{problems}\n")).into_owned());
    }
}

/// Writes each problem of a configuration file into the log.
pub(super) fn log_problems(problems: &Problems) {
    for problem in problems {
        let place = problem
            .place
            .map(|place| format!(":{}:{}", place.line, place.column));
        let path = match problem.path.as_str() {
            "" => String::new(),
            path => format!("{path}: "),
        };
        let text = format!(
            "{}{}: {path}{}",
            problems.file(),
            place.unwrap_or_default(),
            problem.message
        );
        let help = problem.help.as_deref();
        match problem.severity {
            Severity::Error => tracing::error!(name: BOUNDED, target: TARGET, help, "{text}"),
            Severity::Warning => tracing::warn!(name: BOUNDED, target: TARGET, help, "{text}"),
        }
    }
    if problems.omitted() > 0 {
        tracing::warn!(target: TARGET, "and {} more problems", problems.omitted());
    }
}
