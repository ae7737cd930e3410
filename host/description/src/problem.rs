//! What is wrong with a file: all of it, in one report.
//!
//! A check never stops at the first mistake. It pushes a [`Problem`] for each and goes on with
//! what it can still make sense of; who asked decides by [`Problems::has_errors`].

use std::fmt;

use serde::Serialize;

use kozo_ground::text::{printable, printable_lines};

/// How many errors, and how many warnings, one report keeps; further ones are only counted.
pub const MAX_PROBLEMS: usize = 1000;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing can be started with this file.
    Error,
    /// The file can be used, but probably does not say what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// What kind of failure a report stands for; the command line has an exit code for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The file is missing or cannot be read.
    Unreadable,
    /// The file was read and something in it is wrong.
    Invalid,
    /// The file is valid, but the local node is not in it.
    UnknownNode,
}

/// A position in a file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The file that it is in, where that is another one than the report is about: one that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<str>>,
    /// Where it is, if it is at one place.
    pub place: Option<Place>,
    /// The way through the blocks, `system.clock.roles.timer1.tick` say; empty for the whole file.
    pub path: String,
    /// What is wrong, and why.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with which the file cannot be used.
    pub fn error(
        place: impl Into<Option<Place>>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            file: None,
            place: place.into(),
            path: path.into(),
            message: message.into(),
            help: None,
        }
    }

    /// A problem that leaves the file usable.
    pub fn warning(
        place: impl Into<Option<Place>>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, path, message)
        }
    }

    /// The same problem in a file that the one of the report names.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<Box<str>>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same problem with advice on what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All that is wrong with one file, in the order of the file, and then with those that it names.
///
/// It displays as one `error: FILE:LINE:COLUMN: PATH: MESSAGE` line a problem, each followed by an
/// indented `help:` line where there is advice, and serialises as
/// `{file, problems: [{severity, place: {line, column}, path, message, help}], omitted}`; a problem in
/// a file that this one names has a `file` of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems {
    file: String,
    #[serde(skip)]
    class: Class,
    problems: Vec<Problem>,
    omitted: usize,
    #[serde(skip)]
    errors: usize,
}

impl Problems {
    /// An empty report about `file`, of class [`Class::Invalid`].
    pub fn new(file: impl Into<String>) -> Self {
        Self::of_class(file, Class::Invalid)
    }

    /// An empty report about `file`, of this class.
    pub fn of_class(file: impl Into<String>, class: Class) -> Self {
        Self {
            file: file.into(),
            class,
            problems: Vec::new(),
            omitted: 0,
            errors: 0,
        }
    }

    /// The same report under another file name.
    #[must_use]
    pub fn about(mut self, file: impl Into<String>) -> Self {
        self.file = file.into();
        self
    }

    /// Adds a problem. Beyond [`MAX_PROBLEMS`] of its severity it is only counted.
    pub fn push(&mut self, problem: Problem) {
        let kept = match problem.severity {
            Severity::Error => self.errors,
            Severity::Warning => self.problems.len() - self.errors,
        };
        if kept >= MAX_PROBLEMS {
            self.omitted += 1;
            return;
        }
        self.errors += usize::from(problem.severity == Severity::Error);
        let behind = self
            .problems
            .partition_point(|other| (&other.file, other.place) <= (&problem.file, problem.place));
        self.problems.insert(behind, problem);
    }

    /// Gives what is said of this place about `subject` this advice, instead of what it had. False if
    /// nothing is.
    pub fn advise(&mut self, place: Place, subject: &str, help: &str) -> bool {
        let mut is_advised = false;
        for problem in &mut self.problems {
            let is_there = problem.file.is_none() && problem.place == Some(place);
            if is_there && problem.message.contains(subject) {
                problem.help = Some(help.to_owned());
                is_advised = true;
            }
        }
        is_advised
    }

    /// The file that the report is about, as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What kind of failure the report stands for.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The problems in the order of the file, those without a place first, and then those in other files.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// Whether nothing at all is wrong.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether there is an error, not only warnings.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many problems were counted but not kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let file = problem.file.as_deref().unwrap_or(&self.file);
            write!(f, "{}: {}", problem.severity, printable(file))?;
            if let Some(Place { line, column }) = problem.place {
                write!(f, ":{line}:{column}")?;
            }
            if !problem.path.is_empty() {
                write!(f, ": {}", printable(&problem.path))?;
            }
            write!(f, ": {}", printable_lines(&problem.message))?;
            if let Some(help) = &problem.help {
                write!(f, "\n    help: {}", printable_lines(help))?;
            }
        }
        if self.omitted > 0 {
            write!(f, "\nand {} more problems", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
