//! What a child sees of the environment.

use std::ffi::{OsStr, OsString};

/// By this variable the host knows whatever an isolated role has started. So a child has it, too, where
/// its parent has: what is started here ends with the role as well.
pub const ISOLATED_ROLE: &str = "KOZO_ISOLATED_ROLE";

/// What a child has of its parent's environment; besides, everything that begins with [`LOCALE`].
const KEPT: [&str; 5] = ["PATH", "HOME", "LANG", "TZ", ISOLATED_ROLE];
const LOCALE: &[u8] = b"LC_";

/// What every child has.
pub(crate) fn ordinary() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| is_kept(name))
}

fn is_kept(name: &OsStr) -> bool {
    KEPT.iter().any(|kept| name == *kept) || name.as_encoded_bytes().starts_with(LOCALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_only_ordinary_variables() {
        for name in ["PATH", "HOME", "LANG", "TZ", "LC_ALL", "LC_TIME"] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
        for name in [
            "PATHS",
            "SSH_AUTH_SOCK",
            "NOTIFY_SOCKET",
            "LD_PRELOAD",
            "LC",
        ] {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
    }
}
