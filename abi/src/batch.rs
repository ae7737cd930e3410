//! Messages that are taken with one call: what is short of their data lies in a row, in one allocation for many.

use std::sync::Arc;

use crate::ffi::MessageView;
use crate::message::{Data, Message};

/// How many bytes share an allocation, at most: who keeps one message of many keeps so much more.
const MAX_SHARED_LEN: usize = 16 * 1024;

/// The longest data that shares an allocation with others.
const MAX_SHORT_LEN: usize = 1024;

/// For how many messages there is room from the start, at most.
const MAX_RESERVED: usize = 256;

/// Takes messages one after the other.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    messages: Vec<Message>,
    /// Messages without their data, and how long that is.
    waiting: Vec<(Message, usize)>,
    /// The data of those that wait.
    bytes: Vec<u8>,
}

impl Batch {
    /// Room for so many.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            waiting: Vec::with_capacity(most.min(MAX_RESERVED)),
            ..Self::default()
        }
    }

    /// Takes one more; none that is of a kind of a later version, which the role cannot have asked for.
    pub(crate) fn take(&mut self, view: &MessageView<'_>) {
        let data = view.data.as_slice();
        if data.len() > MAX_SHORT_LEN {
            self.share();
            self.messages.extend(Message::from_view(view));
            return;
        }
        if self.bytes.len() + data.len() > MAX_SHARED_LEN {
            self.share();
        }
        if let Some(message) = Message::with_data(view, Data::default()) {
            self.waiting.push((message, data.len()));
            self.bytes.extend_from_slice(data);
        }
    }

    /// All that were taken, in order.
    pub(crate) fn finish(mut self) -> Vec<Message> {
        self.share();
        self.messages
    }

    fn share(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let shared: Arc<[u8]> = self.bytes.as_slice().into();
        self.bytes.clear();
        let mut end = 0;
        let waiting = self.waiting.drain(..);
        self.messages.extend(waiting.map(|(message, length)| {
            let start = end;
            end += length;
            message.and_data(Data::within(&shared, start..end))
        }));
    }
}

#[cfg(test)]
mod tests {
    use abi_stable::std_types::{ROption, RSlice, RStr};

    use super::*;

    fn view(kind: u8, data: &[u8]) -> MessageView<'_> {
        MessageView {
            kind,
            sender_node: RStr::from_str("clock"),
            sender_role: RStr::from_str("timer1"),
            type_name: RStr::from_str("tick"),
            channel: ROption::RNone,
            timestamp: 0.0,
            age_nanos: 0,
            data: RSlice::from_slice(data),
            extra: RSlice::EMPTY,
        }
    }

    fn taken(all: &[Vec<u8>]) -> Vec<Message> {
        let mut batch = Batch::default();
        all.iter().for_each(|data| batch.take(&view(0, data)));
        batch.finish()
    }

    #[test]
    fn short_and_long_messages_come_out_as_they_came_in_and_in_order() {
        let lengths = [0, 3, MAX_SHORT_LEN, MAX_SHORT_LEN + 1, 7, 100_000, 1, 0];
        let numbered = (0_u8..).zip(lengths.repeat(6));
        let all: Vec<_> = numbered
            .map(|(number, length)| vec![number; length])
            .collect();
        let messages = taken(&all);
        let data: Vec<_> = messages
            .iter()
            .map(|message| message.data_bytes())
            .collect();
        assert_eq!(data, all);
        assert!(
            messages
                .iter()
                .all(|message| message.sender_node() == "clock")
        );
        assert!(taken(&[]).is_empty());
    }

    #[test]
    fn what_shares_an_allocation_is_not_much() {
        let messages = taken(&vec![vec![1; 1000]; 100]);
        let starts: Vec<_> = messages
            .iter()
            .map(|message| message.data_bytes().as_ptr())
            .collect();
        let rows = starts.chunk_by(|one, next| one.wrapping_add(1000) == *next);
        let lengths: Vec<_> = rows.map(<[_]>::len).collect();
        assert_eq!(lengths, [16, 16, 16, 16, 16, 16, 4]);
    }

    #[test]
    fn a_message_of_a_later_version_is_passed_over() {
        let mut batch = Batch::default();
        for (kind, data) in [(0, b"a"), (99, b"b"), (1, b"c")] {
            batch.take(&view(kind, data));
        }
        let data: Vec<_> = batch
            .finish()
            .iter()
            .map(|one| one.data_bytes().to_vec())
            .collect();
        assert_eq!(data, [b"a", b"c"]);
    }
}
