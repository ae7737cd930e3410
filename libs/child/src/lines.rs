//! Bytes as lines, each of a length that has a limit.

use std::io::{self, Read};

/// How much is read at once, in bytes: as much as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line<'a> {
    /// What stands in it, without the end of the line; no more than the limit.
    pub text: &'a [u8],
    /// How many bytes of it were left out, because it is longer than the limit.
    pub left_out: u64,
}

/// Reads lines. Of one that is longer than a limit there is the beginning, and how much was left out: nobody who
/// writes without end makes this one grow.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    max: usize,
    /// What was read, of which `start..end` has not been handed out.
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    /// The beginning of a line that goes on in the next chunk.
    begun: Vec<u8>,
    left_out: u64,
    /// Whether there is a line that has begun, be it an empty one of which only a part was left out.
    has_begun: bool,
}

impl<R: Read> Lines<R> {
    /// Reads lines of at most `max` bytes each.
    pub fn new(input: R, max: usize) -> Self {
        Self {
            input,
            max,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            start: 0,
            end: 0,
            begun: Vec::new(),
            left_out: 0,
            has_begun: false,
        }
    }

    /// The next line; none at the end of the input. What stands behind the last end of a line is one as well.
    ///
    /// # Errors
    /// What the input says.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        if !self.has_begun {
            self.begun.clear();
            // A long line is no reason to keep as much for ever.
            self.begun.shrink_to(CHUNK);
            self.left_out = 0;
        }
        loop {
            let unread = &self.chunk[self.start..self.end];
            let Some(length) = unread.iter().position(|byte| *byte == b'\n') else {
                self.keep();
                if self.fill()? {
                    continue;
                }
                return Ok(std::mem::take(&mut self.has_begun).then_some(Line {
                    text: &self.begun,
                    left_out: self.left_out,
                }));
            };
            let from = self.start;
            if std::mem::take(&mut self.has_begun) {
                self.append(from, from + length);
                self.start = from + length + 1;
                return Ok(Some(Line {
                    text: &self.begun,
                    left_out: self.left_out,
                }));
            }
            self.start = from + length + 1;
            let shown = length.min(self.max);
            return Ok(Some(Line {
                text: &self.chunk[from..from + shown],
                left_out: (length - shown) as u64,
            }));
        }
    }

    /// Whether the next line is there already, so that [`next_line`](Self::next_line) does not wait.
    pub fn has_line(&self) -> bool {
        self.chunk[self.start..self.end].contains(&b'\n')
    }

    /// Puts away what was read and has no end.
    fn keep(&mut self) {
        if self.start < self.end {
            self.append(self.start, self.end);
            self.start = self.end;
            self.has_begun = true;
        }
    }

    fn append(&mut self, from: usize, to: usize) {
        let room = self.max.saturating_sub(self.begun.len());
        let shown = (to - from).min(room);
        self.begun
            .extend_from_slice(&self.chunk[from..from + shown]);
        self.left_out += (to - from - shown) as u64;
    }

    /// Reads more; false at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.input.read(&mut self.chunk) {
                Ok(length) => {
                    (self.start, self.end) = (0, length);
                    return Ok(length > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives as many bytes at a time as it is told, in turn.
    struct Slow<'a> {
        bytes: &'a [u8],
        steps: std::iter::Cycle<std::slice::Iter<'a, usize>>,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = *self.steps.next().unwrap_or(&1);
            let length = step.min(buffer.len()).min(self.bytes.len());
            let (now, later) = self.bytes.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.bytes = later;
            Ok(length)
        }
    }

    fn all(input: impl Read, max: usize) -> Vec<(Vec<u8>, u64)> {
        let mut lines = Lines::new(input, max);
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            assert!(line.text.len() <= max);
            found.push((line.text.to_vec(), line.left_out));
        }
        found
    }

    #[test]
    fn of_a_long_line_there_is_the_beginning_and_what_was_left_out_is_counted() {
        let found = all(&b"short\nlonger\n\nlast"[..], 5);
        let expected: [(&[u8], u64); 4] = [(b"short", 0), (b"longe", 1), (b"", 0), (b"last", 0)];
        assert_eq!(found, expected.map(|(text, out)| (text.to_vec(), out)));
    }

    #[test]
    fn a_line_of_ten_megabytes_takes_no_more_memory_than_the_limit() {
        let input = io::repeat(b'x').take(10 << 20);
        let mut lines = Lines::new(input.chain(&b"\nnext\n"[..]), 1000);
        let line = lines.next_line().unwrap().unwrap();
        assert_eq!((line.text.len(), line.left_out), (1000, (10 << 20) - 1000));
        assert!(lines.begun.capacity() <= 2 * 1000);
        assert_eq!(lines.next_line().unwrap().unwrap().text, b"next");
        assert!(lines.next_line().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_come(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..200),
            steps in prop::collection::vec(1_usize..9, 1..5),
            max in 0_usize..20,
        ) {
            let mut expected: Vec<_> = bytes
                .split(|byte| *byte == b'\n')
                .map(|line| {
                    let shown = line.len().min(max);
                    (line[..shown].to_vec(), (line.len() - shown) as u64)
                })
                .collect();
            // Behind the last end of a line nothing has begun.
            if bytes.is_empty() || bytes.ends_with(b"\n") {
                expected.pop();
            }
            prop_assert_eq!(all(&*bytes, max), expected.clone());
            let slow = Slow { bytes: &bytes, steps: steps.iter().cycle() };
            prop_assert_eq!(all(slow, max), expected);
        }
    }
}
