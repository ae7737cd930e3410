//! Lines that are not in the file yet.

use crate::line::Line;
use crate::log_file::count_lines;

/// How many bytes of lines are kept while the file cannot be written. Later ones are lost, and
/// counted.
pub(crate) const MAX_PENDING_BYTES: usize = 1024 * 1024;

/// Whole lines in the order in which they came, and how many behind them are lost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    bytes: Vec<u8>,
    lines: u64,
    lost: u64,
}

impl Pending {
    /// Adds a line while there is room for it; `elsewhere` bytes count as if they were here.
    pub(crate) fn push(&mut self, line: &Line, elsewhere: usize) {
        let length = line.prefix.len() + line.text.len() + 1;
        if self.lost > 0 || elsewhere + self.bytes.len() + length > MAX_PENDING_BYTES {
            self.lost += 1;
        } else {
            self.append(line);
        }
    }

    /// Adds a line, whether or not there is room for it.
    pub(crate) fn append(&mut self, line: &Line) {
        self.bytes.extend_from_slice(line.prefix.as_bytes());
        self.bytes.extend_from_slice(line.text.as_bytes());
        self.bytes.push(b'\n');
        self.lines += 1;
    }

    /// Puts lines back that came before those that are here.
    pub(crate) fn put_back(&mut self, mut earlier: Self) {
        earlier.bytes.append(&mut self.bytes);
        earlier.lines += self.lines;
        earlier.lost += self.lost;
        *self = earlier;
    }

    /// Counts lines that nobody will write any more.
    pub(crate) fn lose(&mut self, lines: u64) {
        self.lost += lines;
    }

    /// Whether there is nothing to write, not even that lines are lost.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.lost == 0
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// How many lines there are, and how many are lost.
    pub(crate) fn all_lines(&self) -> u64 {
        self.lines + self.lost
    }

    /// The lines, each with a line feed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Removes the first bytes, which are whole lines; how many lines that were.
    pub(crate) fn remove(&mut self, bytes: usize) -> u64 {
        let lines = count_lines(&self.bytes[..bytes]);
        self.bytes.drain(..bytes);
        self.lines -= lines;
        lines
    }

    /// How many lines were lost, if any; they count no more.
    pub(crate) fn take_lost(&mut self) -> Option<u64> {
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then_some(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            prefix: "- ".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn lines_that_come_back_stand_before_later_ones() {
        let mut pending = Pending::default();
        pending.push(&line("one"), 0);
        let earlier = std::mem::take(&mut pending);
        pending.push(&line("two"), earlier.bytes().len());
        pending.put_back(earlier);
        assert_eq!(pending.bytes(), b"- one\n- two\n");
        assert_eq!(pending.remove("- one\n".len()), 1);
        assert_eq!((pending.bytes(), pending.lines()), (&b"- two\n"[..], 1));
    }

    #[test]
    fn what_is_being_written_takes_room_and_what_has_none_is_counted() {
        let mut pending = Pending::default();
        pending.push(&line("one"), MAX_PENDING_BYTES - 6);
        pending.push(&line("two"), MAX_PENDING_BYTES - 6);
        // Once a line is lost, later ones are: the gap is in one place.
        pending.push(&line("three"), 0);
        assert_eq!((pending.lines(), pending.all_lines()), (1, 3));
        assert_eq!((pending.take_lost(), pending.take_lost()), (Some(2), None));
    }
}
