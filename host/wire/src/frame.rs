//! Frames: a 32-bit big-endian length, then so many bytes of MessagePack: an array whose first
//! element is the frame's number.
//!
//! | number | frame | further elements |
//! |---|---|---|
//! | 1 | hello | a map, see [`Hello`] |
//! | 2 | heartbeat | the sender's clock (echoed back), the floor |
//! | 3 | echo | the clock of the heartbeat it answers |
//! | 4 | message | sequence number, remaining age (ms), then the [`Message`]'s body: kind, role, type, channel, timestamp, data |
//! | 5 | acknowledgement | the highest sequence number seen |
//! | 6 | bye | why the sender closes the link, for people to read |
//! | 7 | twins | whether the receiver's link stays, the addresses of both daemons, see [`TwinsFrame`] |
//! | 8 | question | the asker's number for it, the question (binary) |
//! | 9 | answer | the number of the question, whether more follows, a part of the answer (binary) |
//! | 10 to 16 | for buses | see [`BusFrame`] |
//!
//! A receiver skips further elements of an array, frames with other numbers, and messages of other
//! kinds: that is how later versions add to it. The *floor* of a heartbeat says that every message up to that number was
//! sent before it or will never be: so the receiver learns of messages that were dropped even if
//! none follows them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kozo_ground::names::MAX_NAME_LEN;
use rmp::encode;

use super::bus::BusFrame;
use super::elements::{FrameError, Writer, array, binary, integer, number, start_of};
use super::head::Head;
use super::hello::Hello;
use super::message::{MAX_SHARED_LEN, Message, body_len};
use super::message_error::{MAX_CHANNEL_LEN, MAX_DATA_LEN, MAX_TYPE_LEN, MessageError};
use super::put;
use super::value::value_len;

/// The longest frame, in bytes after the length: a message with everything at its limit.
pub const MAX_FRAME_LEN: usize = MAX_DATA_LEN + MAX_TYPE_LEN + MAX_CHANNEL_LEN + MAX_NAME_LEN + 64;

/// The longest first frame. Until the hello is read, no peer needs more.
pub const MAX_HELLO_LEN: usize = 256 * 1024;

/// How much of a bye's text is kept, in bytes.
pub const MAX_BYE_LEN: usize = 512;

/// How much of the address of a daemon that runs twice is kept, in bytes.
pub const MAX_PLACE_LEN: usize = 255;

/// The longest question of one node to another, in bytes.
pub const MAX_QUESTION_LEN: usize = 64 * 1024;

/// The longest part of an answer, in bytes: a heartbeat waits for no more than that.
pub const MAX_ANSWER_PART_LEN: usize = 16 * 1024;

/// The most that stands before a message's body: the array, its number and two integers, each with
/// its marker.
const MESSAGE_HEAD_LEN: usize = 1 + 1 + 9 + 9;

/// How many elements a message's array has, its number included.
const MESSAGE_ELEMENTS: u32 = 9;

/// The width of a frame's length.
const LENGTH_LEN: usize = 4;

/// How much room is made at once for a frame of which only a part is here, in bytes, whatever it has announced.
const MOST_RESERVED: usize = 256 * 1024;

/// Two daemons run as the receiver's node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinsFrame {
    /// Whether the receiver is the one whose link stays.
    pub stays: bool,
    /// The addresses of both, as the sender sees them: of the one whose link stays, and of the
    /// other.
    pub places: [String; 2],
}

/// A question of one node to the other, which is no message of a role. Only a peer whose hello has the
/// feature [`QUESTIONS`](crate::QUESTIONS) answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionFrame {
    /// The asker's number for it; another number for each question of a link.
    pub number: u64,
    /// What is asked, [`MAX_QUESTION_LEN`] at most.
    pub question: Bytes,
}

