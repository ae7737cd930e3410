//! The file that lines are appended to: it is written in batches, rotated, and opened again when it
//! was moved.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::line::LineFormat;
use crate::pending::Pending;

/// Who may read a new file: its owner and group.
const FILE_MODE: u32 = 0o640;

/// When to begin a new file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    /// After how many lines; 0: never.
    pub(crate) every: u64,
    /// How many old files to keep.
    pub(crate) keep: u32,
}

impl Rotation {
    /// Whether a file with so many lines is full.
    pub(crate) fn is_full(&self, lines: u64) -> bool {
        self.every > 0 && lines >= self.every
    }
}

/// What failed, and with which file.
#[derive(Debug)]
pub(crate) struct WriteError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            path,
            source,
        } = self;
        write!(
            f,
            "cannot {action} the log file `{}`: {source}",
            path.display()
        )?;
        if source.kind() == ErrorKind::NotFound {
            f.write_str(" (does its folder exist?)")?;
        }
        Ok(())
    }
}

impl std::error::Error for WriteError {}

/// The file.
pub(crate) struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    /// Whether the file is still to be emptied when it is opened.
    clear: bool,
    file: Option<OpenFile>,
}

struct OpenFile {
    file: File,
    lines: u64,
}

impl LogFile {
    /// A file that is not open yet. `clear` empties it when it is opened for the first time.
    pub(crate) fn new(path: PathBuf, rotation: Rotation, clear: bool) -> Self {
        Self {
            path,
            rotation,
            clear,
            file: None,
        }
    }

    /// How many lines are in it, as far as that is known.
    pub(crate) fn lines(&self) -> u64 {
        self.file.as_ref().map_or(0, |open| open.lines)
    }

    /// Opens the file, or opens it anew.
    pub(crate) fn open(&mut self) -> Result<(), WriteError> {
        self.file = None;
        let opened = open(&self.path, self.clear).map_err(|source| self.failed("open", source))?;
        self.file = Some(opened);
        self.clear = false;
        Ok(())
    }

    /// Hands these lines to the system, and begins a new file when this one is full. What is not
    /// in the file afterwards stays in `pending`.
    pub(crate) fn write(
        &mut self,
        pending: &mut Pending,
        format: &LineFormat,
    ) -> Result<(), WriteError> {
        if !self.is_in_place() {
            self.open()?;
        }
        self.append(pending)?;
        if let Some(lost) = pending.take_lost() {
            let text = format!("({lost} lines are missing here: the file could not be written)");
            pending.append(&format.own_line(text));
            self.append(pending)?;
        }
        if self.rotation.is_full(self.lines()) {
            self.rotate()?;
        }
        Ok(())
    }

    /// Whether the open file is the one that the path leads to: nobody has moved or deleted it.
    fn is_in_place(&self) -> bool {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let Some(open) = &self.file else {
            return false;
        };
        match (open.file.metadata(), fs::metadata(&self.path)) {
            (Ok(open), Ok(named)) => identity(open) == identity(named),
            _ => false,
        }
    }

    fn append(&mut self, pending: &mut Pending) -> Result<(), WriteError> {
        let Some(open) = &mut self.file else {
            return Ok(());
        };
        let (written, result) = open.append(pending.bytes());
        open.lines += pending.remove(written);
        result.map_err(|source| self.failed("write to", source))
    }

    /// Moves FILE to FILE.1, FILE.1 to FILE.2 and so on, and begins a new one.
    fn rotate(&mut self) -> Result<(), WriteError> {
        let moved = self.move_old_files();
        if let (Err(_), Some(open)) = (&moved, &mut self.file) {
            // It goes on in the old file, and tries again when that has grown as much once more.
            open.lines = 0;
        }
        moved.map_err(|source| self.failed("rotate", source))?;
        self.open()
    }

    fn move_old_files(&self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            name
        };
        for number in (1..self.rotation.keep).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match self.rotation.keep {
            0 => fs::remove_file(&self.path),
            _ => fs::rename(&self.path, numbered(1)),
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> WriteError {
        WriteError {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

impl OpenFile {
    /// Appends whole lines; how many bytes of them are in the file, also when it failed.
    fn append(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        while written < lines.len() {
            let error = match self.file.write(&lines[written..]) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(count) => {
                    written += count;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            // A disk fills up in the middle of a line: that one is written whole later.
            let whole = lines[..written].iter().rposition(|&byte| byte == b'\n');
            let whole = whole.map_or(0, |at| at + 1);
            if self.cut_off(written - whole).is_ok() {
                written = whole;
            }
            return (written, Err(error));
        }
        (written, Ok(()))
    }

    fn cut_off(&self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let length = self.file.metadata()?.len();
        self.file.set_len(length.saturating_sub(count as u64))
    }
}

fn open(path: &Path, clear: bool) -> io::Result<OpenFile> {
    let existing = fs::metadata(path).map(|metadata| metadata.file_type()).ok();
    if existing.is_some_and(|file_type| file_type.is_fifo()) {
        // Opening one waits for a reader.
        return Err(io::Error::other("it is a pipe"));
    }
    let regular = existing.is_none_or(|file_type| file_type.is_file());
    let mut file = OpenOptions::new()
        .append(true)
        .read(regular)
        .create(true)
        .mode(FILE_MODE)
        .open(path)?;
    let mut lines = 0;
    if regular {
        if clear {
            file.set_len(0)?;
        }
        let ends_with_line;
        (lines, ends_with_line) = survey(&mut file)?;
        if !ends_with_line {
            // Somebody's last line was cut off, by a full disk or a crash.
            file.write_all(b"\n")?;
            lines += 1;
        }
    }
    Ok(OpenFile { file, lines })
}

/// How many lines a file has, and whether the last one is whole.
fn survey(file: &mut File) -> io::Result<(u64, bool)> {
    let mut chunk = vec![0; 64 * 1024];
    let mut lines = 0;
    let mut last = b'\n';
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok((lines, last == b'\n')),
            Ok(count) => {
                lines += count_lines(&chunk[..count]);
                last = chunk[count - 1];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// How many lines end in these bytes.
pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}
