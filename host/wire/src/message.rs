//! A message, encoded once and shared by all who hold it.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use kozo_ground::interest::{Kind, Subject};
use kozo_ground::names::RoleName;
use rmp::encode;

use super::head::{Head, Span};
use super::message_error::{MAX_DATA_LEN, MessageError};
use super::put;
use super::value::value_len;

/// What a queue counts for a message on top of its encoded length, in bytes: its place in the
/// queue, with room for that to grow, and the allocation.
pub const MESSAGE_OVERHEAD: usize = 192;

/// How many bytes of messages share an allocation, at most, but for a longer one, which is alone: a queue in which
/// only the last of them is left holds so much more than it counts.
pub(crate) const MAX_SHARED_LEN: usize = 16 * 1024;

/// An event, order or log of a role. Cloning shares the encoded bytes.
///
/// Which node it came from is not part of it: that is whoever is at the other end of the link.
///
/// Messages that were made or that came together lie in one allocation, which lives as long as any of them.
/// Who keeps only some of them [takes them out](Self::taken_out), so that what a queue counts is what it
/// holds: see [`are_most_of_what_they_hold`](Self::are_most_of_what_they_hold).
#[derive(Clone)]
pub struct Message {
    /// The body, and perhaps others: kind, role, type, channel, timestamp and data, MessagePack values in a
    /// row as they stand in a message frame.
    bytes: Arc<[u8]>,
    start: u32,
    end: u32,
    head: Head,
}

impl Message {
    /// Makes a message.
    ///
    /// `timestamp` is the sender's wall clock in seconds since 1970, `data` one MessagePack
    /// value.
    ///
    /// # Errors
    /// Something is longer than its limit, or `data` is not one value.
    pub fn new(
        kind: Kind,
        role: &RoleName,
        type_name: &str,
        channel: Option<&str>,
        timestamp: f64,
        data: &[u8],
    ) -> Result<Self, MessageError> {
        check_data(data)?;
        let texts = role.as_str().len() + type_name.len() + channel.map_or(0, str::len);
        // Markers and the fixed fields take less than 32 bytes.
        let length = 32 + texts + data.len();
        with_scratch(length, |body| {
            let head = Head::write(body, kind, role, type_name, channel)?;
            put_tail(body, timestamp, data);
            Ok(Self::alone(body, head))
        })
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// The first thing that is not as [`new`](Self::new) would have written it.
    pub fn parse(body: &[u8]) -> Result<Self, MessageError> {
        match Self::parse_first(body)? {
            (message, []) => Ok(message),
            (_, behind) => Err(MessageError::Trailing(behind.len())),
        }
    }

    /// Reads the message whose body `bytes` start with, and returns what stands behind it.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_first(bytes: &[u8]) -> Result<(Self, &[u8]), MessageError> {
        let head = Head::read(bytes)?;
        let (body, behind) = bytes.split_at(body_len(bytes, head)?);
        Ok((Self::alone(body, head), behind))
    }

    /// The message whose body lies in `bytes` from `start` on, so many bytes long. Both are far below 4 GiB:
    /// what is sent and what is received at a time has limits.
    pub(crate) fn within(bytes: &Arc<[u8]>, start: usize, length: usize, head: Head) -> Self {
        Self {
            bytes: Arc::clone(bytes),
            start: start as u32,
            end: (start + length) as u32,
            head,
        }
    }

    fn alone(body: &[u8], head: Head) -> Self {
        Self {
            bytes: body.into(),
            start: 0,
            end: body.len() as u32,
            head,
        }
    }

