//! How a link does under load: questions that carry what nobody needs.
//!
//! ```text
//!  latency:     ask ─▶ answer, ask ─▶ answer, …          nothing carried, one at a time
//!  throughput:  ask, ask, ask ─▶ answer, ask ─▶ …        as much at a time as the link takes
//! ```
//!
//! Questions go ahead of messages, and nothing on the way limits how many bytes of them are under way. So the
//! load grows slowly, and shrinks when answers are late: heartbeats and messages wait for [`MAX_DELAY`] or so.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use kozo_ground::clock;
use kozo_link::{MAX_QUESTIONS, Unasked};
use kozo_status::{BenchResult, RoundTrips, Throughput};
use serde_json::Value;

use super::limits::{MAX_BENCH_SECONDS, MAX_PING};
use super::others::{encode, not_asked, read};
use super::refusal::Refusal;
use super::{Introspection, PeerView, Request};
use crate::link::NoAnswer;

/// The most questions at a time: some are left for those who want to know how the node is meanwhile.
const MAX_PARALLEL: usize = MAX_QUESTIONS - 2;

/// The bytes of the first questions, which a slow radio takes too.
const FIRST_SIZE: usize = 1024;

/// How much longer than without a load an answer may take.
const MAX_DELAY: Duration = Duration::from_millis(250);

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// How long to wait where others ask so much that nothing more may be asked.
const PAUSE: Duration = Duration::from_millis(5);

/// The most round trips that are counted.
const MAX_ROUND_TRIPS: usize = 100_000;

impl Introspection {
    /// Measures the link with a peer, for so long.
    pub(super) async fn bench(&self, name: &str, seconds: u64) -> Result<BenchResult, Refusal> {
        if !(1..=MAX_BENCH_SECONDS).contains(&seconds) {
            return Err(Refusal::MeasuredTime);
        }
        let node = self.other_node(name)?;
        let peer = self.peer_of(name).map_err(|_| self.no_link(node))?;
        let half = Duration::from_secs(seconds) / 2;
        tracing::info!(target: "control", peer = name, seconds, "the link is measured under load");
        let round_trips = latency(peer, half).await?;
        let usual = Duration::from_secs_f64(round_trips.median_seconds);
        let throughput = throughput(peer, half, usual).await?;
        let link = self.peer(peer, clock::now()).links.into_iter().next();
        Ok(BenchResult {
            node: peer.link.name().clone(),
            transport: link.as_ref().map(|link| link.transport.clone()),
            address: link.map(|link| link.address),
            round_trips,
            throughput,
        })
    }
}

async fn latency(peer: &PeerView, time: Duration) -> Result<RoundTrips, Refusal> {
    let end = clock::now() + time;
    let mut trips = Vec::new();
    while trips.is_empty() || clock::now() < end && trips.len() < MAX_ROUND_TRIPS {
        trips.push(echo(peer, 0).await?);
    }
    trips.sort_unstable();
    Ok(round_trips(&trips))
}

/// What sorted spans come to; there is at least one.
fn round_trips(sorted: &[Duration]) -> RoundTrips {
    // The smallest that so many of a thousand do not exceed.
    let part = |thousandths: usize| {
        let rank = (sorted.len() * thousandths).div_ceil(1000).max(1);
        sorted.get(rank - 1).map_or(0.0, Duration::as_secs_f64)
    };
    RoundTrips {
        count: sorted.len() as u64,
        min_seconds: part(0),
        median_seconds: part(500),
        p90_seconds: part(900),
        p99_seconds: part(990),
        max_seconds: part(1000),
    }
}

async fn throughput(
    peer: &PeerView,
    time: Duration,
    usual: Duration,
) -> Result<Throughput, Refusal> {
    let start = clock::now();
    let end = start + time;
    let mut load = Load::new(usual);
    let mut result = Throughput {
        questions: 0,
        bytes: 0,
        seconds: 0.0,
        bytes_per_second: 0.0,
        largest_bytes: 0,
        parallel: 0,
        max_seconds: 0.0,
    };
    let mut asked = FuturesUnordered::new();
    loop {
        while asked.len() < load.parallel && clock::now() < end {
            let size = load.size;
            asked.push(async move { echo(peer, size).await.map(|took| (size, took)) });
            result.parallel = result.parallel.max(asked.len());
        }
        let Some(answer) = asked.next().await else {
            break;
        };
        let (size, took) = answer?;
        load.answered(took);
        result.questions += 1;
        result.bytes += size as u64;
        result.largest_bytes = result.largest_bytes.max(size);
        result.max_seconds = result.max_seconds.max(took.as_secs_f64());
    }
    result.seconds = clock::now().since(start).as_secs_f64();
    if result.seconds > 0.0 {
        result.bytes_per_second = result.bytes as f64 / result.seconds;
    }
    Ok(result)
}

/// How much is put on the link: first larger questions, then more at a time, and back when it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    size: usize,
    parallel: usize,
    /// What takes longer is too much.
    limit: Duration,
}

impl Load {
    fn new(usual: Duration) -> Self {
        Self {
            size: FIRST_SIZE,
            parallel: 1,
            limit: usual + MAX_DELAY,
        }
    }

    fn answered(&mut self, took: Duration) {
        if took > self.limit {
            if self.parallel > 1 {
                self.parallel -= (self.parallel / 4).max(1);
            } else {
                self.size = (self.size / 2).max(FIRST_SIZE);
            }
        } else if took < self.limit / 2 {
            if self.size < MAX_PING {
                self.size = (self.size * 2).min(MAX_PING);
            } else {
                self.parallel = (self.parallel + 1).min(MAX_PARALLEL);
            }
        }
    }
}

/// One question that carries so many bytes, and how long its answer took.
async fn echo(peer: &PeerView, bytes: usize) -> Result<Duration, Refusal> {
    let name = peer.link.name();
    let question = encode(&Request::Echo {
        payload: vec![0; bytes].into(),
    })?;
    let give_up = clock::now() + ANSWER_LIMIT;
    loop {
        match peer.link.ask(question.clone(), ANSWER_LIMIT).await {
            Ok(answer) => {
                read::<Value>(name, &answer)?;
                return Ok(answer.took);
            }
            Err(NoAnswer::Unasked(Unasked::TooMany)) if clock::now() < give_up => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(reason) => return Err(not_asked(name, reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn round_trips_are_told_by_how_many_took_no_longer() {
        let trips: Vec<_> = (1..=1000).map(ms).collect();
        let told = round_trips(&trips);
        assert_eq!(told.count, 1000);
        let spans = [
            told.min_seconds,
            told.median_seconds,
            told.p90_seconds,
            told.p99_seconds,
            told.max_seconds,
        ];
        assert_eq!(spans, [0.001, 0.5, 0.9, 0.99, 1.0]);
        let one = round_trips(&[ms(7)]);
        assert_eq!((one.min_seconds, one.p99_seconds), (0.007, 0.007));
    }

    #[test]
    fn the_load_grows_while_answers_are_quick_and_shrinks_when_they_are_late() {
        let mut load = Load::new(ms(10));
        for _ in 0..100 {
            load.answered(ms(20));
        }
        assert_eq!((load.size, load.parallel), (MAX_PING, MAX_PARALLEL));
        // Neither quick nor late: it stays.
        load.answered(ms(200));
        assert_eq!(load.parallel, MAX_PARALLEL);
        for _ in 0..100 {
            load.answered(ms(2000));
        }
        assert_eq!((load.size, load.parallel), (FIRST_SIZE, 1));
    }
}
