//! What a module's threads bring, until the bus's thread takes it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use kozo_abi::{Delivered, Limits};
use kozo_ground::lock::LockAnyway;

use super::bell::Bell;

/// How many datagrams wait at most. Beyond that the module is told that there is no room.
const MAX_DATAGRAMS: usize = 4096;

/// How many of them are of lanes at most: what others ask and answer, repairs among it, has the rest to itself.
const MAX_OF_LANES: usize = MAX_DATAGRAMS / 4 * 3;

/// How many bytes they have together at most; one alone may be larger.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// How many other news of the module wait at most. What comes beyond that, while the bus's thread does not come
/// to take any, costs all datagrams that wait, and of the connection only how it is now is kept.
const MAX_NEWS: usize = 1024;

/// What a module has to say.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    /// The engine is connected.
    Up(Limits),
    /// The connection is gone.
    Down(String),
    /// A datagram has come.
    Datagram(Datagram),
    /// Nobody is subscribed to this subject.
    Nobody(String),
}

/// A datagram that has come.
#[derive(Debug, PartialEq)]
pub(super) struct Datagram {
    pub(super) subject: String,
    pub(super) reply: Option<String>,
    pub(super) data: Vec<u8>,
}

/// What a module's threads bring. What is of lanes, which may be much, keeps its order, and so does all else; of that
/// none waits behind what is of lanes: so a node that gets more than it can look at still asks, answers and publishes.
pub(super) struct Mailbox {
    held: Mutex<Held>,
    /// Told when some were taken.
    emptied: Condvar,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct Held {
    /// All but datagrams of lanes.
    news: VecDeque<News>,
    of_lanes: VecDeque<Datagram>,
    /// Up to which number the engine has all datagrams, where it has said so since that was taken.
    confirmed: Option<u64>,
    /// Somebody waits for that.
    is_confirmation_awaited: bool,
    /// So many wait for room.
    waiting: usize,
    /// How many datagrams are among the news.
    others: usize,
    /// The bytes of all datagrams.
    bytes: usize,
    /// The bytes of the one that there was no room for last.
    lacking: usize,
    /// Datagrams that were thrown away here, since they were taken last.
    dropped: u64,
    /// Nothing is taken any more.
    closed: bool,
}

/// What was brought since it was taken last.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) news: VecDeque<News>,
    /// The engine has all datagrams up to this number. It belongs before the news.
    pub(super) confirmed: Option<u64>,
    /// Datagrams of lanes, some of those that wait.
    pub(super) of_lanes: Vec<Datagram>,
    /// More of them wait.
    pub(super) is_more: bool,
    /// So many datagrams were thrown away, by the module or here.
    pub(super) dropped: u64,
}

