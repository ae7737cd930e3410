//! What the signals do that the daemon heeds: modules that change it for the whole process are told
//! of, and it is put back.

#![allow(unsafe_code)] // Calls of C's library, which Rust's does not have; each block has its reason.

use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, OnceLock};

use kozo_ground::lock::LockAnyway;
use libc::{c_int, sigaction};

/// Those that the daemon heeds, and the one that would end it at every link that breaks.
const HEEDED: [(c_int, &str); 4] = [
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGPIPE, "SIGPIPE"),
];

static OWN: OnceLock<[sigaction; HEEDED.len()]> = OnceLock::new();

/// What they do now is what they shall do from now on. Only the first call counts.
pub(crate) fn hold() {
    OWN.get_or_init(|| HEEDED.map(|(signal, _)| present(signal)));
}

/// Puts back what somebody has changed, and says so, once of each. `whose` has just been called, if
/// that is known.
pub(crate) fn take_back(whose: Option<&str>) {
    let Some(own) = OWN.get() else {
        return;
    };
    for ((signal, name), own) in HEEDED.into_iter().zip(own) {
        let found = present(signal);
        if found.sa_sigaction == own.sa_sigaction {
            continue;
        }
        // SAFETY: `own` is what the system said before, and the functions in it are the host's, which
        // are there for good.
        unsafe { sigaction(signal, own, ptr::null_mut()) };
        tell(
            name,
            &whose.map_or_else(|| owner(found.sa_sigaction), str::to_owned),
        );
    }
}

fn present(signal: c_int) -> sigaction {
    let mut found = MaybeUninit::zeroed();
    // SAFETY: there is room for the answer; nothing is changed. The numbers are those of signals, so it
    // does not fail, and all zeros would be a value, too.
    unsafe {
        sigaction(signal, ptr::null(), found.as_mut_ptr());
        found.assume_init()
    }
}

fn tell(signal: &'static str, whose: &str) {
    static TOLD: Mutex<BTreeSet<(&str, String)>> = Mutex::new(BTreeSet::new());
    let mut told = TOLD.lock_anyway();
    if told.insert((signal, whose.to_owned())) {
        tracing::warn!(
            target: "module",
            "{whose} has changed what {signal} does to the whole daemon: that is put back; a module \
             leaves signals alone, and a role with `isolate: true` has its own"
        );
    }
}

/// Whose a function is: modules are mapped from memory that is called like them.
fn owner(function: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let name = maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (first, end) = range.split_once('-')?;
        let first = usize::from_str_radix(first, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let name = rest.split_once("/memfd:")?.1.trim_end_matches(" (deleted)");
        (first..end).contains(&function).then_some(name)
    });
    name.map_or_else(
        || "a module".to_owned(),
        |name| format!("the module `{name}`"),
    )
}
