//! The little of HTTP/1.1 that it takes to hand out one text (RFC 9110, RFC 9112). Pure: bytes of a request in,
//! bytes of an answer out. Each connection carries one request.

use std::fmt::Write;

use super::family::Format;

/// How long the head of a request may be, in bytes. Those who collect metrics send some hundred.
pub(super) const MAX_HEAD: usize = 8 * 1024;

/// Where the metrics are.
const PATH: &str = "/metrics";

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no HTTP.
    Malformed,
    /// There is nothing at its path.
    NotFound,
    /// Metrics can only be read.
    WrongMethod,
    /// It did not come in time.
    TimedOut,
    /// It has a body.
    HasBody,
    /// Its head is too long.
    HeadTooLong,
    /// It is of another version of HTTP.
    OtherVersion,
}

/// A request that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// How the metrics are to be written.
    pub(super) format: Format,
    /// Whether only the head of the answer is wanted.
    pub(super) head_only: bool,
}

/// The length of the request's head with the empty line behind it; none while that has not come.
pub(super) fn head_length(bytes: &[u8]) -> Option<usize> {
    let ends: [&[u8]; 2] = [b"\r\n\r\n", b"\n\n"];
    let lengths = ends.iter().filter_map(|end| {
        let mut windows = bytes.windows(end.len());
        windows
            .position(|window| window == *end)
            .map(|place| place + end.len())
    });
    lengths.min()
}

/// Reads the head of a request.
///
/// # Errors
/// Why it is not answered.
pub(super) fn parse(head: &[u8]) -> Result<Request, Refusal> {
    let head = str::from_utf8(head).map_err(|_| Refusal::Malformed)?;
    let mut lines = head.lines();
    let (method, path) = request_line(lines.next().unwrap_or_default())?;
    let mut accepted = String::new();
    let mut has_body = false;
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(Refusal::Malformed)?;
        if !is_token(name) || value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(Refusal::Malformed);
        }
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "accept" => {
                // The same in several lines is as good as a list in one.
                accepted.push(',');
                accepted.push_str(value);
            }
            "content-length" => has_body |= value != "0",
            "transfer-encoding" => has_body = true,
            _ => {}
        }
    }
    if path != PATH {
        return Err(Refusal::NotFound);
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Refusal::WrongMethod),
    };
    if has_body {
        return Err(Refusal::HasBody);
    }
    let format = wanted(&accepted);
    Ok(Request { format, head_only })
}

/// The method and the path of a request's first line.
fn request_line(line: &str) -> Result<(&str, &str), Refusal> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed);
    };
    if !is_token(method) || target.is_empty() || target.contains(char::is_control) {
        return Err(Refusal::Malformed);
    }
    match version.strip_prefix("HTTP/") {
        Some("1.1" | "1.0") => {}
        Some(_) => return Err(Refusal::OtherVersion),
        None => return Err(Refusal::Malformed),
    }
    // A proxy is asked for the whole address.
    let path = match target.strip_prefix("http://") {
        Some(address) => address.find('/').map_or("/", |start| &address[start..]),
        None => target,
    };
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    Ok((method, path))
}

/// Whether this can be a method, or the name of a field.
fn is_token(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(fits)
}

/// The format that these accepted ones ask for: OpenMetrics only where it is named, and as welcome as the other.
fn wanted(accepted: &str) -> Format {
    let (mut open_metrics, mut plain) = (0.0, 0.0);
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight: f32 = parts
            .find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")))
            .map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        match name.as_str() {
            "application/openmetrics-text" => open_metrics = weight.max(open_metrics),
            "text/plain" => plain = weight.max(plain),
            _ => {}
        }
    }
    if open_metrics > 0.0 && open_metrics >= plain {
        Format::OpenMetrics
    } else {
        Format::Prometheus
    }
}

/// The answer to a request, with the metrics as they are wanted.
pub(super) fn answer(request: Request, metrics: &str) -> Vec<u8> {
    let Request { format, head_only } = request;
    message("200 OK", format.content_type(), "", metrics, head_only)
}

impl Refusal {
    /// The answer to a request that is refused.
    pub(super) fn answer(self) -> Vec<u8> {
        let (status, more, words) = match self {
            Self::Malformed => ("400 Bad Request", "", "this is no request of HTTP/1.1"),
            Self::NotFound => ("404 Not Found", "", "the metrics are at /metrics"),
            Self::WrongMethod => (
                "405 Method Not Allowed",
                "Allow: GET, HEAD\r\n",
                "metrics can only be read",
            ),
            Self::TimedOut => ("408 Request Timeout", "", "the request took too long"),
            Self::HasBody => ("413 Content Too Large", "", "a request has no body here"),
            Self::HeadTooLong => (
                "431 Request Header Fields Too Large",
                "",
                "the request is too long",
            ),
            Self::OtherVersion => (
                "505 HTTP Version Not Supported",
                "",
                "only HTTP/1.1 and 1.0 are known here",
            ),
        };
        let body = format!("{words}\n");
        message(status, "text/plain; charset=utf-8", more, &body, false)
    }
}

