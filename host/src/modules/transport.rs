//! A loaded transport module, and what the host does for its transports.

use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::std_types::{ROption, RSlice, RStr};
use kozo_abi::ffi::{ConnectionParts, PeerView, TransportModuleRef, TransportParts};
use kozo_abi::{Level, Priority, Readiness, Version};
use kozo_ground::names::ModuleName;
use rustix::net::SocketType;

use super::host_call::{MODULE_LOG, guarded, nanos};
use super::role::plain;
use super::transport_host;

/// What the host does for a transport. It is called from any thread of the transport's, several
/// at once. A panic in it is logged and the transport gets a failure.
pub trait TransportServices: Send + Sync + 'static {
    /// The name of the node that the transport belongs to.
    fn node(&self) -> &str;

    /// The transport's name.
    fn name(&self) -> &str;

    /// The name of its module.
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
        let handle = transport_host::handle(Arc::clone(&services));
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
            transport_host::handle(services),
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
