//! Datagrams as they go over the bus: a fixed header, and what is sealed and signed behind it.
//!
//! ```text
//! ┌────────┬───────┬─────────┬───────┬─────────┐┌──────┬───────────┐┌─────┐
//! │ format │ suite │ session │ epoch │ counter ││ body │ signature ││ tag │
//! │      1 │     1 │      16 │     4 │       8 ││    … │        64 ││  16 │
//! └────────┴───────┴─────────┴───────┴─────────┘└──────┴───────────┘└─────┘
//!   header: read before anything is known         sealed with the sender key
//! ```
//!
//! The seal covers header and subject as associated data; the signature covers domain, bus, header, subject and
//! body. A receiver looks at the seal first (strangers end there, at small cost), then at the signature (members that
//! claim to be another end there), and only then reads the body.

use std::ops::Range;
use std::time::Duration;

use kozo_wire::{MAX_DATA_LEN, Message};

use crate::bytes::{nothing_more, number, put, take};
use crate::refusal::Refusal;
use crate::sender_key::{Epoch, OpeningKey, SenderKeys, Suite, TAG_LEN};
use crate::session::{SESSION_ID_LEN, SIGNATURE_LEN, Session, SessionId, SessionKeys, SessionTime};
use crate::subject::{Address, MAX_SUBJECT_LEN, Subjects, Token};

/// The first byte of a datagram. What is veiled (`veil`) begins with another one.
pub const FORMAT: u8 = 1;
/// How many bytes a header has.
pub const HEADER_LEN: usize = 2 + SESSION_ID_LEN + 4 + 8;
/// How many bytes a datagram has beside its body.
pub const DATAGRAM_OVERHEAD: usize = HEADER_LEN + SIGNATURE_LEN + TAG_LEN;
/// The longest datagram, in bytes, whatever the engine would carry.
pub const MAX_DATAGRAM_LEN: usize = 512 * 1024;
/// What an engine has to carry at least, in bytes: an ask with the largest announcement fits twice.
pub const MIN_DATAGRAM_LEN: usize = 20 * 1024;
/// How many messages a batch has at most.
pub const MAX_BATCH_MESSAGES: usize = 1024;
/// The longest batch, in bytes: one message with as much data as any may have, and what is around it.
pub const MAX_BATCH_LEN: usize = MAX_DATA_LEN + 64 * 1024;
/// In how many parts a batch comes at most: the longest one, over the engine with the smallest datagrams.
pub const MAX_PARTS: u64 = 1024;

/// What is signed begins with this.
const DOMAIN: &[u8] = b"kozo-bus-v1 datagram\0";
/// More than the markers and numbers of a part take, in bytes.
const PART_OVERHEAD: usize = 64;

const MESSAGES: u8 = 0;
const PART: u8 = 1;
const END: u8 = 2;

/// What stands in front of a datagram, for all to see. Nothing in it is proven before the datagram is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The cipher that the rest is sealed with.
    pub suite: Suite,
    /// The session that sealed it.
    pub session: SessionId,
    /// Which of its keys it used.
    pub epoch: Epoch,
    /// Which datagram of that epoch it is, from 0.
    pub counter: u64,
}

impl Header {
    /// Reads the header of a datagram.
    ///
    /// # Errors
    /// [`Refusal::Length`], [`Refusal::Format`] or [`Refusal::Suite`].
    pub fn read(datagram: &[u8]) -> Result<Self, Refusal> {
        if !(DATAGRAM_OVERHEAD..=MAX_DATAGRAM_LEN).contains(&datagram.len()) {
            return Err(Refusal::Length);
        }
        let mut rest = datagram;
        let [format, suite] = take(&mut rest)?;
        if format != FORMAT {
            return Err(Refusal::Format);
        }
        Ok(Self {
            suite: Suite::from_number(suite).ok_or(Refusal::Suite)?,
            session: SessionId(take(&mut rest)?),
            epoch: u32::from_be_bytes(take(&mut rest)?),
            counter: u64::from_be_bytes(take(&mut rest)?),
        })
    }

