//! Messages that are to be made, and rows of those that are made when somebody takes them.

use std::sync::Arc;

use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;

use super::head::Head;
use super::likeness::Likeness;
use super::message::{MAX_SHARED_LEN, Message, TIMESTAMP_LEN, check_data, put_tail};
use super::message_error::MessageError;
use crate::MESSAGE_OVERHEAD;

/// What a role of this node has to say.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Event, order or log.
    pub kind: Kind,
    /// The role.
    pub role: &'a RoleName,
    /// The message's type; empty for a log.
    pub type_name: &'a str,
    /// Its channel.
    pub channel: Option<&'a str>,
    /// The wall clock, in seconds since 1970.
    pub timestamp: f64,
    /// One MessagePack value.
    pub data: &'a [u8],
}

/// The longest data that is worth to be put into a row, in bytes: what is longer is better copied by itself.
const MAX_IN_ROW_LEN: usize = 4096;

impl Draft<'_> {
    /// Makes the message.
    ///
    /// # Errors
    /// As [`Message::new`].
    pub fn message(&self) -> Result<Message, MessageError> {
        let Self {
            kind,
            role,
            type_name,
            channel,
            timestamp,
            data,
        } = *self;
        Message::new(kind, role, type_name, channel, timestamp, data)
    }

    /// Whether it is short, and its data are what a message's may be: then it may be put into [`Bodies`], if it is
    /// like others.
    pub fn fits_into_row(&self) -> bool {
        self.data.len() <= MAX_IN_ROW_LEN && check_data(self.data).is_ok()
    }

    /// Whether its message is one of these.
    pub fn is_like(&self, likeness: &Likeness) -> bool {
        let (head, bytes) = (likeness.head(), likeness.bytes());
        let is_of_role = bytes[head.role.range()] == *self.role.as_str().as_bytes();
        is_of_role && head.is(bytes, self.kind, self.type_name, self.channel)
    }

    /// What a queue counts for its message, which is one of these.
    pub fn cost(&self, likeness: &Likeness) -> usize {
        likeness.head().len() + TIMESTAMP_LEN + self.data.len() + MESSAGE_OVERHEAD
    }
}

/// Bodies of messages, one behind the other. Making the messages later, many at once, takes no allocation for each
/// of them.
#[derive(Debug, Default)]
pub struct Bodies {
    bytes: Vec<u8>,
    /// The head of each, and where it ends.
    each: Vec<(Head, usize)>,
}

impl Bodies {
    /// Adds the body of one more, which is one of these, and [fits](Draft::fits_into_row).
    pub fn add(&mut self, draft: &Draft<'_>, likeness: &Likeness) {
        self.bytes.extend_from_slice(likeness.bytes());
        put_tail(&mut self.bytes, draft.timestamp, draft.data);
        self.each.push((likeness.head(), self.bytes.len()));
    }

    /// Takes all messages out, in order.
    pub fn take(&mut self) -> TakenBodies<'_> {
        TakenBodies {
            bodies: self,
            next: 0,
            start: 0,
            shared: None,
        }
    }

    /// How many bytes they have.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// Gives memory back where it is more than twice what so many messages and so many bytes take.
    pub fn shrink(&mut self, messages: usize, bytes: usize) {
        if self.each.capacity() > 2 * messages {
            self.each.shrink_to(messages);
        }
        if self.bytes.capacity() > 2 * bytes {
            self.bytes.shrink_to(bytes);
        }
    }
}

/// The messages of [`Bodies`], which are empty when this is dropped.
#[derive(Debug)]
pub struct TakenBodies<'a> {
    bodies: &'a mut Bodies,
    /// The place of the next one, and where its body starts.
    next: usize,
    start: usize,
    /// A copy of a part of the bytes, where it starts, and how many of the messages it has.
    shared: Option<(Arc<[u8]>, usize, usize)>,
}

impl TakenBodies<'_> {
    /// Copies what of the bodies, from the next one on, may share an allocation: what is of another kind has another
    /// life, and would go on holding what is long dropped.
    fn share(&self) -> (Arc<[u8]>, usize, usize) {
        let rest = &self.bodies.each[self.next..];
        let (first, _) = rest[0];
        let fits = |(head, end): &&(Head, usize)| {
            head.kind == first.kind && end - self.start <= MAX_SHARED_LEN
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (_, end) = rest[count - 1];
        let bytes = self.bodies.bytes[self.start..end].into();
        (bytes, self.start, self.next + count)
    }
}

