//! The number of a run: it rises with each, so that others know the newest of a node's sessions.
//!
//! It is kept in a file of the bus's state folder, and written there before it is used. The wall clock is never
//! asked: a board without one begins in 1970 each time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file's name.
const FILE: &str = "session-counter";

/// The longest text that is a number of a run, with the end of the line.
const MAX_TEXT: usize = 21;

/// Why there is no number for this run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CounterError {
    /// It cannot be read.
    #[error("the number of the last run cannot be read from `{}`: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It holds something else.
    #[error("`{}` does not hold the number of the last run: write a number into it that is higher than it has ever been (other nodes tell which one they know, `kozo status --nodes`), or give this node a key of its own", .0.display())]
    NotNumber(PathBuf),
    /// It cannot be written.
    #[error("the number of this run cannot be kept in `{}`, and without that other nodes would not believe this one after its next start: {reason}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}

/// The number of this run: one more than that of the last one, kept in `folder`.
///
/// # Errors
/// It cannot be read or kept: no number may be used then.
pub(super) fn next(folder: &Path) -> Result<u64, CounterError> {
    let path = folder.join(FILE);
    let last = match read(&path) {
        Ok(text) => parse(&text).ok_or_else(|| CounterError::NotNumber(path.clone()))?,
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => 0,
        Err(reason) => return Err(CounterError::Read { path, reason }),
    };
    let number = last
        .checked_add(1)
        .ok_or_else(|| CounterError::NotNumber(path.clone()))?;
    match keep(folder, &path, number) {
        Ok(()) => Ok(number),
        Err(reason) => Err(CounterError::Write { path, reason }),
    }
}

/// Keeps a number that others have shown to be necessary: the next run has a higher one.
///
/// # Errors
/// It cannot be kept.
pub(super) fn raise(folder: &Path, number: u64) -> Result<(), CounterError> {
    let path = folder.join(FILE);
    keep(folder, &path, number).map_err(|reason| CounterError::Write { path, reason })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    // One byte more than there may be tells a longer file.
    let mut file = File::open(path)?.take(MAX_TEXT as u64 + 1);
    file.read_to_end(&mut text)?;
    Ok(text)
}

fn parse(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.strip_suffix('\n').unwrap_or(text).parse().ok()
}

/// Writes the number so that after a loss of power there is either the old one or the new one.
fn keep(folder: &Path, path: &Path, number: u64) -> io::Result<()> {
    let new = folder.join(format!("{FILE}.new"));
    let mut file = File::create(&new)?;
    writeln!(file, "{number}")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_higher_number_than_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..4 {
            assert_eq!(next(folder.path()).unwrap(), number);
        }
        let path = folder.path().join(FILE);
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        raise(folder.path(), 57).unwrap();
        assert_eq!(next(folder.path()).unwrap(), 58);
        fs::write(&path, "3\n").unwrap();
        // What was begun when the power went is no harm.
        fs::write(folder.path().join("session-counter.new"), "garbage").unwrap();
        assert_eq!(next(folder.path()).unwrap(), 4);
    }

    #[test]
    fn what_is_no_number_is_never_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let last = format!("{}\n", u64::MAX);
        for text in ["", "\n", "-1\n", "7 \n", "seven", &last, &"1".repeat(100)] {
            fs::write(&path, text).unwrap();
            let error = next(folder.path()).unwrap_err();
            assert!(
                matches!(error, CounterError::NotNumber(_)),
                "{text}: {error}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_number_that_cannot_be_kept_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let error = next(&gone).unwrap_err();
        assert!(matches!(error, CounterError::Write { .. }), "{error}");
        fs::create_dir(folder.path().join(FILE)).unwrap();
        let error = next(folder.path()).unwrap_err();
        assert!(matches!(error, CounterError::Read { .. }), "{error}");
    }
}
