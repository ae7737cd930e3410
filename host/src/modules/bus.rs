//! A loaded bus module, and its buses.

use std::fmt;
use std::sync::Arc;

use abi_stable::std_types::{RSlice, RStr};
use kozo_abi::ffi::{BusModuleRef, BusParts, published};
use kozo_abi::{Level, Publish, Version};
use kozo_ground::names::ModuleName;

use super::bus_host;
use super::bus_services::BusServices;
use super::call_error::{CallError, called};
use super::host_call::{MODULE_LOG, guarded};

/// A bus module that is loaded, for good.
pub struct BusModule {
    name: ModuleName,
    abi: Version,
    root: BusModuleRef,
}

impl BusModule {
    /// Made by the loader, from a root module whose layout was checked.
    pub(super) fn new(name: &ModuleName, abi: Version, root: BusModuleRef) -> Self {
        root.attach()(MODULE_LOG, RStr::from_str(name.as_str()));
        Self {
            name: name.clone(),
            abi,
            root,
        }
    }

    /// The version of the interface that it was built with.
    pub fn abi(&self) -> Version {
        self.abi
    }

    /// Makes a bus; no networking happens. `options` is a MessagePack map of all its options,
    /// defaults filled in.
    ///
    /// # Errors
    /// What the bus says (options that do not fit together), or what its panic said.
    pub fn create(
        &self,
        services: Arc<dyn BusServices>,
        options: &[u8],
    ) -> Result<BusInstance, CallError> {
        let handle = bus_host::handle(Arc::clone(&services));
        let parts = called(self.root.create()(handle, RSlice::from_slice(options)))?;
        Ok(BusInstance { parts, services })
    }
}

impl fmt::Debug for BusModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusModule({}, interface {})", self.name, self.abi)
    }
}

/// One bus. Its methods may be called from several threads at once, but for
/// [`publish`](Self::publish) and [`subscribe`](Self::subscribe), which have one thread. Every error
/// is what the bus says, or what its panic said.
///
/// Only [`run`](Self::run) may take its time. Whether the others come back is up to the module: who
/// must not wait for that calls them in a thread that may be left behind.
pub struct BusInstance {
    parts: BusParts,
    services: Arc<dyn BusServices>,
}

impl BusInstance {
    /// Connects, and comes back when the connection is lost or the bus is being stopped.
    ///
    /// # Errors
    /// Why there is no connection.
    pub fn run(&self) -> Result<(), CallError> {
        called(self.parts.vtable.run()(self.parts.data))
    }

    /// Gives a datagram to the bus.
    ///
    /// # Errors
    /// A panic's text.
    pub fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        data: &[u8],
    ) -> Result<Publish, CallError> {
        let reply = reply.map(RStr::from_str).into();
        let publish = self.parts.vtable.publish();
        let (subject, data) = (RStr::from_str(subject), RSlice::from_slice(data));
        let parts = called(publish(self.parts.data, subject, reply, data))?;
        Ok(match parts.outcome {
            published::ACCEPTED => Publish::Accepted(parts.number),
            published::DOWN => Publish::Down,
            // A later version may know further reasons not to take it.
            _ => Publish::Full,
        })
    }

    /// Whether what is published to subjects of this pattern is wanted.
    ///
    /// # Errors
    /// A panic's text.
    pub fn subscribe(&self, pattern: &str, on: bool) -> Result<(), CallError> {
        let subscribe = self.parts.vtable.subscribe();
        called(subscribe(self.parts.data, RStr::from_str(pattern), on))
    }

    /// Ends [`run`](Self::run).
    ///
    /// # Errors
    /// A panic's text.
    pub fn stop(&self) -> Result<(), CallError> {
        called(self.parts.vtable.stop()(self.parts.data))
    }
}

impl Drop for BusInstance {
    fn drop(&mut self) {
        if let Err(error) = called(self.parts.vtable.drop()(self.parts.data)) {
            let services = Arc::clone(&self.services);
            let text = format!("while the bus was dropped: {error}");
            guarded("log", || (), || services.log(Level::Error, &text));
        }
    }
}

impl fmt::Debug for BusInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BusInstance")
    }
}
