//! A loaded transport module, and its transports.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::std_types::{ROption, RSlice, RStr};
use kozo_abi::ffi::{ConnectionParts, PeerView, TransportModuleRef, TransportParts};
use kozo_abi::{Level, Priority, Version};
use kozo_ground::names::ModuleName;
use rustix::net::SocketType;

use super::call_error::{CallError, called};
use super::host_call::{MODULE_LOG, guarded, nanos};
use super::transport_host;
use super::transport_services::TransportServices;

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
    ) -> Result<TransportInstance, CallError> {
        let handle = transport_host::handle(Arc::clone(&services));
        let parts = called(self.root.create()(handle, RSlice::from_slice(options)))?;
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
    ) -> Result<Option<String>, CallError> {
        let own_address = self.root.own_address();
        let address = called(own_address(
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
pub struct TransportConnection {
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
    pub fn local_init(&self) -> Result<(), CallError> {
        called(self.parts.vtable.local_init()(self.parts.data))
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// What keeps it from listening.
    pub fn bind(&self) -> Result<(), CallError> {
        called(self.parts.vtable.bind()(self.parts.data))
    }

    /// Waits for a connection; none when the transport is being stopped.
    ///
    /// # Errors
    /// What the transport says; or that it handed over something that cannot be used.
    pub fn accept(&self) -> Result<Option<TransportConnection>, CallError> {
        match called(self.parts.vtable.accept()(self.parts.data))? {
            ROption::RSome(parts) => connection(parts).map(Some),
            ROption::RNone => Ok(None),
        }
    }

    /// The addresses at which `peer` may be reached, best first.
    ///
    /// # Errors
    /// Why there are none.
    pub fn addresses(&self, peer: &PeerDescription) -> Result<Vec<String>, CallError> {
        let addresses = called(self.parts.vtable.addresses()(self.parts.data, &peer.view()))?;
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
    ) -> Result<TransportConnection, CallError> {
        let connect = self.parts.vtable.connect();
        let address = RStr::from_str(address);
        connection(called(connect(
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
    pub fn priority(&self) -> Result<Priority, CallError> {
        Ok(
            match called(self.parts.vtable.priority()(self.parts.data))? {
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
    pub fn can_accept(&self) -> Result<bool, CallError> {
        called(self.parts.vtable.can_accept()(self.parts.data))
    }

    /// Whether it can reach `peer`.
    ///
    /// # Errors
    /// A panic's text.
    pub fn can_connect(&self, peer: &PeerDescription) -> Result<bool, CallError> {
        called(self.parts.vtable.can_connect()(
            self.parts.data,
            &peer.view(),
        ))
    }

    /// Ends every call that still waits.
    ///
    /// # Errors
    /// A panic's text.
    pub fn stop(&self) -> Result<(), CallError> {
        called(self.parts.vtable.stop()(self.parts.data))
    }
}

impl Drop for TransportInstance {
    fn drop(&mut self) {
        if let Err(error) = called(self.parts.vtable.drop()(self.parts.data)) {
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
fn connection(parts: ConnectionParts) -> Result<TransportConnection, CallError> {
    let ConnectionParts {
        stream,
        address,
        authenticated,
    } = parts;
    let (stream, address) = (OwnedFd::from(stream), String::from(address));
    let authenticated = authenticated.into_option().map(String::from);
    match rustix::net::sockopt::socket_type(&stream) {
        Ok(SocketType::STREAM) => Ok(TransportConnection {
            stream,
            address,
            authenticated,
        }),
        Ok(_) => Err(CallError::NotAStream { address }),
        Err(reason) => Err(CallError::NotASocket { address, reason }),
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