    fn bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = FORMAT;
        bytes[1] = self.suite as u8;
        bytes[2..18].copy_from_slice(&self.session.0);
        bytes[18..22].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[22..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }
}

/// Why there is no datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// The present sender key has sealed all that it may: begin a new epoch ([`SenderKeys::renew`]), and try again.
    #[error("the sender key has sealed all that it may")]
    Exhausted,
    /// The body is too long for one datagram: cut it into parts ([`Part::cut`]).
    #[error("a body of {0} bytes is too long for a datagram")]
    TooLong(usize),
}

/// Makes a datagram of `body` (of [`Body::encode`]) for the lane with this subject: signs it with the session's key,
/// and seals it with its present sender key.
///
/// # Errors
/// The key is used up, or the body too long.
pub fn seal(
    session: &Session,
    keys: &mut SenderKeys,
    subjects: &Subjects,
    subject: &str,
    body: &[u8],
) -> Result<Vec<u8>, Unsealed> {
    if body.len() > MAX_DATAGRAM_LEN - DATAGRAM_OVERHEAD {
        return Err(Unsealed::TooLong(body.len()));
    }
    let key = keys.current();
    let header = Header {
        suite: key.suite,
        session: key.session,
        epoch: key.epoch,
        counter: key.count().ok_or(Unsealed::Exhausted)?,
    };
    let start = header.bytes();
    let mut signed = text_before_body(subjects, &start, subject, body.len());
    signed.extend_from_slice(body);
    let signature = session.sign(&signed);
    let mut datagram = Vec::with_capacity(DATAGRAM_OVERHEAD + body.len());
    datagram.extend_from_slice(&start);
    datagram.extend_from_slice(body);
    datagram.extend_from_slice(&signature);
    key.seal(
        header.counter,
        &associated(&start, subject),
        &mut datagram,
        HEADER_LEN,
    );
    Ok(datagram)
}

/// Opens a datagram that came in the lane with this subject from the node whose token is `node`: checks the seal,
/// then the signature, then that all of it belongs into that lane of that node.
///
/// `key` is the one of the session and the epoch that [`Header::read`] says, and `signer` that session's keys. Whether
/// the datagram came before is for the caller to know, by the numbers in it.
///
/// # Errors
/// Why it is refused.
pub fn open(
    datagram: &[u8],
    key: &OpeningKey,
    signer: &SessionKeys,
    subjects: &Subjects,
    node: Token,
    subject: &str,
) -> Result<Body, Refusal> {
    let unsealed = unseal(datagram, key, subjects, node, subject)?;
    signer.verify(unsealed.text(), unsealed.signature())?;
    unsealed.read(subjects, node, subject)
}

/// The first step of [`open`]: what is sealed, of whomever it is that has the sender key.
///
/// # Errors
/// Why it is refused.
pub(crate) fn unseal(
    datagram: &[u8],
    key: &OpeningKey,
    subjects: &Subjects,
    node: Token,
    subject: &str,
) -> Result<Unproven, Refusal> {
    let header = Header::read(datagram)?;
    if subjects.read(subject) != Some(Address::Lane(node)) {
        return Err(Refusal::Subject);
    }
    if header.suite != key.suite() {
        return Err(Refusal::Suite);
    }
    let (start, sealed) = datagram.split_at(HEADER_LEN);
    let mut bytes = text_before_body(subjects, start, subject, sealed.len());
    let body = bytes.len();
    bytes.extend_from_slice(sealed);
    let length = key.open(
        header.counter,
        &associated(start, subject),
        &mut bytes,
        body,
    )?;
    bytes.truncate(body + length);
    let signature = bytes.len().checked_sub(SIGNATURE_LEN);
    let signature = signature.filter(|signature| *signature >= body);
    Ok(Unproven {
        signature: signature.ok_or(Refusal::Length)?,
        bytes,
        body,
    })
}

