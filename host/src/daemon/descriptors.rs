//! How many files, sockets among them, the daemon may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most that is asked for. Programs that modules start inherit the limit, and some of them close
/// every descriptor up to it one by one.
const ENOUGH: u64 = 65_536;

/// Raises the limit that the daemon was given to what it may have, as servers do: the usual one, 1024,
/// is for the sake of programs that wait with `select`. A lower one than that is left as it is when
/// the system refuses.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    if let Some(current) = raised(limit.current, limit.maximum) {
        let limit = Rlimit {
            current: Some(current),
            ..limit
        };
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(target: "kozo", %error, "cannot have more files open");
        }
    }
}

/// How many there may be.
pub(super) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The limit to ask for, if there is a better one.
fn raised(current: Option<u64>, maximum: Option<u64>) -> Option<u64> {
    let wanted = maximum.unwrap_or(u64::MAX).min(ENOUGH);
    current
        .is_some_and(|current| current < wanted)
        .then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_as_far_as_it_may_be_and_never_lowered() {
        assert_eq!(raised(Some(1024), Some(4096)), Some(4096));
        assert_eq!(raised(Some(1024), Some(1 << 30)), Some(ENOUGH));
        assert_eq!(raised(Some(1024), None), Some(ENOUGH));
        assert_eq!(raised(Some(1024), Some(1024)), None);
        assert_eq!(raised(Some(1 << 20), Some(1 << 20)), None);
        assert_eq!(raised(None, None), None);
    }
}
