//! What was measured over the last hour and the last day, pure: rings of a fixed size.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::told::Status;

/// How far apart the samples of an hour are, in seconds.
pub(crate) const SAMPLE_SECONDS: f64 = 5.0;

/// How many samples make one of the day's.
const SAMPLES_A_MEAN: usize = 24;

/// How many samples a ring holds: an hour, and with the means a day.
const SAMPLES: usize = 720;

/// For how many peers the round trips are kept.
const MAX_PEERS: usize = 64;

/// Samples, the oldest first; what was not measured is no number.
#[derive(Debug, Default)]
struct Ring {
    samples: Vec<f32>,
    /// Where the next one goes, once the ring is full.
    next: usize,
}

impl Ring {
    fn push(&mut self, sample: f32) {
        if self.samples.len() < SAMPLES {
            // As large as it may get, and no larger.
            self.samples.reserve_exact(match self.samples.len() {
                0 => 60,
                60 => SAMPLES - 60,
                _ => 0,
            });
            self.samples.push(sample);
        } else {
            self.samples[self.next] = sample;
            self.next = (self.next + 1) % SAMPLES;
        }
    }

    fn in_order(&self) -> impl DoubleEndedIterator<Item = f32> {
        let (newer, older) = self.samples.split_at(self.next.min(self.samples.len()));
        older.iter().chain(newer).copied()
    }
}

/// One quantity: its last hour, and means for the last day.
#[derive(Debug, Default)]
struct Series {
    hour: Ring,
    day: Ring,
    sum: f32,
    measured: usize,
    since_mean: usize,
}

impl Series {
    fn push(&mut self, sample: Option<f64>) {
        let sample = sample.map_or(f32::NAN, |sample| sample as f32);
        self.hour.push(sample);
        if sample.is_finite() {
            self.sum += sample;
            self.measured += 1;
        }
        self.since_mean += 1;
        if self.since_mean == SAMPLES_A_MEAN {
            let mean = match self.measured {
                0 => f32::NAN,
                measured => self.sum / measured as f32,
            };
            self.day.push(mean);
            (self.sum, self.measured, self.since_mean) = (0.0, 0, 0);
        }
    }

    fn told(&self, span: Span) -> Vec<Option<f32>> {
        let ring = match span {
            Span::Hour => &self.hour,
            Span::Day => &self.day,
        };
        let samples = ring.in_order();
        samples.map(|it| it.is_finite().then_some(it)).collect()
    }
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Hour,
    Day,
}

/// The quantities of this node.
#[derive(Debug, Default)]
pub(crate) struct History {
    received: Series,
    sent: Series,
    dropped: Series,
    memory: Series,
    round_trips: BTreeMap<String, Series>,
    last: Option<Counts>,
    /// When the last sample and the last mean were taken.
    last_at: f64,
    last_mean_at: f64,
    samples: usize,
}

/// What is counted, at one time.
#[derive(Debug, Clone, Copy)]
struct Counts {
    at: f64,
    running: f64,
    received: u64,
    sent: u64,
    dropped: u64,
}

impl Counts {
    fn of(status: &Status, at: f64) -> Self {
        let peers = &status.peers;
        let inboxes = status.roles.iter().map(|role| role.inbox.dropped());
        let lost = peers
            .iter()
            .map(|peer| peer.dropped().saturating_add(peer.missed));
        Self {
            at,
            running: status.running_seconds,
            received: sum(peers.iter().map(|peer| peer.received)),
            sent: sum(peers.iter().map(|peer| peer.sent)),
            dropped: sum(inboxes.chain(lost)),
        }
    }
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// What a browser gets: times of the samples, and the samples of each quantity.
#[derive(Debug, Serialize)]
pub(crate) struct Plots {
    /// How far apart the samples are, in seconds.
    pub(crate) step: f64,
    /// When the last one was taken.
    pub(crate) last: f64,
    /// Messages a second from other nodes.
    pub(crate) received: Vec<Option<f32>>,
    /// Messages a second to other nodes.
    pub(crate) sent: Vec<Option<f32>>,
    /// Messages a second that were dropped on the way or in an inbox.
    pub(crate) dropped: Vec<Option<f32>>,
    /// The daemon's memory, in MiB.
    pub(crate) memory: Vec<Option<f32>>,
    /// Round trips in milliseconds; nothing where there was no link.
    pub(crate) round_trips: BTreeMap<String, Vec<Option<f32>>>,
}

impl History {
    /// Takes a sample, [`SAMPLE_SECONDS`] after the last one.
    pub(crate) fn sample(&mut self, status: &Status, memory: Option<u64>, now: f64) {
        let counts = Counts::of(status, now);
        // Counts begin anew with the daemon.
        let last = self
            .last
            .filter(|last| last.running <= counts.running && counts.at > last.at);
        let rate = |of: fn(&Counts) -> u64| {
            let last = last?;
            Some(of(&counts).saturating_sub(of(&last)) as f64 / (counts.at - last.at))
        };
        self.received.push(rate(|counts| counts.received));
        self.sent.push(rate(|counts| counts.sent));
        self.dropped.push(rate(|counts| counts.dropped));
        self.memory
            .push(memory.map(|bytes| bytes as f64 / (1024.0 * 1024.0)));
        for peer in &status.peers {
            let is_known = self.round_trips.contains_key(&peer.peer);
            if !is_known && self.round_trips.len() >= MAX_PEERS {
                continue;
            }
            // One that never had a link needs no ring.
            let link = peer.links.first().filter(|_| peer.is_up());
            if !is_known && link.is_none() {
                continue;
            }
            let samples = self.samples;
            let series = self
                .round_trips
                .entry(peer.peer.clone())
                .or_insert_with(|| {
                    let mut series = Series::default();
                    (0..samples.min(SAMPLES * SAMPLES_A_MEAN)).for_each(|_| series.push(None));
                    series
                });
            let trip = link.and_then(|link| link.round_trip_seconds);
            series.push(trip.map(|seconds| seconds * 1000.0));
        }
        self.samples += 1;
        self.last = Some(counts);
        self.last_at = now;
        if self.samples.is_multiple_of(SAMPLES_A_MEAN) {
            self.last_mean_at = now;
        }
    }

