//! What nodes ask each other, and what they answer: keys, repairs, questions.
//!
//! ```text
//!   asker                                                   answerer
//!     │ ─── key {session, epoch} ─────────────────────────────▶ │  does not know the asker's session
//!     │ ◀───────────────────────────────────────── introduce ── │
//!     │ ─── key {session, epoch}, announcement ───────────────▶ │  verifies it, looks the asker up in the file
//!     │ ◀── announcement, key sealed to the asker ───────────── │
//! ```
//!
//! These are values and their bytes; `letter` is how they travel, and `sealed` what in them only one session may read.

use std::time::Duration;

use kozo_wire::MAX_QUESTION_LEN;

use crate::announcement::MAX_ANNOUNCEMENT_LEN;
use crate::bytes::{nothing_more, number, put, small, take};
use crate::refusal::Refusal;
use crate::sender_key::{Epoch, SENDER_KEY_LEN};
use crate::session::{SEALED_OVERHEAD, SessionId, SessionTime};
use crate::subject::MAX_SUBJECT_LEN;

/// The longest question, in bytes, before it is sealed; the engine's limit may allow less.
pub const MAX_BUS_QUESTION_LEN: usize = MAX_QUESTION_LEN;
/// The longest part of the reply to a question, in bytes, before it is sealed: any engine carries it.
pub const MAX_REPLY_PART_LEN: usize = 8 * 1024;
/// How many parts a reply has at most.
pub const MAX_REPLY_PARTS: u32 = 128;
/// The longest reply, in bytes.
pub const MAX_REPLY_LEN: usize = MAX_REPLY_PARTS as usize * MAX_REPLY_PART_LEN;
/// How many gaps the end of a repair names at most. What is behind the last one is not told apart.
pub const MAX_GAPS: usize = 64;
/// How long an asker waits for an answer before it asks again.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What one node wants of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The sender key of an epoch of a session of yours; if there is none of that epoch, the present one: the epoch
    /// stands in the header of a datagram, which anybody can write.
    Key {
        /// The session that datagrams came of, or [`SessionId::PRESENT`].
        session: SessionId,
        /// The epoch that they are of, or [`PRESENT_EPOCH`](crate::sender_key::PRESENT_EPOCH).
        epoch: Epoch,
    },
    /// Datagrams of a lane of yours, once more.
    Repair {
        /// The lane's subject.
        lane: String,
        /// The first number that is missing.
        from: u64,
        /// The last one; all that there is, when it is not given.
        to: Option<u64>,
    },
    /// Are you there, and what time is it in your session?
    Ping,
    /// Something about your node; sealed ([`seal_question`](crate::sealed::seal_question)).
    Question(Vec<u8>),
    /// You announced yourself with a counter that is not higher than one that your own key signed before: here it is.
    /// The answer is a pong. A node whose counter was lost, with its storage, chooses a higher one.
    Evidence(Vec<u8>),
}

/// What the other node says to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The sender key, sealed; the announcement of the session stands beside it.
    Key(SealedKey),
    /// All that was to be sent again has been, and what is missing now is gone for ever.
    Repaired(Repaired),
    /// I am here.
    Pong {
        /// The time in the answerer's session.
        time: SessionTime,
    },
    /// A part of what a question is answered with.
    Reply(ReplyPart),
    /// I do not know your session: ask again with your announcement.
    Introduce,
    /// No.
    Refused(AskRefusal),
}

/// A sender key that only the asker's session can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// The epoch that it is of.
    pub epoch: Epoch,
    /// The cipher and the key, sealed ([`SealedKey::seal`]).
    pub sealed: Vec<u8>,
    /// The time in the answerer's session when it sealed it.
    pub time: SessionTime,
    /// How many milliseconds before that the ask came to it.
    pub waited_ms: u64,
}

/// How a repair ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repaired {
    /// Numbers that were asked for and that the sender no longer has: ranges in their order, both ends included,
    /// [`MAX_GAPS`] at most. What a datagram was sent for is in none of them.
    pub lost: Vec<(u64, u64)>,
    /// The lane's last number when this was written; 0 when the sender knows no such lane.
    pub last: u64,
    /// Up to which number this answers: all of what was asked for, or what there was room for.
    pub through: u64,
}

