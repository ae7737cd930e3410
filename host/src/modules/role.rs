//! A loaded role module, and the host as its roles see it.

#![allow(unsafe_code)] // The host's side of `context`; each block has its reason.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use kozo_abi::ffi::{
    InboxParts, MessageSink, MessageView, OutgoingView, PaceParts, RoleHostHandle, RoleHostVtable,
    RoleHostVtableRef, RoleModuleRef, RoleParts, received,
};
use kozo_abi::{InboxLimits, Level, Pace, Version};

use super::host_call::{MODULE_LOG, duration, guarded, level_from_number};
use crate::interest::Kind;
use crate::names::ModuleName;

/// What the host does for a role. It is called from any thread of the role's, several at once,
/// and may block where it says so. A panic in it is logged and the role gets a failure.
pub trait RoleServices: Send + Sync + 'static {
    /// The name of this node. Asked once, before the role is made.
    fn node(&self) -> &str;

    /// The name of the role. Asked once, before the role is made.
    fn name(&self) -> &str;

    /// Waits for a message, at most so long (none: the host's own limit), and calls `take` with
    /// it, once, before it returns.
    fn receive(&self, wait: Option<Duration>, take: &mut dyn FnMut(&MessageView<'_>)) -> Received;

    /// Sends a message. With `wait` above zero it waits, that long at most, until every node that
    /// wants the message has room; false: there was none in time, and nothing was sent.
    ///
    /// # Errors
    /// Why the message can never be sent.
    fn send(&self, message: Outgoing<'_>, wait: Duration) -> Result<bool, String>;

    /// Sleeps; false when that was cut short because the role shall return from `run`.
    fn sleep(&self, time: Duration) -> bool;

    /// Whether the role is being stopped.
    fn stopping(&self) -> bool;

    /// A line of the role's for the host's own log.
    fn log(&self, level: Level, text: &str);

    /// What the role stored last: one MessagePack value; none when it never did.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn load(&self) -> Result<Option<Vec<u8>>, String>;

    /// Stores one MessagePack value in place of the last, wholly or not at all.
    ///
    /// # Errors
    /// Why it cannot be stored.
    fn store(&self, value: &[u8]) -> Result<(), String>;
}

/// How [`RoleServices::receive`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// `take` was called with a message.
    Message,
    /// The time is up.
    Timeout,
    /// The role shall return from `run`.
    Interrupted,
}

/// A message that a role sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Event, order or log.
    pub kind: Kind,
    /// Its type; empty for a log.
    pub type_name: &'a str,
    /// Its channel.
    pub channel: Option<&'a str>,
    /// Its data: one MessagePack value, as far as the role keeps its word.
    pub data: &'a [u8],
}

/// A role module that is loaded, for good.
pub struct RoleModule {
    name: ModuleName,
    abi: Version,
    root: RoleModuleRef,
}

impl RoleModule {
    /// Made by the loader, from a root module whose layout was checked.
    pub(super) fn new(name: &ModuleName, abi: Version, root: RoleModuleRef) -> Self {
        root.attach()(MODULE_LOG, RStr::from_str(name.as_str()));
        Self {
            name: name.clone(),
            abi,
            root,
        }
    }

    /// Made of tables in this program: so tests elsewhere write roles as plain Rust. It is not
    /// attached: the program's panics stay its own.
    #[cfg(test)]
    pub(crate) fn for_tests(name: &ModuleName, root: RoleModuleRef) -> Self {
        Self {
            name: name.clone(),
            abi: kozo_abi::VERSION,
            root,
        }
    }

    /// The module's name.
    pub fn name(&self) -> &ModuleName {
        &self.name
    }

    /// The version of the interface that it was built with.
    pub fn abi(&self) -> Version {
        self.abi
    }

    /// Makes a role. `options` is a MessagePack map of all its options, defaults filled in.
    ///
    /// # Errors
    /// What the role says, or what its panic said.
    pub fn create(
        &self,
        services: Arc<dyn RoleServices>,
        options: &[u8],
    ) -> Result<RoleInstance, String> {
        let handle = Context::handle(Arc::clone(&services));
        let created = self.root.create()(handle, RSlice::from_slice(options));
        let parts = created.into_result().map_err(String::from)?;
        Ok(RoleInstance { parts, services })
    }
}

