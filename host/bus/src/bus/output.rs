//! What a bus wants to be published and subscribed to.

use kozo_ground::clock::Moment;

use super::engine::Letter;
use super::terms::{Output, Published};
use super::{Bus, sealing};

/// What was given to be published, and not been heard of yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// The first of the letters.
    Letter,
    /// The next datagram with messages.
    Messages,
}

impl Bus {
    /// What to do next at the module. What is to be published stays the next thing to do until
    /// [`published`](Self::published) says what became of it.
    pub fn output(&mut self, now: Moment) -> Option<Output> {
        if let Some((pattern, on)) = self.subscriptions.pop_front() {
            return Some(Output::Subscribe { pattern, on });
        }
        if !self.engine.takes(now) {
            return None;
        }
        if self.letters.front().is_none()
            && let Some((subject, data)) = self.outgoing.next_end(&mut sealing!(self), now)
        {
            let subject = subject.to_string();
            let end = Letter {
                subject,
                reply: None,
                data,
            };
            // There is room: nothing waits.
            let _ = self.letters.push(end);
        }
        // In turn, so that neither those who ask for much keep this node from sending, nor the other way round.
        if self.messages_first
            && let Some(output) = self.next_message(now)
        {
            return Some(output);
        }
        if self.letters.front().is_none()
            && let Some(part) = self.next_part()
        {
            let _ = self.letters.push(part);
        }
        if let Some(letter) = self.letters.front() {
            self.offered = Some((Offered::Letter, letter.data.len()));
            let Letter {
                subject,
                reply,
                data,
            } = letter.clone();
            return Some(Output::Publish {
                subject,
                reply,
                data,
            });
        }
        self.next_message(now)
    }

    fn next_message(&mut self, now: Moment) -> Option<Output> {
        let (subject, data) = self.outgoing.next(&mut sealing!(self), now)?;
        self.offered = Some((Offered::Messages, data.len()));
        Some(Output::Publish {
            subject: subject.to_string(),
            reply: None,
            data,
        })
    }

    /// What the module said to the last datagram that [`output`](Self::output) gave.
    pub fn published(&mut self, result: Published, now: Moment) {
        let Some((offered, length)) = self.offered.take() else {
            return;
        };
        match result {
            Published::Accepted(number) => {
                self.sent.datagrams_sent += 1;
                self.sent.bytes_sent += length as u64;
                self.messages_first = offered == Offered::Letter;
                match offered {
                    Offered::Letter => drop(self.letters.pop()),
                    Offered::Messages => self.outgoing.published(number),
                }
            }
            // Where the connection is lost, the module says so as well.
            Published::Full | Published::Down => self.engine.is_full(now),
        }
    }
}
