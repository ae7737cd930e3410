//! Who may connect and try a password. Pure: it is told what happens and when.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How many clients that have not logged in are connected at a time.
pub(crate) const MAX_PENDING: usize = 8;

/// How many clients that have logged in are connected at a time.
pub(crate) const MAX_SESSIONS: usize = 4;

/// How long a client may take to log in.
pub(crate) const LOGIN_LIMIT: Duration = Duration::from_secs(30);

/// How many wrong passwords an address may give before it has to wait.
pub(crate) const MAX_FAILURES: u32 = 3;

/// How long it waits then; twice as long after each further wrong one.
const FIRST_WAIT: Duration = Duration::from_secs(30);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How many addresses with failures are remembered.
const MAX_ADDRESSES: usize = 256;

/// What a client is known by.
pub(crate) type ClientId = u64;

/// Decides about clients.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    last_id: ClientId,
    clients: Vec<Client>,
    failures: HashMap<IpAddr, Failures>,
    counts: Counts,
}

/// What has happened at the gate.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Passwords that were right.
    pub(crate) logins: u64,
    /// Passwords that were wrong.
    pub(crate) wrong: u64,
    /// Clients that were turned away.
    pub(crate) turned_away: u64,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    machine: IpAddr,
    logged_in: bool,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    waits_until: Instant,
}

/// A client that may stay for now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) id: ClientId,
    /// Who has to go for it.
    pub(crate) instead_of: Option<ClientId>,
}

/// Why a client may not go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has given too many wrong passwords.
    Waits(Duration),
    /// As many as there may be are logged in.
    Full,
}

impl Gate {
    /// A client has connected. Where too many have, the one goes that came first of the machine that
    /// has the most.
    pub(crate) fn connect(&mut self, address: IpAddr, now: Instant) -> Result<Admitted, Refusal> {
        self.may_try(address, now)
            .inspect_err(|_| self.counts.turned_away += 1)?;
        let machine = machine(address);
        let pending = || self.clients.iter().filter(|client| !client.logged_in);
        let of = |machine: IpAddr| pending().filter(|client| client.machine == machine).count();
        let instead_of = (pending().count() >= MAX_PENDING)
            .then(|| {
                let most = pending().map(|client| of(client.machine)).max()?;
                pending().find(|client| of(client.machine) == most)
            })
            .flatten()
            .map(|client| client.id);
        if let Some(id) = instead_of {
            self.counts.turned_away += 1;
            self.gone(id);
        }
        self.last_id += 1;
        let id = self.last_id;
        self.clients.push(Client {
            id,
            machine,
            logged_in: false,
        });
        Ok(Admitted { id, instead_of })
    }

    /// Whether a password of this address is looked at.
    pub(crate) fn may_try(&self, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        match self.failures.get(&machine(address)) {
            Some(failures) if failures.waits_until > now => {
                Err(Refusal::Waits(failures.waits_until - now))
            }
            _ => Ok(()),
        }
    }

    /// A password was wrong; how long the address has to wait now.
    pub(crate) fn failed(&mut self, address: IpAddr, now: Instant) -> Option<Duration> {
        self.counts.wrong += 1;
        let machine = machine(address);
        if self.failures.len() >= MAX_ADDRESSES && !self.failures.contains_key(&machine) {
            let oldest = self.failures.iter().min_by_key(|(_, one)| one.last);
            if let Some((&oldest, _)) = oldest {
                self.failures.remove(&oldest);
            }
        }
        let failures = self.failures.entry(machine).or_insert(Failures {
            count: 0,
            last: now,
            waits_until: now,
        });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        let further = failures.count.checked_sub(MAX_FAILURES)?;
        let factor = 1_u32.checked_shl(further).unwrap_or(u32::MAX);
        let wait = FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT);
        failures.waits_until = now + wait;
        Some(wait)
    }

    /// A password was right.
    pub(crate) fn passed(&mut self, id: ClientId) -> Result<(), Refusal> {
        let logged_in = self.clients.iter().filter(|client| client.logged_in);
        if logged_in.count() >= MAX_SESSIONS {
            self.counts.turned_away += 1;
            return Err(Refusal::Full);
        }
        self.counts.logins += 1;
        if let Some(client) = self.clients.iter_mut().find(|client| client.id == id) {
            client.logged_in = true;
            self.failures.remove(&client.machine);
        }
        Ok(())
    }

    /// Whether a client has logged in.
    pub(crate) fn is_logged_in(&self, id: ClientId) -> bool {
        let mut clients = self.clients.iter();
        clients.any(|client| client.id == id && client.logged_in)
    }

    /// A client is gone.
    pub(crate) fn gone(&mut self, id: ClientId) {
        self.clients.retain(|client| client.id != id);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }
}

