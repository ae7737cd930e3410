//! What waits to be written to the process: messages, calls, and the last word.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use kozo_abi::RoleHost;
use kozo_co2::{Struct, Value};

use super::frame;
use crate::shared::lock;

/// How many frames wait, and how many bytes they have together. The oldest messages make room.
const MAX_FRAMES: usize = 1000;
const MAX_BYTES: usize = 4 << 20;

/// Frames for the process, which waits for them on its writer's thread.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Waiting>,
    bytes: usize,
    /// Somebody writes.
    open: bool,
    /// Messages that came while nobody did.
    missed: u64,
}

#[derive(Debug)]
struct Waiting {
    frame: Vec<u8>,
    /// Whether it makes room for others.
    is_message: bool,
}

impl Frames {
    /// A message for all plug-ins.
    pub(crate) fn receive(&self, message: Struct, host: &RoleHost) {
        let fields = Struct::from([("message".to_owned(), Value::Struct(message))]);
        let dropped = self.push("receive", fields, true);
        if let Some(dropped @ 1..) = dropped {
            host.warn(&format!(
                "{dropped} messages for the plug-ins were dropped: their process does not take them fast enough"
            ));
        }
    }

    /// A call of a plug-in's method; false when there is no process that could take it.
    pub(crate) fn call(&self, id: &str, method: &str, argument: Struct) -> bool {
        let fields = Struct::from([
            ("id".to_owned(), Value::String(id.to_owned())),
            ("method".to_owned(), Value::String(method.to_owned())),
            ("argument".to_owned(), Value::Struct(argument)),
        ]);
        self.push("call", fields, false).is_some()
    }

    /// The last word: all plug-ins have so long to say goodbye.
    pub(super) fn exit(&self, limit: Duration) {
        let limit = Value::Double(limit.as_secs_f64());
        self.push("exit", Struct::from([("limit".to_owned(), limit)]), false);
    }

    /// Begins anew, with these frames.
    pub(super) fn restart(&self, first: Vec<Vec<u8>>) {
        let mut queue = lock(&self.queue);
        let waiting = |frame: Vec<u8>| Waiting {
            frame,
            is_message: false,
        };
        queue.drop_all();
        queue.bytes = first.iter().map(Vec::len).sum();
        queue.frames = first.into_iter().map(waiting).collect();
        queue.open = true;
    }

    /// How many messages no process has taken, since this was asked last.
    pub(super) fn take_missed(&self) -> u64 {
        std::mem::take(&mut lock(&self.queue).missed)
    }

    /// Ends the wait of whoever writes. What was not written is not any more.
    pub(super) fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.open = false;
        queue.drop_all();
        drop(queue);
        self.changed.notify_all();
    }

    /// Waits for the next frame; none when there will be no more.
    pub(super) fn next(&self) -> Option<Vec<u8>> {
        let queue = lock(&self.queue);
        let waits = |queue: &mut Queue| queue.frames.is_empty() && queue.open;
        let mut queue = self.changed.wait_while(queue, waits).ok()?;
        let next = queue.frames.pop_front()?;
        queue.bytes -= next.frame.len();
        Some(next.frame)
    }

    /// Adds a frame; how many messages made room for it, none when it was not added. What cannot be written was no value
    /// that anybody sent.
    fn push(&self, name: &str, fields: Struct, is_message: bool) -> Option<u64> {
        let frame = frame::write(name, fields).ok()?;
        let mut queue = lock(&self.queue);
        if !queue.open {
            queue.missed += u64::from(is_message);
            return None;
        }
        queue.bytes += frame.len();
        queue.frames.push_back(Waiting { frame, is_message });
        let mut dropped = 0;
        while queue.frames.len() > MAX_FRAMES || queue.bytes > MAX_BYTES {
            // The one that was just added stays.
            let older = queue.frames.len() - 1;
            let Some(oldest) = queue
                .frames
                .iter()
                .take(older)
                .position(|one| one.is_message)
            else {
                break;
            };
            if let Some(gone) = queue.frames.remove(oldest) {
                queue.bytes -= gone.frame.len();
                dropped += 1;
            }
        }
        drop(queue);
        self.changed.notify_all();
        Some(dropped)
    }
}

impl Queue {
    fn drop_all(&mut self) {
        let dropped = self.frames.drain(..).filter(|one| one.is_message).count();
        self.missed += dropped as u64;
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_make_room_and_calls_do_not() {
        let frames = Frames::default();
        frames.restart(Vec::new());
        assert!(frames.call("first", "a.b.c", Struct::new()));
        for _ in 0..MAX_FRAMES - 1 {
            assert_eq!(frames.push("receive", Struct::new(), true), Some(0));
        }
        assert_eq!(frames.push("receive", Struct::new(), true), Some(1));
        assert!(frames.call("second", "a.b.c", Struct::new()));
        let mut calls = 0;
        for _ in 0..MAX_FRAMES {
            let frame = frames.next().unwrap();
            calls += usize::from(String::from_utf8(frame).unwrap().contains("a.b.c"));
        }
        assert_eq!(calls, 2);
        frames.close();
        assert_eq!(frames.next(), None);
        frames.restart(vec![b"x".to_vec()]);
        assert_eq!(frames.next(), Some(b"x".to_vec()));
    }

    #[test]
    fn what_no_process_takes_is_counted_and_a_call_is_refused() {
        let frames = Frames::default();
        assert!(!frames.call("first", "a.b.c", Struct::new()));
        assert_eq!(frames.push("receive", Struct::new(), true), None);
        frames.restart(vec![b"x".to_vec()]);
        assert_eq!((frames.take_missed(), frames.take_missed()), (1, 0));
        assert_eq!(frames.push("receive", Struct::new(), true), Some(0));
        frames.close();
        assert_eq!(frames.push("receive", Struct::new(), true), None);
        assert_eq!(frames.next(), None);
        assert_eq!(frames.take_missed(), 2);
    }
}
