//! What a STUN server sees of a socket of ours.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::request::{Due, Request, new_transaction};
use crate::reason::Reason;
use crate::stun::{Class, Message, Method, Writer, attribute};

/// How often it is asked again while somebody wants to be reached there: NATs forget a mapping that is not used for half
/// a minute.
const KEEP: Duration = Duration::from_secs(25);
/// How long one that does not answer, or refuses, is left alone.
const REST: Duration = Duration::from_secs(60);

/// A socket of ours, as a server sees it.
#[derive(Debug)]
pub(crate) struct Binding {
    /// As it was given, for people.
    name: String,
    server: SocketAddr,
    /// The one that is under way.
    request: Option<Request>,
    /// When to ask next, if it is wanted by then.
    next: Instant,
    mapped: Option<SocketAddr>,
    problem: Option<Reason>,
    /// Whether anybody needs it to be kept.
    wanted: bool,
}

impl Binding {
    /// Begins to ask.
    pub(crate) fn new(now: Instant, name: &str, server: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            server,
            request: Some(Self::request(now)),
            next: now,
            mapped: None,
            problem: None,
            wanted: true,
        }
    }

    fn request(now: Instant) -> Request {
        let transaction = new_transaction();
        let contents = Writer::new(Class::Request, Method::Binding, &transaction)
            .with_fingerprint()
            .into_bytes();
        Request::new(now, transaction, contents)
    }

    /// Where the world sees the socket.
    pub(crate) fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// Why that is not known, or not any more.
    pub(crate) fn problem(&self) -> Option<&Reason> {
        self.problem.as_ref()
    }

    /// Whether nothing more is to be expected soon.
    pub(crate) fn is_concluded(&self) -> bool {
        self.problem.is_some() || (self.mapped.is_some() && self.request.is_none())
    }

    /// Whether anybody wants to be reached there. When it was not kept meanwhile, it is asked anew.
    pub(crate) fn set_wanted(&mut self, now: Instant, wanted: bool) {
        self.wanted = wanted;
        if wanted && self.request.is_none() && self.next <= now {
            self.request = Some(Self::request(now));
        }
    }

    /// Takes an answer, if it is one to what was asked. True when that has changed what is known.
    pub(crate) fn handle(&mut self, now: Instant, message: &Message<'_>) -> Option<bool> {
        let request = self.request.as_ref()?;
        if message.method != Method::Binding || request.transaction != message.transaction {
            return None;
        }
        match message.class {
            Class::Success => {
                let mapped = message.address(attribute::XOR_MAPPED_ADDRESS)?;
                let changed = self.mapped != Some(mapped);
                self.mapped = Some(mapped);
                self.problem = None;
                self.request = None;
                self.next = now + KEEP;
                Some(changed)
            }
            Class::Error => {
                let (code, text) = message.error().unwrap_or_default();
                self.fail(
                    now,
                    Reason::StunRefused {
                        server: self.name.clone(),
                        code,
                        text: crate::reason::words(text),
                    },
                );
                Some(true)
            }
            _ => None,
        }
    }

    fn fail(&mut self, now: Instant, problem: Reason) {
        self.request = None;
        self.mapped = None;
        self.problem = Some(problem);
        self.next = now + REST;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.request {
            Some(request) => Some(request.due()),
            None => self.wanted.then_some(self.next),
        }
    }

    /// What to send, and whether what is known has changed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> (Option<Vec<u8>>, bool) {
        if self.request.is_none() && self.wanted && self.next <= now {
            self.request = Some(Self::request(now));
        }
        match self.request.as_mut().and_then(|request| request.poll(now)) {
            Some(Due::Send(contents)) => (Some(contents), false),
            Some(Due::GiveUp) => {
                self.fail(
                    now,
                    Reason::NoStunAnswer {
                        server: self.name.clone(),
                        address: self.server,
                    },
                );
                (None, true)
            }
            None => (None, false),
        }
    }

    /// Why it is not known yet, once its time is over.
    pub(crate) fn overdue(&self) -> Option<Reason> {
        (!self.is_concluded()).then(|| Reason::NoStunAnswer {
            server: self.name.clone(),
            address: self.server,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> SocketAddr {
        "192.0.2.1:3478".parse().unwrap()
    }

    fn answer(contents: &[u8], mapped: &str) -> Vec<u8> {
        let transaction = Message::read(contents).unwrap().transaction;
        Writer::new(Class::Success, Method::Binding, &transaction)
            .address(attribute::XOR_MAPPED_ADDRESS, mapped.parse().unwrap())
            .into_bytes()
    }

    #[test]
    fn an_answer_is_taken_once_and_kept_fresh_while_it_is_wanted() {
        let now = Instant::now();
        let mut binding = Binding::new(now, "stun.example", server());
        let contents = binding.handle_timeout(now).0.unwrap();
        let other = answer(
            &Binding::new(now, "", server())
                .handle_timeout(now)
                .0
                .unwrap(),
            "1.2.3.4:5",
        );
        assert_eq!(binding.handle(now, &Message::read(&other).unwrap()), None);
        let right = answer(&contents, "198.51.100.7:4000");
        let right = Message::read(&right).unwrap();
        assert_eq!(binding.handle(now, &right), Some(true));
        assert_eq!(binding.mapped(), "198.51.100.7:4000".parse().ok());
        assert_eq!(binding.handle(now, &right), None);
        assert_eq!(binding.poll_timeout(), Some(now + KEEP));
        let contents = binding.handle_timeout(now + KEEP).0.unwrap();
        let moved = answer(&contents, "198.51.100.7:4001");
        assert_eq!(
            binding.handle(now + KEEP, &Message::read(&moved).unwrap()),
            Some(true)
        );
        binding.set_wanted(now + KEEP, false);
        assert_eq!(binding.poll_timeout(), None);
        binding.set_wanted(now + KEEP * 3, true);
        assert!(binding.handle_timeout(now + KEEP * 3).0.is_some());
    }

    #[test]
    fn a_server_that_is_silent_is_told_of_and_asked_again_later() {
        let mut now = Instant::now();
        let mut binding = Binding::new(now, "stun.example", server());
        assert!(binding.overdue().is_some());
        while !binding.handle_timeout(now).1 {
            now = binding.poll_timeout().unwrap();
        }
        assert!(matches!(
            binding.problem(),
            Some(Reason::NoStunAnswer { .. })
        ));
        now = binding.poll_timeout().unwrap();
        assert!(binding.handle_timeout(now).0.is_some());
    }
}