fn message(status: &str, content_type: &str, more: &str, body: &str, head_only: bool) -> Vec<u8> {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = write!(
        text,
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{more}\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if !head_only {
        text.push_str(body);
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a request comes to whose lines these are.
    fn parsed(lines: &[&str]) -> Result<Request, Refusal> {
        let head: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        parse(format!("{head}\r\n").as_bytes())
    }

    fn format(accept: &str) -> Format {
        let line = format!("Accept: {accept}");
        parsed(&["GET /metrics HTTP/1.1", &line]).unwrap().format
    }

    #[test]
    fn the_metrics_are_there_to_be_read_and_nothing_else_is() {
        let whole = Request {
            format: Format::Prometheus,
            head_only: false,
        };
        for line in [
            "GET /metrics HTTP/1.1",
            "GET /metrics HTTP/1.0",
            "GET /metrics?x=1 HTTP/1.1",
            "GET http://clock:9464/metrics HTTP/1.1",
        ] {
            assert_eq!(parsed(&[line, "Host: clock"]), Ok(whole), "{line}");
        }
        let head_only = true;
        assert_eq!(
            parsed(&["HEAD /metrics HTTP/1.1"]),
            Ok(Request { head_only, ..whole })
        );
        for (line, refusal) in [
            ("GET / HTTP/1.1", Refusal::NotFound),
            ("POST / HTTP/1.1", Refusal::NotFound),
            ("GET /metrics/ HTTP/1.1", Refusal::NotFound),
            ("GET http://clock HTTP/1.1", Refusal::NotFound),
            ("POST /metrics HTTP/1.1", Refusal::WrongMethod),
            ("get /metrics HTTP/1.1", Refusal::WrongMethod),
            ("OPTIONS /metrics HTTP/1.1", Refusal::WrongMethod),
            ("PRI * HTTP/2.0", Refusal::OtherVersion),
            ("GET /metrics HTTP/11", Refusal::OtherVersion),
            ("GET /metrics", Refusal::Malformed),
            ("GET  /metrics HTTP/1.1", Refusal::Malformed),
            ("GET /metrics HTTP/1.1 ", Refusal::Malformed),
            ("GET /metrics FTP/1.1", Refusal::Malformed),
            ("G\u{0}T /metrics HTTP/1.1", Refusal::Malformed),
            ("GET /metr\u{7}ics HTTP/1.1", Refusal::Malformed),
            ("", Refusal::Malformed),
        ] {
            assert_eq!(parsed(&[line]), Err(refusal), "{line}");
        }
    }

    #[test]
    fn fields_are_read_whatever_their_case_and_those_of_a_body_are_refused() {
        let with = |field| parsed(&["GET /metrics HTTP/1.1", field]).err();
        for field in ["content-length: 0", "X-Any:thing", "X: a\tb", "Empty:"] {
            assert_eq!(with(field), None, "{field}");
        }
        for field in [
            "CONTENT-LENGTH: 1",
            "Content-Length: x",
            "transfer-encoding: chunked",
        ] {
            assert_eq!(with(field), Some(Refusal::HasBody), "{field}");
        }
        for field in ["nothing", " folded: x", "Name : x", ": x", "A: b\u{0}"] {
            assert_eq!(with(field), Some(Refusal::Malformed), "{field}");
        }
        assert_eq!(
            parse(b"GET /metrics HTTP/1.1\r\nA: \xff\r\n\r\n"),
            Err(Refusal::Malformed)
        );
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        for accept in [
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=1.0.0",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.5",
        ] {
            assert_eq!(format(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.2, text/plain;q=0.3",
            "application/openmetrics-text;q=x",
        ] {
            assert_eq!(format(accept), Format::Prometheus, "{accept}");
        }
        let two = [
            "GET /metrics HTTP/1.1",
            "accept: text/html",
            "ACCEPT: application/openmetrics-text",
        ];
        assert_eq!(parsed(&two).unwrap().format, Format::OpenMetrics);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let line = [b"GET /metrics HTTP/1.1\r\n", bytes.as_slice(), b"\r\n\r\n"].concat();
            for bytes in [bytes, line] {
                let length = head_length(&bytes).unwrap_or(bytes.len());
                let _ = parse(&bytes[..length]);
            }
        }
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        for (bytes, length) in [
            ("", None),
            ("GET / HTTP/1.1\r\nA: b\r\n\r", None),
            ("GET / HTTP/1.1\r\n\r\nmore", Some(18)),
            ("GET / HTTP/1.1\n\nmore\r\n\r\n", Some(16)),
        ] {
            assert_eq!(head_length(bytes.as_bytes()), length, "{bytes:?}");
        }
    }

    #[test]
    fn an_answer_says_what_it_is_and_how_long() {
        let mut request = Request {
            format: Format::Prometheus,
            head_only: false,
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
                    Content-Length: 4\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
                    Connection: close\r\n\r\n";
        assert_eq!(answer(request, "a 1\n"), format!("{head}a 1\n").as_bytes());
        request.head_only = true;
        assert_eq!(answer(request, "a 1\n"), head.as_bytes());
        let refused = String::from_utf8(Refusal::WrongMethod.answer()).unwrap();
        assert!(
            refused.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
            "{refused}"
        );
        assert!(refused.contains("\r\nAllow: GET, HEAD\r\n"), "{refused}");
        assert!(
            refused.ends_with("\r\n\r\nmetrics can only be read\n"),
            "{refused}"
        );
    }
}
