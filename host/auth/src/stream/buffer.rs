//! What was read from a stream and not yet taken.

use tokio::io::ReadBuf;

/// How much is read from a stream at a time until more has come at once, in bytes: most links only say now and
/// then that they still stand.
const SMALL: usize = 4096;

/// How many times in a row a buffer is emptied and three quarters of it have not been needed, until it is made
/// half as long.
const PATIENCE: u32 = 64;

/// Bytes that were read and not yet asked for. It is as long as what came lately has needed, one chunk or two at
/// most, and grows beyond that only for what is read ahead.
#[derive(Default)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// The most that is read at a time, in bytes.
    chunk: usize,
    pub(super) ahead: usize,
    /// How long it may stay when all was taken, in bytes.
    kept: usize,
    /// How many times in a row it was emptied and three quarters of it had not been needed.
    spare: u32,
}

impl Buffer {
    pub(super) fn new(chunk: usize, ahead: usize) -> Self {
        Self {
            bytes: vec![0; SMALL.min(chunk)],
            spare: 0,
            start: 0,
            end: 0,
            chunk,
            ahead,
            kept: chunk,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// From now on as much is read at a time as this says. There is room for two pieces of that length, so that what
    /// was read of the next one is seldom moved.
    pub(super) fn retune(&mut self, chunk: usize) {
        (self.chunk, self.ahead, self.kept) = (chunk, chunk, 2 * chunk);
    }

    /// Room for more, never empty.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                // Doubling keeps the copies of a long read-ahead few.
                let longer = (self.bytes.len() * 2).min(self.ahead + self.chunk);
                self.bytes.resize(longer.max(self.end + 1), 0);
            }
        }
        let end = self.bytes.len().min(self.end + self.chunk);
        &mut self.bytes[self.end..end]
    }

    /// Counts what was written into [`Self::space`].
    pub(super) fn extend(&mut self, count: usize) {
        self.end += count;
    }

    /// What is there.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Moves as much as fits into `buf`.
    pub(super) fn take(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.len().min(buf.remaining());
        buf.put_slice(&self.filled()[..count]);
        self.consume(count);
    }

    /// Takes away so many bytes at the front.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            self.fit();
            (self.start, self.end) = (0, 0);
        }
    }

    /// Takes the length that fits what comes, when all that came was taken.
    fn fit(&mut self) {
        let length = self.bytes.len();
        let is_spare = self.end <= length / 4;
        self.spare = if is_spare { self.spare + 1 } else { 0 };
        let fitting = if length > self.kept {
            self.kept
        } else if self.end == length {
            // There may have been more.
            (length * 2).min(self.kept)
        } else if self.spare >= PATIENCE {
            (length / 2).max(SMALL.min(self.chunk))
        } else {
            return;
        };
        self.spare = 0;
        if fitting != length {
            self.bytes = vec![0; fitting];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_as_long_as_what_comes_needs() {
        const LARGE: usize = 5 * SMALL;
        const AHEAD: usize = 1000;
        let mut buffer = Buffer::new(LARGE, AHEAD);
        let mut length_after = |count: usize| {
            let mut taken = vec![0; LARGE];
            let count = count.min(buffer.space().len());
            buffer.space()[..count].fill(7);
            buffer.extend(count);
            // In two parts, as a session does.
            buffer.take(&mut ReadBuf::new(&mut taken[..count / 2]));
            let mut rest = ReadBuf::new(&mut taken);
            buffer.take(&mut rest);
            assert!(rest.filled().iter().all(|byte| *byte == 7));
            assert_eq!(buffer.len(), 0);
            buffer.bytes.len()
        };
        assert_eq!(length_after(100), SMALL);
        let grown = [2 * SMALL, 4 * SMALL, LARGE, LARGE];
        assert_eq!([(); 4].map(|()| length_after(LARGE)), grown);
        for _ in 1..PATIENCE {
            assert_eq!(length_after(100), LARGE);
        }
        // Something larger in between, and it stays.
        assert_eq!(length_after(2 * SMALL), LARGE);
        for _ in 1..PATIENCE {
            assert_eq!(length_after(100), LARGE);
        }
        assert_eq!(length_after(100), LARGE / 2);
        for _ in 0..10 * PATIENCE {
            length_after(100);
        }
        assert_eq!(length_after(100), SMALL);
    }
}