    /// All of an hour or a day.
    pub(crate) fn plots(&self, span: Span) -> Plots {
        let (step, last) = match span {
            Span::Hour => (SAMPLE_SECONDS, self.last_at),
            Span::Day => (SAMPLE_SECONDS * SAMPLES_A_MEAN as f64, self.last_mean_at),
        };
        let trips = self.round_trips.iter();
        Plots {
            step,
            last,
            received: self.received.told(span),
            sent: self.sent.told(span),
            dropped: self.dropped.told(span),
            memory: self.memory.told(span),
            round_trips: trips
                .map(|(peer, series)| (peer.clone(), series.told(span)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::{Link, Peer};

    fn status(running: f64, received: u64, trip: Option<f64>) -> Status {
        let link = Link {
            round_trip_seconds: trip,
            ..Link::default()
        };
        let peer = Peer {
            peer: "scribe".to_owned(),
            state: if trip.is_some() { "up" } else { "waiting" }.to_owned(),
            links: trip.map(|_| link).into_iter().collect(),
            received,
            ..Peer::default()
        };
        Status {
            running_seconds: running,
            peers: vec![peer],
            ..Status::default()
        }
    }

    #[test]
    fn rates_are_worked_out_of_counts_and_a_new_daemon_begins_anew() {
        let mut history = History::default();
        let mib = Some(1024 * 1024);
        history.sample(&status(1.0, 100, Some(0.002)), mib, 10.0);
        history.sample(&status(6.0, 150, None), mib, 15.0);
        history.sample(&status(0.5, 3, Some(0.001)), None, 20.0);
        let plots = history.plots(Span::Hour);
        assert_eq!(plots.received, [None, Some(10.0), None]);
        assert_eq!(plots.memory, [Some(1.0), Some(1.0), None]);
        assert_eq!(plots.round_trips["scribe"], [Some(2.0), None, Some(1.0)]);
        assert_eq!((plots.step, plots.last), (5.0, 20.0));
    }

    #[test]
    fn an_hour_and_a_day_are_kept_and_no_more() {
        let mut history = History::default();
        let day = SAMPLES * SAMPLES_A_MEAN + 10 * SAMPLES_A_MEAN;
        for sample in 0..day {
            let now = sample as f64 * SAMPLE_SECONDS;
            history.sample(&status(now, sample as u64 * 5, Some(0.001)), None, now);
        }
        for span in [Span::Hour, Span::Day] {
            let plots = history.plots(span);
            assert_eq!(plots.received.len(), SAMPLES);
            assert_eq!(plots.received[SAMPLES - 1], Some(1.0));
            assert_eq!(plots.round_trips["scribe"].len(), SAMPLES);
        }
        assert!(history.received.hour.samples.capacity() <= SAMPLES);
    }

    #[test]
    fn a_peer_that_comes_later_is_on_the_same_times() {
        let mut history = History::default();
        for sample in 0..30 {
            let trip = (sample >= 20).then_some(0.001);
            let now = f64::from(sample) * SAMPLE_SECONDS;
            history.sample(&status(now, 0, trip), None, now);
        }
        let trips = &history.plots(Span::Hour).round_trips["scribe"];
        assert_eq!((trips.len(), trips[19], trips[20]), (30, None, Some(1.0)));
    }
}