/// A part of the reply to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyPart {
    /// Which part it is, from 0.
    pub index: u32,
    /// Whether it is the last one.
    pub is_last: bool,
    /// The part, sealed ([`ReplyPart::seal`]).
    pub sealed: Vec<u8>,
}

/// Why an ask is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[repr(u8)]
#[non_exhaustive]
pub enum AskRefusal {
    /// By the answerer's file the two do not talk over this bus.
    #[error("its network file does not let the two nodes talk over this bus")]
    NotAllowed = 1,
    /// The answerer's file has no such node, or another key for it.
    #[error("its network file has another key for this node, or no such node")]
    ForeignKey = 2,
    /// The answerer knows a later session of the asker, or another one with the same counter.
    #[error("it knows a later session of this node")]
    Older = 3,
    /// The session is not the answerer's present one.
    #[error("it has begun another session since")]
    OtherSession = 4,
    /// Too many asks at present: ask again later.
    #[error("it is asked too much at present")]
    TooMany = 5,
    /// An ask of a kind that the answerer does not know.
    #[error("it does not know this kind of request")]
    NotUnderstood = 6,
}

impl AskRefusal {
    fn from_number(number: u64) -> Option<Self> {
        [
            Self::NotAllowed,
            Self::ForeignKey,
            Self::Older,
            Self::OtherSession,
            Self::TooMany,
            Self::NotUnderstood,
        ]
        .into_iter()
        .find(|refusal| *refusal as u64 == number)
    }
}

const KEY: u64 = 0;
const REPAIR: u64 = 1;
const PING: u64 = 2;
const QUESTION: u64 = 3;
const EVIDENCE: u64 = 4;

impl Ask {
    /// Adds its bytes, as they stand in a letter.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Key { session, epoch } => {
                put(bytes, KEY);
                bytes.extend_from_slice(&session.0);
                put(bytes, u64::from(*epoch));
            }
            Self::Repair { lane, from, to } => {
                put(bytes, REPAIR);
                put(bytes, *from);
                put(bytes, to.unwrap_or(0));
                bytes.extend_from_slice(lane.as_bytes());
            }
            Self::Ping => put(bytes, PING),
            Self::Question(sealed) => {
                put(bytes, QUESTION);
                bytes.extend_from_slice(sealed);
            }
            Self::Evidence(announcement) => {
                put(bytes, EVIDENCE);
                bytes.extend_from_slice(announcement);
            }
        }
    }

    /// Reads one. `None`: it is of a kind that this version does not know.
    ///
    /// # Errors
    /// [`Refusal::Body`].
    pub fn read(mut rest: &[u8]) -> Result<Option<Self>, Refusal> {
        let ask = match number(&mut rest)? {
            KEY => {
                let session = SessionId(take(&mut rest).map_err(|_| Refusal::Body)?);
                let epoch = small(&mut rest)?;
                nothing_more(rest)?;
                Self::Key { session, epoch }
            }
            REPAIR => {
                let from = number(&mut rest)?;
                let to = Some(number(&mut rest)?).filter(|to| *to != 0);
                if from == 0 || to.is_some_and(|to| to < from) || rest.len() > MAX_SUBJECT_LEN {
                    return Err(Refusal::Body);
                }
                let lane = std::str::from_utf8(rest).map_err(|_| Refusal::Body)?;
                let lane = lane.to_owned();
                Self::Repair { lane, from, to }
            }
            PING => {
                nothing_more(rest)?;
                Self::Ping
            }
            QUESTION => match rest.len() > MAX_BUS_QUESTION_LEN + SEALED_OVERHEAD {
                true => return Err(Refusal::Body),
                false => Self::Question(rest.to_vec()),
            },
            EVIDENCE => match rest.len() > MAX_ANNOUNCEMENT_LEN {
                true => return Err(Refusal::Body),
                false => Self::Evidence(rest.to_vec()),
            },
            _ => return Ok(None),
        };
        Ok(Some(ask))
    }
}

