//! What hosts give to transports and buses alike, as their authors see it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use abi_stable::std_types::{ROption, RResult, RString, RVec};

use crate::Error;
use crate::ffi::{nanos, readiness};

/// Why [`TransportHost::wait_readable`](crate::TransportHost::wait_readable), or a bus's, returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// The descriptor is readable, or its other end is gone.
    Ready,
    /// The time is up.
    TimedOut,
    /// The transport or bus is being stopped.
    Stopping,
}

/// How long a call shall wait; none: for ever.
pub(crate) fn wait(timeout: Option<Duration>) -> ROption<u64> {
    timeout.map(nanos).into()
}

/// How a wait for a descriptor has ended.
pub(crate) fn readiness(given: RResult<u8, RString>) -> Result<Readiness, Error> {
    match given {
        RResult::ROk(readiness::READY) => Ok(Readiness::Ready),
        RResult::ROk(readiness::STOPPING) => Ok(Readiness::Stopping),
        RResult::ROk(_) => Ok(Readiness::TimedOut),
        RResult::RErr(reason) => Err(String::from(reason).into()),
    }
}

/// A folder for a module's own files.
pub(crate) fn folder(given: RResult<RVec<u8>, RString>) -> Result<PathBuf, Error> {
    match given {
        RResult::ROk(path) => Ok(OsString::from_vec(path.into()).into()),
        RResult::RErr(reason) => Err(String::from(reason).into()),
    }
}