impl fmt::Debug for RoleModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleModule({}, interface {})", self.name, self.abi)
    }
}

/// One role. Every error is what the role says, or what its panic said; after a panic it should
/// be dropped, for its state may be half-changed.
pub struct RoleInstance {
    parts: RoleParts,
    services: Arc<dyn RoleServices>,
}

impl RoleInstance {
    /// Does the role's work once. Blocks for as long as the role does.
    ///
    /// # Errors
    /// What the role cannot go on from.
    pub fn run(&mut self) -> Result<(), String> {
        plain(self.parts.vtable.run()(self.parts.data))
    }

    /// When to call [`run`](Self::run) again.
    ///
    /// # Errors
    /// A panic's text.
    pub fn pace(&mut self) -> Result<Pace, String> {
        let PaceParts {
            interval_nanos,
            messages_interrupt,
        } = plain(self.parts.vtable.pace()(self.parts.data))?;
        Ok(match duration(interval_nanos) {
            None => Pace::AtOnce,
            Some(interval) if messages_interrupt => Pace::EveryOrMessage(interval),
            Some(interval) => Pace::Every(interval),
        })
    }

    /// The inbox limits that the role wants, given those of the configuration.
    ///
    /// # Errors
    /// A panic's text.
    pub fn inbox(&mut self, configured: InboxLimits) -> Result<InboxLimits, String> {
        let InboxLimits { length, size } = configured;
        let wanted = self.parts.vtable.inbox()(self.parts.data, InboxParts { length, size });
        let InboxParts { length, size } = plain(wanted)?;
        Ok(InboxLimits { length, size })
    }

    /// Opens files again that somebody may have moved.
    ///
    /// # Errors
    /// What the role cannot go on from.
    pub fn reopen(&mut self) -> Result<(), String> {
        plain(self.parts.vtable.reopen()(self.parts.data))
    }

    /// The last call before it is dropped: writes out what is still in memory.
    ///
    /// # Errors
    /// What could not be done.
    pub fn stop(&mut self) -> Result<(), String> {
        plain(self.parts.vtable.stop()(self.parts.data))
    }
}

impl Drop for RoleInstance {
    fn drop(&mut self) {
        if let Err(error) = plain(self.parts.vtable.drop()(self.parts.data)) {
            let services = Arc::clone(&self.services);
            let text = format!("while the role was dropped: {error}");
            guarded("log", || (), || services.log(Level::Error, &text));
        }
    }
}

impl fmt::Debug for RoleInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoleInstance")
    }
}

pub(super) fn plain<T>(result: RResult<T, RString>) -> Result<T, String> {
    result.into_result().map_err(String::from)
}

/// What `context` points to. The names are kept here, so that they stay where they are for as
/// long as the module may hold on to them.
struct Context {
    node: Box<str>,
    name: Box<str>,
    services: Arc<dyn RoleServices>,
}

const VTABLE: &WithMetadata<RoleHostVtable> = &WithMetadata::new(RoleHostVtable {
    retain: Context::retain,
    release: Context::release,
    node: Context::node,
    name: Context::name,
    receive: Context::receive,
    send: Context::send,
    sleep: Context::sleep,
    stopping: Context::stopping,
    log: Context::log,
    load: Context::load,
    store: Context::store,
    #[cfg(feature = "next-minor-fixture")]
    next_minor: Context::next_minor,
});

impl Context {
    fn handle(services: Arc<dyn RoleServices>) -> RoleHostHandle {
        let context = Arc::new(Self {
            node: services.node().into(),
            name: services.name().into(),
            services,
        });
        RoleHostHandle {
            context: Arc::into_raw(context).cast(),
            vtable: RoleHostVtableRef(VTABLE.static_as_prefix()),
        }
    }

    /// The context behind the pointer.
    ///
    /// # Safety
    /// `context` comes from [`handle`](Self::handle), and one of its owners lives for `'a`.
    unsafe fn at<'a>(context: *const ()) -> &'a Self {
        // SAFETY: `handle` made it from an `Arc<Self>`; the caller owns a part of it.
        unsafe { &*context.cast::<Self>() }
    }

