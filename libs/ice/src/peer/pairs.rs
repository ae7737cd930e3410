//! What is known of each pair of addresses between us and a peer: for statistics, for people, and against replays.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::status::Traffic;
use crate::stun::Transaction;

/// How many pairs are remembered; those beyond that have no statistics.
const PAIRS: usize = 256;
/// How many of the peer's requests are remembered, so that none of them has an effect from elsewhere.
const REQUESTS: usize = 1024;
/// How many addresses of the peer that it has not named, and of our own that servers have not, are believed in at a time.
const UNNAMED: usize = 32;
/// A pair on which nothing was answered or asked for so long is none any more.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// How long an answer counts as one of late.
pub(super) const OF_LATE: Duration = Duration::from_secs(10);
/// After so long without an answer, none is expected.
pub(super) const TIMED_OUT: Duration = Duration::from_secs(15);
/// How long the answer to a check is waited for.
const CHECK: Duration = Duration::from_secs(20);

/// Our socket's address or our relay's, and the peer's.
pub(crate) type Addresses = (SocketAddr, SocketAddr);

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) since: Instant,
    /// Our own address as the peer sees it.
    pub(super) mapped: Option<SocketAddr>,
    pub(super) rtt: Option<Duration>,
    pub(super) answered: Option<Instant>,
    pub(super) asked: Option<Instant>,
    pub(super) sent: Meter,
    pub(super) received: Meter,
}

impl Pair {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            mapped: None,
            rtt: None,
            answered: None,
            asked: None,
            sent: Meter::new(now),
            received: Meter::new(now),
        }
    }

    fn last_sign(&self) -> Instant {
        [self.answered, self.asked]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(self.since)
    }
}

/// Counts bytes, in all and second by second.
#[derive(Debug)]
pub(super) struct Meter {
    start: Instant,
    bytes: u64,
    second: u64,
    in_this_second: u64,
    in_the_last: u64,
}

impl Meter {
    fn new(now: Instant) -> Self {
        Self {
            start: now,
            bytes: 0,
            second: 0,
            in_this_second: 0,
            in_the_last: 0,
        }
    }

    pub(super) fn count(&mut self, now: Instant, bytes: usize) {
        let second = now.duration_since(self.start).as_secs();
        if second != self.second {
            self.in_the_last = if second == self.second + 1 {
                self.in_this_second
            } else {
                0
            };
            self.in_this_second = 0;
            self.second = second;
        }
        self.bytes += bytes as u64;
        self.in_this_second += bytes as u64;
    }

