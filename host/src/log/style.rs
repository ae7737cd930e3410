//! How lines look, by where they go.

use std::ffi::OsString;
use std::io::IsTerminal;

use super::Format;

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

/// What this depends on.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Whether the standard error output is a terminal.
    pub(super) terminal: bool,
    /// The variable `NO_COLOR`.
    pub(super) no_color: Option<OsString>,
    /// The variable `JOURNAL_STREAM`: device and inode of the socket into the journal.
    pub(super) journal_stream: Option<OsString>,
    /// Device and inode of the standard error output.
    pub(super) output: Option<(u64, u64)>,
}

impl Surroundings {
    pub(super) fn read() -> Self {
        let stderr = std::io::stderr();
        let output = rustix::fs::fstat(&stderr).ok();
        Self {
            terminal: stderr.is_terminal(),
            no_color: std::env::var_os("NO_COLOR"),
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
    pub(super) fn choose(format: Format, surroundings: &Surroundings) -> Self {
        let no_color = surroundings.no_color.as_ref();
        match format {
            Format::Json => Self::Json,
            Format::Text if surroundings.is_journal() => Self::Journal,
            Format::Text => Self::Text {
                colour: surroundings.terminal && no_color.is_none_or(|value| value.is_empty()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_shows_colours_and_not_against_no_color() {
        let terminal = |no_color: Option<&str>| Surroundings {
            terminal: true,
            no_color: no_color.map(OsString::from),
            ..Surroundings::default()
        };
        let style = |surroundings| Style::choose(Format::Text, &surroundings);
        assert_eq!(style(terminal(None)), Style::Text { colour: true });
        assert_eq!(style(terminal(Some(""))), Style::Text { colour: true });
        assert_eq!(style(terminal(Some("1"))), Style::Text { colour: false });
        assert_eq!(
            style(Surroundings::default()),
            Style::Text { colour: false }
        );
    }

    #[test]
    fn the_journal_is_known_by_its_socket_not_by_the_variable_alone() {
        let style = |stream: &str, output| {
            let surroundings = Surroundings {
                journal_stream: Some(stream.into()),
                output,
                ..Surroundings::default()
            };
            Style::choose(Format::Text, &surroundings)
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