    /// Whether both lie in one allocation.
    #[cfg(test)]
    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }

    /// The same message in an allocation of its own.
    pub fn taken_out(&self) -> Self {
        match self.body() {
            body if body.len() < self.bytes.len() => Self::alone(body, self.head),
            _ => self.clone(),
        }
    }

    /// This message as [`to_keep`](Self::to_keep) has it.
    pub fn kept(self, share: bool) -> Self {
        match share {
            true => self,
            false => self.taken_out(),
        }
    }

    /// The same message, for who keeps it: it goes on sharing its allocation, or is [taken out](Self::taken_out).
    pub fn to_keep(&self, share: bool) -> Self {
        match share {
            true => self.clone(),
            false => self.taken_out(),
        }
    }

    /// Whether these messages, in the order in which they came, are at least half of the memory that they keep
    /// from being free.
    pub fn are_most_of_what_they_hold<'a>(messages: impl IntoIterator<Item = &'a Self>) -> bool {
        let (mut used, mut held) = (0, 0);
        let mut last: Option<&Arc<[u8]>> = None;
        for message in messages {
            used += message.body().len();
            if !last.is_some_and(|last| Arc::ptr_eq(last, &message.bytes)) {
                held += message.bytes.len();
                last = Some(&message.bytes);
            }
        }
        2 * used >= held
    }

    /// The bytes that [`parse`](Self::parse) reads.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.start as usize..self.end as usize]
    }

    /// What a queue counts for this message, in bytes.
    pub fn cost(&self) -> usize {
        self.body().len() + MESSAGE_OVERHEAD
    }

    /// Event, order or log.
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// The name of the role that sent it.
    pub fn role(&self) -> &str {
        self.text(self.head.role)
    }

    /// Its type; empty for a log.
    pub fn type_name(&self) -> &str {
        self.text(self.head.type_name)
    }

    /// Its channel.
    pub fn channel(&self) -> Option<&str> {
        self.head.channel.map(|channel| self.text(channel))
    }

    /// A span of a head is on UTF-8 boundaries by construction; an empty text otherwise.
    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(&self.body()[span.range()]).unwrap_or_default()
    }

    /// Whether the other message is of the same kind, role, type and channel.
    pub fn is_like(&self, other: &Self) -> bool {
        // A head that another implementation has written in its own way only seems to be another one.
        self.head == other.head
            && self.body()[..self.head.len()] == other.body()[..other.head.len()]
    }

    /// The start of its body.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// When the sender's wall clock said it was sent: seconds since 1970.
    pub fn timestamp(&self) -> f64 {
        // Behind its marker.
        let bytes = self.body()[self.head.len() + 1..].first_chunk();
        f64::from_be_bytes(*bytes.unwrap_or(&[0; 8]))
    }

    /// Its data: one MessagePack value.
    pub fn data(&self) -> &[u8] {
        &self.body()[self.head.len() + TIMESTAMP_LEN..]
    }

    /// What interests are matched with, when it came from `node`.
    pub fn subject<'a>(&'a self, node: &'a str) -> Subject<'a> {
        Subject {
            kind: self.kind(),
            type_name: self.type_name(),
            channel: self.channel(),
            role: self.role(),
            node,
        }
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.body() == other.body()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind())
            .field("role", &self.role())
            .field("type_name", &self.type_name())
            .field("channel", &self.channel())
            .field("timestamp", &self.timestamp())
            .field("data", &self.data())
            .finish()
    }
}

/// Lends `write` an empty buffer with room for `length` bytes. A short message is put together in
/// one that its thread keeps, so that the only allocation is the message's own.
fn with_scratch<T>(length: usize, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    if length > MAX_SCRATCH_LEN {
        return write(&mut Vec::with_capacity(length));
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        write(scratch)
    })
}

/// The length of a timestamp with its marker, in bytes.
pub(crate) const TIMESTAMP_LEN: usize = 1 + 8;

/// The largest buffer that a thread keeps to put messages together in, in bytes.
const MAX_SCRATCH_LEN: usize = 4096;

