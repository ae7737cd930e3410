//! What a client and a NATS server say to each other, as far as it is needed here.

use std::fmt::Write;

/// What a server has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// The first thing.
    Info,
    /// Something was published.
    Message {
        subject: &'a str,
        reply: Option<&'a str>,
        data: &'a [u8],
    },
    /// Nobody listens where a request was published, whose answer was to go here.
    Nobody(&'a str),
    Ping,
    Pong,
    Fine,
    Error(&'a str),
}

/// It is none that speaks that protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no NATS server")]
pub(crate) struct Strange;

/// The first thing that was said, and how many bytes it has; nothing: more is needed.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Said<'_>, usize)>, Strange> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Strange)?;
    let after = end + 2;
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let said = match word {
        "INFO" => Said::Info,
        "PING" => Said::Ping,
        "PONG" => Said::Pong,
        "+OK" => Said::Fine,
        "-ERR" => Said::Error(rest),
        "MSG" | "HMSG" => return message(bytes, after, rest, word == "HMSG"),
        _ => return Err(Strange),
    };
    Ok(Some((said, after)))
}

fn message<'a>(
    bytes: &'a [u8],
    start: usize,
    line: &'a str,
    has_headers: bool,
) -> Result<Option<(Said<'a>, usize)>, Strange> {
    let mut words: Vec<&str> = line.split(' ').collect();
    let mut length = || {
        let word = words.pop().ok_or(Strange)?;
        word.parse::<usize>().map_err(|_| Strange)
    };
    let total = length()?;
    let headers = if has_headers { length()? } else { 0 };
    let (subject, reply) = match words[..] {
        [subject, _] => (subject, None),
        [subject, _, reply] => (subject, Some(reply)),
        _ => return Err(Strange),
    };
    let Some(payload) = bytes.get(start..start + total) else {
        return Ok(None);
    };
    if bytes.len() < start + total + 2 {
        return Ok(None);
    }
    let said = if payload.starts_with(b"NATS/1.0 503") {
        Said::Nobody(subject)
    } else {
        let data = payload.get(headers..).ok_or(Strange)?;
        Said::Message {
            subject,
            reply,
            data,
        }
    };
    Ok(Some((said, start + total + 2)))
}

/// Who it is. Errors come without being asked for, and so does that nobody listens.
pub(crate) fn connect(out: &mut Vec<u8>, name: &str) {
    let text = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"name\":\"{name}\",\"lang\":\"bench\",\"version\":\"1\",\
         \"protocol\":1,\"echo\":false,\"headers\":true,\"no_responders\":true}}\r\n"
    );
    out.extend_from_slice(text.as_bytes());
}

/// Subscribes under a number.
pub(crate) fn subscribe(out: &mut Vec<u8>, pattern: &str, number: usize) {
    let mut text = String::new();
    // Writing into memory does not fail.
    let _ = write!(text, "SUB {pattern} {number}\r\n");
    out.extend_from_slice(text.as_bytes());
}

/// Publishes.
pub(crate) fn publish(out: &mut Vec<u8>, subject: &str, reply: Option<&str>, data: &[u8]) {
    let mut text = String::new();
    let length = data.len();
    let _ = match reply {
        Some(reply) => write!(text, "PUB {subject} {reply} {length}\r\n"),
        None => write!(text, "PUB {subject} {length}\r\n"),
    };
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_read_one_after_the_other_and_only_when_it_is_whole() {
        let bytes = b"INFO {}\r\nMSG a.b 7 5\r\nhello\r\nMSG a 1 re.x 0\r\n\r\n\
            HMSG re.y 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\nPING\r\n";
        let message = |subject, reply, data| Said::Message {
            subject,
            reply,
            data,
        };
        let expected = [
            Said::Info,
            message("a.b", None, b"hello"),
            message("a", Some("re.x"), b""),
            Said::Nobody("re.y"),
            Said::Ping,
        ];
        let mut at = 0;
        for one in expected {
            let (said, length) = read(&bytes[at..]).unwrap().unwrap();
            assert_eq!(said, one);
            for less in 0..length {
                assert_eq!(read(&bytes[at..at + less]), Ok(None));
            }
            at += length;
        }
        assert_eq!(at, bytes.len());
        assert_eq!(read(b"HTTP/1.1 400\r\n"), Err(Strange));
        assert_eq!(read(b"MSG a\r\n"), Err(Strange));
    }
}