/// What stands for a machine: an IPv4 address, or the network that one has by IPv6.
fn machine(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn who_gives_wrong_passwords_has_to_wait_longer_and_longer() {
        let start = Instant::now();
        let mut gate = Gate::default();
        for _ in 1..MAX_FAILURES {
            assert_eq!(gate.failed(address(1), start), None);
            assert_eq!(gate.may_try(address(1), start), Ok(()));
        }
        assert_eq!(gate.failed(address(1), start), Some(FIRST_WAIT));
        assert_eq!(
            gate.connect(address(1), start + FIRST_WAIT / 2),
            Err(Refusal::Waits(FIRST_WAIT / 2))
        );
        assert_eq!(gate.may_try(address(2), start), Ok(()));
        let later = start + FIRST_WAIT;
        assert_eq!(gate.may_try(address(1), later), Ok(()));
        assert_eq!(gate.failed(address(1), later), Some(2 * FIRST_WAIT));
        for _ in 0..100 {
            gate.failed(address(1), later);
        }
        assert_eq!(gate.failed(address(1), later), Some(LONGEST_WAIT));
    }

    #[test]
    fn a_right_password_wipes_the_slate() {
        let now = Instant::now();
        let mut gate = Gate::default();
        gate.failed(address(1), now);
        let client = gate.connect(address(1), now).unwrap();
        gate.passed(client.id).unwrap();
        assert!(gate.is_logged_in(client.id));
        for _ in 1..MAX_FAILURES {
            assert_eq!(gate.failed(address(1), now), None);
        }
        let expected = Counts {
            logins: 1,
            wrong: 3,
            turned_away: 0,
        };
        assert_eq!(gate.counts(), expected);
    }

    #[test]
    fn a_machine_with_many_connections_makes_room_for_others() {
        let now = Instant::now();
        let mut gate = Gate::default();
        let mut connect = |last| gate.connect(address(last), now).unwrap();
        let other = connect(2);
        let first = connect(1);
        for _ in 2..MAX_PENDING {
            assert_eq!(connect(1).instead_of, None);
        }
        assert_eq!(connect(3).instead_of, Some(first.id));
        assert_ne!(connect(1).instead_of, Some(other.id));
    }

    #[test]
    fn sessions_are_limited_and_keep_their_places() {
        let now = Instant::now();
        let mut gate = Gate::default();
        let mut sessions = Vec::new();
        for _ in 0..MAX_SESSIONS {
            let client = gate.connect(address(1), now).unwrap();
            gate.passed(client.id).unwrap();
            sessions.push(client.id);
        }
        for _ in 0..3 * MAX_PENDING {
            let client = gate.connect(address(1), now).unwrap();
            assert!(client.instead_of.is_none_or(|id| !sessions.contains(&id)));
            assert_eq!(gate.passed(client.id), Err(Refusal::Full));
        }
        gate.gone(sessions[0]);
        let client = gate.connect(address(1), now).unwrap();
        assert_eq!(gate.passed(client.id), Ok(()));
        assert!(gate.clients.len() <= MAX_PENDING + MAX_SESSIONS);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let mut gate = Gate::default();
        for network in 0..2000_u128 {
            let address = Ipv6Addr::from((0x2001_0db8_u128 << 96) | (network << 64) | network);
            gate.failed(address.into(), now);
        }
        assert_eq!(gate.failures.len(), MAX_ADDRESSES);
        let near = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, last]);
        for last in 0..3 {
            gate.failed(near(last), now);
        }
        assert!(gate.may_try(near(9), now).is_err());
    }
}
