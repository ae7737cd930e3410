//! The bench for transports.

use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use abi_stable::std_types::{RResult, RSlice, RStr, RString};
use kozo_description::ModuleKind;
use kozo_ground::names::{NodeName, TransportName};
use serde::Serialize;

use super::description;
use super::given::Given;
use super::role::outcome;
use super::transport_host::Host;
use crate::export::{self, Described};
use crate::ffi::{ConnectionParts, PeerView, TransportParts};
use crate::{Connection, Error, Level, Transport};

/// A transport about to be made: what the configuration says of it.
///
/// ```
/// # use kozo_abi::{Connection, Error, Peer, Transport, TransportHost};
/// # use kozo_abi::bench::TransportBench;
/// # use std::time::Duration;
/// /// Reaches nobody.
/// struct Nowhere;
///
/// # #[derive(serde::Deserialize)]
/// # struct Options {}
/// impl Transport for Nowhere {
///     // …
/// #     type Options = Options;
/// #     fn init(_: Options, _: &TransportHost) -> Result<Self, Error> { Ok(Self) }
/// #     fn accept(&self) -> Result<Option<Connection>, Error> { Ok(None) }
/// #     fn addresses(&self, _: &Peer<'_>) -> Result<Vec<String>, Error> { Ok(vec![]) }
/// #     fn connect(&self, _: &Peer<'_>, _: &str, _: Duration) -> Result<Connection, Error> {
/// #         Err("nowhere".into())
/// #     }
/// }
/// # impl kozo_abi::export::Described for Nowhere {
/// #     const METADATA: &'static str = "{format: '1.0', kind: transport, name: nowhere,
/// #         version: '1.0', author: Somebody, description: Reaches nobody.}";
/// # }
///
/// # fn main() -> Result<(), Error> {
/// let alice = TransportBench::<Nowhere>::new().node("alice").start()?;
/// let bob = TransportBench::<Nowhere>::new().node("bob").start()?;
/// assert!(alice.can_connect(&bob.peer())?);
/// assert!(alice.addresses(&bob.peer())?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TransportBench<T> {
    node: Option<String>,
    name: Option<String>,
    local: bool,
    state_dir: Option<PathBuf>,
    options: Result<Given, String>,
    older_host: bool,
    transport: PhantomData<fn() -> T>,
}

impl<T: Transport + Described> TransportBench<T> {
    /// A transport on the node that runs, `node`, named like its module, without any option given.
    #[allow(clippy::new_without_default)] // Nobody needs it as a part of something larger.
    pub fn new() -> Self {
        Self {
            node: None,
            name: None,
            local: true,
            state_dir: None,
            options: Ok(Given::default()),
            older_host: false,
            transport: PhantomData,
        }
    }

    /// The name of the node it is on.
    pub fn node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// The name of the transport.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Whether it is on the node that runs. It is, unless this says otherwise.
    pub fn local(mut self, local: bool) -> Self {
        self.local = local;
        self
    }

    /// The folder that [`TransportHost::state_dir`](crate::TransportHost::state_dir) names. Without
    /// it, that is an error.
    pub fn state_dir(mut self, folder: &Path) -> Self {
        self.state_dir = Some(folder.to_owned());
        self
    }

    /// Gives an option, as the configuration would.
    pub fn option(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(options) = &mut self.options {
            if let Err(error) = options.set(name, &value) {
                self.options = Err(format!("option `{name}`: {error}"));
            }
        }
        self
    }

    /// Acts as a host that knows only the format 1.0 of metadata: formats of texts, options that
    /// exclude each other, and numbers that limit each other are left to the module.
    pub fn older_host(mut self) -> Self {
        self.older_host = true;
        self
    }

    /// Checks the options and calls [`Transport::init`].
    ///
    /// # Errors
    /// A fault of `module.yaml`; an option that is missing or unknown, or has a value that a host would refuse;
    /// whatever `init` says.
    pub fn start(self) -> Result<StartedTransport, Error> {
        let (host, options) = self.prepare()?;
        let create = export::transport_module::<T>().create();
        let transport = outcome(create(host.handle(), RSlice::from_slice(&options)))?;
        Ok(StartedTransport {
            transport,
            host,
            options,
        })
    }

    /// Checks the options and calls [`Transport::own_address`], as `kozo address` does.
    ///
    /// # Errors
    /// As [`start`](Self::start), but that `init` is not called.
    pub fn own_address(self) -> Result<Option<String>, Error> {
        let (host, options) = self.prepare()?;
        let own_address = export::transport_module::<T>().own_address();
        let address = outcome(own_address(host.handle(), RSlice::from_slice(&options)))?;
        Ok(address.map(String::from).into())
    }