impl Mailbox {
    /// An empty one, of the bus whose thread hears `bell`.
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Self {
            held: Mutex::default(),
            emptied: Condvar::new(),
            bell,
        }
    }

    /// Takes a datagram, if there is room.
    pub(super) fn deliver(&self, datagram: Datagram) -> Delivered {
        let mut held = self.held.lock_anyway();
        if held.closed {
            return Delivered::Taken;
        }
        let bytes = held.bytes + datagram.data.len();
        let of_lane = kozo_bus::is_of_lane(&datagram.subject);
        let waiting = held.datagrams();
        let is_full = waiting >= MAX_DATAGRAMS || (of_lane && held.of_lanes.len() >= MAX_OF_LANES);
        if is_full || (waiting > 0 && bytes > MAX_BYTES) {
            held.lacking = datagram.data.len();
            return Delivered::Full;
        }
        held.bytes = bytes;
        held.lacking = 0;
        match of_lane {
            true => held.of_lanes.push_back(datagram),
            false => {
                held.others += 1;
                held.news.push_back(News::Datagram(datagram));
            }
        }
        drop(held);
        self.bell.ring();
        Delivered::Taken
    }

    /// Waits until there may be room for what there was none for last, for `limit` at most; false when there is none.
    pub(super) fn wait_for_room(&self, limit: Duration) -> bool {
        let mut held = self.held.lock_anyway();
        let is_full = |held: &mut Held| {
            held.datagrams() >= MAX_DATAGRAMS
                || held.of_lanes.len() >= MAX_OF_LANES
                || (held.datagrams() > 0 && held.bytes + held.lacking.max(1) > MAX_BYTES)
        };
        held.waiting += 1;
        let (mut held, waited) = self
            .emptied
            .wait_timeout_while(held, limit, |held| !held.closed && is_full(held))
            .unwrap_or_else(PoisonError::into_inner);
        held.waiting -= 1;
        !waited.timed_out() && !held.closed
    }

    /// The engine has all datagrams up to this number. Nobody is woken for that, unless it is waited for.
    pub(super) fn confirm(&self, number: u64) {
        let mut held = self.held.lock_anyway();
        if held.closed {
            return;
        }
        held.confirmed = held.confirmed.max(Some(number));
        let is_awaited = held.is_confirmation_awaited;
        drop(held);
        if is_awaited {
            self.bell.ring();
        }
    }

    /// Takes what the engine has confirmed, in front of all else that waits.
    pub(super) fn take_confirmed(&self) -> Option<u64> {
        self.held.lock_anyway().confirmed.take()
    }

    /// Whether somebody waits for what the engine confirms from now on. True: it has, since that was taken.
    pub(super) fn await_confirmation(&self, is_awaited: bool) -> bool {
        let mut held = self.held.lock_anyway();
        held.is_confirmation_awaited = is_awaited;
        is_awaited && held.confirmed.is_some()
    }

    /// Whether nothing waits that needs work.
    pub(super) fn is_empty(&self) -> bool {
        let held = self.held.lock_anyway();
        held.news.is_empty() && held.of_lanes.is_empty()
    }

    /// Takes news other than datagrams, always.
    pub(super) fn tell(&self, news: News) {
        let mut held = self.held.lock_anyway();
        if held.closed {
            return;
        }
        if held.news.len() - held.others >= MAX_NEWS {
            held.forget();
        }
        held.news.push_back(news);
        drop(held);
        self.bell.ring();
    }

    /// So many datagrams were thrown away before they came here.
    pub(super) fn dropped(&self, count: u64) {
        let mut held = self.held.lock_anyway();
        held.dropped = held.dropped.saturating_add(count);
        drop(held);
        self.bell.ring();
    }

    /// Takes all there is, but of the datagrams of lanes so many at most.
    pub(super) fn take(&self, most: usize) -> Brought {
        let mut held = self.held.lock_anyway();
        let count = held.of_lanes.len().min(most);
        let of_lanes: Vec<Datagram> = held.of_lanes.drain(..count).collect();
        held.others = 0;
        let news = std::mem::take(&mut held.news);
        let others = news.iter().filter_map(|news| match news {
            News::Datagram(datagram) => Some(datagram),
            _ => None,
        });
        let taken: usize = others.chain(&of_lanes).map(|each| each.data.len()).sum();
        held.bytes -= taken;
        let brought = Brought {
            news,
            confirmed: held.confirmed.take(),
            of_lanes,
            is_more: !held.of_lanes.is_empty(),
            dropped: std::mem::take(&mut held.dropped),
        };
        let is_awaited = held.waiting > 0;
        drop(held);
        // It is a call to the system, even where nobody waits.
        if is_awaited {
            self.emptied.notify_all();
        }
        brought
    }

    /// From now on all is thrown away, and nobody waits any longer.
    pub(super) fn close(&self) {
        let mut held = self.held.lock_anyway();
        held.closed = true;
        held.news.clear();
        held.of_lanes.clear();
        drop(held);
        self.emptied.notify_all();
    }
}

impl Held {
    fn datagrams(&self) -> usize {
        self.others + self.of_lanes.len()
    }

