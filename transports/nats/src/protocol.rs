//! NATS's own protocol: bytes to operations, and operations to bytes. Nothing of what a server sends is kept beyond
//! the limits here.

use std::str;

use bytes::{Buf, BytesMut};

/// The longest line, in bytes: that of `INFO`, which names all servers of a cluster.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// The longest message that is taken, in bytes with its headers. NATS advises against more than this.
pub(crate) const MAX_MESSAGE: usize = 8 * 1024 * 1024;

/// How much is read at a time, in bytes.
const READ: usize = 64 * 1024;

/// How many bytes of what is no NATS are shown.
const SHOWN: usize = 40;

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    /// What it says of itself, as JSON.
    Info(&'a [u8]),
    /// Something was published.
    Message {
        subject: &'a str,
        reply: Option<&'a str>,
        /// That of a message that the server itself has made.
        status: Option<u16>,
        payload: &'a [u8],
    },
    Ping,
    Pong,
    /// Something went well.
    Ok,
    /// Something did not.
    Error(&'a str),
}

/// What a server may not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("it does not speak NATS: it says `{0}`; is the port right?")]
    NotNats(String),
    #[error("it broke the protocol of NATS with a line of more than {MAX_LINE} bytes")]
    Line,
    #[error("it sent a message of {0} bytes, of which {MAX_MESSAGE} are taken at most")]
    Message(u64),
    #[error("it broke the protocol of NATS: {0}")]
    Malformed(&'static str),
}

/// Makes operations of bytes.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: BytesMut,
    /// What of the buffer has been handed out, and goes with the next call.
    taken: usize,
    /// How far the first line was looked through for its end.
    looked: usize,
    /// Whether anything has been understood: before that, it may be any server.
    is_nats: bool,
}

impl Reader {
    /// Where to read the next bytes to.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        self.forget();
        self.buffer.reserve(READ);
        &mut self.buffer
    }

    /// Whether all that was read has been handed out.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.len() == self.taken
    }

    fn forget(&mut self) {
        if self.taken > 0 {
            self.buffer.advance(std::mem::take(&mut self.taken));
        }
    }

    /// The next operation; none when its end has not come yet.
    ///
    /// # Errors
    /// [`Violation`], after which nothing can be read any more.
    pub(crate) fn next(&mut self) -> Result<Option<Op<'_>>, Violation> {
        self.forget();
        let line = match self.line()? {
            Some(line) => line,
            None => return Ok(None),
        };
        let (line_end, next) = line;
        let head =
            Head::parse(&self.buffer[..line_end]).map_err(|violation| match self.is_nats {
                true => violation,
                false => Violation::NotNats(shown(&self.buffer[..line_end])),
            })?;
        if !self.is_nats && !matches!(head, Head::Info(_) | Head::Error(_)) {
            return Err(Violation::NotNats(shown(&self.buffer[..line_end])));
        }
        let Some(message) = head.message() else {
            self.is_nats = true;
            self.taken = next;
            self.looked = 0;
            return Ok(Some(match Head::parse(&self.buffer[..line_end])? {
                Head::Info(json) => Op::Info(json),
                Head::Ping => Op::Ping,
                Head::Pong => Op::Pong,
                Head::Ok => Op::Ok,
                Head::Error(text) => Op::Error(text),
                Head::Message(_) => return Err(Violation::Malformed("a message without one")),
            }));
        };
        let (headers, total) = (message.headers, message.total);
        if total > MAX_MESSAGE {
            return Err(Violation::Message(total as u64));
        }
        let end = next + total;
        if self.buffer.len() < end + 2 {
            return Ok(None);
        }
        if &self.buffer[end..end + 2] != b"\r\n" {
            return Err(Violation::Malformed(
                "a message that is longer than it says",
            ));
        }
        self.taken = end + 2;
        self.looked = 0;
        let Head::Message(message) = Head::parse(&self.buffer[..line_end])? else {
            return Err(Violation::Malformed("a message without one"));
        };
        let body = &self.buffer[next..end];
        Ok(Some(Op::Message {
            subject: message.subject,
            reply: message.reply,
            status: status(&body[..headers]),
            payload: &body[headers..],
        }))
    }

    /// Where the first line ends, without its end, and where what follows begins.
    fn line(&mut self) -> Result<Option<(usize, usize)>, Violation> {
        let unseen = &self.buffer[self.looked..];
        let Some(found) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.looked = self.buffer.len();
            return match (self.looked > MAX_LINE, self.is_nats) {
                (true, true) => Err(Violation::Line),
                (true, false) => Err(Violation::NotNats(shown(&self.buffer))),
                // Most of what is no NATS is found out without waiting for a line.
                (false, false) if !could_be_nats(&self.buffer) => {
                    Err(Violation::NotNats(shown(&self.buffer)))
                }
                (false, _) => Ok(None),
            };
        };
        let next = self.looked + found + 1;
        // The line is looked at again while the rest of its message comes.
        self.looked = next - 1;
        if next > MAX_LINE {
            return Err(Violation::Line);
        }
        let end = match self.buffer[..next - 1].last() {
            Some(b'\r') => next - 2,
            _ => next - 1,
        };
        Ok(Some((end, next)))
    }
}

