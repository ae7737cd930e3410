//! What really crosses between host and module: C structures of function pointers, borrowed
//! slices, and file descriptors.
//!
//! Authors of modules need nothing of this; it is public for the host, which is the other end of
//! it. The rules that everything here keeps:
//!
//! - Tables of functions are *prefix types*: a later minor version adds fields at their end and
//!   nowhere else. Every other type is frozen; what may have to grow carries an `extra` field, a
//!   MessagePack map (empty: no bytes at all).
//! - A slice or string given to a function is borrowed for that call only.
//! - A panic never crosses. On the module's side [`crate::export`] catches it; the host's
//!   functions do not panic.
//! - Every `context` and `data` pointer may be used from several threads at once, unless the
//!   function's comment says otherwise.

#![allow(unsafe_code)] // The types' safe wrappers live here; each block has its reason.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};

/// The version of the interface, for the library header.
pub(crate) const VERSION_STRINGS: VersionStrings = VersionStrings {
    version: RStr::from_str(env!("CARGO_PKG_VERSION")),
};

/// An owned file descriptor: closed when dropped, by whichever side owns it then.
#[repr(transparent)]
#[derive(Debug, StableAbi)]
pub struct Descriptor(i32);

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into_raw_fd())
    }
}

impl From<Descriptor> for OwnedFd {
    fn from(descriptor: Descriptor) -> Self {
        let raw = descriptor.0;
        std::mem::forget(descriptor);
        // SAFETY: a `Descriptor` is only made from an `OwnedFd`, and was forgotten just now.
        unsafe { OwnedFd::from_raw_fd(raw) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: this owns the descriptor, and drops once.
        drop(unsafe { OwnedFd::from_raw_fd(self.0) });
    }
}

/// A message on its way to a role.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct MessageView<'a> {
    /// 0 event, 1 order, 2 log.
    pub kind: u8,
    /// The node at the other end of the link that it came over, or this node.
    pub sender_node: RStr<'a>,
    /// The role that sent it.
    pub sender_role: RStr<'a>,
    /// Its type, `tick` say; empty for a log.
    pub type_name: RStr<'a>,
    /// Its channel.
    pub channel: ROption<RStr<'a>>,
    /// When the sender's wall clock said it was sent: seconds since 1970.
    pub timestamp: f64,
    /// How long it was under way, in nanoseconds, as far as the two hosts could measure it.
    pub age_nanos: u64,
    /// In the wrong place: it breaks the layout. Only one of the tests' fixtures has it here.
    #[cfg(feature = "other-layout-fixture")]
    pub extra: RSlice<'a, u8>,
    /// Its data: one MessagePack value.
    pub data: RSlice<'a, u8>,
    /// Fields of later versions: a MessagePack map, or empty.
    #[cfg(not(feature = "other-layout-fixture"))]
    pub extra: RSlice<'a, u8>,
}

/// A message that a role sends.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct OutgoingView<'a> {
    /// 0 event, 1 order, 2 log.
    pub kind: u8,
    /// Its type; empty for a log.
    pub type_name: RStr<'a>,
    /// Its channel.
    pub channel: ROption<RStr<'a>>,
    /// Its data: one MessagePack value.
    pub data: RSlice<'a, u8>,
    /// Fields of later versions: a MessagePack map, or empty.
    pub extra: RSlice<'a, u8>,
}

/// The module's function that the host calls with a message.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct MessageSink {
    /// Gets the `sink` pointer that it was handed over with.
    pub take: extern "C" fn(sink: *mut (), message: &MessageView<'_>),
}

/// How a call to [`RoleHostVtable::receive`] ended.
pub mod received {
    /// `take` was called with a message.
    pub const MESSAGE: u8 = 0;
    /// The time is up.
    pub const TIMEOUT: u8 = 1;
    /// The role shall return from `run`: it is being stopped, or has something else to do.
    pub const INTERRUPTED: u8 = 2;
}

