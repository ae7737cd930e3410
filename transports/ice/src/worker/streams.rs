//! The bytes of connections, between the host and QUIC.

use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kozo_abi::Connection;
use rustix::event::epoll;

use super::{Open, Worker};
use crate::meeting::DialId;
use crate::pipe::Pipe;
use crate::quic::{Handle, Read, Remote};

/// How often something is read from the host in one go, so that no connection waits for another.
const READS: usize = 8;

/// How long a connection that one end has ended waits for the other.
const LINGER: Duration = Duration::from_secs(5);

impl Worker {
    /// A connection is there: the host gets one end of a socket pair.
    pub(super) fn opened(
        &mut self,
        handle: Handle,
        remote: Remote,
        dial: Option<DialId>,
        now: Instant,
    ) {
        let known = &mut self.remotes[remote];
        let node = known.neighbour.node.clone();
        if let Some(id) = dial {
            known.meeting.answered(id);
        }
        let address = match &known.path {
            Some(path) => format!("{} ({})", path.remote, path.kind().name()),
            None => known.neighbour.jid.to_string(),
        };
        let made = Pipe::new().and_then(|(pipe, far)| {
            let key = u64::try_from(handle.0).map_err(io::Error::other)?;
            let interest = epoll::EventFlags::IN
                | epoll::EventFlags::OUT
                | epoll::EventFlags::RDHUP
                | epoll::EventFlags::ET;
            epoll::add(
                &self.epoll,
                pipe.as_fd(),
                epoll::EventData::new_u64(key),
                interest,
            )?;
            Ok((pipe, far))
        });
        let (pipe, far) = match made {
            Ok(made) => made,
            Err(error) => {
                self.quic.close(handle, "there is no socket for it", now);
                if let Some(id) = dial {
                    self.answer(id, Err(format!("there is no socket for it: {error}")));
                }
                return;
            }
        };
        let connection = Connection::authenticated(far, address, node);
        match dial {
            Some(id) => self.answer(id, Ok(connection)),
            None => {
                if !self.shared.accept(connection) {
                    self.host
                        .warn("a connection is refused: too many wait to be accepted");
                    self.quic.close(handle, "too many wait to be accepted", now);
                    return;
                }
            }
        }
        self.pipes.insert(
            handle,
            Open {
                pipe,
                deadline: None,
                finished: false,
            },
        );
        self.pump(handle, now);
    }

    pub(super) fn ready_pipes(&mut self, busy: &mut Vec<Handle>) -> io::Result<()> {
        let mut events = [MaybeUninit::uninit(); 64];
        let zero = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let (events, _) = epoll::wait(&self.epoll, &mut events, Some(&zero))?;
        for event in events.iter() {
            let Ok(key) = usize::try_from({ event.data }.u64()) else {
                continue;
            };
            let handle = quinn_proto::ConnectionHandle(key);
            let Some(open) = self.pipes.get_mut(&handle) else {
                continue;
            };
            let flags = { event.flags };
            let room = epoll::EventFlags::OUT | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            open.pipe.writable |= flags.intersects(room);
            open.pipe.readable |= flags.intersects(!epoll::EventFlags::OUT);
            if !busy.contains(&handle) {
                busy.push(handle);
            }
        }
        Ok(())
    }

    /// Moves bytes between the host and a connection, as far as both have room.
    pub(super) fn pump(&mut self, handle: Handle, now: Instant) {
        let Some(open) = self.pipes.get_mut(&handle) else {
            return;
        };
        let pipe = &mut open.pipe;
        let mut more = true;
        for _ in 0..READS {
            if pipe.unsent.is_empty() {
                let Some(count) = pipe.read(&mut self.buffer) else {
                    more = false;
                    break;
                };
                let sent = self.quic.write(handle, &self.buffer[..count]);
                pipe.unsent = Bytes::copy_from_slice(&self.buffer[sent..count]);
            } else {
                let sent = self.quic.write(handle, &pipe.unsent);
                drop(pipe.unsent.split_to(sent));
            }
            if !pipe.unsent.is_empty() {
                // The connection says when there is room.
                more = false;
                break;
            }
        }
        if pipe.host_ended && pipe.unsent.is_empty() && !open.finished {
            open.finished = true;
            open.deadline = Some(now + LINGER);
            self.quic.finish(handle);
        }
        let mut ended = false;
        loop {
            let room = pipe.deliver();
            if !room && !pipe.host_gone {
                break;
            }
            match self.quic.read(handle, now) {
                Read::Some(_) if pipe.host_gone => {}
                Read::Some(bytes) => pipe.undelivered = bytes,
                Read::Nothing => break,
                Read::End => {
                    ended = true;
                    pipe.end_delivery();
                    break;
                }
            }
        }
        if ended && open.deadline.is_none() {
            open.deadline = Some(now + LINGER);
        }
        if ended && open.finished && self.quic.is_finished(handle) {
            self.quic.close(handle, "both ends have ended it", now);
            return;
        }
        self.quic.flush(handle, now);
        if more && !self.busy.contains(&handle) {
            self.busy.push(handle);
        }
    }
}
