//! The role `message_injector` of a running daemon, for those who send through it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use super::process::{DEADLINE, wait_until};
use super::scene::Scene;

/// A connection with an injector.
pub(crate) struct Injector {
    stream: BufReader<TcpStream>,
}

impl Injector {
    /// Gives a node the role; returns its port.
    pub(crate) fn on(scene: &mut Scene, node: &str) -> u16 {
        let port = kozo_abi::bench::reserve_port().unwrap();
        let block = format!("{{bindAddress: 127.0.0.1, bindPort: {port}, log: false}}");
        scene.role(node, "message_injector", &block);
        port
    }

    /// Connects as soon as the role listens.
    pub(crate) fn connect(port: u16) -> Self {
        let stream = wait_until("the injector listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends a line and returns the answer.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        // In one go: the system would keep the end of the line back until the beginning is acknowledged.
        let line = format!("{line}\n");
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.stream.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    /// Sends a line that is accepted.
    #[track_caller]
    pub(crate) fn send(&mut self, line: &str) {
        assert_eq!(self.ask(line), "ok", "{line}");
    }
}