/// Levels of the host's log.
pub mod level {
    /// Something failed.
    pub const ERROR: u8 = 0;
    /// Something is odd.
    pub const WARN: u8 = 1;
    /// Something that a user wants to see.
    pub const INFO: u8 = 2;
    /// Something for whoever looks for a fault.
    pub const DEBUG: u8 = 3;
}

/// Why a call to [`TransportHostVtable::wait_readable`], or to a bus's, returned.
pub mod readiness {
    /// The descriptor is readable (or its other end is gone).
    pub const READY: u8 = 0;
    /// The time is up.
    pub const TIMEOUT: u8 = 1;
    /// The transport or bus is being stopped.
    pub const STOPPING: u8 = 2;
}

/// Makes a module's way to its host one owner of the host's `context`, counted by the functions of its table.
macro_rules! owner {
    ($handle:ident) => {
        // SAFETY: every function of the table may be called from any thread (the rules above).
        unsafe impl Send for $handle {}
        // SAFETY: as above.
        unsafe impl Sync for $handle {}

        impl Clone for $handle {
            fn clone(&self) -> Self {
                self.vtable.retain()(self.context);
                Self {
                    context: self.context,
                    vtable: self.vtable,
                }
            }
        }

        impl Drop for $handle {
            fn drop(&mut self) {
                self.vtable.release()(self.context);
            }
        }
    };
}

/// A table of functions, as a prefix type.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $name:ident, $reference:ident { $($body:tt)* }
    ) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = $reference)))]
        #[sabi(missing_field(panic))]
        pub struct $name { $($body)* }
    };
}

// After the macro, which it uses.
#[cfg(not(feature = "previous-minor-fixture"))]
mod bus;
#[cfg(not(feature = "previous-minor-fixture"))]
pub use bus::{
    BusHostHandle, BusHostVtable, BusHostVtableRef, BusModule, BusModuleRef, BusParts, BusVtable,
    BusVtableRef, LimitsView, PublishParts, WindowParts, delivered, published,
};

