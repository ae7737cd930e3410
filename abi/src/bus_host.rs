//! A bus's way to its host.

use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use abi_stable::std_types::{RSlice, RStr};

use crate::Error;
use crate::ffi::{BusHostHandle, LimitsView, WindowParts, delivered, nanos};
use crate::given::{self, Readiness};
use crate::log::log_methods;

/// A bus's way to its host. Cheap to clone, and usable from any thread of the bus's.
///
/// What happens to the connection is told in the order in which it happened: [`up`](Self::up), then
/// what belongs to that connection ([`deliver`](Self::deliver), [`confirmed`](Self::confirmed),
/// [`nobody`](Self::nobody)), then [`down`](Self::down). None of these calls waits for anything, but
/// for those that say so.
#[derive(Clone)]
pub struct BusHost {
    handle: BusHostHandle,
}

impl BusHost {
    pub(crate) fn new(handle: BusHostHandle) -> Self {
        Self { handle }
    }

    /// The name of the node that the bus belongs to.
    pub fn node(&self) -> &str {
        self.handle.vtable.node()(self.handle.context).as_str()
    }

    /// The bus's name.
    pub fn name(&self) -> &str {
        self.handle.vtable.name()(self.handle.context).as_str()
    }

    /// The name of the bus's module.
    pub fn module(&self) -> &str {
        self.handle.vtable.module()(self.handle.context).as_str()
    }

    /// Whether the bus is being stopped.
    pub fn stopping(&self) -> bool {
        self.handle.vtable.stopping()(self.handle.context)
    }

    /// Waits until `fd` is readable, or the bus is being stopped.
    ///
    /// # Errors
    /// The system's, from `poll`.
    pub fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<Readiness, Error> {
        let wait_readable = self.handle.vtable.wait_readable();
        given::readiness(wait_readable(
            self.handle.context,
            fd.as_raw_fd(),
            given::wait(timeout),
        ))
    }

    /// The engine is connected, and everything that is wanted is subscribed to. From now on the host
    /// publishes.
    pub fn up(&self, limits: &Limits) {
        let limits = LimitsView {
            max_datagram: limits.max_datagram as u64,
            wildcards: limits.wildcards,
            no_responders: limits.no_responders,
            publish_from_roles: limits.publish_from_roles,
            server: RStr::from_str(&limits.server),
            extra: RSlice::EMPTY,
        };
        self.handle.vtable.up()(self.handle.context, &limits);
    }

    /// The connection is gone, for this reason. What was accepted and not
    /// [confirmed](Self::confirmed) belongs to the host again: the module throws away what it still
    /// has of it, and the host publishes it again, with numbers of their own, after the next
    /// [`up`](Self::up).
    pub fn down(&self, reason: &str) {
        self.handle.vtable.down()(self.handle.context, RStr::from_str(reason));
    }