    fn prepare(self) -> Result<(Arc<Host>, Vec<u8>), Error> {
        let mut metadata = description::read(T::METADATA, ModuleKind::Transport)?;
        if self.older_host {
            metadata.leave_rules_to_the_module();
        }
        let node = self.node.as_deref().unwrap_or("node");
        let node = description::name("node", node, NodeName::new)?.to_string();
        let name = self.name.as_deref().unwrap_or(metadata.name.as_str());
        let name = description::name("transport", name, TransportName::new)?.to_string();
        let (options, _) = description::options(&metadata, self.options?, &node, &name)?;
        let options = rmp_serde::to_vec_named(&options)?;
        let module = metadata.name.to_string();
        let host = Host::new(node, name, module, self.local, self.state_dir)?;
        Ok((Arc::new(host), options))
    }
}

/// A transport at work on the bench. Its methods may be called from several threads at once, as a
/// host does. Dropping it drops the transport.
pub struct StartedTransport {
    transport: TransportParts,
    host: Arc<Host>,
    options: Vec<u8>,
}

impl StartedTransport {
    /// Calls [`Transport::local_init`].
    ///
    /// # Errors
    /// The transport's own, or a panic's text. So with all methods here.
    pub fn local_init(&self) -> Result<(), Error> {
        outcome(self.transport.vtable.local_init()(self.transport.data))
    }

    /// Calls [`Transport::bind`].
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn bind(&self) -> Result<(), Error> {
        outcome(self.transport.vtable.bind()(self.transport.data))
    }

    /// Calls [`Transport::accept`], which waits, in reality, for a connection. None when
    /// [`stop`](Self::stop) was called.
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn accept(&self) -> Result<Option<Connection>, Error> {
        let accepted = outcome(self.transport.vtable.accept()(self.transport.data))?;
        Ok(accepted.map(connection).into())
    }

    /// The addresses at which it would try to reach `peer`.
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn addresses(&self, peer: &BenchPeer) -> Result<Vec<String>, Error> {
        let addresses = self.transport.vtable.addresses();
        let addresses = outcome(addresses(self.transport.data, &peer.view()))?;
        Ok(addresses.into_iter().map(String::from).collect())
    }

    /// Connects to one address of `peer`, in reality.
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn connect(
        &self,
        peer: &BenchPeer,
        address: &str,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let connect = self.transport.vtable.connect();
        let address = RStr::from_str(address);
        let timeout = crate::ffi::nanos(timeout);
        outcome(connect(self.transport.data, &peer.view(), address, timeout)).map(connection)
    }

    /// How good it is, from 0 (worst) to 4 (best).
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn priority(&self) -> Result<u8, Error> {
        outcome(self.transport.vtable.priority()(self.transport.data))
    }

    /// Whether it takes connections.
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn can_accept(&self) -> Result<bool, Error> {
        outcome(self.transport.vtable.can_accept()(self.transport.data))
    }

    /// Whether it can reach `peer`.
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn can_connect(&self, peer: &BenchPeer) -> Result<bool, Error> {
        let can_connect = self.transport.vtable.can_connect();
        outcome(can_connect(self.transport.data, &peer.view()))
    }

    /// Stops it: every call that waits returns.
    ///
    /// # Errors
    /// As [`local_init`](Self::local_init).
    pub fn stop(&self) -> Result<(), Error> {
        self.host.stop();
        outcome(self.transport.vtable.stop()(self.transport.data))
    }

    /// This transport as those of other nodes see it.
    pub fn peer(&self) -> BenchPeer {
        BenchPeer {
            node: self.host.node.clone(),
            name: self.host.name.clone(),
            module: self.host.module.clone(),
            options: self.options.clone(),
        }
    }

    /// What it is about, as it has said last; empty when it has said nothing.
    pub fn status(&self) -> String {
        let status = self
            .host
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        status.clone()
    }

    /// The lines that it has written to the host's log since the last call.
    pub fn logged(&self) -> Vec<(Level, String)> {
        let mut logged = self
            .host
            .logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut logged)
    }
}

impl Drop for StartedTransport {
    fn drop(&mut self) {
        self.host.stop();
        let result: RResult<(), RString> = self.transport.vtable.drop()(self.transport.data);
        if !std::thread::panicking() {
            outcome(result).expect("the transport drops without a panic");
        }
    }
}

impl std::fmt::Debug for StartedTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StartedTransport({}@{})", self.host.name, self.host.node)
    }
}

/// Another node's transport: see [`StartedTransport::peer`].
#[derive(Debug, Clone)]
pub struct BenchPeer {
    node: String,
    name: String,
    module: String,
    options: Vec<u8>,
}

impl BenchPeer {
    fn view(&self) -> PeerView<'_> {
        PeerView {
            node: RStr::from_str(&self.node),
            name: RStr::from_str(&self.name),
            module: RStr::from_str(&self.module),
            options: RSlice::from_slice(&self.options),
        }
    }
}

fn connection(parts: ConnectionParts) -> Connection {
    Connection {
        stream: OwnedFd::from(parts.stream),
        address: parts.address.into(),
        node: parts.authenticated.map(String::from).into(),
    }
}