table! {
    /// What the host does for a role.
    RoleHostVtable, RoleHostVtableRef {
        /// One more owner of `context`.
        pub retain: extern "C" fn(context: *const ()),
        /// One owner less; the last one frees it.
        pub release: extern "C" fn(context: *const ()),
        /// The node's name. Borrowed as long as `context` is owned.
        pub node: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// The role's name. Borrowed as long as `context` is owned.
        pub name: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// Waits for a message, at most `wait` nanoseconds (none: the host's own limit), and calls
        /// `take(sink, message)` with it. The result is one of [`received`].
        pub receive: extern "C" fn(
            context: *const (),
            wait: ROption<u64>,
            sink: *mut (),
            take: MessageSink,
        ) -> u8,
        /// Sends a message. With `wait` above 0 it waits so many nanoseconds at most until every
        /// node that wants the message has room; false: there was none in time, and nothing was
        /// sent. An error says why the message can never be sent.
        pub send: extern "C" fn(
            context: *const (),
            message: &OutgoingView<'_>,
            wait: u64,
        ) -> RResult<bool, RString>,
        /// Sleeps for so many nanoseconds; false when the role is being stopped.
        pub sleep: extern "C" fn(context: *const (), nanos: u64) -> bool,
        /// Whether the role is being stopped.
        pub stopping: extern "C" fn(context: *const ()) -> bool,
        /// A line for the host's own log, with one of [`level`].
        pub log: extern "C" fn(context: *const (), level: u8, text: RStr<'_>),
        /// Reads what the role stored last: one MessagePack value.
        pub load: extern "C" fn(context: *const ()) -> RResult<ROption<RVec<u8>>, RString>,
        /// Stores one MessagePack value in place of the last.
        #[sabi(last_prefix_field)]
        pub store: extern "C" fn(context: *const (), value: RSlice<'_, u8>) -> RResult<(), RString>,
        /// Since 1.1. Asks about the node, or for something of it: one MessagePack value each way, the question
        /// a map with the text `request`. The host may wait for the answer, so many nanoseconds at most. An
        /// error says for people why there is none.
        #[cfg(not(feature = "previous-minor-fixture"))]
        #[sabi(missing_field(option))]
        pub ask: extern "C" fn(
            context: *const (),
            question: RSlice<'_, u8>,
            wait: u64,
        ) -> RResult<RVec<u8>, RString>,
        /// Since 1.1. What the role is about at present, for people.
        #[cfg(not(feature = "previous-minor-fixture"))]
        #[sabi(missing_field(option))]
        pub set_status: extern "C" fn(context: *const (), text: RStr<'_>),
        /// Since 1.1. Waits as `receive` does, and calls `take(sink, message)` with each message that waits
        /// then, the oldest first, `most` at most; the host may stop earlier.
        #[cfg(not(feature = "previous-minor-fixture"))]
        #[sabi(missing_field(option))]
        pub receive_many: extern "C" fn(
            context: *const (),
            wait: ROption<u64>,
            most: u64,
            sink: *mut (),
            take: MessageSink,
        ) -> u8,
        /// Since 1.1. Sends messages in order, each as `send` does, all of them within `wait`. The result is how
        /// many were sent, the first ones: fewer than there are when there was no room in time for the next one.
        /// An error says why one of them can never be sent; none was then.
        #[cfg(not(feature = "previous-minor-fixture"))]
        #[sabi(missing_field(option))]
        pub send_many: extern "C" fn(
            context: *const (),
            messages: RSlice<'_, OutgoingView<'_>>,
            wait: u64,
        ) -> RResult<u64, RString>,
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn(context: *const ()) -> u64,
    }
}

/// A role's way to its host: one owner of `context`.
#[repr(C)]
#[derive(StableAbi)]
pub struct RoleHostHandle {
    /// The host's own data.
    pub context: *const (),
    /// Its functions.
    pub vtable: RoleHostVtableRef,
}

owner!(RoleHostHandle);

/// How often the host calls a role's `run`.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceParts {
    /// The least time between two starts of `run`, in nanoseconds; none: at once.
    pub interval_nanos: ROption<u64>,
    /// Whether a waiting message ends the wait.
    pub messages_interrupt: bool,
}

/// The limits of a role's inbox.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxParts {
    /// In messages.
    pub length: u64,
    /// In bytes.
    pub size: u64,
}

table! {
    /// The functions of one role. None is called while another one runs, but from different
    /// threads perhaps.
    RoleVtable, RoleVtableRef {
        /// Does the role's work once. An error is its text for the log.
        pub run: extern "C" fn(data: *mut ()) -> RResult<(), RString>,
        /// When to call `run` again.
        pub pace: extern "C" fn(data: *mut ()) -> RResult<PaceParts, RString>,
        /// The inbox limits that the role wants, given those of the configuration.
        pub inbox: extern "C" fn(data: *mut (), configured: InboxParts) -> RResult<InboxParts, RString>,
        /// Files that the role has open may have been moved: open them again.
        pub reopen: extern "C" fn(data: *mut ()) -> RResult<(), RString>,
        /// The last call but `drop`: flush.
        pub stop: extern "C" fn(data: *mut ()) -> RResult<(), RString>,
        /// Frees the role. An error is a panic's text.
        #[sabi(last_prefix_field)]
        pub drop: extern "C" fn(data: *mut ()) -> RResult<(), RString>,
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn(data: *mut ()) -> u64,
    }
}

/// A role that a module made.
#[repr(C)]
#[derive(StableAbi)]
pub struct RoleParts {
    /// The module's own data.
    pub data: *mut (),
    /// Its functions.
    pub vtable: RoleVtableRef,
}

// SAFETY: the module only makes one from a `Role`, which is `Send`.
unsafe impl Send for RoleParts {}

/// Gives a line that belongs to no role, transport or bus, from a thread of the module's own, to the
/// host's log.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct ModuleLog {
    /// Gets the module's name, one of [`level`], and the line.
    pub log: extern "C" fn(module: RStr<'_>, level: u8, text: RStr<'_>),
}

