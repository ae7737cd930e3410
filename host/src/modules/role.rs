//! A loaded role module, and what the host does for its roles.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::std_types::{RResult, RSlice, RStr, RString};
use kozo_abi::ffi::{InboxParts, MessageView, PaceParts, RoleModuleRef, RoleParts};
use kozo_abi::{InboxLimits, Level, Pace, Version};
use kozo_ground::interest::Kind;
use kozo_ground::names::ModuleName;

use super::host_call::{MODULE_LOG, duration, guarded};
use super::inside::{Inside, label};
use super::role_host;

/// What the host does for a role. It is called from any thread of the role's, several at once,
/// and may block where it says so. A panic in it is logged and the role gets a failure.
pub trait RoleServices: Send + Sync + 'static {
    /// The name of this node.
    fn node(&self) -> &str;

    /// The name of the role.
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
        let handle = role_host::handle(Arc::clone(&services));
        let label = label(services.name(), self.name.as_str());
        let created = {
            let _inside = Inside::of(label);
            self.root.create()(handle, RSlice::from_slice(options))
        };
        let parts = created.into_result().map_err(String::from)?;
        Ok(RoleInstance {
            parts,
            services,
            label,
        })
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
    /// How messages name it.
    label: &'static str,
}

impl RoleInstance {
    /// Does the role's work once. Blocks for as long as the role does.
    ///
    /// # Errors
    /// What the role cannot go on from.
    pub fn run(&mut self) -> Result<(), String> {
        let _inside = Inside::of(self.label);
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
        } = {
            let _inside = Inside::of(self.label);
            plain(self.parts.vtable.pace()(self.parts.data))?
        };
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
        let _inside = Inside::of(self.label);
        let wanted = self.parts.vtable.inbox()(self.parts.data, InboxParts { length, size });
        let InboxParts { length, size } = plain(wanted)?;
        Ok(InboxLimits { length, size })
    }

    /// Opens files again that somebody may have moved.
    ///
    /// # Errors
    /// What the role cannot go on from.
    pub fn reopen(&mut self) -> Result<(), String> {
        let _inside = Inside::of(self.label);
        plain(self.parts.vtable.reopen()(self.parts.data))
    }

    /// The last call before it is dropped: writes out what is still in memory.
    ///
    /// # Errors
    /// What could not be done.
    pub fn stop(&mut self) -> Result<(), String> {
        let _inside = Inside::of(self.label);
        plain(self.parts.vtable.stop()(self.parts.data))
    }
}

impl Drop for RoleInstance {
    fn drop(&mut self) {
        let _inside = Inside::of(self.label);
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
