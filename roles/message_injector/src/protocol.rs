//! Which protocol a client speaks. A page in a browser can make that post whatever it likes to a
//! port of this machine, and what looks like a message in the body would be taken for the user's
//! own word. So whoever does not begin with a message, or speaks HTTP later, gets no word in.

/// What no line can begin with but a message: a Python tuple, or a list in JSON or YAML.
const BEGINNINGS: [u8; 2] = *b"([";

/// The first words of HTTP's requests.
const METHODS: [&[u8]; 9] = [
    b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT", b"TRACE",
];

/// What stands in the first line of a request and of an answer.
const VERSION: &[u8] = b"HTTP/";

/// What a client has said at first.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    /// Whether it was the beginning of a message; None while nothing has come but blanks.
    is_message: Option<bool>,
}

impl Opening {
    /// Whether the client speaks another protocol, after these bytes of it. Its first byte tells
    /// that, so that nothing has to be kept until a line ends: of TLS, say, none ever does.
    pub(crate) fn is_foreign(&mut self, bytes: &[u8]) -> bool {
        if self.is_message.is_none() {
            let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
            self.is_message = first.map(|byte| BEGINNINGS.contains(byte));
        }
        self.is_message == Some(false)
    }
}

/// Whether a line is one of HTTP: the first of a request or an answer, or a header.
pub(crate) fn is_http(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    if line.first().is_none_or(|byte| BEGINNINGS.contains(byte)) {
        return false;
    }
    let word = line.split(u8::is_ascii_whitespace).next().unwrap_or(line);
    METHODS.contains(&word)
        || line.windows(VERSION.len()).any(|part| part == VERSION)
        || is_header(line)
}

/// Whether a line is a name of letters and hyphens, and a colon right behind it.
fn is_header(line: &[u8]) -> bool {
    let name = line
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    name > 0 && line.get(name) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_is_no_blank_tells_whether_a_client_belongs_here() {
        for own in ["(", "[", " \r\n\t (", "[x"] {
            assert!(!Opening::default().is_foreign(own.as_bytes()), "{own:?}");
        }
        for foreign in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01",
            b"\n\nx",
            b"\0",
            b"SSH-2.0-x",
            b"{",
            b"\xef\xbb\xbf(",
        ] {
            assert!(Opening::default().is_foreign(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn what_a_client_was_it_stays() {
        let mut own = Opening::default();
        assert!(!own.is_foreign(b"\n"));
        assert!(!own.is_foreign(b"("));
        assert!(!own.is_foreign(b"'log', 'x')\nhelp\n"));
        let mut foreign = Opening::default();
        assert!(foreign.is_foreign(b"x"));
        assert!(foreign.is_foreign(b"('log', 'x')\n"));
    }

    #[test]
    fn lines_of_http_are_known_and_no_message_is_taken_for_one() {
        for line in [
            "GET / HTTP/1.1",
            "POST /x",
            " PUT / HTTP/2\r",
            "BREW /pot HTTP/1.1",
            "HTTP/1.1 200 OK",
            "Host: localhost:7050",
            "Content-Length:5",
            "x-y: ",
        ] {
            assert!(is_http(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "('event', 'x', 'POST / HTTP/1.1')",
            " [log, \"Host: x\"]",
            "help",
            "event tick",
            "GETTING",
            ": x",
        ] {
            assert!(!is_http(line.as_bytes()), "{line}");
        }
    }
}
