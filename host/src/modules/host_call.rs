//! What modules call: no panic of the host reaches them, for it runs inside [`guarded`].

#![allow(unsafe_code)] // A descriptor crosses as a number; the block has its reason.

use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use abi_stable::std_types::{ROption, RResult, RStr, RString, RVec};
use kozo_abi::ffi::{ModuleLog, level, readiness};
use kozo_abi::{Level, Readiness};

use kozo_ground::text::panic_text;

use super::call_error::{ServiceError, told};

/// The target of log lines that come from modules.
const TARGET: &str = "kozo::module";

/// Runs `call`; should it panic, a line in the log says so and `fallback` is the result.
pub(super) fn guarded<T>(what: &str, fallback: impl FnOnce() -> T, call: impl FnOnce() -> T) -> T {
    // Whatever `call` left half-done, it is the service's own: behind shared references it has to
    // keep its state whole anyway.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => value,
        Err(payload) => {
            let report = || {
                let text = panic_text(payload.as_ref());
                tracing::error!("a fault of the host: `{what}` panicked: {text}");
            };
            // The log may be what panics, and so may dropping what was panicked with.
            let reported = catch_unwind(AssertUnwindSafe(report));
            std::mem::forget((payload, reported));
            fallback()
        }
    }
}

/// What a module gets when the host panicked.
pub(super) fn host_failed<T>() -> RResult<T, RString> {
    RResult::RErr("the host failed; its log has more".into())
}

/// Where lines go that belong to no role, transport or bus: those of a module's own threads. The
/// function has no context, so they go to the program's log.
pub(super) const MODULE_LOG: ModuleLog = ModuleLog { log: module_log };

extern "C" fn module_log(module: RStr<'_>, number: u8, text: RStr<'_>) {
    guarded(
        "log",
        || (),
        || {
            let (module, text) = (module.as_str(), text.as_str());
            match level_from_number(number) {
                Level::Error => tracing::error!(target: TARGET, module, "{text}"),
                Level::Warn => tracing::warn!(target: TARGET, module, "{text}"),
                Level::Info => tracing::info!(target: TARGET, module, "{text}"),
                Level::Debug => tracing::debug!(target: TARGET, module, "{text}"),
            }
            crate::log::settle_module_line();
        },
    );
}

/// A level of a later version counts as the least important.
pub(crate) fn level_from_number(number: u8) -> Level {
    match number {
        level::ERROR => Level::Error,
        level::WARN => Level::Warn,
        level::INFO => Level::Info,
        _ => Level::Debug,
    }
}

pub(super) fn duration(nanos: ROption<u64>) -> Option<Duration> {
    nanos.into_option().map(Duration::from_nanos)
}

/// Waits by one of the host's services for a descriptor of the module's; the result is one of [`readiness`].
pub(super) fn wait_for(
    fd: i32,
    wait: ROption<u64>,
    service: impl FnOnce(BorrowedFd<'_>, Option<Duration>) -> Result<Readiness, ServiceError>,
) -> RResult<u8, RString> {
    if fd < 0 {
        return RResult::RErr("a negative number is no descriptor".into());
    }
    // SAFETY: the module borrows it from itself for the length of this call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    match service(fd, duration(wait)) {
        Ok(Readiness::Ready) => RResult::ROk(readiness::READY),
        Ok(Readiness::TimedOut) => RResult::ROk(readiness::TIMEOUT),
        Ok(Readiness::Stopping) => RResult::ROk(readiness::STOPPING),
        Err(reason) => RResult::RErr(told(reason)),
    }
}

/// A folder for a module's own files, as the bytes of its path.
pub(super) fn folder(given: Result<PathBuf, ServiceError>) -> RResult<RVec<u8>, RString> {
    match given {
        Ok(folder) => RResult::ROk(folder.into_os_string().into_vec().into()),
        Err(reason) => RResult::RErr(told(reason)),
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_host_becomes_the_fallback() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(guarded("test", || 7, || panic!("at work")), 7);
        assert_eq!(guarded("test", || 7, || std::panic::panic_any(Bomb)), 7);
        assert_eq!(guarded("test", || 7, || 8), 8);
    }
}