/// A part of an answer. The parts of one come in order; those of several answers may alternate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFrame {
    /// The number of the question.
    pub number: u64,
    /// Whether more parts follow.
    pub more: bool,
    /// The part, [`MAX_ANSWER_PART_LEN`] at most.
    pub part: Bytes,
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// Who is there, and what it wants.
    Hello(Box<Hello>),
    /// A sign of life.
    Heartbeat {
        /// The sender's clock, in microseconds; only the sender can read it.
        clock: u64,
        /// Every message up to this number was sent before, or will never be.
        floor: u64,
    },
    /// The answer to a heartbeat.
    Echo {
        /// That heartbeat's clock.
        clock: u64,
    },
    /// A message.
    Message {
        /// Its number in the sender's session.
        sequence: u64,
        /// How much longer it has a meaning.
        remaining: Duration,
        /// The message.
        message: Message,
    },
    /// Everything up to this number was seen.
    Acknowledgement {
        /// The number.
        sequence: u64,
    },
    /// The link is about to be closed.
    Bye {
        /// Why.
        reason: String,
    },
    /// A message of a kind that this version does not know. No role here can want it, but it counts
    /// as seen.
    UnknownMessage {
        /// Its number in the sender's session.
        sequence: u64,
        /// The length of what stands behind `remaining`, in bytes.
        length: usize,
    },
    /// Two daemons run as the receiver's node.
    Twins(TwinsFrame),
    /// The peer asks something.
    Question(QuestionFrame),
    /// The peer answers.
    Answer(AnswerFrame),
    /// Something for a bus.
    Bus(BusFrame),
    /// A frame of a later version.
    Unknown {
        /// Its number.
        number: u64,
    },
}

impl Frame {
    /// Reads the frame that lies there in `packet`.
    fn parse(
        packet: &mut Packet<'_>,
        place: Range<usize>,
        known: &mut KnownHead,
    ) -> Result<Self, FrameError> {
        let mut rest = &packet.bytes[place.clone()];
        let elements = rmp::decode::read_array_len(&mut rest).map_err(|_| FrameError::NotAFrame)?;
        if elements == 0 {
            return Err(FrameError::NotAFrame);
        }
        let number: u64 = rmp::decode::read_int(&mut rest).map_err(|_| FrameError::NotAFrame)?;
        let integer = |rest: &mut &[u8], frame| -> Result<u64, FrameError> {
            rmp::decode::read_int(rest).map_err(|_| FrameError::Malformed(frame))
        };
        // How many more elements are there than this version has for the frame?
        let more = |listed: u32, frame| -> Result<u32, FrameError> {
            elements
                .checked_sub(listed)
                .ok_or(FrameError::Malformed(frame))
        };
        match number {
            number::HELLO => {
                more(2, "a hello")?;
                Hello::parse(rest)
                    .map(|hello| Self::Hello(Box::new(hello)))
                    .map_err(FrameError::Hello)
            }
            number::HEARTBEAT => {
                more(3, "a heartbeat")?;
                Ok(Self::Heartbeat {
                    clock: integer(&mut rest, "a heartbeat")?,
                    floor: integer(&mut rest, "a heartbeat")?,
                })
            }
            number::ECHO => {
                more(2, "an echo")?;
                Ok(Self::Echo {
                    clock: integer(&mut rest, "an echo")?,
                })
            }
            number::MESSAGE => {
                let sequence = integer(&mut rest, "a message")?;
                let remaining = Duration::from_millis(integer(&mut rest, "a message")?);
                let body = place.end - rest.len()..place.end;
                message(elements, sequence, remaining, packet, body, known)
            }
            number::ACKNOWLEDGEMENT => {
                more(2, "an acknowledgement")?;
                Ok(Self::Acknowledgement {
                    sequence: integer(&mut rest, "an acknowledgement")?,
                })
            }
            number::BYE => {
                more(2, "a bye")?;
                let (reason, _) = rmp::decode::read_str_from_slice(rest)
                    .map_err(|_| FrameError::Malformed("a bye"))?;
                Ok(Self::Bye {
                    reason: start_of(reason, MAX_BYE_LEN).to_owned(),
                })
            }
            number::TWINS => {
                let malformed = || FrameError::Malformed("a twins");
                let stays = rmp::decode::read_bool(&mut rest).map_err(|_| malformed())?;
                let mut places = [const { String::new() }; 2];
                for place in &mut places {
                    let (text, tail) =
                        rmp::decode::read_str_from_slice(rest).map_err(|_| malformed())?;
                    start_of(text, MAX_PLACE_LEN).clone_into(place);
                    rest = tail;
                }
                Ok(Self::Twins(TwinsFrame { stays, places }))
            }
            number::QUESTION => {
                let name = "a question";
                let asked = integer(&mut rest, name)?;
                Ok(Self::Question(QuestionFrame {
                    number: asked,
                    question: binary(rest, MAX_QUESTION_LEN, name)?,
                }))
            }
            number::ANSWER => {
                let name = "an answer";
                let number = integer(&mut rest, name)?;
                let more =
                    rmp::decode::read_bool(&mut rest).map_err(|_| FrameError::Malformed(name))?;
                Ok(Self::Answer(AnswerFrame {
                    number,
                    more,
                    part: binary(rest, MAX_ANSWER_PART_LEN, name)?,
                }))
            }
            number => match BusFrame::parse(number, rest) {
                Some(frame) => Ok(Self::Bus(frame?)),
                None => Ok(Self::Unknown { number }),
            },
        }
    }
}

