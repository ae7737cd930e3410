//! How lines look, by where they go.
//!
//! The journal takes them from the standard error output, with their priority in front. The crate
//! `tracing-journald` writes to a socket of its own, past the spool and its limits, and is of no use in a
//! container that has no such socket.

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::ValueEnum;

/// What `TERM` says of a terminal that obeys no escape sequences.
const DUMB: &str = "dumb";

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people, or for the journal when they go there.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Time, level and text.
    Text {
        /// Whether a terminal shows colours.
        colour: bool,
    },
    /// Priority and text; the journal has the time itself.
    Journal,
    /// JSON.
    Json,
}

/// The variables by which people say that they want no colours, and terminals that they have none.
#[derive(Debug, Default)]
pub(super) struct ColourVariables {
    /// `NO_COLOR`: any text but an empty one.
    no_color: Option<OsString>,
    /// `TERM`.
    term: Option<OsString>,
}

impl ColourVariables {
    fn read() -> Self {
        Self {
            no_color: std::env::var_os("NO_COLOR"),
            term: std::env::var_os("TERM"),
        }
    }

    fn are_wanted(&self) -> bool {
        let refused = self
            .no_color
            .as_ref()
            .is_some_and(|value| !value.is_empty());
        let is_dumb = self.term.as_ref().is_some_and(|term| term == DUMB);
        !refused && !is_dumb
    }
}

/// Whether a stream shows colours: a terminal that has them, before somebody who wants them.
pub(crate) fn shows_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && ColourVariables::read().are_wanted()
}

/// Where the lines go, as far as their style depends on that.
#[derive(Debug, Default)]
pub(super) struct Destination {
    /// Whether the standard error output is a terminal.
    pub(super) terminal: bool,
    /// What speaks against colours.
    pub(super) colour: ColourVariables,
    /// The variable `JOURNAL_STREAM`: device and inode of the socket into the journal.
    pub(super) journal_stream: Option<OsString>,
    /// Device and inode of the standard error output.
    pub(super) output: Option<(u64, u64)>,
}

impl Destination {
    pub(super) fn read() -> Self {
        let stderr = std::io::stderr();
        let output = rustix::fs::fstat(&stderr).ok();
        Self {
            terminal: stderr.is_terminal(),
            colour: ColourVariables::read(),
            journal_stream: std::env::var_os("JOURNAL_STREAM"),
            output: output.map(|stat| (stat.st_dev, stat.st_ino)),
        }
    }

    /// The variable alone does not tell: children inherit it, and may write elsewhere.
    fn is_journal(&self) -> bool {
        let stream = self.journal_stream.as_ref().and_then(|text| text.to_str());
        let identity = stream.and_then(|text| {
            let (device, inode) = text.split_once(':')?;
            Some((device.parse().ok()?, inode.parse().ok()?))
        });
        identity.is_some() && identity == self.output
    }
}

impl Style {
    pub(super) fn choose(format: LogFormat, destination: &Destination) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Text if destination.is_journal() => Self::Journal,
            LogFormat::Text => Self::Text {
                colour: destination.terminal && destination.colour.are_wanted(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_has_colours_shows_them_and_not_against_no_color() {
        let style = |terminal, no_color: Option<&str>, term: Option<&str>| {
            let destination = Destination {
                terminal,
                colour: ColourVariables {
                    no_color: no_color.map(OsString::from),
                    term: term.map(OsString::from),
                },
                ..Destination::default()
            };
            Style::choose(LogFormat::Text, &destination)
        };
        let [plain, coloured] = [false, true].map(|colour| Style::Text { colour });
        assert_eq!(style(true, None, None), coloured);
        assert_eq!(style(true, Some(""), Some("xterm-256color")), coloured);
        assert_eq!(style(true, Some("1"), Some("xterm-256color")), plain);
        assert_eq!(style(true, None, Some("dumb")), plain);
        assert_eq!(style(false, None, Some("xterm-256color")), plain);
    }

    #[test]
    fn the_journal_is_known_by_its_socket_not_by_the_variable_alone() {
        let style = |stream: &str, output| {
            let destination = Destination {
                journal_stream: Some(stream.into()),
                output,
                ..Destination::default()
            };
            Style::choose(LogFormat::Text, &destination)
        };
        assert_eq!(style("8:42", Some((8, 42))), Style::Journal);
        for (stream, output) in [
            ("8:42", Some((8, 43))),
            ("8:42", None),
            ("8", Some((8, 42))),
            ("", None),
        ] {
            assert_eq!(style(stream, output), Style::Text { colour: false });
        }
    }
}