/// A line.
enum Head<'a> {
    Info(&'a [u8]),
    Message(MessageHead<'a>),
    Ping,
    Pong,
    Ok,
    Error(&'a str),
}

struct MessageHead<'a> {
    subject: &'a str,
    reply: Option<&'a str>,
    /// How many bytes are headers, and how many there are in all.
    headers: usize,
    total: usize,
}

impl<'a> Head<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Violation> {
        let (word, rest) = match line.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
            Some(end) => (&line[..end], line[end + 1..].trim_ascii()),
            None => (line, &b""[..]),
        };
        match word {
            b"MSG" => MessageHead::parse(rest, false).map(Self::Message),
            b"HMSG" => MessageHead::parse(rest, true).map(Self::Message),
            b"PING" => Ok(Self::Ping),
            b"PONG" => Ok(Self::Pong),
            b"+OK" => Ok(Self::Ok),
            b"INFO" => Ok(Self::Info(rest)),
            b"-ERR" => {
                let text = str::from_utf8(rest)
                    .map_err(|_| Violation::Malformed("an error that is no text"))?;
                Ok(Self::Error(text.trim_matches('\'')))
            }
            _ => Err(Violation::Malformed("an unknown operation")),
        }
    }

    fn message(&self) -> Option<&MessageHead<'a>> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }
}

impl<'a> MessageHead<'a> {
    fn parse(line: &'a [u8], with_headers: bool) -> Result<Self, Violation> {
        const WRONG: Violation = Violation::Malformed("a message with a wrong head");
        let line = str::from_utf8(line).map_err(|_| WRONG)?;
        let mut words = line.split_ascii_whitespace();
        let subject = words.next().ok_or(WRONG)?;
        // The subscription, which says nothing that the subject does not.
        let _: u64 = words
            .next()
            .and_then(|word| word.parse().ok())
            .ok_or(WRONG)?;
        let rest: [Option<&str>; 4] = std::array::from_fn(|_| words.next());
        let number = |word: &str| word.parse::<usize>().map_err(|_| WRONG);
        let (reply, headers, total) = match (with_headers, rest) {
            (false, [Some(total), None, ..]) => (None, 0, number(total)?),
            (false, [Some(reply), Some(total), None, _]) => (Some(reply), 0, number(total)?),
            (true, [Some(headers), Some(total), None, _]) => {
                (None, number(headers)?, number(total)?)
            }
            (true, [Some(reply), Some(headers), Some(total), None]) => {
                (Some(reply), number(headers)?, number(total)?)
            }
            _ => return Err(WRONG),
        };
        match headers <= total {
            true => Ok(Self {
                subject,
                reply,
                headers,
                total,
            }),
            false => Err(WRONG),
        }
    }
}

/// The status in headers, which stands behind their version.
fn status(headers: &[u8]) -> Option<u16> {
    let rest = headers.strip_prefix(b"NATS/1.0 ")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit());
    str::from_utf8(&rest[..end.unwrap_or(rest.len())])
        .ok()?
        .parse()
        .ok()
}

fn could_be_nats(bytes: &[u8]) -> bool {
    [&b"INFO"[..], b"-ERR"]
        .iter()
        .any(|word| bytes.starts_with(word) || word.starts_with(bytes))
}

fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(SHOWN)];
    start.escape_ascii().to_string()
}

