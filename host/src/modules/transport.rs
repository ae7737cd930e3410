//! A loaded transport module, and the host as its transports see it.

#![allow(unsafe_code)] // The host's side of `context`; each block has its reason.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use kozo_abi::ffi::{
    ConnectionParts, PeerView, TransportHostHandle, TransportHostVtable, TransportHostVtableRef,
    TransportModuleRef, TransportParts, readiness,
};
use kozo_abi::{Level, Priority, Readiness, Version};
use rustix::net::SocketType;

use super::host_call::{MODULE_LOG, duration, guarded, level_from_number, nanos};
use super::role::{host_failed, plain};
use crate::names::ModuleName;

/// What the host does for a transport. It is called from any thread of the transport's, several
/// at once. A panic in it is logged and the transport gets a failure.
pub trait TransportServices: Send + Sync + 'static {
    /// The name of the node that the transport belongs to. Asked once, before it is made.
    fn node(&self) -> &str;

    /// The transport's name. Asked once, before it is made.
    fn name(&self) -> &str;

    /// The name of its module. Asked once, before it is made.
    fn module(&self) -> &str;

    /// Whether that node is the one that runs.
    fn is_local(&self) -> bool;

    /// Whether the transport is being stopped.
    fn stopping(&self) -> bool;

    /// Waits until `fd` is readable or its other end is gone, at most so long (none: for ever),
    /// or until the transport is being stopped.
    ///
    /// # Errors
    /// The system's.
    fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<Readiness, String>;

    /// Signs `data` with the key of the node that runs, for the transport's module alone.
    ///
    /// # Errors
    /// Why it is not signed.
    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, String>;

    /// Checks such a signature of another node.
    ///
    /// # Errors
    /// Why it proves nothing.
    fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), String>;

    /// The folder that the transport keeps its own files in; it is there when this returns.
    ///
    /// # Errors
    /// Why there is none.
    fn state_dir(&self) -> Result<PathBuf, String>;

    /// What the transport is about at present, for people; any text of any length.
    fn set_status(&self, text: &str);

    /// A line of the transport's for the host's own log.
    fn log(&self, level: Level, text: &str);
}

/// A transport module that is loaded, for good.
pub struct TransportModule {
    name: ModuleName,
    abi: Version,
    root: TransportModuleRef,
}

impl TransportModule {
    /// Made by the loader, from a root module whose layout was checked.
    pub(super) fn new(name: &ModuleName, abi: Version, root: TransportModuleRef) -> Self {
        root.attach()(MODULE_LOG, RStr::from_str(name.as_str()));
        Self {
            name: name.clone(),
            abi,
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

    /// Makes a transport of any node; no networking happens. `options` is a MessagePack map of
    /// all its options, defaults filled in.
    ///
    /// # Errors
    /// What the transport says (options that do not fit together), or what its panic said.
    pub fn create(
        &self,
        services: Arc<dyn TransportServices>,
        options: &[u8],
    ) -> Result<TransportInstance, String> {
        let handle = Context::handle(Arc::clone(&services));
        let parts = plain(self.root.create()(handle, RSlice::from_slice(options)))?;
        Ok(TransportInstance { parts, services })
    }

    /// The address that a transport with such options makes up by itself, if it does. None is
    /// made for that.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn own_address(
        &self,
        services: Arc<dyn TransportServices>,
        options: &[u8],
    ) -> Result<Option<String>, String> {
        let own_address = self.root.own_address();
        let address = plain(own_address(
            Context::handle(services),
            RSlice::from_slice(options),
        ))?;
        Ok(address.map(String::from).into())
    }
}

impl fmt::Debug for TransportModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportModule({}, interface {})", self.name, self.abi)
    }
}

/// Another node's transport, as a transport that may reach it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerDescription {
    /// The node's name.
    pub node: String,
    /// The transport's name on that node.
    pub name: String,
    /// The name of its module.
    pub module: String,
    /// Its options: a MessagePack map with all defaults filled in.
    pub options: Vec<u8>,
}

impl PeerDescription {
    fn view(&self) -> PeerView<'_> {
        PeerView {
            node: RStr::from_str(&self.node),
            name: RStr::from_str(&self.name),
            module: RStr::from_str(&self.module),
            options: RSlice::from_slice(&self.options),
        }
    }
}

/// A connection that a transport made or accepted.
#[derive(Debug)]
pub struct Connection {
    /// A connected stream socket, owned.
    pub stream: OwnedFd,
    /// The other end's address, for people to read.
    pub address: String,
    /// The node at the other end, as the transport says, which secures the stream by itself then.
    pub authenticated: Option<String>,
}

