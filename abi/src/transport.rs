//! The transport contract.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use abi_stable::std_types::{RResult, RSlice, RStr};
use serde::de::DeserializeOwned;

use crate::Error;
use crate::ffi::{PeerView, TransportHostHandle};
use crate::given::{self, Readiness};
use crate::log::log_methods;
use crate::relay::relay;

/// A transport: a way for nodes to reach each other. It moves bytes, nothing more; the host
/// encrypts and authenticates what goes over it, unless the transport does so by itself
/// ([`Connection::authenticated`]).
///
/// The host makes one for every transport of every node in the file, so that it can check all of
/// their options; [`local_init`](Self::local_init) and what follows is called only for those of
/// the node that runs. All methods may block: each call has a thread of its own, and several run
/// at the same time.
pub trait Transport: Send + Sync + Sized + 'static {
    /// The transport's options, as `module.yaml` describes them. The host has checked them and
    /// filled in every default before it hands them over.
    type Options: DeserializeOwned;

    /// Makes the transport of any node of the network: no networking happens here.
    ///
    /// # Errors
    /// Options that do not fit together. The node does not start then, and for others there is no way
    /// to it over this transport.
    fn init(options: Self::Options, host: &TransportHost) -> Result<Self, Error>;

    /// The address at which other nodes will reach this one, for a transport that makes it up by
    /// itself, from a key say. `kozo address` prints it, so that it can be written into the file
    /// before the node runs for the first time: hence there is no transport yet, and the options
    /// may lack what only it can tell. It has to work without a network, and while the node runs.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn own_address(options: &Self::Options, host: &TransportHost) -> Result<Option<String>, Error> {
        let _ = (options, host);
        Ok(None)
    }

    /// Prepares the transport of the node that runs.
    ///
    /// # Errors
    /// Whatever keeps it from working: the transport is left out, and tried again later.
    fn local_init(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Starts to listen. Called when [`can_accept`](Self::can_accept).
    ///
    /// # Errors
    /// Whatever keeps it from listening. It is tried again later.
    fn bind(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Waits for a connection, with [`TransportHost::wait_readable`] for instance. None when the
    /// transport is being stopped.
    ///
    /// # Errors
    /// They are logged, and the call is made again after a short while.
    fn accept(&self) -> Result<Option<Connection>, Error>;

    /// The addresses at which `peer` may be reached, best first. They are tried in this order,
    /// each a little after the one before.
    ///
    /// # Errors
    /// Why there are none.
    fn addresses(&self, peer: &Peer<'_>) -> Result<Vec<String>, Error>;

    /// Connects to one of them.
    ///
    /// # Errors
    /// Why there is no connection after `timeout`.
    fn connect(
        &self,
        peer: &Peer<'_>,
        address: &str,
        timeout: Duration,
    ) -> Result<Connection, Error>;

    /// How good the transport is: among several ways to a node the better ones are tried first.
    fn priority(&self) -> Priority {
        Priority::Meh
    }

    /// Whether it takes connections.
    fn can_accept(&self) -> bool {
        true
    }

    /// Whether it can reach `peer`. By default it can when that is of the same module.
    fn can_connect(&self, peer: &Peer<'_>) -> bool {
        peer.is_same_module()
    }

    /// Makes every call that still waits return. Those that wait by
    /// [`TransportHost::wait_readable`] do so by themselves.
    fn stop(&self) {}
}

/// How good a transport is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Only if nothing else works.
    Worst,
    /// Slow or unreliable: Bluetooth.
    Bad,
    /// In between: Tor.
    Meh,
    /// Good.
    Good,
    /// Fast and reliable: TCP.
    Best,
}

impl Priority {
    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

/// A connected stream socket.
#[derive(Debug)]
pub struct Connection {
    /// The socket. The host reads and writes it by itself from now on.
    pub stream: OwnedFd,
    /// The other end's address, for people to read.
    pub address: String,
    /// The node at the other end, if the transport has authenticated it and secures the stream by
    /// itself. None: the host does both.
    pub node: Option<String>,
}

impl Connection {
    /// A connection over `stream`, whose other end is at `address`.
    pub fn new(stream: impl Into<OwnedFd>, address: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            address: address.into(),
            node: None,
        }
    }

    /// A connection over a socket that something else owns: over a duplicate of its descriptor, so
    /// that `socket` is to be dropped afterwards.
    ///
    /// A type that tells its descriptor as a number only will not do: any type may return a number
    /// that it does not own.
    ///
    /// ```compile_fail,E0277
    /// struct Number;
    /// impl std::os::fd::AsRawFd for Number {
    ///     fn as_raw_fd(&self) -> i32 {
    ///         0
    ///     }
    /// }
    /// let _ = kozo_abi::Connection::duplicate_of(&Number, "nowhere");
    /// ```
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn duplicate_of(socket: &impl AsFd, address: impl Into<String>) -> io::Result<Self> {
        Ok(Self::new(socket.as_fd().try_clone_to_owned()?, address))
    }

    /// A connection over any blocking stream, for transports without a socket of the system's:
    /// the two halves are connected with a socket pair by two threads. The halves block each in a
    /// thread of its own, so reading must not keep writing waiting. `close` has to make a `read`
    /// that waits return; it is called when the host has closed its end.
    ///
    /// # Errors
    /// The system has no descriptor or thread left.
    pub fn from_io(
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        close: impl FnOnce() + Send + 'static,
        address: impl Into<String>,
    ) -> io::Result<Self> {
        Ok(Self::new(relay(reader, writer, close)?, address))
    }

    /// A connection that the transport secures by itself: it encrypts what goes over it, and has
    /// authenticated `node` at the other end, with [`TransportHost::verify`] for instance. The
    /// host puts no SSH on it, but believes it only for a node of the network file, and for the
    /// one that was dialled. The transport at the other end has to do the same.
    pub fn authenticated(
        stream: impl Into<OwnedFd>,
        address: impl Into<String>,
        node: impl Into<String>,
    ) -> Self {
        Self {
            stream: stream.into(),
            address: address.into(),
            node: Some(node.into()),
        }
    }
}

/// Another node's transport.
#[derive(Clone, Copy)]
pub struct Peer<'a> {
    view: &'a PeerView<'a>,
    own_module: &'a str,
}