/// What was sealed in a datagram. Whoever has the sender key may have written it, until its signature is verified.
pub(crate) struct Unproven {
    /// What is signed, the body at its end, and the signature.
    bytes: Vec<u8>,
    /// Where the body begins, and where the signature does.
    body: usize,
    signature: usize,
}

impl Unproven {
    /// What is signed.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes[..self.signature]
    }

    /// The signature.
    pub(crate) fn signature(&self) -> &[u8] {
        &self.bytes[self.signature..]
    }

    /// The last step of [`open`]: reads what is proven by now.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn read(
        &self,
        subjects: &Subjects,
        node: Token,
        subject: &str,
    ) -> Result<Body, Refusal> {
        Body::read(
            &self.bytes[self.body..self.signature],
            subjects,
            node,
            subject,
        )
    }
}

/// What a datagram is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Messages of the lane.
    Messages(Batch),
    /// A part of a batch that is larger than a datagram.
    Part(Part),
    /// The lane's last number, said again after a while without messages.
    End(End),
}

/// Where a lane began: the number of its first message, and when that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneBegin {
    /// The number of the lane's first message, from 1.
    pub number: u64,
    /// When the lane was begun.
    pub time: SessionTime,
}

/// Messages of one lane in a row: what is signed, sealed and, when it was lost, sent again as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Where the lane began.
    pub begin: LaneBegin,
    /// The number of the first message; the others follow without a gap.
    pub first: u64,
    /// The messages: one at least, [`MAX_BATCH_MESSAGES`] at most, all with the same kind, type, role and channel.
    pub messages: Vec<Sent>,
}

/// A message, and how long it means something.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// When its role sent it.
    pub at: SessionTime,
    /// For how long after that it means something; to the millisecond, downwards.
    pub lifetime: Duration,
    /// The message.
    pub message: Message,
}

/// A part of the body of a batch. All but the last of a batch have the same length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The number of the batch's first message.
    pub first: u64,
    /// How many messages the batch has.
    pub messages: u64,
    /// Which part it is, from 0.
    pub index: u64,
    /// How many parts there are.
    pub count: u64,
    /// How many bytes all parts have together.
    pub total: usize,
    /// This part's bytes.
    pub bytes: Vec<u8>,
}

/// Where a lane ends, as yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Where the lane began.
    pub begin: LaneBegin,
    /// The number of its last message.
    pub last: u64,
}

impl Body {
    /// The body's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Messages(batch) => batch.encode(),
            Self::Part(part) => part.encode(),
            Self::End(end) => end.encode(),
        }
    }

    /// Reads a body that came in the lane with this subject of the node with this token.
    ///
    /// # Errors
    /// [`Refusal::Body`], or [`Refusal::Lane`] for a message that belongs elsewhere.
    pub fn read(
        bytes: &[u8],
        subjects: &Subjects,
        node: Token,
        subject: &str,
    ) -> Result<Self, Refusal> {
        let (kind, rest) = bytes.split_first().ok_or(Refusal::Body)?;
        match *kind {
            MESSAGES => Batch::read(rest, subjects, node, subject).map(Self::Messages),
            PART => Part::read(rest).map(Self::Part),
            END => End::read(rest).map(Self::End),
            _ => Err(Refusal::Body),
        }
    }
}

impl Batch {
    /// The number of the last message.
    pub fn last(&self) -> u64 {
        self.first + (self.messages.len() as u64).saturating_sub(1)
    }

    /// The bytes of a body with this batch; [`Part::cut`] makes parts of them, where they are too many.
    pub fn encode(&self) -> Vec<u8> {
        let bodies: usize = self
            .messages
            .iter()
            .map(|sent| sent.message.body().len())
            .sum();
        let mut bytes = Vec::with_capacity(64 + 16 * self.messages.len() + bodies);
        bytes.push(MESSAGES);
        let latest = self.messages.iter().map(|sent| sent.at).max();
        let latest = latest.unwrap_or_default();
        put_begin(&mut bytes, self.begin);
        put(&mut bytes, self.first);
        put(&mut bytes, latest.0);
        put(&mut bytes, self.messages.len() as u64);
        for sent in &self.messages {
            put(&mut bytes, latest.0 - sent.at.0);
            let lifetime = sent.lifetime.as_millis();
            put(&mut bytes, u64::try_from(lifetime).unwrap_or(u64::MAX));
            bytes.extend_from_slice(sent.message.body());
        }
        bytes
    }