/// One transport. Its methods may be called from several threads at once. Every error is what the
/// transport says, or what its panic said.
pub struct TransportInstance {
    parts: TransportParts,
    services: Arc<dyn TransportServices>,
}

impl TransportInstance {
    /// Prepares the transport of the node that runs.
    ///
    /// # Errors
    /// What keeps it from working.
    pub fn local_init(&self) -> Result<(), String> {
        plain(self.parts.vtable.local_init()(self.parts.data))
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub fn bind(&self) -> Result<(), String> {
        plain(self.parts.vtable.bind()(self.parts.data))
    }

    /// Waits for a connection; none when the transport is being stopped.
    ///
    /// # Errors
    /// What the transport says; or that it handed over something that cannot be used.
    pub fn accept(&self) -> Result<Option<Connection>, String> {
        match plain(self.parts.vtable.accept()(self.parts.data))? {
            ROption::RSome(parts) => connection(parts).map(Some),
            ROption::RNone => Ok(None),
        }
    }

    /// The addresses at which `peer` may be reached, best first.
    ///
    /// # Errors
    /// Why there are none.
    pub fn addresses(&self, peer: &PeerDescription) -> Result<Vec<String>, String> {
        let addresses = plain(self.parts.vtable.addresses()(self.parts.data, &peer.view()))?;
        Ok(addresses.into_iter().map(String::from).collect())
    }

    /// Connects to one of them. Blocks until it is connected, for about `timeout` at most.
    ///
    /// # Errors
    /// Why there is no connection; or that the transport handed over something that cannot be
    /// used.
    pub fn connect(
        &self,
        peer: &PeerDescription,
        address: &str,
        timeout: Duration,
    ) -> Result<Connection, String> {
        let connect = self.parts.vtable.connect();
        let address = RStr::from_str(address);
        connection(plain(connect(
            self.parts.data,
            &peer.view(),
            address,
            nanos(timeout),
        ))?)
    }

    /// How good the transport is.
    ///
    /// # Errors
    /// A panic's text.
    pub fn priority(&self) -> Result<Priority, String> {
        Ok(
            match plain(self.parts.vtable.priority()(self.parts.data))? {
                0 => Priority::Worst,
                1 => Priority::Bad,
                2 => Priority::Meh,
                3 => Priority::Good,
                // A later version may know better ones.
                4.. => Priority::Best,
            },
        )
    }

    /// Whether it takes connections.
    ///
    /// # Errors
    /// A panic's text.
    pub fn can_accept(&self) -> Result<bool, String> {
        plain(self.parts.vtable.can_accept()(self.parts.data))
    }

    /// Whether it can reach `peer`.
    ///
    /// # Errors
    /// A panic's text.
    pub fn can_connect(&self, peer: &PeerDescription) -> Result<bool, String> {
        plain(self.parts.vtable.can_connect()(
            self.parts.data,
            &peer.view(),
        ))
    }

    /// Ends every call that still waits.
    ///
    /// # Errors
    /// A panic's text.
    pub fn stop(&self) -> Result<(), String> {
        plain(self.parts.vtable.stop()(self.parts.data))
    }
}

impl Drop for TransportInstance {
    fn drop(&mut self) {
        if let Err(error) = plain(self.parts.vtable.drop()(self.parts.data)) {
            let services = Arc::clone(&self.services);
            let text = format!("while the transport was dropped: {error}");
            guarded("log", || (), || services.log(Level::Error, &text));
        }
    }
}

impl fmt::Debug for TransportInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransportInstance")
    }
}

/// Looks at what a transport handed over before anybody builds on it.
fn connection(parts: ConnectionParts) -> Result<Connection, String> {
    let ConnectionParts {
        stream,
        address,
        authenticated,
    } = parts;
    let (stream, address) = (OwnedFd::from(stream), String::from(address));
    let authenticated = authenticated.into_option().map(String::from);
    match rustix::net::sockopt::socket_type(&stream) {
        Ok(SocketType::STREAM) => Ok(Connection {
            stream,
            address,
            authenticated,
        }),
        Ok(_) => Err(format!(
            "the transport handed over a socket to `{address}` that is no stream socket, a fault of its module"
        )),
        Err(error) => Err(format!(
            "the transport handed over a descriptor for `{address}` that is no socket, a fault of its module: {error}"
        )),
    }
}

/// What `context` points to. The names are kept here, so that they stay where they are for as
/// long as the module may hold on to them.
struct Context {
    node: Box<str>,
    name: Box<str>,
    module: Box<str>,
    services: Arc<dyn TransportServices>,
}