impl<'a> Peer<'a> {
    pub(crate) fn new(view: &'a PeerView<'a>, own_module: &'a str) -> Self {
        Self { view, own_module }
    }

    /// The node's name.
    pub fn node(&self) -> &'a str {
        self.view.node.as_str()
    }

    /// The transport's name on that node.
    pub fn name(&self) -> &'a str {
        self.view.name.as_str()
    }

    /// The name of its module.
    pub fn module(&self) -> &'a str {
        self.view.module.as_str()
    }

    /// Whether it is of the same module as this transport, so that its
    /// [`options`](Self::options) are of the same type.
    pub fn is_same_module(&self) -> bool {
        self.module() == self.own_module
    }

    /// Its options.
    ///
    /// # Errors
    /// They are of another shape than `T`.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T, Error> {
        rmp_serde::from_slice(self.view.options.as_slice())
            .map_err(|error| format!("the options of {self} are of another shape: {error}").into())
    }
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name(), self.node())
    }
}

impl fmt::Debug for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({self})")
    }
}

/// A transport's way to its host. Cheap to clone, and usable from any thread of the transport's.
#[derive(Clone)]
pub struct TransportHost {
    handle: TransportHostHandle,
}

impl TransportHost {
    pub(crate) fn new(handle: TransportHostHandle) -> Self {
        Self { handle }
    }

    /// The name of the node that the transport belongs to.
    pub fn node(&self) -> &str {
        self.handle.vtable.node()(self.handle.context).as_str()
    }

    /// The transport's name.
    pub fn name(&self) -> &str {
        self.handle.vtable.name()(self.handle.context).as_str()
    }

