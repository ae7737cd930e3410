//! What crosses between the host and a bus. All of it is new with 1.1.

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};

use super::{ModuleLog, VERSION_STRINGS};

/// What has become of a datagram that was given to [`BusVtable::publish`].
pub mod published {
    /// It will be sent.
    pub const ACCEPTED: u8 = 0;
    /// There is no room.
    pub const FULL: u8 = 1;
    /// The bus is not connected.
    pub const DOWN: u8 = 2;
}

/// What has become of a datagram that was given to [`BusHostVtable::deliver`].
pub mod delivered {
    /// The host has it.
    pub const TAKEN: u8 = 0;
    /// There is no room.
    pub const FULL: u8 = 1;
}

/// What a bus makes of a datagram that it was given.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishParts {
    /// One of [`published`]. Of a later version's further ones: it was not taken.
    pub outcome: u8,
    /// Its number, if it was accepted.
    pub number: u64,
}

/// How much of what it has accepted a bus may leave unconfirmed.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowParts {
    /// How many messages.
    pub messages: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What an engine can do.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct LimitsView<'a> {
    /// The size of the largest datagram, in bytes.
    pub max_datagram: u64,
    /// Whether patterns with `*` and `>` may be subscribed to.
    pub wildcards: bool,
    /// Whether [`BusHostVtable::nobody`] is called.
    pub no_responders: bool,
    /// Whether [`BusVtable::publish`] may be called in the threads of roles.
    pub publish_from_roles: bool,
    /// Which server it is, for people.
    pub server: RStr<'a>,
    /// Fields of later versions: a MessagePack map, or empty.
    pub extra: RSlice<'a, u8>,
}