table! {
    /// What a role's shared object exports.
    RoleModule, RoleModuleRef {
        /// Called once, before anything else: where lines of the module's own threads go, and
        /// under which name.
        pub attach: extern "C" fn(log: ModuleLog, name: RStr<'_>),
        /// Makes a role from its options, a MessagePack map with all defaults filled in.
        #[sabi(last_prefix_field)]
        pub create: extern "C" fn(
            host: RoleHostHandle,
            options: RSlice<'_, u8>,
        ) -> RResult<RoleParts, RString>,
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn() -> u64,
    }
}

impl RootModule for RoleModuleRef {
    abi_stable::declare_root_module_statics! {RoleModuleRef}
    const BASE_NAME: &'static str = "kozo_role";
    const NAME: &'static str = "kozo_role";
    const VERSION_STRINGS: VersionStrings = VERSION_STRINGS;
}

table! {
    /// What the host does for a transport.
    TransportHostVtable, TransportHostVtableRef {
        /// One more owner of `context`.
        pub retain: extern "C" fn(context: *const ()),
        /// One owner less; the last one frees it.
        pub release: extern "C" fn(context: *const ()),
        /// The name of the node that the transport belongs to.
        pub node: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// The transport's name.
        pub name: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// The name of the transport's own module.
        pub module: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// Whether that node is the one that runs.
        pub local: extern "C" fn(context: *const ()) -> bool,
        /// Whether the transport is being stopped.
        pub stopping: extern "C" fn(context: *const ()) -> bool,
        /// Waits until `fd` is readable, at most `wait` nanoseconds (none: for ever). The result
        /// is one of [`readiness`].
        pub wait_readable: extern "C" fn(
            context: *const (),
            fd: i32,
            wait: ROption<u64>,
        ) -> RResult<u8, RString>,
        /// A line for the host's own log, with one of [`level`].
        pub log: extern "C" fn(context: *const (), level: u8, text: RStr<'_>),
        /// Signs `data` with the key of the node that runs, for the transport's module alone.
        pub sign: extern "C" fn(
            context: *const (),
            data: RSlice<'_, u8>,
        ) -> RResult<RVec<u8>, RString>,
        /// Checks such a signature of another node; an error is why it proves nothing.
        pub verify: extern "C" fn(
            context: *const (),
            node: RStr<'_>,
            data: RSlice<'_, u8>,
            signature: RSlice<'_, u8>,
        ) -> RResult<(), RString>,
        /// The folder that the transport keeps its own files in, as the bytes of its path; it is
        /// there when this returns. An error is why there is none.
        pub state_dir: extern "C" fn(context: *const ()) -> RResult<RVec<u8>, RString>,
        /// What the transport is about at present, for people; empty: nothing that they need to
        /// know.
        #[sabi(last_prefix_field)]
        pub set_status: extern "C" fn(context: *const (), text: RStr<'_>),
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn(context: *const ()) -> u64,
    }
}

/// A transport's way to its host: one owner of `context`.
#[repr(C)]
#[derive(StableAbi)]
pub struct TransportHostHandle {
    /// The host's own data.
    pub context: *const (),
    /// Its functions.
    pub vtable: TransportHostVtableRef,
}

owner!(TransportHostHandle);

/// Another node's transport.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct PeerView<'a> {
    /// The node's name.
    pub node: RStr<'a>,
    /// The transport's name on that node.
    pub name: RStr<'a>,
    /// The name of its module.
    pub module: RStr<'a>,
    /// Its options: a MessagePack map with all defaults filled in.
    pub options: RSlice<'a, u8>,
}

/// A connection that a transport made or accepted.
#[repr(C)]
#[derive(StableAbi)]
pub struct ConnectionParts {
    /// A connected stream socket.
    pub stream: Descriptor,
    /// The other end's address, for people to read.
    pub address: RString,
    /// The node at the other end, when the transport has authenticated it and encrypts by itself.
    pub authenticated: ROption<RString>,
}

table! {
    /// The functions of one transport. `addresses`, `connect`, `can_connect` and `accept` are
    /// called at the same time from several threads.
    TransportVtable, TransportVtableRef {
        /// The transport is on the node that runs.
        pub local_init: extern "C" fn(data: *const ()) -> RResult<(), RString>,
        /// Starts to listen.
        pub bind: extern "C" fn(data: *const ()) -> RResult<(), RString>,
        /// Waits for a connection; none when the transport is being stopped.
        pub accept: extern "C" fn(data: *const ()) -> RResult<ROption<ConnectionParts>, RString>,
        /// The addresses at which `peer` may be reached, best first.
        pub addresses: extern "C" fn(
            data: *const (),
            peer: &PeerView<'_>,
        ) -> RResult<RVec<RString>, RString>,
        /// Connects to one of them within so many nanoseconds.
        pub connect: extern "C" fn(
            data: *const (),
            peer: &PeerView<'_>,
            address: RStr<'_>,
            timeout: u64,
        ) -> RResult<ConnectionParts, RString>,
        /// From 0 (worst) to 4 (best).
        pub priority: extern "C" fn(data: *const ()) -> RResult<u8, RString>,
        /// Whether it takes connections.
        pub can_accept: extern "C" fn(data: *const ()) -> RResult<bool, RString>,
        /// Whether it can reach `peer`.
        pub can_connect: extern "C" fn(data: *const (), peer: &PeerView<'_>) -> RResult<bool, RString>,
        /// Ends every call that still waits.
        pub stop: extern "C" fn(data: *const ()) -> RResult<(), RString>,
        /// Frees the transport; nothing else runs then.
        #[sabi(last_prefix_field)]
        pub drop: extern "C" fn(data: *const ()) -> RResult<(), RString>,
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn(data: *const ()) -> u64,
    }
}

/// A transport that a module made.
#[repr(C)]
#[derive(StableAbi)]
pub struct TransportParts {
    /// The module's own data.
    pub data: *const (),
    /// Its functions.
    pub vtable: TransportVtableRef,
}

// SAFETY: the module only makes one from a `Transport`, which is `Send` and `Sync`.
unsafe impl Send for TransportParts {}
// SAFETY: as above.
unsafe impl Sync for TransportParts {}

table! {
    /// What a transport's shared object exports.
    TransportModule, TransportModuleRef {
        /// Called once, before anything else: where lines of the module's own threads go, and
        /// under which name.
        pub attach: extern "C" fn(log: ModuleLog, name: RStr<'_>),
        /// Makes a transport from its options, a MessagePack map with all defaults filled in.
        /// Called for every node of the network: no networking happens here.
        pub create: extern "C" fn(
            host: TransportHostHandle,
            options: RSlice<'_, u8>,
        ) -> RResult<TransportParts, RString>,
        /// The address that a transport with such options makes up by itself, if it does; asked
        /// without making one, for the file of a node that has not run yet.
        #[sabi(last_prefix_field)]
        pub own_address: extern "C" fn(
            host: TransportHostHandle,
            options: RSlice<'_, u8>,
        ) -> RResult<ROption<RString>, RString>,
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn() -> u64,
    }
}

impl RootModule for TransportModuleRef {
    abi_stable::declare_root_module_statics! {TransportModuleRef}
    const BASE_NAME: &'static str = "kozo_transport";
    const NAME: &'static str = "kozo_transport";
    const VERSION_STRINGS: VersionStrings = VERSION_STRINGS;
}

/// A duration for the interface: 584 years are enough for anybody.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