    /// The name of the transport's module.
    pub fn module(&self) -> &str {
        self.handle.vtable.module()(self.handle.context).as_str()
    }

    /// Whether the transport is on the node that runs.
    pub fn is_local(&self) -> bool {
        self.handle.vtable.local()(self.handle.context)
    }

    /// Whether the transport is being stopped.
    pub fn stopping(&self) -> bool {
        self.handle.vtable.stopping()(self.handle.context)
    }

    /// Waits until `fd` is readable (for a listening socket: until there is a connection), or
    /// the transport is being stopped.
    ///
    /// # Errors
    /// The system's, from `poll`.
    pub fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<Readiness, Error> {
        let wait_readable = self.handle.vtable.wait_readable();
        given::readiness(wait_readable(
            self.handle.context,
            fd.as_raw_fd(),
            given::wait(timeout),
        ))
    }

    /// Signs `data` with this node's key, for a transport that authenticates by itself. What is
    /// signed is a text of the host's that holds the name of this node, that of the transport's
    /// module, and `data`: so a signature is of no use for anything else.
    ///
    /// `data` has to be something that only the two ends of one stream know, and that differs by
    /// direction, or else the signature can be passed on: with TLS, exported keying material.
    ///
    /// # Errors
    /// The transport is not on the node that runs, or `data` is longer than 64 KiB.
    pub fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let signed = self.handle.vtable.sign()(self.handle.context, RSlice::from_slice(data));
        match signed {
            RResult::ROk(signature) => Ok(signature.into()),
            RResult::RErr(reason) => Err(String::from(reason).into()),
        }
    }

    /// Checks that `signature` is what [`sign`](Self::sign) made of `data` on the node `node`, for
    /// a transport of the same module.
    ///
    /// # Errors
    /// It is not, or there is no such other node in the network file.
    pub fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        let verify = self.handle.vtable.verify();
        let data = RSlice::from_slice(data);
        let signature = RSlice::from_slice(signature);
        verify(self.handle.context, RStr::from_str(node), data, signature)
            .into_result()
            .map_err(|reason| String::from(reason).into())
    }

    /// The folder for the transport's own files: keys, caches. It belongs to this transport of this
    /// node alone, for good, and to the daemon's user (mode 0700). It is there when this returns;
    /// `transportStorage` of the node says where.
    ///
    /// # Errors
    /// The transport is not on the node that runs, or the folder cannot be made or is not safe.
    pub fn state_dir(&self) -> Result<PathBuf, Error> {
        given::folder(self.handle.vtable.state_dir()(self.handle.context))
    }

    /// Says what the transport is about, in a few words, for `kozo status` and `kozo why`:
    /// `bootstrapping: 45 %`. It stays until the next one; an empty text takes it back. The host
    /// shows one line of at most 200 characters, and does not log it.
    pub fn set_status(&self, text: &str) {
        self.handle.vtable.set_status()(self.handle.context, RStr::from_str(text));
    }

    /// Stands for what a next minor version offers; none when the host is older than that.
    #[cfg(feature = "next-minor-fixture")]
    pub fn next_minor(&self) -> Option<u64> {
        let next_minor = self.handle.vtable.next_minor()?;
        Some(next_minor(self.handle.context))
    }

    log_methods!();
}

impl fmt::Debug for TransportHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportHost({}@{})", self.name(), self.node())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_duplicate_outlives_the_socket_that_it_is_of() -> io::Result<()> {
        let (near, mut far) = UnixStream::pair()?;
        let connection = Connection::duplicate_of(&near, "far")?;
        drop(near);
        UnixStream::from(connection.stream).write_all(b"ping")?;
        let mut got = [0; 4];
        far.read_exact(&mut got)?;
        assert_eq!(&got, b"ping");
        // With the duplicate, the last descriptor has gone.
        assert_eq!(far.read(&mut got)?, 0);
        Ok(())
    }
}
