//! One client: bytes become lines, and answers wait until the client takes them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Instant;

use crate::admission::Standing;
use crate::protocol::{self, Opening};

/// How long a line is at most, in bytes, without its end.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// How many bytes are read at a time.
const CHUNK: usize = 16 * 1024;

/// With so many bytes of answers waiting, no more lines are read.
const MAX_UNREAD_ANSWERS: usize = 64 * 1024;

/// How many bytes are thrown away when a connection is ended while its client still writes. The
/// system takes an answer back that the client has not read yet, if there is more to read here when
/// the connection is closed.
const MAX_THROWN_AWAY: usize = 256 * 1024;

/// What came over a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// A line of more than [`MAX_LINE`] bytes, which were thrown away.
    TooLong,
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    partial: Vec<u8>,
    /// Whether the rest of the line that is being read is thrown away.
    too_long: bool,
}

impl Lines {
    /// The lines that end in these bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let content = part.strip_suffix(b"\n").unwrap_or(part);
            self.too_long |= self.partial.len() + content.len() > MAX_LINE;
            if self.too_long {
                self.partial = Vec::new();
            } else {
                self.partial.extend_from_slice(content);
            }
            if content.len() < part.len() {
                lines.extend(self.finish());
            }
        }
        lines
    }

    /// The last line, when nothing more comes; empty lines are left out.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        if std::mem::take(&mut self.too_long) {
            return Some(Line::TooLong);
        }
        let line = std::mem::take(&mut self.partial);
        let blank = line.iter().all(u8::is_ascii_whitespace);
        (!blank).then_some(Line::Whole(line))
    }
}

/// What a client has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Lines, whatever is in them.
    Lines(Vec<Line>),
    /// Something that no client of this port says: it speaks another protocol.
    Foreign,
}

/// A client's connection, which never blocks.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) client: String,
    pub(crate) standing: Standing,
    opening: Opening,
    lines: Lines,
    answers: Vec<u8>,
    /// Whether the client has said all that it has to say.
    ended: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, client: SocketAddr, now: Instant) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            client: client.to_string(),
            standing: Standing::new(client.ip(), now),
            opening: Opening::default(),
            lines: Lines::default(),
            answers: Vec::new(),
            ended: false,
        })
    }

    pub(crate) fn wants_to_read(&self) -> bool {
        !self.ended && self.answers.len() < MAX_UNREAD_ANSWERS
    }

    pub(crate) fn wants_to_write(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Nothing more can be read or written.
    pub(crate) fn hang_up(&mut self) {
        self.ended = true;
        self.answers = Vec::new();
    }

    /// Whether there is nothing left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.ended && self.answers.is_empty()
    }

    /// What has come.
    pub(crate) fn read(&mut self) -> io::Result<Said> {
        let mut chunk = vec![0; CHUNK];
        let lines = match self.stream.read(&mut chunk) {
            Ok(0) => {
                self.ended = true;
                self.lines.finish().into_iter().collect()
            }
            Ok(count) if self.opening.is_foreign(&chunk[..count]) => return Ok(Said::Foreign),
            Ok(count) => self.lines.push(&chunk[..count]),
            Err(error) if would_block(&error) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Said::Lines(lines))
    }

    /// Answers one line.
    pub(crate) fn answer(&mut self, result: &Result<(), String>) {
        let answer = match result {
            Ok(()) => "ok".to_owned(),
            // One line, whatever the reason quotes.
            Err(reason) => format!("error: {}", reason.replace(char::is_control, " ")),
        };
        self.answers.extend_from_slice(answer.as_bytes());
        self.answers.push(b'\n');
    }

    /// Hands over what the client takes of the answers.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        while self.wants_to_write() {
            match self.stream.write(&self.answers) {
                Ok(count) => drop(self.answers.drain(..count)),
                Err(error) if would_block(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the connection now. The client is told why, if it takes that at once.
    pub(crate) fn dismiss(&mut self, reason: &str) {
        self.answer(&Err(reason.to_owned()));
        // Whatever fails: the connection is at its end.
        let _ = self.write();
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut chunk = vec![0; CHUNK];
        let mut thrown_away = 0;
        while thrown_away < MAX_THROWN_AWAY {
            match self.stream.read(&mut chunk) {
                Ok(count) if count > 0 => thrown_away += count,
                _ => break,
            }
        }
        self.hang_up();
    }
}

impl Line {
    /// Whether it belongs to another protocol.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self, Self::Whole(line) if protocol::is_http(line))
    }
}

pub(crate) fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_come_together_from_pieces() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"on"), []);
        assert_eq!(
            lines.push(b"e\r\n\n  \ntwo\nth"),
            [whole("one\r"), whole("two")]
        );
        assert_eq!(lines.finish(), Some(whole("th")));
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_not_kept() {
        let mut lines = Lines::default();
        let longest = vec![b'x'; MAX_LINE];
        assert_eq!(lines.push(&longest), []);
        assert_eq!(lines.push(b"\n"), [Line::Whole(longest.clone())]);
        for _ in 0..10 {
            assert_eq!(lines.push(&longest), []);
        }
        assert!(lines.partial.capacity() <= MAX_LINE);
        assert_eq!(lines.push(b"\nnext\n"), [Line::TooLong, whole("next")]);
    }
}