pub(crate) fn check_data(data: &[u8]) -> Result<(), MessageError> {
    if data.len() > MAX_DATA_LEN {
        return Err(MessageError::DataTooLong(data.len()));
    }
    match value_len(data)? {
        length if length < data.len() => Err(MessageError::Trailing(data.len() - length)),
        _ => Ok(()),
    }
}

/// The length of the body that `bytes` start with, which has this head.
pub(crate) fn body_len(bytes: &[u8], head: Head) -> Result<usize, MessageError> {
    let mut rest = &bytes[head.len()..];
    rmp::decode::read_f64(&mut rest).map_err(|_| MessageError::Field("timestamp"))?;
    let length = value_len(rest)?;
    if length > MAX_DATA_LEN {
        return Err(MessageError::DataTooLong(length));
    }
    Ok(head.len() + TIMESTAMP_LEN + length)
}

/// Writes what stands behind a head.
pub(crate) fn put_tail(body: &mut Vec<u8>, timestamp: f64, data: &[u8]) {
    put(encode::write_f64(body, timestamp));
    body.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_error::MAX_TYPE_LEN;
    use crate::value::ValueError;

    fn tick(channel: Option<&str>) -> Message {
        let role = RoleName::new("timer1").unwrap();
        let data = rmp_serde::to_vec(&("Ping!", "12:00:00")).unwrap();
        Message::new(Kind::Event, &role, "tick", channel, 1.5, &data).unwrap()
    }

    #[test]
    fn a_message_is_read_back() {
        for channel in [None, Some(""), Some("hall")] {
            let message = tick(channel);
            let parsed = Message::parse(message.body()).unwrap();
            assert_eq!(parsed, message);
            assert_eq!(parsed.channel(), channel);
            assert_eq!((parsed.role(), parsed.type_name()), ("timer1", "tick"));
            let data: (String, String) = rmp_serde::from_slice(parsed.data()).unwrap();
            assert_eq!(data.0, "Ping!");
        }
    }

    /// The body's bytes are part of the protocol.
    #[test]
    fn the_encoding_is_pinned() {
        let expected = b"\x00\xa6timer1\xa4tick\xa4hall\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\x92\xa5Ping!\xa812:00:00";
        assert_eq!(tick(Some("hall")).body(), expected);
    }

    #[test]
    fn a_body_cut_off_anywhere_is_refused() {
        let message = tick(Some("hall"));
        for length in 0..message.body().len() {
            assert!(
                Message::parse(&message.body()[..length]).is_err(),
                "{length}"
            );
        }
        let mut longer = message.body().to_vec();
        longer.push(0);
        assert_eq!(Message::parse(&longer), Err(MessageError::Trailing(1)));
    }

    #[test]
    fn every_limit_is_kept_on_both_ways() {
        let role = RoleName::new("r").unwrap();
        let long = "x".repeat(MAX_TYPE_LEN + 1);
        let new = |type_name: &str, channel, data: &[u8]| {
            Message::new(Kind::Order, &role, type_name, channel, 0.0, data)
        };
        assert_eq!(
            new(&long, None, b"\xc0"),
            Err(MessageError::TypeTooLong(256))
        );
        assert_eq!(
            new("t", Some(&long), b"\xc0"),
            Err(MessageError::ChannelTooLong(256))
        );
        assert_eq!(
            new("t", None, b""),
            Err(MessageError::Data(ValueError::Truncated))
        );
        assert_eq!(new("t", None, b"\xc0\xc0"), Err(MessageError::Trailing(1)));
        let mut forged = b"\x00\xa1r\xd9\xff".to_vec();
        forged.extend([b'x'; 255]);
        forged.extend(b"\xc0\xcb\0\0\0\0\0\0\0\0\xc0");
        assert!(Message::parse(&forged).is_ok());
        assert_eq!(Message::parse(b"\x03\xa1r"), Err(MessageError::Kind(3)));
        assert!(matches!(
            Message::parse(b"\x00\xa3../\xa0"),
            Err(MessageError::Role(_))
        ));
    }
}