/// Publishes.
pub(crate) fn publish(out: &mut Vec<u8>, subject: &str, reply: Option<&str>, data: &[u8]) {
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(subject.as_bytes());
    out.push(b' ');
    if let Some(reply) = reply {
        out.extend_from_slice(reply.as_bytes());
        out.push(b' ');
    }
    out.extend_from_slice(data.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Subscribes, under a number.
pub(crate) fn subscribe(out: &mut Vec<u8>, pattern: &str, number: u64) {
    out.extend_from_slice(format!("SUB {pattern} {number}\r\n").as_bytes());
}

/// Takes a subscription back.
pub(crate) fn unsubscribe(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(format!("UNSUB {number}\r\n").as_bytes());
}

pub(crate) const PING: &[u8] = b"PING\r\n";
pub(crate) const PONG: &[u8] = b"PONG\r\n";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All operations of these bytes, read in pieces of this length.
    fn read(bytes: &[u8], piece: usize) -> Result<Vec<String>, Violation> {
        let mut reader = Reader::default();
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.room().extend_from_slice(piece);
            while let Some(op) = reader.next()? {
                found.push(format!("{op:?}"));
            }
        }
        Ok(found)
    }

    fn message(subject: &str, reply: Option<&str>, status: Option<u16>, payload: &[u8]) -> String {
        format!(
            "{:?}",
            Op::Message {
                subject,
                reply,
                status,
                payload
            }
        )
    }

    #[test]
    fn operations_are_read_in_pieces_of_any_length() {
        let bytes = b"INFO {\"a\": 1} \r\nPING\r\nPONG\r\n+OK\r\n-ERR 'Slow Consumer'\r\n\
            MSG a.b 1 5\r\nhe\r\no\r\nMSG a.b 12 re.x 0\r\n\r\n\
            HMSG re.x 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\nHMSG a 3 r 18 20\r\nNATS/1.0\r\nX: y\r\n\r\nhi\r\n";
        let expected = vec![
            format!("{:?}", Op::Info(b"{\"a\": 1}")),
            "Ping".to_owned(),
            "Pong".to_owned(),
            "Ok".to_owned(),
            format!("{:?}", Op::Error("Slow Consumer")),
            message("a.b", None, None, b"he\r\no"),
            message("a.b", Some("re.x"), None, b""),
            message("re.x", None, Some(503), b""),
            message("a", Some("r"), None, b"hi"),
        ];
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(read(bytes, piece).unwrap(), expected, "{piece}");
        }
    }

    #[test]
    fn what_is_no_nats_is_said_as_soon_as_it_is_clear() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"SSH-2.0-OpenSSH_9.2",
            b"220 mail",
            b"\x15\x03\x01",
            b"PING\r\n",
            b"\r\n",
        ] {
            let violation = read(bytes, 100).unwrap_err();
            assert!(matches!(violation, Violation::NotNats(_)), "{violation}");
        }
        let endless = vec![b' '; MAX_LINE + 1];
        let endless = [b"INFO", &endless[..]].concat();
        assert!(matches!(read(&endless, 1000), Err(Violation::NotNats(_))));
    }

    #[test]
    fn what_breaks_the_protocol_ends_it() {
        let after = |bytes: &[u8]| read(&[b"INFO {}\r\n", bytes].concat(), 1000);
        for bytes in [
            &b"HELLO\r\n"[..],
            b"MSG a\r\n",
            b"MSG a x 1\r\n",
            b"MSG a 1 -1\r\n",
            b"MSG a 1 b c d\r\n",
            b"MSG a 1 2\r\nabcd\r\n",
            b"HMSG a 1 5 4\r\n",
            b"MSG \xff 1 0\r\n\r\n",
            b"MSG a 1 18446744073709551616\r\n",
        ] {
            let found = after(bytes);
            assert!(
                matches!(found, Err(Violation::Malformed(_))),
                "{found:?} of {}",
                bytes.escape_ascii()
            );
        }
        let line = vec![b'x'; MAX_LINE + 1];
        assert_eq!(after(&line), Err(Violation::Line));
        let large = format!("MSG a 1 {}\r\n", MAX_MESSAGE + 1);
        assert_eq!(
            after(large.as_bytes()),
            Err(Violation::Message(MAX_MESSAGE as u64 + 1))
        );
    }

    #[test]
    fn what_is_written_is_what_servers_read() {
        let mut out = Vec::new();
        publish(&mut out, "a.b", None, b"hello");
        publish(&mut out, "a.b", Some("re.x"), b"");
        subscribe(&mut out, "a.*.>", 7);
        unsubscribe(&mut out, 7);
        let expected = "PUB a.b 5\r\nhello\r\nPUB a.b re.x 0\r\n\r\nSUB a.*.> 7\r\nUNSUB 7\r\n";
        assert_eq!(str::from_utf8(&out), Ok(expected));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_pieces_make_no_difference(
            bytes in prop::collection::vec(
                prop_oneof![
                    Just(b"INFO {}\r\n".to_vec()), Just(b"MSG a 1 3\r\nabc\r\n".to_vec()),
                    Just(b"HMSG a 1 r 3 5\r\nab".to_vec()), Just(b"-ERR 'x'\r\n".to_vec()),
                    prop::collection::vec(any::<u8>(), 0..20),
                ], 0..8,
            ),
            piece in 1usize..40,
        ) {
            let bytes = bytes.concat();
            let whole = read(&bytes, 1 << 20);
            let pieces = read(&bytes, piece);
            // What is no NATS may be found out before its line is there, and is shown as far as it was.
            match (&whole, &pieces) {
                (Err(Violation::NotNats(_)), Err(Violation::NotNats(_))) => {}
                _ => prop_assert_eq!(whole, pieces),
            }
        }
    }
}
