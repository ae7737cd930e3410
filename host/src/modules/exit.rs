//! The end of this process that a module brings about with `exit`: it is told, and looks like the
//! failure that it is, so that who looks after the daemon starts it again.

#![allow(unsafe_code)] // Calls of C's library, which Rust's does not have; each block has its reason.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use super::inside::called;

/// The exit code of a daemon that a module has ended: that of whatever else keeps a command from its
/// work.
const EXIT_CODE: i32 = 5;

/// Whether an end is none that the host has ordered.
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

/// While this lives, nobody may end the process with `exit`.
#[derive(Debug)]
pub(crate) struct ExitWatch(());

impl ExitWatch {
    pub(crate) fn start() -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: the function is there for as long as the process, and never unwinds: what it
            // does runs on a thread of its own. There is room for 32 such functions, so it does not
            // fail, and if it did, an end would only not be told.
            unsafe { libc::atexit(at_exit) };
        });
        IS_WATCHED.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        IS_WATCHED.store(false, Ordering::SeqCst);
    }
}

extern "C" fn at_exit() {
    if !IS_WATCHED.swap(false, Ordering::SeqCst) {
        return;
    }
    let who = called();
    // This thread's own values are gone already, and the log may want some.
    let telling = std::thread::Builder::new().spawn(move || {
        let who = who.unwrap_or("a module, from a thread of its own,");
        tracing::error!(
            target: "module",
            "{who} has ended the whole daemon with `exit`: a role ends when it returns an error; \
             `isolate: true` lets it end nothing but itself"
        );
        crate::log::finish();
    });
    if let Ok(told) = telling {
        // A panic there has been told of by itself.
        drop(told.join());
    }
    // SAFETY: it ends the process at once, with no more code run in it.
    unsafe { libc::_exit(EXIT_CODE) }
}