/// Reads a message frame of so many elements, of which what stands behind `remaining` lies there in `packet`.
fn message(
    elements: u32,
    sequence: u64,
    remaining: Duration,
    packet: &mut Packet<'_>,
    place: Range<usize>,
    known: &mut KnownHead,
) -> Result<Frame, FrameError> {
    let rest = &packet.bytes[place.clone()];
    let head = match known.read(rest) {
        Ok(head) => head,
        // A later version's, if it is whole.
        Err(MessageError::Kind(_)) if is_sequence(rest, elements.saturating_sub(3)) => {
            return Ok(Frame::UnknownMessage {
                sequence,
                length: rest.len(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let (body, behind) = rest.split_at(body_len(rest, head)?);
    let Some(more) = elements.checked_sub(MESSAGE_ELEMENTS) else {
        return Err(FrameError::Malformed("a message"));
    };
    if more == 0 && !behind.is_empty() {
        return Err(MessageError::Trailing(behind.len()).into());
    }
    let message = packet.message(place.start..place.start + body.len(), head);
    Ok(Frame::Message {
        sequence,
        remaining,
        message,
    })
}

/// Bytes in which frames lie.
struct Packet<'a> {
    bytes: &'a [u8],
    /// Where the frames end that are complete, or as many of them as may share an allocation.
    complete: usize,
    /// A copy of a part of them, which the messages in it share, and where it starts.
    shared: Option<(usize, Arc<[u8]>)>,
}

impl Packet<'_> {
    /// The message with this head whose body lies there.
    fn message(&mut self, place: Range<usize>, head: Head) -> Message {
        let (start, shared) = self.shared.get_or_insert_with(|| {
            // One copy for all that follow.
            (place.start, self.bytes[place.start..self.complete].into())
        });
        Message::within(shared, place.start - *start, place.len(), head)
    }
}

/// The head of the last message. Most are followed by others of the same role and type, and these need not be
/// looked at so closely.
#[derive(Debug, Default)]
struct KnownHead {
    bytes: Vec<u8>,
    head: Option<Head>,
}

impl KnownHead {
    /// Reads the head that a message's body starts with.
    fn read(&mut self, body: &[u8]) -> Result<Head, MessageError> {
        match self.head {
            Some(head) if body.starts_with(&self.bytes) => Ok(head),
            _ => {
                let head = Head::read(body)?;
                self.bytes.clear();
                self.bytes.extend_from_slice(&body[..head.len()]);
                self.head = Some(head);
                Ok(head)
            }
        }
    }
}

/// Whether `bytes` are so many MessagePack values and nothing else, and as many as stand behind a
/// message's `remaining` at least.
fn is_sequence(mut bytes: &[u8], values: u32) -> bool {
    if values < MESSAGE_ELEMENTS - 3 {
        return false;
    }
    for _ in 0..values {
        // Each takes a byte at least, so a count that is too high ends soon.
        match value_len(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(_) => return false,
        }
    }
    bytes.is_empty()
}

/// Puts frames together into the bytes that a link sends.
#[derive(Debug, Default)]
pub struct FrameWriter {
    bytes: BytesMut,
}

impl FrameWriter {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no bytes wait.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for so many bytes more, at once instead of little by little.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// The bytes that wait.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the bytes that wait, and keeps the room that they had, up to `kept` bytes.
    pub fn clear(&mut self, kept: usize) {
        if self.bytes.capacity() > kept {
            self.bytes = BytesMut::new();
        } else {
            self.bytes.clear();
        }
    }

    /// Takes the bytes.
    pub fn take(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }

    /// Adds a hello.
    pub fn hello(&mut self, hello: &Hello) {
        self.frame(|bytes| {
            array(bytes, 2, number::HELLO);
            bytes.extend_from_slice(&hello.encode());
        });
    }

    /// Adds a heartbeat.
    pub fn heartbeat(&mut self, clock: u64, floor: u64) {
        self.frame(|bytes| {
            array(bytes, 3, number::HEARTBEAT);
            integer(bytes, clock);
            integer(bytes, floor);
        });
    }

    /// Adds the answer to a heartbeat.
    pub fn echo(&mut self, clock: u64) {
        self.frame(|bytes| {
            array(bytes, 2, number::ECHO);
            integer(bytes, clock);
        });
    }

    /// Adds a message.
    pub fn message(&mut self, sequence: u64, remaining: Duration, message: &Message) {
        let remaining = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
        let body = message.body();
        // Put together here, since adding to `bytes` costs more than writing a few bytes.
        let mut head = [0; LENGTH_LEN + MESSAGE_HEAD_LEN];
        let mut rest = &mut head[LENGTH_LEN..];
        put(encode::write_array_len(&mut rest, MESSAGE_ELEMENTS));
        put(encode::write_uint(&mut rest, number::MESSAGE));
        put(encode::write_uint(&mut rest, sequence));
        put(encode::write_uint(&mut rest, remaining));
        let used = LENGTH_LEN + MESSAGE_HEAD_LEN - rest.len();
        // Far below 4 GiB, as every frame.
        let length = (used - LENGTH_LEN + body.len()) as u32;
        head[..LENGTH_LEN].copy_from_slice(&length.to_be_bytes());
        self.bytes.reserve(used + body.len());
        self.bytes.extend_from_slice(&head[..used]);
        self.bytes.extend_from_slice(body);
    }

    /// Adds an acknowledgement.
    pub fn acknowledgement(&mut self, sequence: u64) {
        self.frame(|bytes| {
            array(bytes, 2, number::ACKNOWLEDGEMENT);
            integer(bytes, sequence);
        });
    }

    /// Adds a bye.
    pub fn bye(&mut self, reason: &str) {
        self.frame(|bytes| {
            array(bytes, 2, number::BYE);
            let reason = start_of(reason, MAX_BYE_LEN);
            put(encode::write_str(&mut Writer(bytes), reason));
        });
    }

    /// Tells of two daemons that run as the receiver's node.
    pub fn twins(&mut self, twins: &TwinsFrame) {
        self.frame(|bytes| {
            array(bytes, 4, number::TWINS);
            put(encode::write_bool(&mut Writer(bytes), twins.stays));
            for place in &twins.places {
                let place = start_of(place, MAX_PLACE_LEN);
                put(encode::write_str(&mut Writer(bytes), place));
            }
        });
    }

    /// Asks the peer something.
    pub fn question(&mut self, question: &QuestionFrame) {
        self.frame(|bytes| {
            array(bytes, 3, number::QUESTION);
            integer(bytes, question.number);
            put(encode::write_bin(&mut Writer(bytes), &question.question));
        });
    }

    /// Adds a part of an answer.
    pub fn answer(&mut self, answer: &AnswerFrame) {
        self.frame(|bytes| {
            array(bytes, 4, number::ANSWER);
            integer(bytes, answer.number);
            put(encode::write_bool(&mut Writer(bytes), answer.more));
            put(encode::write_bin(&mut Writer(bytes), &answer.part));
        });
    }

    /// Adds something for a bus.
    pub fn bus(&mut self, frame: &BusFrame) {
        self.frame(|bytes| frame.write(bytes));
    }

    fn frame(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH_LEN]);
        write(&mut self.bytes);
        // Every frame is far below 4 GiB: its parts have limits.
        let length = (self.bytes.len() - start - LENGTH_LEN) as u32;
        self.bytes[start..start + LENGTH_LEN].copy_from_slice(&length.to_be_bytes());
    }
}

/// Cuts a link's bytes into frames.
#[derive(Debug)]
pub struct FrameDecoder {
    /// What came of a frame that is not complete.
    partial: BytesMut,
    limit: usize,
    /// How many frames were complete so far.
    complete: u64,
    known: KnownHead,
}

/// A frame of which only a part is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingFrame {
    /// Its place among the frames of the link, from 0 on.
    pub place: u64,
    /// How many bytes of it are here, its length included.
    pub here: usize,
    /// How many it has in all, as far as is known.
    pub announced: usize,
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self {
            partial: BytesMut::new(),
            limit: MAX_HELLO_LEN,
            complete: 0,
            known: KnownHead::default(),
        }
    }
}

