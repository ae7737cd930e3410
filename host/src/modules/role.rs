//! A loaded role module, and its roles.

use std::fmt;
use std::sync::Arc;

use abi_stable::std_types::{RSlice, RStr};
use kozo_abi::ffi::{InboxParts, PaceParts, RoleModuleRef, RoleParts};
use kozo_abi::{InboxLimits, Level, Pace, Version};
use kozo_ground::names::ModuleName;

use super::call_error::{CallError, called};
use super::host_call::{MODULE_LOG, duration, guarded};
use super::inside::{Inside, label};
use super::role_host;
use super::role_services::RoleServices;

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
    ) -> Result<RoleInstance, CallError> {
        let handle = role_host::handle(Arc::clone(&services));
        let label = label(services.name(), self.name.as_str());
        let created = {
            let _inside = Inside::of(label);
            self.root.create()(handle, RSlice::from_slice(options))
        };
        let parts = called(created)?;
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
    pub fn run(&mut self) -> Result<(), CallError> {
        let _inside = Inside::of(self.label);
        called(self.parts.vtable.run()(self.parts.data))
    }

    /// When to call [`run`](Self::run) again.
    ///
    /// # Errors
    /// A panic's text.
    pub fn pace(&mut self) -> Result<Pace, CallError> {
        let PaceParts {
            interval_nanos,
            messages_interrupt,
        } = {
            let _inside = Inside::of(self.label);
            called(self.parts.vtable.pace()(self.parts.data))?
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
    pub fn inbox(&mut self, configured: InboxLimits) -> Result<InboxLimits, CallError> {
        let InboxLimits { length, size } = configured;
        let _inside = Inside::of(self.label);
        let wanted = self.parts.vtable.inbox()(self.parts.data, InboxParts { length, size });
        let InboxParts { length, size } = called(wanted)?;
        Ok(InboxLimits { length, size })
    }

    /// Opens files again that somebody may have moved.
    ///
    /// # Errors
    /// What the role cannot go on from.
    pub fn reopen(&mut self) -> Result<(), CallError> {
        let _inside = Inside::of(self.label);
        called(self.parts.vtable.reopen()(self.parts.data))
    }

    /// The last call before it is dropped: writes out what is still in memory.
    ///
    /// # Errors
    /// What could not be done.
    pub fn stop(&mut self) -> Result<(), CallError> {
        let _inside = Inside::of(self.label);
        called(self.parts.vtable.stop()(self.parts.data))
    }
}

impl Drop for RoleInstance {
    fn drop(&mut self) {
        let _inside = Inside::of(self.label);
        if let Err(error) = called(self.parts.vtable.drop()(self.parts.data)) {
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