    /// Reads the batch whose parts are all there, put together in their order; `part` is any of them.
    ///
    /// # Errors
    /// As [`Body::read`]; and when it is another batch than its parts said.
    pub fn read_joined(
        part: &Part,
        joined: &[u8],
        subjects: &Subjects,
        node: Token,
        subject: &str,
    ) -> Result<Self, Refusal> {
        match Body::read(joined, subjects, node, subject)? {
            Body::Messages(batch)
                if batch.first == part.first && batch.messages.len() as u64 == part.messages =>
            {
                Ok(batch)
            }
            _ => Err(Refusal::Body),
        }
    }

    fn read(
        mut rest: &[u8],
        subjects: &Subjects,
        node: Token,
        subject: &str,
    ) -> Result<Self, Refusal> {
        let begin = take_begin(&mut rest)?;
        let first = number(&mut rest)?;
        let latest = number(&mut rest)?;
        let count = number(&mut rest)?;
        if count == 0 || count > MAX_BATCH_MESSAGES as u64 {
            return Err(Refusal::Body);
        }
        let last = first.checked_add(count - 1).ok_or(Refusal::Body)?;
        if first < begin.number || last == u64::MAX || latest < begin.time.0 {
            return Err(Refusal::Body);
        }
        let mut messages: Vec<Sent> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let before = number(&mut rest)?;
            let at = SessionTime(latest.checked_sub(before).ok_or(Refusal::Body)?);
            let lifetime = Duration::from_millis(number(&mut rest)?);
            let (message, behind) = Message::parse_first(rest).map_err(|_| Refusal::Body)?;
            rest = behind;
            match messages.first() {
                Some(first) if !same_lane(&first.message, &message) => return Err(Refusal::Lane),
                Some(_) => {}
                None if subjects.lane_of(&message, node) != subject => return Err(Refusal::Lane),
                None => {}
            }
            messages.push(Sent {
                at,
                lifetime,
                message,
            });
        }
        nothing_more(rest)?;
        Ok(Self {
            begin,
            first,
            messages,
        })
    }
}

impl Part {
    /// Cuts the bytes of a batch, which [`Batch::encode`] gave, into the bodies of datagrams that have
    /// `max_datagram` bytes at most.
    ///
    /// # Errors
    /// [`Unsealed::TooLong`]: the batch is longer than [`MAX_BATCH_LEN`], or `max_datagram` less than
    /// [`MIN_DATAGRAM_LEN`].
    pub fn cut(batch: &Batch, encoded: &[u8], max_datagram: usize) -> Result<Vec<Self>, Unsealed> {
        let too_long = Unsealed::TooLong(encoded.len());
        if encoded.len() > MAX_BATCH_LEN || max_datagram < MIN_DATAGRAM_LEN {
            return Err(too_long);
        }
        let room = max_datagram.min(MAX_DATAGRAM_LEN) - DATAGRAM_OVERHEAD - PART_OVERHEAD;
        let count = encoded.len().div_ceil(room).max(1);
        // All as long as each other, but for the last.
        let length = encoded.len().div_ceil(count);
        let count = encoded.len().div_ceil(length) as u64;
        let parts = encoded.chunks(length).zip(0..);
        Ok(parts
            .map(|(bytes, index)| Self {
                first: batch.first,
                messages: batch.messages.len() as u64,
                index,
                count,
                total: encoded.len(),
                bytes: bytes.to_vec(),
            })
            .collect())
    }

    /// Where its bytes belong in the whole.
    pub fn place(&self) -> Range<usize> {
        Self::place_of(self.index, self.count, self.total)
    }