const VTABLE: &WithMetadata<TransportHostVtable> = &WithMetadata::new(TransportHostVtable {
    retain: Context::retain,
    release: Context::release,
    node: Context::node,
    name: Context::name,
    module: Context::module,
    local: Context::local,
    stopping: Context::stopping,
    wait_readable: Context::wait_readable,
    log: Context::log,
    sign: Context::sign,
    verify: Context::verify,
    state_dir: Context::state_dir,
    set_status: Context::set_status,
    #[cfg(feature = "next-minor-fixture")]
    next_minor: Context::next_minor,
});

impl Context {
    fn handle(services: Arc<dyn TransportServices>) -> TransportHostHandle {
        let context = Arc::new(Self {
            node: services.node().into(),
            name: services.name().into(),
            module: services.module().into(),
            services,
        });
        TransportHostHandle {
            context: Arc::into_raw(context).cast(),
            vtable: TransportHostVtableRef(VTABLE.static_as_prefix()),
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
        service: impl FnOnce(&dyn TransportServices) -> T,
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

    extern "C" fn module(context: *const ()) -> RStr<'static> {
        // SAFETY: as for `node`.
        RStr::from_str(unsafe { &Self::at(context).module })
    }

    extern "C" fn local(context: *const ()) -> bool {
        Self::call(context, "local", || false, |services| services.is_local())
    }

    extern "C" fn stopping(context: *const ()) -> bool {
        Self::call(context, "stopping", || true, |services| services.stopping())
    }

    extern "C" fn wait_readable(
        context: *const (),
        fd: i32,
        wait: ROption<u64>,
    ) -> RResult<u8, RString> {
        if fd < 0 {
            return RResult::RErr("a negative number is no descriptor".into());
        }
        Self::call(context, "wait_readable", host_failed, |services| {
            // SAFETY: the module borrows it from itself for the length of this call.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            match services.wait_readable(fd, duration(wait)) {
                Ok(Readiness::Ready) => RResult::ROk(readiness::READY),
                Ok(Readiness::TimedOut) => RResult::ROk(readiness::TIMEOUT),
                Ok(Readiness::Stopping) => RResult::ROk(readiness::STOPPING),
                Err(reason) => RResult::RErr(reason.into()),
            }
        })
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

    extern "C" fn sign(context: *const (), data: RSlice<'_, u8>) -> RResult<RVec<u8>, RString> {
        Self::call(context, "sign", host_failed, |services| {
            match services.sign(data.as_slice()) {
                Ok(signature) => RResult::ROk(signature.into()),
                Err(reason) => RResult::RErr(reason.into()),
            }
        })
    }

    extern "C" fn verify(
        context: *const (),
        node: RStr<'_>,
        data: RSlice<'_, u8>,
        signature: RSlice<'_, u8>,
    ) -> RResult<(), RString> {
        Self::call(context, "verify", host_failed, |services| {
            let (data, signature) = (data.as_slice(), signature.as_slice());
            match services.verify(node.as_str(), data, signature) {
                Ok(()) => RResult::ROk(()),
                Err(reason) => RResult::RErr(reason.into()),
            }
        })
    }

    extern "C" fn state_dir(context: *const ()) -> RResult<RVec<u8>, RString> {
        Self::call(
            context,
            "state_dir",
            host_failed,
            |services| match services.state_dir() {
                Ok(folder) => RResult::ROk(folder.into_os_string().into_vec().into()),
                Err(reason) => RResult::RErr(reason.into()),
            },
        )
    }

    extern "C" fn set_status(context: *const (), text: RStr<'_>) {
        Self::call(
            context,
            "set_status",
            || (),
            |services| services.set_status(text.as_str()),
        );
    }

    #[cfg(feature = "next-minor-fixture")]
    extern "C" fn next_minor(_context: *const ()) -> u64 {
        1
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_a_transport_says_of_the_other_end_is_handed_on() {
        let (stream, _other) = UnixStream::pair().unwrap();
        let parts = |authenticated| ConnectionParts {
            stream: OwnedFd::from(stream.try_clone().unwrap()).into(),
            address: "far:1".into(),
            authenticated,
        };
        let taken = connection(parts(ROption::RNone)).unwrap();
        assert_eq!(
            (taken.address.as_str(), taken.authenticated),
            ("far:1", None)
        );
        let taken = connection(parts(ROption::RSome("far".into()))).unwrap();
        assert_eq!(taken.authenticated.as_deref(), Some("far"));
    }
}
