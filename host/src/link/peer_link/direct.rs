//! A role's thread writes by itself what comes alone.
//!
//! Waking the links' thread takes longer than all that it then does for one message. So a thread that queues a
//! message for a link on which nobody has anything to write takes the writer's place for that moment, where the
//! link can be written to from any thread. What comes faster than that is left to the writer, which puts as
//! much as there is into one write.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use kozo_auth::secured::Direct;
use kozo_link::{LinkKey, LinkOutput, OUTPUT_CHUNK};
use kozo_wire::FrameWriter;
use tokio::sync::Notify;

use super::PeerLink;

/// How long there must have been nothing to write on a link for a message to be alone: more than a write of one takes.
pub(super) const ALONE: Duration = Duration::from_micros(50);

/// How many bytes of messages may wait for a role's thread to write them: more is the writer's work.
pub(super) const MOST_WAITING: usize = OUTPUT_CHUNK;

/// How much room a thread keeps for the frames that it writes, in bytes.
const KEPT_ROOM: usize = 2 * OUTPUT_CHUNK;

thread_local! {
    static FRAMES: RefCell<FrameWriter> = RefCell::default();
}

/// The place of a link's writer, which whoever has this has taken. The writer goes on when it is dropped without
/// having written.
pub(crate) struct DirectWrite<'a> {
    link: &'a PeerLink,
    key: LinkKey,
    outlet: Arc<dyn Direct>,
    writer: Arc<Notify>,
    is_done: bool,
}

impl<'a> DirectWrite<'a> {
    pub(super) fn new(
        link: &'a PeerLink,
        key: LinkKey,
        outlet: Arc<dyn Direct>,
        writer: Arc<Notify>,
    ) -> Self {
        Self {
            link,
            key,
            outlet,
            writer,
            is_done: false,
        }
    }

    /// Writes what there is, and leaves to the writer what has come meanwhile. Nobody may be locked.
    pub(crate) fn write(mut self) {
        FRAMES.with_borrow_mut(|frames| {
            // A panic may have left something, for another peer.
            frames.clear(KEPT_ROOM);
            let output = self.link.output(self.key, frames);
            let goes_on = output == LinkOutput::Continue;
            self.is_done = if frames.is_empty() {
                goes_on
            } else {
                // That the link has ended is seen by its writer, and what was for it is sent again over the next one.
                let is_sent = self.outlet.send(frames.bytes()).is_ok();
                // Where there is nothing more, the writer waits as before.
                is_sent && goes_on && self.outlet.has_room() && self.link.is_written(self.key)
            };
            frames.clear(KEPT_ROOM);
        });
    }
}

impl Drop for DirectWrite<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.writer.notify_one();
        }
    }
}
