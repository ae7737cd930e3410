//! Which lines are written.

use std::fmt;
use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// The crate that the parts of the host belong to; lines leave it out.
pub(super) const OWN_CRATE: &str = "kozo";

/// For how many parts there may be a level of their own.
const MAX_PARTS: usize = 64;

/// The levels by their names, the quietest first.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// Which lines are written: those of a level (`info`), and for single parts of another
/// (`info,link=debug`). A part is what a line names before its colon, or a path of modules such as
/// `kozo::link::dialer` or `russh`. Libraries that the host uses show warnings and errors only,
/// unless they are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter {
    level: LevelFilter,
    parts: Vec<(String, LevelFilter)>,
}

/// Why a text is not a [`LogFilter`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    /// A level has an unknown name.
    #[error("`{0}` is not a level: use off, error, warn, info, debug or trace")]
    Level(String),
    /// There are two levels for the same thing.
    #[error("there are two levels for {0}: leave one of them out")]
    Twice(String),
    /// A level is given for no part.
    #[error("`{0}` names no part: write `PART=LEVEL`")]
    Part(String),
    /// There are too many parts.
    #[error("there are levels for more than {MAX_PARTS} parts")]
    TooMany,
}

impl Default for LogFilter {
    /// `info`.
    fn default() -> Self {
        Self {
            level: LevelFilter::INFO,
            parts: Vec::new(),
        }
    }
}

impl FromStr for LogFilter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let Directives { level, parts } = Directives::parse(text)?;
        Ok(Self {
            level: level.unwrap_or(LevelFilter::INFO),
            parts,
        })
    }
}

/// The levels that a text names.
struct Directives {
    level: Option<LevelFilter>,
    parts: Vec<(String, LevelFilter)>,
}

impl Directives {
    fn parse(text: &str) -> Result<Self, FilterError> {
        let mut level = None;
        let mut parts: Vec<(String, LevelFilter)> = Vec::new();
        for directive in text.split(',').map(str::trim) {
            let Some((part, of_part)) = directive.split_once('=') else {
                if level.replace(level_called(directive)?).is_some() {
                    return Err(FilterError::Twice("everything".to_owned()));
                }
                continue;
            };
            let part = part.trim();
            if part.is_empty() {
                return Err(FilterError::Part(directive.to_owned()));
            }
            if parts.iter().any(|(other, _)| other == part) {
                return Err(FilterError::Twice(format!("`{part}`")));
            }
            if parts.len() == MAX_PARTS {
                return Err(FilterError::TooMany);
            }
            parts.push((part.to_owned(), level_called(of_part.trim())?));
        }
        Ok(Self { level, parts })
    }
}

fn level_called(name: &str) -> Result<LevelFilter, FilterError> {
    LEVELS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|&(_, level)| level)
        .ok_or_else(|| FilterError::Level(name.to_owned()))
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        for (part, level) in &self.parts {
            write!(f, ",{part}={level}")?;
        }
        Ok(())
    }
}

impl LogFilter {
    /// The same with what a text in the same form changes: the level, where it names one, and those of the
    /// parts that it names.
    pub(super) fn changed(&self, text: &str) -> Result<Self, FilterError> {
        let change = Directives::parse(text)?;
        let mut changed = self.clone();
        changed.level = change.level.unwrap_or(changed.level);
        for (part, level) in change.parts {
            let place = changed.parts.iter().position(|(known, _)| *known == part);
            match place {
                Some(place) => changed.parts[place].1 = level,
                None if changed.parts.len() == MAX_PARTS => return Err(FilterError::TooMany),
                None => changed.parts.push((part, level)),
            }
        }
        Ok(changed)
    }

    /// What holds for the host's own parts.
    pub(super) fn own(&self) -> Targets {
        let mut targets = Targets::new().with_default(self.level);
        for (part, level) in &self.parts {
            targets = targets
                .with_target(part.clone(), *level)
                .with_target(format!("{OWN_CRATE}::{part}"), *level);
        }
        targets
    }

