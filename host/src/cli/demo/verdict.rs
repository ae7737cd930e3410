//! Whether messages went from node to node, by what the nodes left behind.

use std::path::Path;

use kozo_ground::names::{NodeName, RoleName};
use kozo_ground::text::error_text;
use serde::Deserialize;

use super::network::{LOG_FILE, STORAGE};
use crate::storage::Storage;

/// Where the ticks come from.
const TIMER_NODE: &str = "clock";
const TIMER_ROLE: &str = "timer";

/// Where the last one is remembered.
const CUCKOO_NODE: &str = "cottage";
const CUCKOO_ROLE: &str = "cuckoo";

/// What `cuckoo` keeps of the last tick.
#[derive(Debug, Deserialize)]
struct Tick {
    node: String,
    role: String,
    time: String,
}

/// What the demo has shown, as a text for people, by the files in its folder. They can only be of
/// this run, because so is the folder.
///
/// # Errors
/// What is missing.
pub(super) fn judge(folder: &Path) -> Result<String, Vec<String>> {
    let mut missing = Vec::new();
    let mut proof = String::from("\n");
    for checked in [
        stored_tick(folder).and_then(|stored| check_tick(stored.as_deref())),
        check_log(&folder.join(LOG_FILE)),
    ] {
        match checked {
            Ok(shown) => proof = proof + &shown + "\n",
            Err(reason) => missing.push(reason),
        }
    }
    if missing.is_empty() {
        Ok(proof)
    } else {
        Err(missing)
    }
}

/// What `cuckoo` on `cottage` stored.
fn stored_tick(folder: &Path) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |error: &dyn std::error::Error| {
        let reason = error_text(error);
        format!("what `cuckoo` on `cottage` stored cannot be read: {reason}")
    };
    let node = NodeName::new(CUCKOO_NODE).map_err(|error| unreadable(&error))?;
    let role = RoleName::new(CUCKOO_ROLE).map_err(|error| unreadable(&error))?;
    let storage =
        Storage::open(&folder.join(STORAGE), &node).map_err(|error| unreadable(&error))?;
    let stored = storage.role(&role).load();
    stored.map_err(|error| unreadable(&error))
}

fn check_tick(stored: Option<&[u8]>) -> Result<String, String> {
    let Some(stored) = stored else {
        return Err("`cuckoo` on `cottage` has stored no tick".to_owned());
    };
    let tick: Tick = rmp_serde::from_slice(stored)
        .map_err(|error| format!("what `cuckoo` on `cottage` stored is no tick: {error}"))?;
    if (tick.node.as_str(), tick.role.as_str()) == (TIMER_NODE, TIMER_ROLE) {
        Ok(format!(
            "`cottage` remembers the tick of {} from `{TIMER_NODE}`",
            tick.time
        ))
    } else {
        Err(format!(
            "the last tick of `cuckoo` on `cottage` is of {}@{}, not of {TIMER_ROLE}@{TIMER_NODE}",
            tick.role, tick.node
        ))
    }
}

fn check_log(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the log file of `logger` on `scribe` cannot be read: {error}"))?;
    let sender = format!("<{TIMER_ROLE}@{TIMER_NODE}>");
    match text.lines().filter(|line| line.contains(&sender)).count() {
        0 => Err(format!(
            "the log file of `logger` on `scribe` has no line of {TIMER_ROLE}@{TIMER_NODE}"
        )),
        count => Ok(format!(
            "`scribe` has written down lines of {TIMER_ROLE}@{TIMER_NODE}: {count}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(node: &str) -> Vec<u8> {
        let value = serde_json::json!({
            "node": node, "role": "timer", "message": "Ping!", "time": "12:00:00", "received": 1,
        });
        rmp_serde::to_vec(&value).unwrap()
    }

    #[test]
    fn a_tick_of_the_other_node_is_proof_and_nothing_else_is() {
        let shown = check_tick(Some(&tick("clock"))).unwrap();
        assert!(shown.contains("12:00:00"), "{shown}");
        assert!(check_tick(Some(&tick("cottage"))).is_err());
        assert!(check_tick(Some(b"\xc0")).is_err());
        assert!(check_tick(None).is_err());
    }

    #[test]
    fn a_line_of_the_timer_is_proof_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOG_FILE);
        assert!(check_log(&path).is_err());
        std::fs::write(&path, "[12:00] <cuckoo@cottage> last cuckoo: never\n").unwrap();
        assert!(check_log(&path).is_err());
        std::fs::write(&path, "[12:00] <timer@clock> Ping! 12:00:00\n").unwrap();
        assert!(check_log(&path).unwrap().ends_with(": 1"));
    }

    #[test]
    fn an_empty_folder_lacks_both_and_a_full_one_is_proof() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(judge(folder.path()).unwrap_err().len(), 2);

        let node = NodeName::new(CUCKOO_NODE).unwrap();
        let storage = Storage::open(&folder.path().join(STORAGE), &node).unwrap();
        let cuckoo = storage.role(&RoleName::new(CUCKOO_ROLE).unwrap());
        cuckoo.store(&tick("clock")).unwrap();
        // Only one daemon at a time has the folder, and it has ended when its work is judged.
        drop((cuckoo, storage));
        let log = folder.path().join(LOG_FILE);
        std::fs::write(&log, "<timer@clock> Ping! 12:00:00\n").unwrap();
        judge(folder.path()).unwrap();

        std::fs::remove_file(&log).unwrap();
        assert_eq!(judge(folder.path()).unwrap_err().len(), 1);
    }
}
