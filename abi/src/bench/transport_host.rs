//! The bench's side of [`TransportHostVtable`]: what a host does for a transport.

#![allow(unsafe_code)] // The bench's side of every `context` pointer; each block has its reason.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use rustix::io::Errno;

use super::shared::shared;
use super::stopping::Stopping;
use crate::Level;
use crate::ffi::{TransportHostHandle, TransportHostVtable, TransportHostVtableRef};

/// One transport's host.
pub(super) struct Host {
    pub(super) node: String,
    pub(super) name: String,
    pub(super) module: String,
    pub(super) local: bool,
    /// Where the transport keeps its files, if the test has given it a place.
    pub(super) state_dir: Option<PathBuf>,
    pub(super) logged: Mutex<Vec<(Level, String)>>,
    pub(super) status: Mutex<String>,
    stopping: Stopping,
}

impl Host {
    pub(super) fn new(
        node: String,
        name: String,
        module: String,
        local: bool,
        state_dir: Option<PathBuf>,
    ) -> Result<Self, Errno> {
        Ok(Self {
            node,
            name,
            module,
            local,
            state_dir,
            logged: Mutex::new(Vec::new()),
            status: Mutex::default(),
            stopping: Stopping::new()?,
        })
    }

    pub(super) fn stop(&self) {
        self.stopping.stop();
    }

    /// The transport's way to this host.
    pub(super) fn handle(self: &Arc<Self>) -> TransportHostHandle {
        TransportHostHandle {
            context: Arc::into_raw(Arc::clone(self)).cast(),
            vtable: TransportHostVtableRef(VTABLE.static_as_prefix()),
        }
    }
}

const VTABLE: &WithMetadata<TransportHostVtable> = &WithMetadata::new(TransportHostVtable {
    retain,
    release,
    node,
    name,
    module,
    local,
    stopping,
    wait_readable,
    log,
    sign,
    verify,
    state_dir,
    set_status,
    #[cfg(feature = "next-minor-fixture")]
    next_minor,
});

shared!(Host);

extern "C" fn node(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).node)
}

extern "C" fn name(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).name)
}

extern "C" fn module(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).module)
}

extern "C" fn local(context: *const ()) -> bool {
    host(context).local
}

extern "C" fn stopping(context: *const ()) -> bool {
    host(context).stopping.is_stopping()
}

extern "C" fn wait_readable(
    context: *const (),
    fd: i32,
    wait: ROption<u64>,
) -> RResult<u8, RString> {
    host(context).stopping.wait_readable_for(fd, wait)
}

/// What the bench signs with: it shows who signed what for which module, and proves nothing.
fn signature(node: &str, module: &str, data: &[u8]) -> Vec<u8> {
    [node.as_bytes(), b"@", module.as_bytes(), b":", data].concat()
}

extern "C" fn sign(context: *const (), data: RSlice<'_, u8>) -> RResult<RVec<u8>, RString> {
    let host = host(context);
    if !host.local {
        return RResult::RErr("only a transport of the node that runs may sign".into());
    }
    RResult::ROk(signature(&host.node, &host.module, data.as_slice()).into())
}

extern "C" fn verify(
    context: *const (),
    node: RStr<'_>,
    data: RSlice<'_, u8>,
    given: RSlice<'_, u8>,
) -> RResult<(), RString> {
    let host = host(context);
    if *node.as_str() == *host.node {
        return RResult::RErr(format!("`{node}` is this node").into());
    }
    if given.as_slice() != signature(node.as_str(), &host.module, data.as_slice()) {
        let reason = format!("the signature is not of `{node}`, or of something else");
        return RResult::RErr(reason.into());
    }
    RResult::ROk(())
}

extern "C" fn log(context: *const (), level: u8, text: RStr<'_>) {
    let mut logged = host(context)
        .logged
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    logged.push((Level::from_number(level), text.as_str().to_owned()));
}

extern "C" fn state_dir(context: *const ()) -> RResult<RVec<u8>, RString> {
    let host = host(context);
    match &host.state_dir {
        _ if !host.local => {
            RResult::RErr("only a transport of the node that runs has a state folder".into())
        }
        None => RResult::RErr("the bench was given no state folder".into()),
        Some(folder) => RResult::ROk(folder.clone().into_os_string().into_vec().into()),
    }
}

extern "C" fn set_status(context: *const (), text: RStr<'_>) {
    let mut status = host(context)
        .status
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    text.as_str().clone_into(&mut status);
}

#[cfg(feature = "next-minor-fixture")]
extern "C" fn next_minor(_context: *const ()) -> u64 {
    1
}
