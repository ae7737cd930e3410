//! No panic leaves a module: every callback runs inside [`guarded`], and what a panic says goes to
//! the host instead of to stderr.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use abi_stable::std_types::{RResult, RStr, RString};

use crate::ffi::{ModuleLog, level};

thread_local! {
    /// How many guarded calls this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// What the hook heard of the panic that is being caught.
    static REPORT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Where panics of the module's own threads go, and the module's name.
static MODULE: OnceLock<(ModuleLog, String)> = OnceLock::new();

/// Runs `call`; an error or a panic becomes its text.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, crate::Error>) -> RResult<T, RString> {
    DEPTH.set(DEPTH.get() + 1);
    // Whatever `call` left half-done is seen by nobody but the role or transport itself, which
    // the host drops after a panic.
    let outcome = catch_unwind(AssertUnwindSafe(call));
    DEPTH.set(DEPTH.get() - 1);
    match outcome {
        Ok(Ok(value)) => RResult::ROk(value),
        Ok(Err(error)) => RResult::RErr(crate::error_text(error.as_ref()).into()),
        Err(payload) => {
            let text = REPORT
                .with_borrow_mut(Option::take)
                .unwrap_or_else(|| format!("panicked: {}", payload_text(payload.as_ref())));
            discard(payload);
            RResult::RErr(text.into())
        }
    }
}

/// Installs the hook that reports panics through the host. Only the first call of a module counts.
pub(crate) fn attach(log: ModuleLog, name: &str) {
    if MODULE.set((log, name.to_owned())).is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|place| format!(" at {place}"))
            .unwrap_or_default();
        let text = format!("panicked{place}: {}", payload_text(info.payload()));
        if DEPTH.get() > 0 {
            REPORT.set(Some(text));
        } else if let Some((log, name)) = MODULE.get() {
            let thread = std::thread::current();
            let text = format!("thread `{}` {text}", thread.name().unwrap_or("unnamed"));
            (log.log)(RStr::from_str(name), level::ERROR, RStr::from_str(&text));
        }
    }));
}

fn payload_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}

/// Drops a panic's payload, whose own drop may panic too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[test]
    fn a_panic_becomes_an_error_even_when_its_payload_panics_too() {
        let caught = guarded::<()>(|| panic!("at work"));
        assert_eq!(caught.unwrap_err().as_str(), "panicked: at work");
        let caught = guarded::<()>(|| std::panic::panic_any(Bomb));
        assert_eq!(caught.unwrap_err().as_str(), "panicked: no reason given");
        assert_eq!(DEPTH.get(), 0);
    }

    #[test]
    fn an_error_is_reported_with_its_sources() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl std::fmt::Display for Outer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("no pin")
            }
        }
        impl std::error::Error for Outer {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = Outer("x".parse::<u8>().unwrap_err());
        let caught = guarded::<()>(|| Err(error.into()));
        assert_eq!(
            caught.unwrap_err().as_str(),
            "no pin: invalid digit found in string"
        );
    }
}
