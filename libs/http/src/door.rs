//! Who may have a connection, pure: the time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::Limits;

/// The connections that there are.
#[derive(Debug)]
pub struct Door {
    limits: Limits,
    connections: HashMap<u64, Connection>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Connection {
    ip: IpAddr,
    /// Whether a request is being answered.
    busy: bool,
    /// Since when it is, or is not.
    since: Instant,
}

/// What becomes of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It has a place, which another one, on which nothing happens, may have to leave.
    Admitted {
        /// Its number.
        id: u64,
        /// The number of the other one.
        closing: Option<u64>,
    },
    /// Its address has as many as it may have, and all are busy.
    TooManyOfOne,
    /// There are as many as there may be, and all are busy.
    TooMany,
}

impl Door {
    /// No connection yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            connections: HashMap::new(),
            next: 0,
        }
    }

    /// A new connection comes from `ip`. One that makes room for it has left when this returns.
    pub fn enter(&mut self, ip: IpAddr, now: Instant) -> Entry {
        let of_one = self.connections.values().filter(|c| c.ip == ip).count();
        let closing = if of_one >= self.limits.connections_of_one {
            match self.longest_idle(|c| c.ip == ip) {
                Some(id) => Some(id),
                None => return Entry::TooManyOfOne,
            }
        } else if self.connections.len() >= self.limits.connections {
            match self.longest_idle(|_| true) {
                Some(id) => Some(id),
                None => return Entry::TooMany,
            }
        } else {
            None
        };
        if let Some(id) = closing {
            self.connections.remove(&id);
        }
        let id = self.next;
        self.next += 1;
        let connection = Connection {
            ip,
            busy: false,
            since: now,
        };
        self.connections.insert(id, connection);
        Entry::Admitted { id, closing }
    }

    /// A request has begun, or its answer has ended.
    pub fn set_busy(&mut self, id: u64, busy: bool, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.busy = busy;
            connection.since = now;
        }
    }

    /// A connection has ended.
    pub fn leave(&mut self, id: u64) {
        self.connections.remove(&id);
    }

    /// How long it is until the connection has been silent for too long; none when it has to go.
    pub fn patience(&self, id: u64, now: Instant) -> Option<Duration> {
        let since = self.connections.get(&id)?.since;
        let left = self
            .limits
            .silence
            .saturating_sub(now.saturating_duration_since(since));
        (!left.is_zero()).then_some(left)
    }

    fn longest_idle(&self, fits: impl Fn(&Connection) -> bool) -> Option<u64> {
        self.connections
            .iter()
            .filter(|(_, connection)| !connection.busy && fits(connection))
            .min_by_key(|&(&id, connection)| (connection.since, id))
            .map(|(&id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn id(entry: Entry) -> u64 {
        match entry {
            Entry::Admitted { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_one_that_has_been_idle_longest_makes_room() {
        let start = Instant::now();
        let limits = Limits {
            connections: 3,
            connections_of_one: 2,
            ..Limits::default()
        };
        let mut door = Door::new(limits);
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = id(door.enter(ip(1), at(0)));
        let second = id(door.enter(ip(1), at(1)));
        door.set_busy(first, true, at(2));
        // Its own address has to make room, though there is a place left.
        let third = door.enter(ip(1), at(3));
        assert!(matches!(third, Entry::Admitted { closing: Some(closed), .. } if closed == second));
        door.set_busy(id(third), true, at(4));
        assert_eq!(door.enter(ip(1), at(5)), Entry::TooManyOfOne);
        let fourth = id(door.enter(ip(2), at(6)));
        let fifth = door.enter(ip(3), at(7));
        assert!(matches!(fifth, Entry::Admitted { closing: Some(closed), .. } if closed == fourth));
        door.set_busy(id(fifth), true, at(8));
        assert_eq!(door.enter(ip(4), at(9)), Entry::TooMany);
        door.set_busy(first, false, at(10));
        assert!(
            matches!(door.enter(ip(4), at(11)), Entry::Admitted { closing: Some(closed), .. } if closed == first)
        );
        door.leave(id(fifth));
        assert!(matches!(
            door.enter(ip(5), at(12)),
            Entry::Admitted { closing: None, .. }
        ));
    }

    #[test]
    fn a_connection_on_which_nothing_moves_has_to_go() {
        let start = Instant::now();
        let limits = Limits::default();
        let mut door = Door::new(limits);
        let one = id(door.enter(ip(1), start));
        assert_eq!(door.patience(one, start), Some(limits.silence));
        let late = start + limits.silence;
        door.set_busy(one, true, late - Duration::from_secs(1));
        assert!(door.patience(one, late).is_some());
        assert_eq!(door.patience(one, late + limits.silence), None);
        door.leave(one);
        assert_eq!(door.patience(one, start), None);
    }
}
