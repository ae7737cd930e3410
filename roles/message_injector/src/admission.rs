//! Who keeps a place when places are scarce, and who has had one for too long.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many clients are served at a time.
pub(crate) const MAX_CONNECTIONS: usize = 16;

/// How long a client may say nothing before it is let go.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(600);

/// How long a client that has sent a message keeps its place against others, though it says
/// nothing.
const GRACE: Duration = Duration::from_secs(10);

/// How a client has behaved so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The machine that it is on, as far as its address tells.
    machine: IpAddr,
    /// When it came, or said its last line. Single bytes do not count: they could go on for ever.
    last_line: Instant,
    /// Whether a message of it was sent.
    has_sent: bool,
}

impl Standing {
    /// The standing of a client that has come now from `address`.
    pub(crate) fn new(address: IpAddr, now: Instant) -> Self {
        Self {
            machine: address.to_canonical(),
            last_line: now,
            has_sent: false,
        }
    }

    /// It has said a line.
    pub(crate) fn heard(&mut self, was_sent: bool, now: Instant) {
        self.last_line = now;
        self.has_sent |= was_sent;
    }

    /// When it is let go, unless it says something.
    pub(crate) fn ends(&self) -> Instant {
        self.last_line + IDLE_LIMIT
    }

    fn gives_way(&self, now: Instant) -> bool {
        !self.has_sent || now.saturating_duration_since(self.last_line) >= GRACE
    }
}

/// Whether one more client has a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// There is room.
    Free,
    /// The client at this index has to go for it.
    InPlaceOf(usize),
    /// All that are here are at work.
    Full,
}

/// Decides about one more client. Those who have never sent a message go first, then those who have
/// been silent for some time; of several the one that has been silent for longest. Where all are at
/// work, the machine with the most clients gives a place to one with fewer, so that none can take
/// all of them.
pub(crate) fn admit<'a>(
    present: impl IntoIterator<Item = &'a Standing>,
    newcomer: &Standing,
    now: Instant,
) -> Admission {
    let present: Vec<_> = present.into_iter().enumerate().collect();
    if present.len() < MAX_CONNECTIONS {
        return Admission::Free;
    }
    let idle = present
        .iter()
        .filter(|(_, standing)| standing.gives_way(now))
        .min_by_key(|(_, standing)| (standing.has_sent, standing.last_line));
    if let Some((index, _)) = idle {
        return Admission::InPlaceOf(*index);
    }
    let clients_on = |machine: IpAddr| {
        let of_machine = present.iter().filter(|(_, other)| other.machine == machine);
        of_machine.count()
    };
    let own = clients_on(newcomer.machine);
    let most = present
        .iter()
        .map(|(index, standing)| (clients_on(standing.machine), standing.last_line, *index))
        .max_by_key(|&(clients, last_line, _)| (clients, std::cmp::Reverse(last_line)));
    match most {
        Some((clients, _, index)) if clients > own + 1 => Admission::InPlaceOf(index),
        _ => Admission::Full,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn whoever_has_sent_nothing_goes_first_and_then_whoever_was_silent_for_longest() {
        let start = Instant::now();
        let now = start + seconds(100);
        let newcomer = Standing::new(HERE, now);
        let mut present: Vec<_> = (0..MAX_CONNECTIONS as u64)
            .map(|at| Standing {
                machine: HERE,
                last_line: start + seconds(at),
                has_sent: true,
            })
            .collect();
        assert_eq!(admit(&present[1..], &newcomer, now), Admission::Free);
        assert_eq!(admit(&present, &newcomer, now), Admission::InPlaceOf(0));
        present[0].heard(true, now);
        assert_eq!(admit(&present, &newcomer, now), Admission::InPlaceOf(1));
        present[7] = Standing::new(HERE, now);
        present[9] = Standing::new(HERE, now - seconds(1));
        assert_eq!(admit(&present, &newcomer, now), Admission::InPlaceOf(9));
    }

    #[test]
    fn those_at_work_keep_their_places() {
        let start = Instant::now();
        let mut working = Standing::new(HERE, start);
        working.heard(true, start + seconds(5));
        let present = [working; MAX_CONNECTIONS];
        let admitted = |after| admit(&present, &working, start + seconds(after));
        assert_eq!(admitted(14), Admission::Full);
        assert_eq!(admitted(15), Admission::InPlaceOf(0));
    }

    #[test]
    fn a_machine_with_many_clients_at_work_makes_room_for_one_with_fewer() {
        let start = Instant::now();
        let working = |machine, said| {
            let mut standing = Standing::new(machine, start);
            standing.heard(true, start + seconds(said));
            standing
        };
        let now = start + seconds(9);
        let mut present = [working(HERE, 5); MAX_CONNECTIONS];
        present[3] = working(HERE, 4);
        let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
        for (from, expected) in [
            (HERE, Admission::Full),
            (THERE, Admission::InPlaceOf(3)),
            (mapped, Admission::InPlaceOf(3)),
        ] {
            assert_eq!(admit(&present, &Standing::new(from, now), now), expected);
        }
        // Up to half of the places, from where each would only take the other's.
        for place in &mut present[..MAX_CONNECTIONS / 2] {
            *place = working(THERE, 5);
        }
        for from in [HERE, THERE] {
            assert_eq!(
                admit(&present, &Standing::new(from, now), now),
                Admission::Full
            );
        }
    }

    #[test]
    fn a_line_that_was_no_message_makes_nobody_a_sender() {
        let start = Instant::now();
        let mut standing = Standing::new(HERE, start);
        standing.heard(false, start + seconds(20));
        assert!(standing.gives_way(start + seconds(20)));
        assert_eq!(standing.ends(), start + seconds(20) + IDLE_LIMIT);
    }
}
