//! One link with a peer: from the moment that its encryption stands to its end.
//!
//! ```text
//!            the peer's hello            bye, silence, a fault,
//!  greeting ─────────────────▶ live      or the socket's end
//!     │                         │
//!     └────────────┬────────────┘
//!                  ▼
//!               closing ──▶ gone
//! ```

use std::time::Duration;

use super::terms::{LinkKey, Path};
use crate::clock::Moment;
use crate::wire::LinkId;

/// How many of its heartbeats a peer may miss before it is taken for gone.
const MISSED_HEARTBEATS: u32 = 3;

/// How long a peer may be silent at least, however short its heartbeat: time for a process to be
/// scheduled, and for a round trip.
const SHORTEST_SILENCE: Duration = Duration::from_secs(2);

/// How long a peer may take to answer a heartbeat when there is a reason to doubt the link. Long
/// enough for a round trip over Tor behind a second's worth of data.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What is made of a longer interval that a peer announces.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The peer's hello has not come yet.
    Greeting,
    /// Messages may flow.
    Live,
    /// What is left to write is written, then the link is closed.
    Closing,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) key: LinkKey,
    pub(super) path: Path,
    pub(super) dialled: bool,
    pub(super) rank: u8,
    pub(super) stage: Stage,
    /// Known from the start to whoever dialled, to the other by the hello.
    pub(super) id: Option<LinkId>,
    pub(super) hello_sent: bool,
    /// The order in which links became live.
    pub(super) turn: u64,
    pub(super) since: Moment,
    pub(super) round_trip: Option<Duration>,
    /// Why the link is being closed, until the peer was told.
    pub(super) bye: Option<String>,
    /// The heartbeats to answer: only the last one counts.
    pub(super) echo: Option<u64>,
    /// Messages put on it.
    pub(super) sent: u64,
    /// Messages that came over it.
    pub(super) received: u64,
    heartbeat: Duration,
    heartbeat_due: Moment,
    peer_heartbeat: Duration,
    heard: Moment,
    /// A frame that is coming in pieces, and when it has to be complete.
    frame_due: Option<Moment>,
    /// The link is in doubt, and when something has to have come over it.
    answer_due: Option<Moment>,
}

impl Link {
    pub(super) fn new(
        key: LinkKey,
        path: Path,
        id: Option<LinkId>,
        rank: u8,
        heartbeats: (Duration, Duration),
        now: Moment,
    ) -> Self {
        let (heartbeat, peer_heartbeat) = heartbeats;
        Self {
            key,
            path,
            dialled: id.is_some(),
            rank,
            stage: Stage::Greeting,
            id,
            hello_sent: false,
            turn: 0,
            since: now,
            round_trip: None,
            bye: None,
            echo: None,
            sent: 0,
            received: 0,
            heartbeat,
            heartbeat_due: now,
            peer_heartbeat,
            heard: now,
            frame_due: None,
            answer_due: None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// The peer says in its hello how often it sends heartbeats.
    pub(super) fn set_peer_heartbeat(&mut self, interval: Duration) {
        self.peer_heartbeat = interval.min(LONGEST_HEARTBEAT);
    }

    /// Bytes came: a sign of life, whatever they are. `frame` is the length of the frame of which
    /// only a part is here, in units of the largest read.
    pub(super) fn heard(&mut self, frame: Option<u32>, now: Moment) {
        self.heard = now;
        self.answer_due = None;
        self.frame_due = frame.map(|reads| {
            let due = now + self.silence().saturating_mul(reads.saturating_add(1));
            self.frame_due.map_or(due, |earlier| earlier.min(due))
        });
    }

    /// Sends a heartbeat at once, which the peer has to answer before long.
    pub(super) fn probe(&mut self, now: Moment) {
        self.heartbeat_due = now;
        self.answer_due.get_or_insert(now + ANSWER_LIMIT);
    }

    /// How long the peer may be silent.
    fn silence(&self) -> Duration {
        (self.peer_heartbeat * MISSED_HEARTBEATS).max(SHORTEST_SILENCE)
    }

    /// When the link is taken for dead if nothing more comes.
    pub(super) fn dead_at(&self) -> Moment {
        let silent = self.heard + self.silence();
        let due = [self.frame_due, self.answer_due];
        due.into_iter().flatten().fold(silent, Moment::min)
    }

    /// When the next heartbeat is due.
    pub(super) fn heartbeat_due(&self) -> Moment {
        self.heartbeat_due
    }

    /// Whether a heartbeat is to be sent now; if so the next one is due an interval later.
    pub(super) fn take_heartbeat(&mut self, now: Moment) -> bool {
        let due = self.heartbeat_due <= now;
        if due {
            self.heartbeat_due = now + self.heartbeat;
        }
        due
    }

    /// The peer echoed a heartbeat that was sent so long ago.
    pub(super) fn measured(&mut self, round_trip: Duration) {
        // Seven parts old, one part new, as TCP does it.
        self.round_trip = Some(match self.round_trip {
            Some(smoothed) => smoothed.mul_f64(7.0 / 8.0) + round_trip / 8,
            None => round_trip,
        });
    }
}
