//! Messages that are made many at a time.

use std::sync::Arc;

use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;

use super::head::Head;
use super::message::{MAX_SHARED_LEN, Message, check_data, put_tail};
use super::message_error::MessageError;

/// Makes messages of one role that are sent at the same time. Those in a row that are alike go to the same
/// receivers, so they share an allocation and a head.
#[derive(Debug)]
pub struct MessageRows<'a> {
    role: &'a RoleName,
    timestamp: f64,
    made: Vec<Message>,
    /// The bodies of the present row.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// The head of each of them.
    head: Option<Head>,
}

impl<'a> MessageRows<'a> {
    /// Room for so many messages of `role`, with the sender's wall clock in seconds since 1970.
    pub fn new(role: &'a RoleName, timestamp: f64, count: usize) -> Self {
        Self {
            role,
            timestamp,
            made: Vec::with_capacity(count),
            bytes: Vec::new(),
            ends: Vec::new(),
            head: None,
        }
    }

    /// Makes one more.
    ///
    /// # Errors
    /// As those of [`Message::new`].
    pub fn push(
        &mut self,
        kind: Kind,
        type_name: &str,
        channel: Option<&str>,
        data: &[u8],
    ) -> Result<(), MessageError> {
        check_data(data)?;
        let common = self.head.filter(|head| {
            self.bytes.len() + head.len() + data.len() <= MAX_SHARED_LEN
                && head.is(&self.bytes, kind, type_name, channel)
        });
        match common {
            Some(head) => self.bytes.extend_from_within(..head.len()),
            None => {
                self.end_row();
                let role = self.role;
                self.head = Some(Head::write(
                    &mut self.bytes,
                    kind,
                    role,
                    type_name,
                    channel,
                )?);
            }
        }
        put_tail(&mut self.bytes, self.timestamp, data);
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// All of them, in order.
    pub fn finish(mut self) -> Vec<Message> {
        self.end_row();
        self.made
    }

    fn end_row(&mut self) {
        if let Some(head) = self.head.take() {
            let bytes: Arc<[u8]> = self.bytes.as_slice().into();
            let mut start = 0;
            self.made.extend(self.ends.drain(..).map(|end| {
                let message = Message::within(&bytes, start, end - start, head);
                start = end;
                message
            }));
        }
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(role: &RoleName, what: &[(Kind, &str, Option<&str>, &[u8])]) -> Vec<Message> {
        let mut rows = MessageRows::new(role, 1.5, what.len());
        for (kind, type_name, channel, data) in what {
            rows.push(*kind, type_name, *channel, data).unwrap();
        }
        rows.finish()
    }

    #[test]
    fn messages_that_are_made_together_are_as_if_each_was_made_alone() {
        let role = RoleName::new("timer1").unwrap();
        let long = [&[0xc5, 0x30, 0x00][..], &[7; 0x3000]].concat();
        let what: &[(_, _, _, &[u8])] = &[
            (Kind::Event, "tick", None, b"\x01"),
            (Kind::Event, "tick", None, b"\xa5Ping!"),
            (Kind::Event, "tick", Some(""), b"\x02"),
            (Kind::Event, "tick", Some("hall"), b"\x03"),
            (Kind::Event, "tick", Some("hall"), &long),
            (Kind::Event, "tick", Some("hall"), &long),
            (Kind::Event, "tic", Some("hall"), b"\x04"),
            (Kind::Order, "tic", Some("hall"), b"\x05"),
            (Kind::Order, "tic", Some("hall"), b"\x06"),
        ];
        let alone = what.iter().map(|(kind, type_name, channel, data)| {
            Message::new(*kind, &role, type_name, *channel, 1.5, data).unwrap()
        });
        let together = made(&role, what);
        assert_eq!(together, alone.collect::<Vec<_>>());
        assert_eq!(made(&role, &[]), []);
        let data: Vec<_> = together.iter().map(Message::data).collect();
        let expected: Vec<_> = what.iter().map(|(_, _, _, data)| *data).collect();
        assert_eq!(data, expected);
        assert_eq!(together[3].channel(), Some("hall"));
        assert_eq!(together[8].timestamp(), 1.5);
    }

    #[test]
    fn one_that_cannot_be_made_is_refused_and_the_others_are_not() {
        let role = RoleName::new("timer1").unwrap();
        let mut rows = MessageRows::new(&role, 0.0, 4);
        let long = "x".repeat(256);
        rows.push(Kind::Event, "tick", None, b"\x01").unwrap();
        let refused = [
            rows.push(Kind::Event, &long, None, b"\x01"),
            rows.push(Kind::Event, "tick", Some(&long), b"\x01"),
            rows.push(Kind::Event, "tick", None, b"\x01\x02"),
        ];
        assert_eq!(
            refused,
            [
                Err(MessageError::TypeTooLong(256)),
                Err(MessageError::ChannelTooLong(256)),
                Err(MessageError::Trailing(1)),
            ]
        );
        rows.push(Kind::Event, "tick", None, b"\x02").unwrap();
        let data = rows.finish().into_iter().map(|message| message.data()[0]);
        assert_eq!(data.collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn only_so_many_bytes_are_kept_for_the_sake_of_one_message() {
        let role = RoleName::new("timer1").unwrap();
        let tick = (Kind::Event, "tick", None, &b"\x01"[..]);
        let mut messages = made(&role, &[tick; 1000]);
        assert!(Message::are_most_of_what_they_hold(&messages));
        messages.drain(1..);
        assert!(!Message::are_most_of_what_they_hold(&messages));
        let taken_out = messages[0].taken_out();
        assert_eq!(taken_out, messages[0]);
        assert!(Message::are_most_of_what_they_hold([&taken_out]));
        assert!(Message::are_most_of_what_they_hold([]));
        let bytes = made(&role, &[tick; 1000]).len() * messages[0].body().len();
        assert!(bytes > MAX_SHARED_LEN);
    }
}
