//! Whoever calls a relay: one call at a time, over a connection that is kept where the relay does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::http::{field, whole};
use crate::Failure;
use crate::daemon::DEADLINE;

/// How long one call may take.
const CALL_TIME: Duration = Duration::from_secs(30);

/// How often it is tried to reach a relay that has just been started.
const POLL: Duration = Duration::from_millis(10);

pub(super) struct Caller {
    port: u16,
    kept: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Caller {
    /// A caller of a relay, which is waited for.
    pub(super) fn new(port: u16) -> Result<Self, Failure> {
        let deadline = Instant::now() + DEADLINE;
        let kept = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(stream) => break Some(stream),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => std::thread::sleep(POLL),
            }
        };
        Ok(Self {
            port,
            kept,
            buffer: Vec::new(),
        })
    }

    /// Registers a satellite that listens at a port; the id that it gets.
    pub(super) fn register(&mut self, port: u16) -> Result<String, Failure> {
        let answer = self.call(
            "relay.register",
            &[
                ("port", &format!("<int>{port}</int>")),
                ("plugins", "<array><data></data></array>"),
                ("nick", &format!("<string>satellite {port}</string>")),
                ("notify_pass", "<string>0123456789abcdef</string>"),
            ],
        )?;
        let id = answer.split_once("<string>").map(|(_, rest)| rest);
        let id = id.and_then(|rest| rest.split_once("</string>"));
        let (id, _) = id.ok_or_else(|| format!("no id: {answer}"))?;
        Ok(id.to_owned())
    }

    /// Sends a message to all satellites but the one with this id.
    pub(super) fn relay(&mut self, id: &str, text: &str) -> Result<(), Failure> {
        let data = format!(
            "<struct><member><name>text</name><value><string>{text}</string></value></member>\
             <member><name>level</name><value><int>7</int></value></member></struct>"
        );
        let id = format!("<string>{id}</string>");
        self.call("relay.relay", &[("host_id", &id), ("data", &data)])?;
        Ok(())
    }

    fn call(&mut self, method: &str, members: &[(&str, &str)]) -> Result<String, Failure> {
        let mut body = format!(
            "<?xml version='1.0'?>\n<methodCall><methodName>{method}</methodName><params><param><value><struct>"
        );
        for (name, value) in members {
            body += &format!("<member><name>{name}</name><value>{value}</value></member>");
        }
        body += "</struct></value></param></params></methodCall>";
        let Self { port, .. } = *self;
        let request = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: text/xml\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = match self.kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect((Ipv4Addr::LOCALHOST, port))?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(CALL_TIME))?;
        stream.write_all(request.as_bytes())?;
        self.buffer.clear();
        let mut chunk = [0; 4096];
        let (answer, is_kept) = loop {
            let length = stream.read(&mut chunk)?;
            if length == 0 {
                return Err(format!("{method}: the relay has closed the connection").into());
            }
            self.buffer.extend_from_slice(&chunk[..length]);
            if let Some(answer) = whole(&self.buffer) {
                let closes = field(answer.head, "connection")
                    .is_some_and(|word| word.eq_ignore_ascii_case("close"));
                let is_kept = answer.head.starts_with("HTTP/1.1") && !closes;
                break (String::from_utf8_lossy(answer.body).into_owned(), is_kept);
            }
        };
        self.kept = is_kept.then_some(stream);
        match answer.contains("<fault>") {
            true => Err(format!("{method}: {answer}").into()),
            false => Ok(answer),
        }
    }
}
