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
    /// The engine has all datagrams up to this number.
    Confirmed(u64),
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
        let held = self.held.lock_anyway();
        let is_full = |held: &mut Held| {
            held.datagrams() >= MAX_DATAGRAMS
                || held.of_lanes.len() >= MAX_OF_LANES
                || (held.datagrams() > 0 && held.bytes + held.lacking.max(1) > MAX_BYTES)
        };
        let (held, waited) = self
            .emptied
            .wait_timeout_while(held, limit, |held| !held.closed && is_full(held))
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out() && !held.closed
    }

    /// Whether nothing waits.
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
        match (held.news.back_mut(), news) {
            // The later number says it for the earlier ones.
            (Some(News::Confirmed(last)), News::Confirmed(number)) => *last = number,
            (_, news) => {
                if held.news.len() - held.others >= MAX_NEWS {
                    held.forget();
                }
                held.news.push_back(news);
            }
        }
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
            of_lanes,
            is_more: !held.of_lanes.is_empty(),
            dropped: std::mem::take(&mut held.dropped),
        };
        drop(held);
        self.emptied.notify_all();
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
        mailbox.tell(News::Confirmed(1));
        assert!(mailbox.take(MAX_DATAGRAMS).news.is_empty());
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
    fn confirmations_in_a_row_are_one() {
        let mailbox = mailbox();
        mailbox.tell(News::Confirmed(1));
        mailbox.tell(News::Confirmed(5));
        mailbox.deliver(datagram(0));
        mailbox.tell(News::Confirmed(7));
        let news = mailbox.take(MAX_DATAGRAMS).news;
        assert_eq!(
            news,
            [
                News::Confirmed(5),
                News::Datagram(datagram(0)),
                News::Confirmed(7)
            ]
        );
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
