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

use kozo_ground::clock::Moment;
use kozo_wire::{LinkId, PendingFrame, TwinsFrame};

use super::carriage::Carriage;
use super::exchange::Exchange;
use super::terms::{LinkKey, LinkPath};

/// How many of its heartbeats a peer may miss before it is taken for gone.
const MISSED_HEARTBEATS: u32 = 3;

/// How long a peer may be silent at least, however short its heartbeat: time for a process to be
/// scheduled, and for a round trip.
const SHORTEST_SILENCE: Duration = Duration::from_secs(2);

/// How long a peer may take to answer a heartbeat when there is a reason to doubt the link. Long
/// enough for a round trip over Tor behind a second's worth of data.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The slowest path that is borne, in bytes a second: how long a frame or a packet may take to come.
const SLOWEST_RATE: f64 = 512.0;

/// The most that encryption has to read before it can tell whether any of it is the peer's, in bytes:
/// the longest SSH packet that is announced, with what is around it.
const LONGEST_PACKET: f64 = 66.0 * 1024.0;

/// What is made of a longer interval that a peer announces.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkStage {
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
    pub(super) path: LinkPath,
    pub(super) dialled: bool,
    pub(super) rank: u8,
    pub(super) stage: LinkStage,
    /// The link's name: whoever dialled knows it from the start, the other end by the hello.
    pub(super) id: Option<LinkId>,
    pub(super) hello_sent: bool,
    /// The order in which links became live.
    pub(super) turn: u64,
    pub(super) since: Moment,
    /// When the link's encryption stood.
    pub(super) begun: Moment,
    pub(super) round_trip: Option<Duration>,
    /// Why the link is being closed, until the peer was told.
    pub(super) bye: Option<String>,
    /// What the peer is to be told of two daemons that run as it.
    pub(super) twins: Option<TwinsFrame>,
    /// The heartbeats to answer: only the last one counts.
    pub(super) echo: Option<u64>,
    /// What the two nodes ask each other over it.
    pub(super) exchange: Exchange,
    /// What the two nodes carry for each other's buses over it.
    pub(super) carriage: Carriage,
    /// Whether the peer's hello says that it carries for buses.
    pub(super) carries_buses: bool,
    /// Whether the peer's hello says that it answers questions.
    pub(super) answers_questions: bool,
    /// Messages that were put on the link.
    pub(super) sent: u64,
    /// Messages that came over the link.
    pub(super) received: u64,
    heartbeat: Duration,
    heartbeat_due: Moment,
    peer_heartbeat: Duration,
    /// When something that is the peer's for certain came last.
    heard: Moment,
    /// When bytes last came, or went after they had to wait.
    moved: Moment,
    /// A frame that is coming in pieces.
    partial: Option<Partial>,
    /// The link is in doubt, and since when: something has to come over it.
    doubted: Option<Moment>,
}

/// A frame that is coming in pieces.
#[derive(Debug, Clone, Copy)]
struct Partial {
    /// The frame's place among those of the link.
    place: u64,
    begun: Moment,
    /// How long the whole frame may take.
    limit: Duration,
}

impl Link {
    pub(super) fn new(
        key: LinkKey,
        path: LinkPath,
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
            stage: LinkStage::Greeting,
            id,
            hello_sent: false,
            turn: 0,
            since: now,
            begun: now,
            round_trip: None,
            bye: None,
            twins: None,
            echo: None,
            exchange: Exchange::default(),
            carriage: Carriage::default(),
            carries_buses: false,
            answers_questions: false,
            sent: 0,
            received: 0,
            heartbeat,
            heartbeat_due: now,
            peer_heartbeat,
            heard: now,
            moved: now,
            partial: None,
            doubted: None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.stage == LinkStage::Live
    }

    /// The peer says in its hello how often it sends heartbeats.
    pub(super) fn set_peer_heartbeat(&mut self, interval: Duration) {
        self.peer_heartbeat = interval.min(LONGEST_HEARTBEAT);
    }

    /// Something of the peer's came: a sign of life, whatever it is. `pending` is the frame of
    /// which only a part is here; largest reads are of `max_read` bytes.
    pub(super) fn heard(&mut self, pending: Option<PendingFrame>, max_read: usize, now: Moment) {
        self.heard = now;
        self.doubted = None;
        self.partial = pending.map(|frame| Partial {
            place: frame.place,
            begun: match self.partial {
                Some(earlier) if earlier.place == frame.place => earlier.begun,
                _ => now,
            },
            limit: self.frame_limit(frame.announced, max_read),
        });
    }

    /// Bytes came over the link's stream at that moment, or went after they had to wait. Whether
    /// they are the peer's is not known yet.
    pub(super) fn moved(&mut self, at: Moment) {
        if at > self.moved {
            self.moved = at;
            self.doubted = self.doubted.filter(|since| at <= *since);
        }
    }

    /// This process did not run for so long: the peer could not be heard.
    pub(super) fn overslept(&mut self, late: Duration, now: Moment) {
        let later = |moment: Moment| (moment + late).min(now);
        self.heard = later(self.heard);
        self.moved = later(self.moved);
        self.doubted = self.doubted.map(later);
        if let Some(partial) = &mut self.partial {
            partial.begun = later(partial.begun);
        }
    }

    /// Sends a heartbeat at once, which the peer has to answer before long.
    pub(super) fn probe(&mut self, now: Moment) {
        self.heartbeat_due = now;
        self.doubted.get_or_insert(now);
    }

    /// How long the peer may be silent.
    fn silence(&self) -> Duration {
        (self.peer_heartbeat * MISSED_HEARTBEATS).max(SHORTEST_SILENCE)
    }

    /// How long a frame may take: so many times the silence as it has largest reads, and in any
    /// case what it takes on the slowest path.
    fn frame_limit(&self, announced: usize, max_read: usize) -> Duration {
        let reads = u32::try_from(announced / max_read.max(1)).unwrap_or(u32::MAX);
        let by_reads = self.silence().saturating_mul(reads.saturating_add(1));
        by_reads.max(self.silence() + time_on_the_slowest_path(announced as f64))
    }

    /// When the link is taken for dead if nothing more comes.
    pub(super) fn dead_at(&self) -> Moment {
        // Somebody on the path could send bytes that never become a packet.
        let unproven = self.heard + time_on_the_slowest_path(LONGEST_PACKET);
        let silent = self.heard.max(self.moved.min(unproven)) + self.silence();
        let frame_due = self.partial.map(|frame| frame.begun + frame.limit);
        let answer_due = self.doubted.map(|since| since + ANSWER_LIMIT);
        let due = [frame_due, answer_due];
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

fn time_on_the_slowest_path(bytes: f64) -> Duration {
    Duration::from_secs_f64(bytes / SLOWEST_RATE)
}