table! {
    /// What the host does for a bus.
    BusHostVtable, BusHostVtableRef {
        /// One more owner of `context`.
        pub retain: extern "C" fn(context: *const ()),
        /// One owner less; the last one frees it.
        pub release: extern "C" fn(context: *const ()),
        /// The name of the node that the bus belongs to. Borrowed as long as `context` is owned.
        pub node: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// The bus's name, likewise.
        pub name: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// The name of the bus's own module, likewise.
        pub module: extern "C" fn(context: *const ()) -> RStr<'static>,
        /// Whether the bus is being stopped.
        pub stopping: extern "C" fn(context: *const ()) -> bool,
        /// Waits until `fd` is readable, at most `wait` nanoseconds (none: for ever). The result
        /// is one of [`readiness`](super::readiness).
        pub wait_readable: extern "C" fn(
            context: *const (),
            fd: i32,
            wait: ROption<u64>,
        ) -> RResult<u8, RString>,
        /// A line for the host's own log, with one of [`level`](super::level).
        pub log: extern "C" fn(context: *const (), level: u8, text: RStr<'_>),
        /// The engine is connected.
        pub up: extern "C" fn(context: *const (), limits: &LimitsView<'_>),
        /// The connection is gone.
        pub down: extern "C" fn(context: *const (), reason: RStr<'_>),
        /// A datagram has come in. The result is one of [`delivered`].
        pub deliver: extern "C" fn(
            context: *const (),
            subject: RStr<'_>,
            reply: ROption<RStr<'_>>,
            data: RSlice<'_, u8>,
        ) -> u8,
        /// Waits until there is room for a datagram, at most `wait` nanoseconds; false: there is
        /// none, or the bus is being stopped.
        pub wait_for_room: extern "C" fn(context: *const (), wait: u64) -> bool,
        /// So many datagrams for the node were thrown away on the way to the host.
        pub dropped: extern "C" fn(context: *const (), count: u64),
        /// The engine has all datagrams up to this number.
        pub confirmed: extern "C" fn(context: *const (), number: u64),
        /// How much may be accepted and not confirmed until the host waits.
        pub window: extern "C" fn(context: *const ()) -> WindowParts,
        /// Nobody was subscribed to this subject.
        pub nobody: extern "C" fn(context: *const (), subject: RStr<'_>),
        /// The engine refuses a subject or pattern.
        pub refused: extern "C" fn(context: *const (), subject: RStr<'_>, reason: RStr<'_>),
        /// How many nanoseconds the engine took to answer.
        pub round_trip: extern "C" fn(context: *const (), nanos: u64),
        /// The folder that the bus keeps its own files in, as the bytes of its path; it is there
        /// when this returns. An error is why there is none.
        pub state_dir: extern "C" fn(context: *const ()) -> RResult<RVec<u8>, RString>,
        /// What the bus is about at present, for people; empty: nothing that they need to know.
        #[sabi(last_prefix_field)]
        pub set_status: extern "C" fn(context: *const (), text: RStr<'_>),
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn(context: *const ()) -> u64,
    }
}

/// A bus's way to its host: one owner of `context`.
#[repr(C)]
#[derive(StableAbi)]
pub struct BusHostHandle {
    /// The host's own data.
    pub context: *const (),
    /// Its functions.
    pub vtable: BusHostVtableRef,
}

owner!(BusHostHandle);

table! {
    /// The functions of one bus. All but `drop` are called while `run` runs in a thread of its own;
    /// `publish` and `subscribe` not at the same time as each other.
    BusVtable, BusVtableRef {
        /// Connects, and returns when the connection is lost or the bus is being stopped.
        pub run: extern "C" fn(data: *const ()) -> RResult<(), RString>,
        /// Takes a datagram without waiting. An error is a panic's text.
        pub publish: extern "C" fn(
            data: *const (),
            subject: RStr<'_>,
            reply: ROption<RStr<'_>>,
            bytes: RSlice<'_, u8>,
        ) -> RResult<PublishParts, RString>,
        /// A pattern is wanted, or no longer. An error is a panic's text.
        pub subscribe: extern "C" fn(
            data: *const (),
            pattern: RStr<'_>,
            on: bool,
        ) -> RResult<(), RString>,
        /// Ends `run`. An error is a panic's text.
        pub stop: extern "C" fn(data: *const ()) -> RResult<(), RString>,
        /// Frees the bus; nothing else runs then.
        #[sabi(last_prefix_field)]
        pub drop: extern "C" fn(data: *const ()) -> RResult<(), RString>,
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn(data: *const ()) -> u64,
    }
}

/// A bus that a module made.
#[repr(C)]
#[derive(StableAbi)]
pub struct BusParts {
    /// The module's own data.
    pub data: *const (),
    /// Its functions.
    pub vtable: BusVtableRef,
}

// SAFETY: the module only makes one from a `Bus`, which is `Send` and `Sync`.
unsafe impl Send for BusParts {}
// SAFETY: as above.
unsafe impl Sync for BusParts {}

table! {
    /// What a bus's shared object exports.
    BusModule, BusModuleRef {
        /// Called once, before anything else: where lines of the module's own threads go, and
        /// under which name.
        pub attach: extern "C" fn(log: ModuleLog, name: RStr<'_>),
        /// Makes a bus from its options, a MessagePack map with all defaults filled in. No
        /// networking happens here.
        #[sabi(last_prefix_field)]
        pub create: extern "C" fn(
            host: BusHostHandle,
            options: RSlice<'_, u8>,
        ) -> RResult<BusParts, RString>,
        /// Stands for what a next minor version adds; only the tests' fixtures have it.
        #[cfg(feature = "next-minor-fixture")]
        #[sabi(missing_field(option))]
        pub next_minor: extern "C" fn() -> u64,
    }
}

impl RootModule for BusModuleRef {
    abi_stable::declare_root_module_statics! {BusModuleRef}
    const BASE_NAME: &'static str = "kozo_bus";
    const NAME: &'static str = "kozo_bus";
    const VERSION_STRINGS: VersionStrings = VERSION_STRINGS;
}
