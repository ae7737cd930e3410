//! Who is to be pinged when, pure: the time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Pinger {
    /// None: nobody is pinged.
    interval: Option<Duration>,
    due: HashMap<String, Instant>,
}

impl Pinger {
    /// Pings every so often; never, if that is zero.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval: (!interval.is_zero()).then_some(interval),
            due: HashMap::new(),
        }
    }

    /// Pings this satellite once the interval is over.
    pub(crate) fn add(&mut self, host_id: &str, now: Instant) {
        if let Some(interval) = self.interval {
            self.due.insert(host_id.to_owned(), now + interval);
        }
    }

    /// Pings these satellites within the interval, one after the other.
    pub(crate) fn spread<'a>(
        &mut self,
        host_ids: impl ExactSizeIterator<Item = &'a str>,
        now: Instant,
    ) {
        let count = u32::try_from(host_ids.len()).unwrap_or(u32::MAX).max(1);
        for (index, host_id) in (1..).zip(host_ids) {
            if let Some(interval) = self.interval {
                let share = interval.mul_f64(f64::from(index) / f64::from(count));
                self.due.insert(host_id.to_owned(), now + share);
            }
        }
    }

    pub(crate) fn remove(&mut self, host_id: &str) {
        self.due.remove(host_id);
    }

    /// Those whose time has come. They are pinged again when they are [added](Self::add) again.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let due = self.due.extract_if(|_, due| *due <= now);
        due.map(|(host_id, _)| host_id).collect()
    }

    /// When the next one's time comes.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_pinged_an_interval_after_it_was_added() {
        let start = Instant::now();
        let interval = Duration::from_secs(60);
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pinger = Pinger::new(interval);
        pinger.add("a", at(0));
        pinger.add("b", at(10));
        pinger.add("c", at(10));
        pinger.remove("c");
        assert_eq!(pinger.next(), Some(at(60)));
        assert!(pinger.take_due(at(59)).is_empty());
        assert_eq!(pinger.take_due(at(60)), ["a"]);
        assert_eq!(pinger.next(), Some(at(70)));
        // One that is being pinged is not pinged a second time meanwhile.
        assert_eq!(pinger.take_due(at(1000)), ["b"]);
        assert_eq!(pinger.next(), None);
    }

    #[test]
    fn those_of_a_dump_are_not_pinged_all_at_once() {
        let start = Instant::now();
        let mut pinger = Pinger::new(Duration::from_secs(60));
        pinger.spread(["a", "b", "c"].into_iter(), start);
        assert_eq!(pinger.take_due(start + Duration::from_secs(20)).len(), 1);
        assert_eq!(pinger.take_due(start + Duration::from_secs(60)).len(), 2);
    }

    #[test]
    fn an_interval_of_zero_pings_nobody() {
        let mut pinger = Pinger::new(Duration::ZERO);
        pinger.add("a", Instant::now());
        pinger.spread(["b"].into_iter(), Instant::now());
        assert_eq!(pinger.next(), None);
    }
}
