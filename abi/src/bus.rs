//! The bus contract.

use serde::de::DeserializeOwned;

use crate::{BusHost, Error};

/// A bus: it moves datagrams by subject over an existing engine, a message broker say, between all
/// nodes that are on it. It knows nothing of keys, messages and nodes: what it carries is sealed and
/// signed by the host, which also sees to order, to what was lost and to what came twice.
///
/// So an engine may lose, repeat and reorder datagrams, and the module makes up for none of it. What
/// it owes the host is told at each call here and in [`BusHost`]; in short:
///
/// - what it has accepted it sends in that order, and says when the engine has it
///   ([`BusHost::confirmed`]);
/// - when the connection is gone it says so ([`BusHost::down`]) and throws away what it still has,
///   for the host sends all of that again;
/// - it subscribes again by itself whenever it is connected, and now and then to what the engine
///   has refused ([`BusHost::refused`]).
///
/// The host makes one bus for every bus of its node and calls [`run`](Self::run) in a thread of its
/// own; the other methods are called from other threads meanwhile.
///
/// # Subjects and patterns
/// A subject is a text of tokens with a dot between each: `kozo.home.m.e.ov3s2wwzpfkq`. A token is not
/// empty and consists of letters, digits, `-` and `_`; a subject has at most [`MAX_SUBJECT`] bytes.
/// In a pattern `*` stands for exactly one token, and `>`, as its last token, for one or more: these
/// are NATS's rules, and [`subject_matches`](crate::subject_matches) has them. An engine that has
/// others is given other names by its module, both ways.
pub trait Bus: Send + Sync + Sized + 'static {
    /// The bus's options, as `module.yaml` describes them. The host has checked them and filled in
    /// every default before it hands them over.
    type Options: DeserializeOwned;

    /// Makes the bus: no networking happens here. It is called as well where only the options are to
    /// be checked, and [`run`](Self::run) never comes.
    ///
    /// # Errors
    /// Options that do not fit together. The node does not start then.
    fn init(options: Self::Options, host: &BusHost) -> Result<Self, Error>;

    /// Connects to the engine, says [`BusHost::up`], hands over what comes in by [`BusHost::deliver`],
    /// and returns when the connection is lost or [`BusHost::stopping`] turns true. The host calls it
    /// again after a back-off. A module that connects again by itself may stay in here for as long as
    /// it likes, if it says [`BusHost::down`] and [`BusHost::up`] at each turn.
    ///
    /// Whatever it returns, the bus is down then for the host.
    ///
    /// # Errors
    /// Why there is no connection (any more). It is logged and shown: an address, what the engine
    /// said, and what to do about it, if that is known.
    fn run(&self) -> Result<(), Error>;

    /// Takes a datagram for `subject`, to be sent; `reply` is the subject at which the sender waits
    /// for an answer. It never waits: neither for the engine, nor for room, nor for a lock that is
    /// held while something else is waited for. The host calls it from one thread at a time: its own one for the bus or,
    /// where that is [allowed](crate::Limits::publish_from_roles), one of a role.
    ///
    /// `data` has at most [`Limits::max_datagram`] bytes.
    fn publish(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Publish;

    /// From now on everything whose subject fits `pattern` is wanted, or with `on: false` no longer.
    /// It may come while the bus is down, and repeat what is so already. The module keeps the set of
    /// patterns and subscribes to all of them at each new connection before it says
    /// [`BusHost::up`]. It does not wait, as [`publish`](Self::publish) does not.
    ///
    /// Two patterns may fit the same subject; a datagram that therefore comes more than once may be
    /// delivered as often. What comes late for a pattern that is not wanted any more may be
    /// delivered, too.
    fn subscribe(&self, pattern: &str, on: bool);

    /// Makes [`run`](Self::run) return, wherever it waits. Waiting by [`BusHost::wait_readable`] ends
    /// by itself.
    fn stop(&self) {}
}

/// The longest subject or pattern, in bytes.
pub const MAX_SUBJECT: usize = 512;

/// What has become of a datagram that a bus was given to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// It will be sent, in the order of the calls, and has this number. Numbers rise by the module's
    /// own counting, from one call to the next, for as long as the bus lives: they do not begin anew
    /// with a connection.
    Accepted(u64),
    /// There is no room at present. The host offers it again when the module has
    /// [confirmed](BusHost::confirmed) something, or after a short while.
    Full,
    /// The bus is not connected. The host offers it again when it is.
    Down,
}

/// Whether a subject fits a pattern, by the rules that [`Bus`] tells: for modules whose engine does
/// not do that, and for tests.
///
/// ```
/// use kozo_abi::subject_matches;
///
/// assert!(subject_matches("kozo.home.ask.*", "kozo.home.ask.ov3s2wwzpfkq"));
/// assert!(!subject_matches("kozo.home.*", "kozo.home.ask.ov3s2wwzpfkq"));
/// assert!(subject_matches("kozo.home.>", "kozo.home.ask.ov3s2wwzpfkq"));
/// assert!(!subject_matches("kozo.home.>", "kozo.home"));
/// ```
pub fn subject_matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    let mut patterns = pattern.split('.').peekable();
    while let Some(wanted) = patterns.next() {
        let Some(token) = tokens.next() else {
            return false;
        };
        match wanted {
            ">" if patterns.peek().is_none() => return true,
            "*" => {}
            exact if exact == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::subject_matches;

    #[test]
    fn a_star_is_one_token_and_an_arrow_at_the_end_is_all_the_others() {
        let fits = |pattern| subject_matches(pattern, "a.b.c");
        for pattern in ["a.b.c", "a.*.c", "*.*.*", "a.>", "a.b.>", ">", "*.>"] {
            assert!(fits(pattern), "{pattern}");
        }
        for pattern in [
            "", "a", "a.b", "a.*", "*", "a.b.c.d", "a.b.c.>", "a.b.c.*", "b.>", "a.>.c", "A.b.c",
        ] {
            assert!(!fits(pattern), "{pattern}");
        }
    }
}