    /// What holds for the libraries that it uses.
    pub(super) fn of_libraries(&self) -> Targets {
        let quiet = self.level.min(LevelFilter::WARN);
        Targets::new()
            .with_default(quiet)
            .with_targets(self.parts.iter().cloned())
    }

    /// The level beyond which nothing at all is written, in the terms of `log`.
    pub(super) fn most_verbose(&self) -> ::log::LevelFilter {
        let levels = self.parts.iter().map(|(_, level)| *level);
        let most_verbose = levels.fold(self.level, std::cmp::max);
        match most_verbose.into_level() {
            None => ::log::LevelFilter::Off,
            Some(Level::ERROR) => ::log::LevelFilter::Error,
            Some(Level::WARN) => ::log::LevelFilter::Warn,
            Some(Level::INFO) => ::log::LevelFilter::Info,
            Some(Level::DEBUG) => ::log::LevelFilter::Debug,
            Some(Level::TRACE) => ::log::LevelFilter::Trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> LogFilter {
        text.parse().unwrap()
    }

    #[test]
    fn a_level_alone_holds_for_all_own_parts() {
        let own = filter("warn").own();
        assert!(own.would_enable("kozo::link", &Level::WARN));
        assert!(own.would_enable("role", &Level::WARN));
        assert!(!own.would_enable("role", &Level::INFO));
    }

    #[test]
    fn a_part_is_called_as_its_lines_call_it() {
        let own = filter("info, link=debug").own();
        assert!(own.would_enable("link", &Level::DEBUG));
        assert!(own.would_enable("kozo::link::dialer", &Level::DEBUG));
        assert!(!own.would_enable("kozo::router", &Level::DEBUG));
        assert!(
            filter("kozo::link=trace")
                .own()
                .would_enable("kozo::link", &Level::TRACE)
        );
    }

    #[test]
    fn libraries_show_warnings_unless_they_are_named() {
        let libraries = filter("trace").of_libraries();
        assert!(libraries.would_enable("russh::client", &Level::WARN));
        assert!(!libraries.would_enable("russh::client", &Level::INFO));
        let named = filter("error,russh=debug");
        assert!(
            named
                .of_libraries()
                .would_enable("russh::client", &Level::DEBUG)
        );
        assert!(!named.of_libraries().would_enable("mio", &Level::WARN));
        assert_eq!(named.most_verbose(), ::log::LevelFilter::Debug);
    }

    #[test]
    fn without_a_level_of_its_own_everything_else_is_at_info() {
        assert_eq!(filter("link=debug").to_string(), "info,link=debug");
        assert_eq!(filter("INFO"), LogFilter::default());
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let changed = |text: &str| filter("info,link=debug").changed(text).unwrap().to_string();
        assert_eq!(changed("role=trace"), "info,link=debug,role=trace");
        assert_eq!(changed("warn"), "warn,link=debug");
        assert_eq!(changed("link=warn,debug"), "debug,link=warn");
        assert!(filter("info").changed("loud").is_err());
        let many = |name: &str| {
            (0..MAX_PARTS)
                .map(|n| format!("{name}{n}=info"))
                .collect::<Vec<_>>()
        };
        let full = filter(&many("a").join(","));
        assert_eq!(
            full.changed(&many("b").join(",")),
            Err(FilterError::TooMany)
        );
    }

    #[test]
    fn what_is_not_a_filter_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<LogFilter>().unwrap_err().to_string();
        let levels = "use off, error, warn, info, debug or trace";
        assert_eq!(refused("inof"), format!("`inof` is not a level: {levels}"));
        assert_eq!(
            refused("link=loud"),
            format!("`loud` is not a level: {levels}")
        );
        assert_eq!(refused(""), format!("`` is not a level: {levels}"));
        assert_eq!(
            refused("=debug"),
            "`=debug` names no part: write `PART=LEVEL`"
        );
        assert_eq!(
            refused("info,debug"),
            "there are two levels for everything: leave one of them out"
        );
        assert_eq!(
            refused("a=info,a=warn"),
            "there are two levels for `a`: leave one of them out"
        );
    }
}
