//! One connection to another machine, made to see who answers, and closed.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kozo_ground::text::shortened;

/// How long the other machine may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long whoever answers may take to say who it is: a small machine that is busy is no stranger.
const GREETING_LIMIT: Duration = Duration::from_secs(8);

/// How many bytes of a greeting are read: SSH's has no more (RFC 4253, 4.2).
const MAX_GREETING: usize = 255;

/// How much of a greeting is shown, in characters.
const SHOWN_GREETING: usize = 40;

/// How the greeting of a node begins.
const OF_KOZO: &str = "SSH-2.0-kozo";

/// Who answers at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A node, so long after it was called.
    Node(Duration),
    /// Something else that said this.
    Other(String),
    /// Something that did not say anything.
    Silent,
    /// The machine is there, and nobody listens.
    Refused,
    /// Nothing came back.
    TimedOut,
    /// The system knows no way, or fails.
    Failed(String),
}

/// Calls an address, and listens to what is said. Nothing is sent.
pub(super) fn call(address: SocketAddr) -> Answer {
    let started = Instant::now();
    let mut stream = match connect(address) {
        Ok(stream) => stream,
        Err(answer) => return answer,
    };
    let took = started.elapsed();
    let greeting = greeting(&mut stream);
    if greeting.starts_with(OF_KOZO) {
        Answer::Node(took)
    } else if greeting.is_empty() {
        Answer::Silent
    } else {
        Answer::Other(shortened(greeting.trim_end(), SHOWN_GREETING).into_owned())
    }
}

/// Whether an address takes connections, and after how long.
///
/// # Errors
/// What comes of it instead.
pub(super) fn reach(address: SocketAddr) -> Result<Duration, Answer> {
    let started = Instant::now();
    connect(address).map(|_| started.elapsed())
}

fn connect(address: SocketAddr) -> Result<TcpStream, Answer> {
    TcpStream::connect_timeout(&address, CONNECT_LIMIT).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Answer::Refused,
        ErrorKind::TimedOut => Answer::TimedOut,
        _ => Answer::Failed(error.to_string()),
    })
}

/// The first line that is said, or as much of it as comes in time.
fn greeting(stream: &mut TcpStream) -> String {
    let deadline = Instant::now() + GREETING_LIMIT;
    let (mut said, mut buffer) = (Vec::new(), [0; MAX_GREETING]);
    while said.len() < MAX_GREETING && !said.contains(&b'\n') {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => said.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    let line = said.split(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).trim_end().to_owned()
}

/// Whether a SOCKS 5 proxy that needs no password is at an address (RFC 1928). It is asked for nothing.
///
/// # Errors
/// What is there instead.
pub(super) fn call_proxy(address: SocketAddr) -> Result<(), String> {
    let mut stream = connect(address).map_err(|answer| match answer {
        Answer::Refused => "nobody listens there".to_owned(),
        Answer::Failed(reason) => reason,
        _ => "it does not answer".to_owned(),
    })?;
    let mut answer = [0; 2];
    let said = stream
        .set_read_timeout(Some(GREETING_LIMIT))
        .and_then(|()| stream.write_all(&[5, 1, 0]))
        .and_then(|()| stream.read_exact(&mut answer));
    match (said, answer) {
        (Ok(()), [5, 0]) => Ok(()),
        (Ok(()), [5, _]) => Err("it wants a password".to_owned()),
        (Ok(()), _) => Err("it is no SOCKS 5 proxy".to_owned()),
        (Err(error), _) => Err(format!("it says nothing that is SOCKS: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    /// A listener that says something to who comes first, and its address.
    fn saying(text: &'static [u8]) -> (SocketAddr, thread::JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(text).unwrap();
        });
        (address, thread)
    }

    #[test]
    fn who_answers_is_known_by_the_first_line() {
        let answer = |text| {
            let (address, thread) = saying(text);
            let answer = call(address);
            thread.join().unwrap();
            answer
        };
        assert!(matches!(answer(b"SSH-2.0-kozo\r\n"), Answer::Node(_)));
        assert_eq!(
            answer(b"SSH-2.0-OpenSSH_9.2\r\nmore"),
            Answer::Other("SSH-2.0-OpenSSH_9.2".into())
        );
        assert_eq!(answer(b"\x1b[2J\n"), Answer::Other("\\u{1b}[2J".into()));
        assert_eq!(answer(b""), Answer::Silent);
        let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = unused.local_addr().unwrap();
        drop(unused);
        assert_eq!(call(address), Answer::Refused);
    }

    #[test]
    fn a_proxy_is_known_by_its_answer() {
        for (text, expected) in [
            (b"\x05\x00".as_slice(), Ok(())),
            (b"\x05\xff", Err("it wants a password".to_owned())),
            (b"HT", Err("it is no SOCKS 5 proxy".to_owned())),
        ] {
            let (address, thread) = saying(text);
            assert_eq!(call_proxy(address), expected);
            thread.join().unwrap();
        }
    }
}