    pub(super) fn traffic(&self, now: Instant) -> Traffic {
        let bytes_per_second = match now.duration_since(self.start).as_secs() - self.second {
            0 => self.in_the_last,
            1 => self.in_this_second,
            _ => 0,
        };
        Traffic {
            bytes: self.bytes,
            bytes_per_second,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Pairs {
    pairs: BTreeMap<Addresses, Pair>,
    /// Checks of ours that are not answered yet.
    checks: HashMap<Transaction, (Addresses, Instant)>,
    /// Requests of the peer, and the pair on which each came first.
    requests: HashMap<Transaction, Addresses>,
    order: VecDeque<Transaction>,
    unnamed_remotes: HashSet<SocketAddr>,
    unnamed_locals: HashSet<SocketAddr>,
}

impl Pairs {
    /// Everything is forgotten but which requests the peer has made.
    pub(super) fn begin_anew(&mut self) {
        self.pairs.clear();
        self.checks.clear();
        self.unnamed_remotes.clear();
        self.unnamed_locals.clear();
    }

    /// Agents begin anew, and with them the count of addresses that nobody has named.
    pub(super) fn forget_unnamed(&mut self) {
        self.unnamed_remotes.clear();
        self.unnamed_locals.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Addresses, &Pair)> {
        self.pairs.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(super) fn get(&self, addresses: &Addresses) -> Option<&Pair> {
        self.pairs.get(addresses)
    }

    pub(super) fn get_mut(&mut self, addresses: &Addresses) -> Option<&mut Pair> {
        self.pairs.get_mut(addresses)
    }

    fn entry(&mut self, now: Instant, addresses: Addresses) -> Option<&mut Pair> {
        if self.pairs.len() >= PAIRS && !self.pairs.contains_key(&addresses) {
            return None;
        }
        Some(
            self.pairs
                .entry(addresses)
                .or_insert_with(|| Pair::new(now)),
        )
    }

    /// A check of ours goes out.
    pub(super) fn check_sent(
        &mut self,
        now: Instant,
        addresses: Addresses,
        transaction: Transaction,
    ) {
        self.entry(now, addresses);
        self.checks.insert(transaction, (addresses, now));
    }

    /// On which pair a check went out; it is answered there, or not at all.
    pub(super) fn check(&self, transaction: &Transaction) -> Option<Addresses> {
        Some(self.checks.get(transaction)?.0)
    }

    /// A check of ours was answered.
    pub(super) fn check_answered(
        &mut self,
        now: Instant,
        transaction: &Transaction,
        mapped: Option<SocketAddr>,
    ) {
        let Some((addresses, sent)) = self.checks.remove(transaction) else {
            return;
        };
        if let Some(pair) = self.entry(now, addresses) {
            pair.rtt = Some(now.duration_since(sent));
            pair.answered = Some(now);
            pair.mapped = mapped.or(pair.mapped);
        }
    }

    /// Whether a request was seen before, on another pair: somebody has recorded and repeated it.
    pub(super) fn is_replay(&self, transaction: &Transaction, addresses: &Addresses) -> bool {
        self.requests
            .get(transaction)
            .is_some_and(|first| first != addresses)
    }

    /// A request that was proven to be the peer's.
    pub(super) fn request_received(
        &mut self,
        now: Instant,
        addresses: Addresses,
        transaction: Transaction,
    ) {
        if let Some(pair) = self.entry(now, addresses) {
            pair.asked = Some(now);
        }
        if self.requests.insert(transaction, addresses).is_none() {
            self.order.push_back(transaction);
        }
        if self.order.len() > REQUESTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.requests.remove(&oldest);
        }
    }

    /// Whether one more address of the peer's that it has not named can be believed in.
    pub(super) fn admit_remote(&mut self, address: SocketAddr) -> bool {
        admit(&mut self.unnamed_remotes, address)
    }

    /// Whether one more address of ours that only the peer has seen can be believed in.
    pub(super) fn admit_local(&mut self, address: SocketAddr) -> bool {
        admit(&mut self.unnamed_locals, address)
    }

    /// Forgets what is long over: the pairs and the checks that it has forgotten.
    pub(super) fn tidy(
        &mut self,
        now: Instant,
        selected: Option<Addresses>,
    ) -> (Vec<Addresses>, Vec<Transaction>) {
        let pairs: Vec<_> = self
            .pairs
            .iter()
            .filter(|(addresses, pair)| {
                Some(**addresses) != selected && now.duration_since(pair.last_sign()) > FORGOTTEN
            })
            .map(|(addresses, _)| *addresses)
            .collect();
        for addresses in &pairs {
            self.pairs.remove(addresses);
        }
        let checks: Vec<_> = self
            .checks
            .iter()
            .filter(|(_, (_, sent))| now.duration_since(*sent) > CHECK)
            .map(|(transaction, _)| *transaction)
            .collect();
        for check in &checks {
            self.checks.remove(check);
        }
        (pairs, checks)
    }

    /// The checks that are not answered yet.
    pub(super) fn checks(&self) -> impl Iterator<Item = &Transaction> {
        self.checks.keys()
    }
}

fn admit(known: &mut HashSet<SocketAddr>, address: SocketAddr) -> bool {
    known.contains(&address) || (known.len() < UNNAMED && known.insert(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(port: u16) -> Addresses {
        (
            "192.0.2.1:1".parse().unwrap(),
            SocketAddr::from(([192, 0, 2, 2], port)),
        )
    }

    #[test]
    fn bytes_are_counted_in_all_and_for_the_last_full_second() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut meter = Meter::new(start);
        meter.count(at(100), 10);
        meter.count(at(900), 20);
        assert_eq!(meter.traffic(at(950)).bytes_per_second, 0);
        meter.count(at(1100), 1);
        for now in [1100, 1999] {
            let expected = Traffic {
                bytes: 31,
                bytes_per_second: 30,
            };
            assert_eq!(meter.traffic(at(now)), expected);
        }
        assert_eq!(meter.traffic(at(2500)).bytes_per_second, 1);
        assert_eq!(meter.traffic(at(3500)).bytes_per_second, 0);
        meter.count(at(9000), 5);
        assert_eq!(meter.traffic(at(9000)).bytes_per_second, 0);
    }

    #[test]
    fn a_request_counts_only_where_it_came_first_however_many_there_are() {
        let now = Instant::now();
        let mut pairs = Pairs::default();
        pairs.request_received(now, addresses(1), [1; 12]);
        assert!(!pairs.is_replay(&[1; 12], &addresses(1)));
        assert!(pairs.is_replay(&[1; 12], &addresses(2)));
        for number in 0..5000_u32 {
            let mut transaction = [0; 12];
            transaction[..4].copy_from_slice(&number.to_be_bytes());
            pairs.request_received(now, addresses(1), transaction);
        }
        assert!(pairs.requests.len() <= REQUESTS && pairs.order.len() <= REQUESTS);
    }

    #[test]
    fn what_is_long_over_is_forgotten_and_nothing_grows_without_end() {
        let now = Instant::now();
        let mut pairs = Pairs::default();
        for port in 0..1000_u16 {
            let mut transaction = [0; 12];
            transaction[..2].copy_from_slice(&port.to_be_bytes());
            pairs.check_sent(now, addresses(port), transaction);
        }
        assert_eq!(pairs.len(), PAIRS);
        let later = now + FORGOTTEN + Duration::from_secs(1);
        let (forgotten, checks) = pairs.tidy(later, Some(addresses(7)));
        assert_eq!((forgotten.len(), checks.len()), (PAIRS - 1, 1000));
        assert_eq!(pairs.len(), 1);
        assert_eq!(
            (0..1000)
                .filter(|port| pairs.admit_remote(addresses(*port).1))
                .count(),
            UNNAMED
        );
        assert!(pairs.admit_remote(addresses(0).1));
    }
}
