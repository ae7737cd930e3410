//! One daemon for each node of a file on a machine: two would share its pins, its storage and its
//! links.
//!
//! A daemon claims its node before it opens anything else, by an abstract socket: the system gives
//! it up when the process ends, however it does, it needs no folder, and it is the same one for all
//! users. Its name is made of the node, its public keys and the path of the file, so it is another
//! one for another network. Anybody may take such a name, so nobody is believed who could not have
//! started this daemon.

use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use kozo_auth::keys;
use kozo_ground::names::NodeName;
use ring::digest;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, UCred, connect, socket_with, sockopt,
};

use crate::config::Node;

/// Why a node cannot be claimed.
#[derive(Debug, thiserror::Error)]
#[error(
    "the node `{node}` of this file runs on this machine already{}: stop that daemon first",
    .process.map(|process| format!(", as process {process}")).unwrap_or_default()
)]
pub struct ClaimError {
    node: NodeName,
    process: Option<i32>,
}

/// A node that is this daemon's for as long as this lives.
#[derive(Debug)]
pub(super) struct NodeClaim {
    /// None when the system has no such sockets, or a stranger has the name.
    listener: Option<UnixListener>,
}

impl NodeClaim {
    /// Claims the node `own` of the file at `path`.
    ///
    /// # Errors
    /// Another daemon has it.
    pub(super) fn take(own: &Node, path: &Path) -> Result<Self, ClaimError> {
        let name = name(own, path);
        match claim(&name) {
            Ok(listener) => Ok(Self {
                listener: Some(listener),
            }),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let holder = holder(&name);
                let user = rustix::process::geteuid();
                if let Some(holder) = holder
                    && !(holder.uid == user || holder.uid.is_root() || user.is_root())
                {
                    tracing::warn!(
                        target: "kozo",
                        user = holder.uid.as_raw(),
                        process = holder.pid.as_raw_nonzero().get(),
                        "another user keeps this node from noticing whether it runs twice",
                    );
                    return Ok(Self { listener: None });
                }
                Err(ClaimError {
                    node: own.name.clone(),
                    process: holder.map(|holder| holder.pid.as_raw_nonzero().get()),
                })
            }
            Err(error) => {
                tracing::debug!(target: "kozo", "whether the node runs twice is not noticed: {error}");
                Ok(Self { listener: None })
            }
        }
    }

    /// Takes those who ask who has the node, and lets them go, until the future is dropped.
    pub(super) async fn attend(self) {
        let listener = self.listener.map(tokio::net::UnixListener::from_std);
        let Some(Ok(listener)) = listener else {
            return;
        };
        // An error is that no descriptor is left: whoever asks has been answered by the system.
        while listener.accept().await.is_ok() {}
        std::future::pending().await
    }
}

fn name(own: &Node, path: &Path) -> String {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut hash = digest::Context::new(&digest::SHA256);
    let keys = own.public_keys.iter().map(keys::fingerprint);
    let parts = [own.name.to_string(), path.to_string_lossy().into_owned()];
    for part in parts.into_iter().chain(keys) {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finish();
    let hex: String = hash.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("kozo/{hex}")
}

fn claim(name: &str) -> io::Result<UnixListener> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Who has a name; none when that is not to be found out.
fn holder(name: &str) -> Option<UCred> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).ok()?;
    connect(&socket, &address).ok()?;
    sockopt::socket_peercred(&socket).ok()
}