    /// Keeps how the connection is now, and that it was another one before.
    fn forget(&mut self) {
        self.dropped = self.dropped.saturating_add(self.datagrams() as u64);
        self.of_lanes.clear();
        self.others = 0;
        self.bytes = 0;
        let state = |news: &News| matches!(news, News::Up(_) | News::Down(_));
        let last = self.news.iter().rposition(state);
        let last = last.and_then(|place| self.news.swap_remove_back(place));
        self.news.clear();
        if let Some(state) = last {
            let too_much = "its module told too much at once, a fault of it";
            self.news.push_back(News::Down(too_much.to_owned()));
            self.news.push_back(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn datagram(bytes: usize) -> Datagram {
        Datagram {
            subject: "kozo.fleet.here.a".to_owned(),
            reply: None,
            data: vec![0; bytes],
        }
    }

    fn mailbox() -> Mailbox {
        Mailbox::new(Arc::default())
    }

    #[test]
    fn there_is_room_for_so_many_datagrams_and_for_one_however_large() {
        let mailbox = mailbox();
        for _ in 0..MAX_DATAGRAMS {
            assert_eq!(mailbox.deliver(datagram(1)), Delivered::Taken);
        }
        assert_eq!(mailbox.deliver(datagram(1)), Delivered::Full);
        assert!(!mailbox.wait_for_room(Duration::from_millis(1)));
        assert_eq!(mailbox.take(MAX_DATAGRAMS).news.len(), MAX_DATAGRAMS);
        assert!(mailbox.wait_for_room(Duration::from_secs(60)));
        assert_eq!(mailbox.deliver(datagram(MAX_BYTES + 1)), Delivered::Taken);
        assert_eq!(mailbox.deliver(datagram(1)), Delivered::Full);
    }

    #[test]
    fn who_waits_for_room_goes_on_as_soon_as_there_is_some_or_never_will_be() {
        let mailbox = mailbox();
        mailbox.deliver(datagram(MAX_BYTES));
        let long = Duration::from_secs(600);
        thread::scope(|scope| {
            let waits = scope.spawn(|| mailbox.wait_for_room(long));
            mailbox.take(1);
            assert!(waits.join().unwrap());
            mailbox.deliver(datagram(MAX_BYTES));
            let waits = scope.spawn(|| mailbox.wait_for_room(long));
            mailbox.close();
            assert!(!waits.join().unwrap());
        });
        // What comes now is nobody's.
        assert_eq!(mailbox.deliver(datagram(1)), Delivered::Taken);
        mailbox.tell(News::Nobody(String::new()));
        mailbox.confirm(1);
        let brought = mailbox.take(MAX_DATAGRAMS);
        assert!(brought.news.is_empty() && brought.confirmed.is_none());
    }

    #[test]
    fn what_is_of_lanes_comes_a_few_at_a_time_and_holds_up_nothing_else() {
        let of_lane = |bytes| Datagram {
            subject: "kozo.fleet.m.e.t.r.-.a".to_owned(),
            ..datagram(bytes)
        };
        let mailbox = mailbox();
        for bytes in 1..=3 {
            mailbox.deliver(of_lane(bytes));
        }
        mailbox.deliver(datagram(MAX_BYTES - 6));
        assert_eq!(mailbox.deliver(of_lane(1)), Delivered::Full);
        let brought = mailbox.take(2);
        assert_eq!(brought.news.len(), 1);
        assert_eq!(brought.of_lanes, [of_lane(1), of_lane(2)]);
        assert!(brought.is_more);
        // What is left counts, and what was taken does not.
        assert_eq!(mailbox.deliver(of_lane(MAX_BYTES - 2)), Delivered::Full);
        assert_eq!(mailbox.deliver(of_lane(MAX_BYTES - 3)), Delivered::Taken);
        let brought = mailbox.take(2);
        assert_eq!(brought.of_lanes.len(), 2);
        assert!(!brought.is_more);
    }

    #[test]
    fn who_waits_for_room_waits_for_what_there_was_none_for() {
        let of_lane = || Datagram {
            subject: "kozo.fleet.m.e.t.r.-.a".to_owned(),
            ..datagram(1)
        };
        let mailbox = mailbox();
        for _ in 0..MAX_OF_LANES {
            assert_eq!(mailbox.deliver(of_lane()), Delivered::Taken);
        }
        assert_eq!(mailbox.deliver(of_lane()), Delivered::Full);
        assert!(!mailbox.wait_for_room(Duration::from_millis(1)));
        mailbox.take(1);
        assert!(mailbox.wait_for_room(Duration::from_secs(60)));
        mailbox.take(MAX_DATAGRAMS);
        mailbox.deliver(datagram(MAX_BYTES - 1));
        assert_eq!(mailbox.deliver(datagram(2)), Delivered::Full);
        assert!(!mailbox.wait_for_room(Duration::from_millis(1)));
    }

    #[test]
    fn confirmations_are_one_and_wake_nobody_who_does_not_wait_for_them() {
        let bell = Arc::<Bell>::default();
        let mailbox = Mailbox::new(Arc::clone(&bell));
        for number in [1, 5, 3] {
            mailbox.confirm(number);
        }
        assert!(!bell.is_rung() && mailbox.is_empty());
        assert!(!mailbox.await_confirmation(false));
        assert!(mailbox.await_confirmation(true));
        assert_eq!(mailbox.take(MAX_DATAGRAMS).confirmed, Some(5));
        assert!(!mailbox.await_confirmation(true));
        mailbox.confirm(7);
        assert!(bell.is_rung());
        assert_eq!(mailbox.take_confirmed(), Some(7));
        assert_eq!(mailbox.take_confirmed(), None);
    }

    #[test]
    fn a_module_that_talks_without_end_fills_no_memory_and_what_holds_now_is_known() {
        let mailbox = mailbox();
        mailbox.deliver(datagram(1));
        for number in 0..MAX_NEWS * 3 {
            mailbox.tell(News::Up(Limits::new(number, "one")));
            mailbox.tell(News::Nobody("kozo.fleet.ask.a".to_owned()));
        }
        let brought = mailbox.take(1);
        assert!(brought.news.len() <= MAX_NEWS + 2);
        assert_eq!(brought.dropped, 1);
        assert!(matches!(brought.news[0], News::Down(_)));
        let last = brought
            .news
            .iter()
            .rev()
            .find(|news| matches!(news, News::Up(_)));
        assert_eq!(last, Some(&News::Up(Limits::new(MAX_NEWS * 3 - 1, "one"))));
    }
}