    /// Whether it and `other` are of the same batch.
    pub fn belongs_with(&self, other: &Self) -> bool {
        let whole = |part: &Self| (part.first, part.messages, part.count, part.total);
        whole(self) == whole(other)
    }

    fn place_of(index: u64, count: u64, total: usize) -> Range<usize> {
        let length = total.div_ceil(count.max(1) as usize);
        let start = (index as usize).saturating_mul(length).min(total);
        start..start.saturating_add(length).min(total)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PART_OVERHEAD + self.bytes.len());
        bytes.push(PART);
        put(&mut bytes, self.first);
        put(&mut bytes, self.messages);
        put(&mut bytes, self.index);
        put(&mut bytes, self.count);
        put(&mut bytes, self.total as u64);
        // All the rest is the part's.
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    fn read(mut rest: &[u8]) -> Result<Self, Refusal> {
        let first = number(&mut rest)?;
        let messages = number(&mut rest)?;
        let index = number(&mut rest)?;
        let count = number(&mut rest)?;
        let total = usize::try_from(number(&mut rest)?).map_err(|_| Refusal::Body)?;
        let fits = first > 0
            && (1..=MAX_BATCH_MESSAGES as u64).contains(&messages)
            && first.checked_add(messages).is_some()
            && (1..=MAX_PARTS).contains(&count)
            && index < count
            && total <= MAX_BATCH_LEN;
        let place = Self::place_of(index, count, total);
        // None is empty, so the last one says that there are no fewer than it says.
        if !fits || place.is_empty() || place.len() != rest.len() {
            return Err(Refusal::Body);
        }
        Ok(Self {
            first,
            messages,
            index,
            count,
            total,
            bytes: rest.to_vec(),
        })
    }
}

impl End {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![END];
        put_begin(&mut bytes, self.begin);
        put(&mut bytes, self.last);
        bytes
    }

    fn read(mut rest: &[u8]) -> Result<Self, Refusal> {
        let begin = take_begin(&mut rest)?;
        let last = number(&mut rest)?;
        nothing_more(rest)?;
        match last >= begin.number && last < u64::MAX {
            true => Ok(Self { begin, last }),
            false => Err(Refusal::Body),
        }
    }
}

/// What is signed, but for the body; with room for `more` bytes.
fn text_before_body(subjects: &Subjects, header: &[u8], subject: &str, more: usize) -> Vec<u8> {
    let bus = subjects.bus().as_str();
    let length = DOMAIN.len() + bus.len() + 1 + HEADER_LEN + subject.len() + 1 + more;
    let mut text = Vec::with_capacity(length);
    text.extend_from_slice(DOMAIN);
    text.extend_from_slice(bus.as_bytes());
    // Neither a bus's name nor a subject has a zero in it, and the header always has the same length.
    text.push(0);
    text.extend_from_slice(header);
    text.extend_from_slice(subject.as_bytes());
    text.push(0);
    text
}

/// What the seal covers beside the body.
fn associated(header: &[u8], subject: &str) -> Vec<u8> {
    let mut associated = Vec::with_capacity(HEADER_LEN + MAX_SUBJECT_LEN);
    associated.extend_from_slice(header);
    associated.extend_from_slice(subject.as_bytes());
    associated
}

fn same_lane(one: &Message, other: &Message) -> bool {
    one.kind() == other.kind()
        && one.type_name() == other.type_name()
        && one.role() == other.role()
        && one.channel() == other.channel()
}

fn put_begin(bytes: &mut Vec<u8>, begin: LaneBegin) {
    put(bytes, begin.number);
    put(bytes, begin.time.0);
}

fn take_begin(rest: &mut &[u8]) -> Result<LaneBegin, Refusal> {
    let begin = LaneBegin {
        number: number(rest)?,
        time: SessionTime(number(rest)?),
    };
    match begin.number {
        0 => Err(Refusal::Body),
        _ => Ok(begin),
    }
}

#[cfg(test)]
#[path = "datagram_tests.rs"]
mod tests;
