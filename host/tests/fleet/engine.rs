//! A client of NATS that says what it likes: whoever runs the engine, or has got into it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::process::DEADLINE;

/// What came on a subject.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) subject: String,
    pub(crate) reply: Option<String>,
    pub(crate) data: Vec<u8>,
}

/// The connection. What comes is read by a thread of its own, so that the server never waits.
pub(crate) struct Client {
    stream: TcpStream,
    came: Receiver<Came>,
}

enum Came {
    Datagram(Datagram),
    /// All that was written before the question was taken.
    Pong,
    /// The server refused something.
    Error(String),
}

impl Client {
    /// Connects; `login` is what the server wants to know besides, in JSON with a leading comma, or nothing.
    pub(crate) fn connect(port: u16, login: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let connect = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"echo\":false,\"lang\":\"test\",\"version\":\"1\"{login}}}\r\n"
        );
        stream.write_all(connect.as_bytes()).unwrap();
        let (sender, came) = channel();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut answers = stream.try_clone().unwrap();
        thread::spawn(move || {
            let mut line = String::new();
            loop {
                line.clear();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                let words: Vec<_> = line.split_whitespace().collect();
                let told = match words.as_slice() {
                    ["MSG", subject, _, middle @ .., length] => {
                        let mut data = vec![0; length.parse::<usize>().unwrap() + 2];
                        if reader.read_exact(&mut data).is_err() {
                            return;
                        }
                        data.truncate(data.len() - 2);
                        Came::Datagram(Datagram {
                            subject: (*subject).to_owned(),
                            reply: middle.first().map(ToString::to_string),
                            data,
                        })
                    }
                    ["PING"] => {
                        if answers.write_all(b"PONG\r\n").is_err() {
                            return;
                        }
                        continue;
                    }
                    ["PONG"] => Came::Pong,
                    ["-ERR", ..] => Came::Error(line.trim().to_owned()),
                    _ => continue,
                };
                if sender.send(told).is_err() {
                    return;
                }
            }
        });
        Self { stream, came }
    }

    /// Hears what is published on subjects that fit.
    pub(crate) fn subscribe(&mut self, pattern: &str) {
        let line = format!("SUB {pattern} 1\r\n");
        self.stream.write_all(line.as_bytes()).unwrap();
    }

    pub(crate) fn publish(&mut self, subject: &str, reply: Option<&str>, data: &[u8]) {
        let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
        let head = format!("PUB {subject} {reply}{}\r\n", data.len());
        let whole = [head.as_bytes(), data, b"\r\n"].concat();
        self.stream.write_all(&whole).unwrap();
    }

    /// Waits until the server has taken all that was written; returns what it refused of it, and what came meanwhile.
    pub(crate) fn flush(&mut self) -> (Vec<String>, Vec<Datagram>) {
        self.stream.write_all(b"PING\r\n").unwrap();
        let (mut errors, mut datagrams) = (Vec::new(), Vec::new());
        loop {
            match self
                .came
                .recv_timeout(DEADLINE)
                .expect("the server answers")
            {
                Came::Pong => return (errors, datagrams),
                Came::Error(error) => errors.push(error),
                Came::Datagram(datagram) => datagrams.push(datagram),
            }
        }
    }

    /// What comes next, if anything does within that time.
    pub(crate) fn next(&mut self, wait: Duration) -> Option<Datagram> {
        match self.came.recv_timeout(wait) {
            Ok(Came::Datagram(datagram)) => Some(datagram),
            _ => None,
        }
    }
}