const SEALED_KEY: u64 = 0;
const REPAIRED: u64 = 1;
const PONG: u64 = 2;
const REPLY: u64 = 3;
const INTRODUCE: u64 = 4;
const REFUSED: u64 = 5;

impl Answer {
    /// Adds its bytes, as they stand in a letter.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Key(key) => {
                put(bytes, SEALED_KEY);
                put(bytes, u64::from(key.epoch));
                put(bytes, key.time.0);
                put(bytes, key.waited_ms);
                bytes.extend_from_slice(&key.sealed);
            }
            Self::Repaired(repaired) => {
                put(bytes, REPAIRED);
                put(bytes, repaired.last);
                put(bytes, repaired.through);
                let lost = &repaired.lost[..repaired.lost.len().min(MAX_GAPS)];
                put(bytes, lost.len() as u64);
                for (from, to) in lost {
                    put(bytes, *from);
                    put(bytes, *to);
                }
            }
            Self::Pong { time } => {
                put(bytes, PONG);
                put(bytes, time.0);
            }
            Self::Reply(part) => {
                put(bytes, REPLY);
                put(bytes, u64::from(part.index));
                put(bytes, u64::from(part.is_last));
                bytes.extend_from_slice(&part.sealed);
            }
            Self::Introduce => put(bytes, INTRODUCE),
            Self::Refused(refusal) => {
                put(bytes, REFUSED);
                put(bytes, *refusal as u64);
            }
        }
    }

    /// Reads one. `None`: it is of a kind that this version does not know.
    ///
    /// # Errors
    /// [`Refusal::Body`].
    pub fn read(mut rest: &[u8]) -> Result<Option<Self>, Refusal> {
        let answer = match number(&mut rest)? {
            SEALED_KEY => {
                let epoch = small(&mut rest)?;
                let time = SessionTime(number(&mut rest)?);
                let waited_ms = number(&mut rest)?;
                if rest.len() != 1 + SENDER_KEY_LEN + SEALED_OVERHEAD {
                    return Err(Refusal::Body);
                }
                Self::Key(SealedKey {
                    epoch,
                    sealed: rest.to_vec(),
                    time,
                    waited_ms,
                })
            }
            REPAIRED => Self::Repaired(Repaired::read(rest)?),
            PONG => {
                let time = SessionTime(number(&mut rest)?);
                nothing_more(rest)?;
                Self::Pong { time }
            }
            REPLY => {
                let index = small(&mut rest)?;
                let is_last = number(&mut rest)?;
                let room = SEALED_OVERHEAD..=SEALED_OVERHEAD + MAX_REPLY_PART_LEN;
                if index >= MAX_REPLY_PARTS || is_last > 1 || !room.contains(&rest.len()) {
                    return Err(Refusal::Body);
                }
                Self::Reply(ReplyPart {
                    index,
                    is_last: is_last == 1,
                    sealed: rest.to_vec(),
                })
            }
            INTRODUCE => {
                nothing_more(rest)?;
                Self::Introduce
            }
            REFUSED => {
                let reason = number(&mut rest)?;
                nothing_more(rest)?;
                // A later version may have reasons that this one does not know.
                let Some(reason) = AskRefusal::from_number(reason) else {
                    return Ok(None);
                };
                Self::Refused(reason)
            }
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }
}

impl Repaired {
    fn read(mut rest: &[u8]) -> Result<Self, Refusal> {
        let last = number(&mut rest)?;
        let through = number(&mut rest)?;
        let count = number(&mut rest)?;
        // A lane never comes to the highest number, so that there is always a next one.
        if count > MAX_GAPS as u64 || last.max(through) == u64::MAX {
            return Err(Refusal::Body);
        }
        let mut lost = Vec::with_capacity(count as usize);
        let mut behind = 0;
        for _ in 0..count {
            let (from, to) = (number(&mut rest)?, number(&mut rest)?);
            if from <= behind || to < from || to == u64::MAX {
                return Err(Refusal::Body);
            }
            behind = to;
            lost.push((from, to));
        }
        nothing_more(rest)?;
        Ok(Self {
            lost,
            last,
            through,
        })
    }
}
