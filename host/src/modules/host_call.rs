//! What modules call: no panic of the host reaches them, for it runs inside [`guarded`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use abi_stable::std_types::{ROption, RResult, RStr, RString};
use kozo_abi::Level;
use kozo_abi::ffi::{ModuleLog, level};

use kozo_ground::text::panic_text;

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