    /// Calls a service for a module.
    fn call<T>(
        context: *const (),
        what: &str,
        fallback: impl FnOnce() -> T,
        service: impl FnOnce(&dyn RoleServices) -> T,
    ) -> T {
        // SAFETY: a module calls the host's functions with the context of a handle that it owns.
        let context = unsafe { Self::at(context) };
        guarded(what, fallback, || service(context.services.as_ref()))
    }

    extern "C" fn retain(context: *const ()) {
        // SAFETY: as in `call`; the count goes up for the new owner.
        unsafe { Arc::increment_strong_count(context.cast::<Self>()) };
    }

    extern "C" fn release(context: *const ()) {
        guarded(
            "release",
            || (),
            || {
                // SAFETY: the owner that calls this gives its part up.
                drop(unsafe { Arc::from_raw(context.cast::<Self>()) });
            },
        );
    }

    extern "C" fn node(context: *const ()) -> RStr<'static> {
        // SAFETY: as in `call`; the interface says that the name lives as long as its owner.
        RStr::from_str(unsafe { &Self::at(context).node })
    }

    extern "C" fn name(context: *const ()) -> RStr<'static> {
        // SAFETY: as for `node`.
        RStr::from_str(unsafe { &Self::at(context).name })
    }

    extern "C" fn receive(
        context: *const (),
        wait: ROption<u64>,
        sink: *mut (),
        take: MessageSink,
    ) -> u8 {
        Self::call(
            context,
            "receive",
            || received::INTERRUPTED,
            |services| {
                let mut is_taken = false;
                let ended = services.receive(duration(wait), &mut |message| {
                    is_taken = true;
                    (take.take)(sink, message);
                });
                match ended {
                    Received::Message if is_taken => received::MESSAGE,
                    Received::Message | Received::Timeout => received::TIMEOUT,
                    Received::Interrupted => received::INTERRUPTED,
                }
            },
        )
    }

    extern "C" fn send(
        context: *const (),
        message: &OutgoingView<'_>,
        wait: u64,
    ) -> RResult<bool, RString> {
        Self::call(context, "send", host_failed, |services| {
            let Some(kind) = Kind::from_number(message.kind) else {
                let text = format!("this host knows no messages of kind {}", message.kind);
                return RResult::RErr(text.into());
            };
            let message = Outgoing {
                kind,
                type_name: message.type_name.as_str(),
                channel: message
                    .channel
                    .map(|channel| channel.as_str())
                    .into_option(),
                data: message.data.as_slice(),
            };
            services
                .send(message, Duration::from_nanos(wait))
                .map_err(RString::from)
                .into()
        })
    }

    extern "C" fn sleep(context: *const (), nanos: u64) -> bool {
        Self::call(
            context,
            "sleep",
            || false,
            |services| services.sleep(Duration::from_nanos(nanos)),
        )
    }

    extern "C" fn stopping(context: *const ()) -> bool {
        Self::call(context, "stopping", || true, |services| services.stopping())
    }

    extern "C" fn log(context: *const (), level: u8, text: RStr<'_>) {
        Self::call(
            context,
            "log",
            || (),
            |services| {
                services.log(level_from_number(level), text.as_str());
            },
        );
    }

    extern "C" fn load(context: *const ()) -> RResult<ROption<RVec<u8>>, RString> {
        Self::call(context, "load", host_failed, |services| {
            services
                .load()
                .map(|value| value.map(RVec::from).into())
                .map_err(RString::from)
                .into()
        })
    }

    extern "C" fn store(context: *const (), value: RSlice<'_, u8>) -> RResult<(), RString> {
        Self::call(context, "store", host_failed, |services| {
            services
                .store(value.as_slice())
                .map_err(RString::from)
                .into()
        })
    }

    #[cfg(feature = "next-minor-fixture")]
    extern "C" fn next_minor(_context: *const ()) -> u64 {
        1
    }
}

pub(super) fn host_failed<T>() -> RResult<T, RString> {
    RResult::RErr("the host failed; its log has more".into())
}