impl FrameDecoder {
    /// Hands each frame that `bytes` completes to `handle`, in order.
    ///
    /// # Errors
    /// A frame that breaks the protocol, or whatever `handle` returns. The link cannot be read
    /// any further then.
    pub fn decode<E: From<FrameError>>(
        &mut self,
        bytes: &[u8],
        handle: impl FnMut(Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        let bytes = match self.complete_first(bytes)? {
            Some(rest) => rest,
            None => return Ok(()),
        };
        let mut handle = handle;
        if !self.partial.is_empty() {
            // Else the memory of a large frame is given back.
            let first = std::mem::take(&mut self.partial);
            self.decode_complete(&first, &mut handle)?;
        }
        // The common case: whole frames, read where they lie.
        let complete = self.decode_complete(bytes, handle)?;
        let partial = &bytes[complete..];
        if !partial.is_empty() {
            let announced = self.announced(partial).min(MOST_RESERVED);
            self.partial.reserve(announced.max(partial.len()));
            self.partial.extend_from_slice(partial);
        }
        Ok(())
    }

    /// Adds to the frame that is not complete what it lacks, as far as it is there, and returns what stands
    /// behind it. None: it is still not complete.
    fn complete_first<'b>(&mut self, mut bytes: &'b [u8]) -> Result<Option<&'b [u8]>, FrameError> {
        while !self.partial.is_empty() {
            if self.split(&self.partial)?.is_some() {
                break;
            }
            let missing = self.announced(&self.partial) - self.partial.len();
            let (more, rest) = bytes.split_at(missing.min(bytes.len()));
            if more.is_empty() {
                return Ok(None);
            }
            self.partial.extend_from_slice(more);
            bytes = rest;
        }
        Ok(Some(bytes))
    }

    /// How long the frame is that `bytes` begin with, its length included, as far as is known.
    fn announced(&self, bytes: &[u8]) -> usize {
        bytes.first_chunk().map_or(LENGTH_LEN, |length| {
            LENGTH_LEN + u32::from_be_bytes(*length) as usize
        })
    }

    /// The same for the frames that are complete in `bytes`. Returns where they end.
    fn decode_complete<E: From<FrameError>>(
        &mut self,
        bytes: &[u8],
        mut handle: impl FnMut(Frame) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut packet = Packet {
            bytes,
            complete: 0,
            shared: None,
        };
        let mut next = 0;
        loop {
            if next >= packet.complete {
                // A hello changes the limit for those behind it.
                packet.complete = self.complete_from(bytes, next);
                packet.shared = None;
            }
            let Some(place) = self.split(&bytes[next..])?.map(|length| {
                let start = next + LENGTH_LEN;
                start..start + length
            }) else {
                return Ok(next);
            };
            next = place.end;
            handle(self.parsed(&mut packet, place)?)?;
        }
    }

    /// The frame that is not complete, if there is one.
    pub fn pending(&self) -> Option<PendingFrame> {
        if self.partial.is_empty() {
            return None;
        }
        Some(PendingFrame {
            place: self.complete,
            here: self.partial.len(),
            announced: self.announced(&self.partial),
        })
    }

    /// Where the last of the frames ends that are complete from `start` on, as far as they can be read and their messages
    /// may share an allocation.
    fn complete_from(&self, bytes: &[u8], start: usize) -> usize {
        let mut end = start;
        while let Ok(Some(length)) = self.split(&bytes[end..]) {
            let next = end + LENGTH_LEN + length;
            if end > start && next - start > MAX_SHARED_LEN {
                break;
            }
            end = next;
        }
        end
    }

    /// How long the first frame is, behind its length; none when it is not complete.
    fn split(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_LEN>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > self.limit {
            return Err(FrameError::TooLong {
                length,
                limit: self.limit,
            });
        }
        Ok((length <= rest.len()).then_some(length))
    }

    fn parsed(
        &mut self,
        packet: &mut Packet<'_>,
        place: Range<usize>,
    ) -> Result<Frame, FrameError> {
        let frame = Frame::parse(packet, place, &mut self.known)?;
        self.complete += 1;
        if matches!(frame, Frame::Hello(_)) {
            self.limit = MAX_FRAME_LEN;
        }
        Ok(frame)
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