    /// A datagram has come in. `reply` is the subject at which its sender waits for an answer.
    pub fn deliver(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Delivered {
        let reply = reply.map(RStr::from_str).into();
        let deliver = self.handle.vtable.deliver();
        let (subject, data) = (RStr::from_str(subject), RSlice::from_slice(data));
        match deliver(self.handle.context, subject, reply, data) {
            delivered::FULL => Delivered::Full,
            _ => Delivered::Taken,
        }
    }

    /// Waits until [`deliver`](Self::deliver) is taken again; false when there was no room in time, or
    /// the bus is being stopped.
    pub fn wait_for_room(&self, timeout: Duration) -> bool {
        self.handle.vtable.wait_for_room()(self.handle.context, nanos(timeout))
    }

    /// So many datagrams that had come in for the node were thrown away since the last call, by the module or, as it
    /// has said, by the engine. They are counted and shown; the host asks for what it misses.
    pub fn dropped(&self, count: u64) {
        self.handle.vtable.dropped()(self.handle.context, count);
    }

    /// The engine has every datagram up to this number of [`Publish`](crate::Publish), so that
    /// losing the connection does not lose them. A module whose engine never says so calls it when
    /// they were written to the connection: what a cut then loses, receivers ask for.
    pub fn confirmed(&self, number: u64) {
        self.handle.vtable.confirmed()(self.handle.context, number);
    }

    /// How much may be accepted and not [confirmed](Self::confirmed) until the host waits for that. A module that has to ask
    /// its engine before it can confirm need not do so for each datagram: it has time as long as what is unconfirmed is a small
    /// part of this. It stays so for as long as [`run`](crate::Bus::run) runs.
    pub fn window(&self) -> Window {
        let WindowParts { messages, bytes } = self.handle.vtable.window()(self.handle.context);
        Window { messages, bytes }
    }

    /// The engine has said that nobody was subscribed to this subject when a datagram with a reply
    /// was published to it.
    pub fn nobody(&self, subject: &str) {
        self.handle.vtable.nobody()(self.handle.context, RStr::from_str(subject));
    }

    /// The engine does not let this node publish to a subject, or subscribe to a pattern, for this
    /// reason. It is shown to people: an engine whose permissions are too narrow looks like one that
    /// loses things otherwise.
    ///
    /// The module says it each time that the engine does, and takes it back with an empty reason when
    /// it learns that it is so no longer. The host logs what is new and counts the rest; what it has
    /// not heard again for seven minutes, or since the connection was lost, it forgets. So on a
    /// connection that stands the module asks again for what it may not subscribe to, every half a
    /// minute or so: permissions may change meanwhile. What may not be published shows again when the
    /// host publishes it the next time.
    pub fn refused(&self, subject: &str, reason: &str) {
        let (subject, reason) = (RStr::from_str(subject), RStr::from_str(reason));
        self.handle.vtable.refused()(self.handle.context, subject, reason);
    }

    /// How long the engine has taken to answer last, if the module measures that.
    pub fn round_trip(&self, time: Duration) {
        self.handle.vtable.round_trip()(self.handle.context, nanos(time));
    }

    /// The folder for the bus's own files. It belongs to this bus of this node alone, for good, and
    /// to the daemon's user (mode 0700). It is there when this returns; `transportStorage` of the node
    /// says where.
    ///
    /// # Errors
    /// The folder cannot be made or is not safe.
    pub fn state_dir(&self) -> Result<PathBuf, Error> {
        given::folder(self.handle.vtable.state_dir()(self.handle.context))
    }

    /// Says what the bus is about, in a few words, for `kozo status` and `kozo why`: `looking for a
    /// server`. It stays until the next one; an empty text takes it back. The host shows one line of
    /// at most 200 characters, and does not log it.
    pub fn set_status(&self, text: &str) {
        self.handle.vtable.set_status()(self.handle.context, RStr::from_str(text));
    }

    /// Stands for what a next minor version offers; none when the host is older than that.
    #[cfg(feature = "next-minor-fixture")]
    pub fn next_minor(&self) -> Option<u64> {
        let next_minor = self.handle.vtable.next_minor()?;
        Some(next_minor(self.handle.context))
    }

    log_methods!();
}

impl fmt::Debug for BusHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusHost({}@{})", self.name(), self.node())
    }
}

/// What an engine, as it is connected now, can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many bytes a datagram may have at most.
    pub max_datagram: usize,
    /// Whether patterns with `*` and `>` may be subscribed to. True unless it is changed.
    pub wildcards: bool,
    /// Whether [`BusHost::nobody`] is told when there is no subscriber for a request. False unless it
    /// is changed.
    pub no_responders: bool,
    /// Whether [`Bus::publish`](crate::Bus::publish) may be called in the threads of roles. False unless it is changed.
    pub publish_from_roles: bool,
    /// Which server it is, for people to read: `nats2.example.org:4222`.
    pub server: String,
}

impl Limits {
    /// Those of an engine that takes datagrams of so many bytes, of the server `server`.
    pub fn new(max_datagram: usize, server: impl Into<String>) -> Self {
        Self {
            max_datagram,
            wildcards: true,
            no_responders: false,
            publish_from_roles: false,
            server: server.into(),
        }
    }

    /// Whether patterns with `*` and `>` may be subscribed to.
    pub fn wildcards(mut self, wildcards: bool) -> Self {
        self.wildcards = wildcards;
        self
    }

    /// Whether [`BusHost::nobody`] is told.
    pub fn no_responders(mut self, no_responders: bool) -> Self {
        self.no_responders = no_responders;
        self
    }

    /// Whether [`Bus::publish`](crate::Bus::publish) may be called in the threads of roles: what a role sends while nothing
    /// else is under way is then published without a change of threads. Still one thread calls at a time.
    ///
    /// It is for modules that are sure to come back at once, having written to a socket that does not block, say, or left
    /// the datagram to a thread of their own. While a call does not come back, a role stands still as well; so the host does
    /// it no more, for as long as it runs, after one call that took too long.
    pub fn publish_from_roles(mut self, from_roles: bool) -> Self {
        self.publish_from_roles = from_roles;
        self
    }
}

/// How much of what a bus has accepted may be unconfirmed. Both are zero where others than the node wait for
/// it: then the sooner, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// How many messages, of which a datagram holds one at least.
    pub messages: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What has become of a datagram that a bus handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The host has it.
    Taken,
    /// The host has no room and has not taken it. The module either keeps it, reads no more from the
    /// engine and tries again ([`BusHost::wait_for_room`]), or throws it away and says so
    /// ([`BusHost::dropped`]).
    Full,
}