impl Iterator for TakenBodies<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let &(head, end) = self.bodies.each.get(self.next)?;
        let shared = self
            .shared
            .take()
            .filter(|(_, _, until)| self.next < *until);
        let shared = shared.unwrap_or_else(|| self.share());
        let (bytes, begin, _) = &shared;
        let message = Message::within(bytes, self.start - begin, end - self.start, head);
        (self.next, self.start, self.shared) = (self.next + 1, end, Some(shared));
        Some(message)
    }
}

impl Drop for TakenBodies<'_> {
    fn drop(&mut self) {
        self.bodies.bytes.clear();
        self.bodies.each.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts<'a>(role: &'a RoleName, data: &'a [u8], count: usize) -> Vec<Draft<'a>> {
        let channels = [None, Some("hall"), Some("")];
        let draft = |number: usize| Draft {
            kind: [Kind::Event, Kind::Order][number / 300 % 2],
            role,
            type_name: "tick",
            channel: channels[number % 3],
            timestamp: number as f64,
            data,
        };
        (0..count).map(draft).collect()
    }

    #[test]
    fn messages_that_are_made_later_are_as_if_each_was_made_at_once() {
        let role = RoleName::new("timer1").unwrap();
        let long = [&[0xc5, 0x0f, 0x00][..], &[7; 0xf00]].concat();
        let mut bodies = Bodies::default();
        for data in [&b"\x01"[..], &long] {
            let drafts = drafts(&role, data, 900);
            let made = drafts.iter().map(|draft| draft.message().unwrap());
            let made: Vec<_> = made.collect();
            for (draft, made) in drafts.iter().zip(&made) {
                let likeness = Likeness::of(made);
                assert!(draft.is_like(&likeness));
                assert_eq!(draft.cost(&likeness), made.cost());
                bodies.add(draft, &likeness);
            }
            let later: Vec<_> = bodies.take().collect();
            assert_eq!(later, made);
            assert!(
                later
                    .iter()
                    .zip(&made)
                    .all(|(one, other)| one.is_like(other))
            );
            let shares = later.chunk_by(|one, next| one.shares_with(next));
            let mut count = 0;
            for share in shares {
                let held = share.iter().map(|one| one.body().len()).sum::<usize>();
                assert!(held <= MAX_SHARED_LEN && Message::are_most_of_what_they_hold(share));
                assert!(share.iter().all(|one| one.kind() == share[0].kind()));
                count += 1;
            }
            let whole: usize = later.iter().map(|one| one.body().len()).sum();
            // One less than full for each kind that follows on another, and what does not fill it up.
            assert!(
                count <= whole / (MAX_SHARED_LEN - data.len() - 64) + 3,
                "{count}"
            );
        }
        assert_eq!(bodies.take().count(), 0);
    }

    #[test]
    fn what_is_long_or_no_value_is_not_put_into_a_row() {
        let role = RoleName::new("timer1").unwrap();
        let value = |length: u16| {
            let mut data = vec![0xc5];
            data.extend(length.to_be_bytes());
            data.resize(3 + usize::from(length), 0);
            data
        };
        let fits = |data: &[u8]| drafts(&role, data, 1)[0].fits_into_row();
        let most = MAX_IN_ROW_LEN as u16 - 3;
        assert!(fits(&[0xc0]) && fits(&value(most)));
        assert!(!fits(&value(most + 1)) && !fits(&[]) && !fits(&[0xc0, 0xc0]));
    }

    #[test]
    fn what_was_not_taken_is_gone() {
        let role = RoleName::new("timer1").unwrap();
        let mut bodies = Bodies::default();
        for draft in drafts(&role, b"\x01", 3) {
            bodies.add(&draft, &Likeness::of(&draft.message().unwrap()));
        }
        assert_eq!(bodies.take().next().map(|one| one.timestamp()), Some(0.0));
        assert_eq!(bodies.take().next(), None);
    }

    #[test]
    fn what_differs_in_anything_that_counts_is_not_alike() {
        let role = RoleName::new("timer1").unwrap();
        let other = RoleName::new("timer2").unwrap();
        let [draft] = drafts(&role, b"\x01", 1)[..] else {
            panic!("one");
        };
        let likeness = Likeness::of(&draft.message().unwrap());
        let others = [
            Draft {
                kind: Kind::Order,
                ..draft
            },
            Draft {
                role: &other,
                ..draft
            },
            Draft {
                type_name: "tic",
                ..draft
            },
            Draft {
                channel: Some(""),
                ..draft
            },
        ];
        assert!(others.iter().all(|other| !other.is_like(&likeness)));
        let said = Draft {
            data: b"\x02",
            timestamp: 9.0,
            ..draft
        };
        assert!(said.is_like(&likeness));
    }
}
