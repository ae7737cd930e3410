//! Which processes belong to the daemon.

use std::fs;

/// The program that an isolated role's process shows as its first argument.
const ISOLATED: &str = "isolated-role";

/// What an isolated role's process has in its environment.
const ISOLATED_MARK: &str = "KOZO_ISOLATED_ROLE";

/// A process of the daemon's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
    /// The role that is isolated in it; None for the daemon itself.
    pub(crate) role: Option<String>,
}

/// The daemon first, then the processes of isolated roles.
pub(crate) fn processes() -> Vec<Process> {
    let daemon = daemon();
    let mut found = vec![Process {
        id: daemon,
        role: None,
    }];
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut isolated: Vec<Process> = numbers
        .filter(|id| parent(*id) == Some(daemon))
        .filter_map(|id| {
            let words = fs::read(format!("/proc/{id}/cmdline")).ok()?;
            let role = isolated_role(&words)?;
            Some(Process {
                id,
                role: Some(role),
            })
        })
        .collect();
    isolated.sort_by(|one, other| one.role.cmp(&other.role));
    found.extend(isolated);
    found
}

/// The daemon's process: this one, or its parent where this role is isolated itself.
fn daemon() -> u32 {
    let own = std::process::id();
    match std::env::var_os(ISOLATED_MARK) {
        None => own,
        Some(_) => parent(own).unwrap_or(own),
    }
}

fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind the name, which may hold anything, come the state and the parent.
    let rest = stat.rsplit(')').next()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// The role in the words of a process: `kozo isolated-role ROLE@NODE`.
fn isolated_role(words: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(words);
    let mut words = text.split(['\0', ' ']);
    words.find(|word| *word == ISOLATED)?;
    let role = words.next()?.split('@').next()?;
    (!role.is_empty()).then(|| role.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolated_roles_are_known_by_their_words() {
        for words in [
            "kozo\0isolated-role\0camera1@hall\0",
            "kozo isolated-role camera1@hall",
        ] {
            assert_eq!(isolated_role(words.as_bytes()).as_deref(), Some("camera1"));
        }
        for words in ["", "kozo\0run", "isolated-role", "isolated-role @x"] {
            assert_eq!(isolated_role(words.as_bytes()), None, "{words}");
        }
    }

    #[test]
    fn the_daemon_comes_first() {
        let own = std::process::id();
        assert_eq!(
            processes()[0],
            Process {
                id: own,
                role: None
            }
        );
    }
}
