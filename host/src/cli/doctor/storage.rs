//! The folders that the node writes to: whether they can be written, and how much room there is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use kozo_access::{Wish, hindrance};
use kozo_description::Claimed;
use kozo_ground::text::{bytes, error_text};
use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};

use super::case::{Case, Described};
use super::finding::Finding;
use super::machine::nearest_existing;
use crate::cli::local::check_storage;
use crate::storage::StorageError;

/// Less room than this is a warning, in bytes.
const LITTLE_ROOM: u64 = 64 << 20;

/// Less than this is as good as none.
const NO_ROOM: u64 = 1 << 20;

/// How claims of files begin in the metadata of modules.
const FILES: &str = "the file ";

const MATTERS: &str = "what has to be remembered or written down there is lost";

/// A folder that the node writes to.
struct Place {
    /// What it is for.
    of: String,
    folder: PathBuf,
}

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if let Some(folder) = &described.node.role_storage {
        findings.push(role_storage(case, described, folder));
    }
    for place in others(described) {
        findings.push(writable(case, &place));
    }
    for place in all(described) {
        findings.extend(room(&place));
    }
    findings
}

/// `roleStorage`, with the eyes of the daemon.
fn role_storage(case: &Case, described: Described<'_>, folder: &Path) -> Finding {
    let looked_at = format!("`{}` (roleStorage)", folder.display());
    let finding = |text: String| match described.registry().has_storing_role(described.node) {
        true => Finding::fault(&looked_at, text).matters("the node does not start without it"),
        false => Finding::warning(&looked_at, text)
            .matters("no role of this node needs it; one that comes would"),
    };
    if let Err(error) = check_storage(folder) {
        if is_forbidden(&error) && !case.is_daemons_user() {
            let found = "this user may not use it: right if the daemon runs as another one";
            return Finding::unknown(&looked_at, found)
                .advice("run `kozo doctor` as root, or as the daemon's user");
        }
        return finding(error_text(&error)).advice(format!(
            "make the folder, and give it to the daemon's user: `install -d -o {} -m 0750 {}`",
            case.person.name,
            folder.display()
        ));
    }
    match kept_out(case, folder) {
        Some((place, advice)) => finding(place).advice(advice),
        None => Finding::fine(looked_at, "it can be written to"),
    }
}

/// Whether another user may do what this one may not.
fn is_forbidden(error: &StorageError) -> bool {
    match error {
        StorageError::Make { reason, .. } | StorageError::Access { reason, .. } => {
            reason.kind() == ErrorKind::PermissionDenied
        }
        _ => false,
    }
}

/// What keeps the daemon's user from a folder, and what to do.
fn kept_out(case: &Case, folder: &Path) -> Option<(String, String)> {
    let name = &case.person.name;
    let place = hindrance(nearest_existing(folder), &case.person.user, Wish::UseFolder).ok()??;
    let place = place.display();
    Some((
        format!("`{place}` keeps the daemon's user `{name}` from it"),
        format!("`chown {name} {place}`, or let it in by group or mode"),
    ))
}

fn writable(case: &Case, place: &Place) -> Finding {
    let looked_at = format!("`{}` ({})", place.folder.display(), place.of);
    if !place.folder.is_dir() {
        return Finding::warning(
            looked_at,
            "there is no such folder, as far as this user may see",
        )
        .matters(MATTERS)
        .advice("make it, and give it to the daemon's user; or correct the file");
    }
    match kept_out(case, &place.folder) {
        None => Finding::fine(looked_at, "the daemon's user may write there"),
        Some((found, advice)) => Finding::fault(looked_at, found)
            .matters(MATTERS)
            .advice(advice),
    }
}

/// The folders that are written to, but for `roleStorage`.
fn others(described: Described<'_>) -> Vec<Place> {
    let node = described.node;
    let transports = node.transport_storage.iter().map(|folder| Place {
        of: "transportStorage".to_owned(),
        folder: folder.clone(),
    });
    let files = described.claims().into_iter().filter_map(|claim| {
        let Claimed::Resource(name) = claim.claimed else {
            return None;
        };
        let file = Path::new(name.strip_prefix(FILES)?);
        Some(Place {
            of: claim.of,
            folder: file.parent()?.to_owned(),
        })
    });
    transports.chain(files).collect()
}

fn all(described: Described<'_>) -> Vec<Place> {
    let storage = described.node.role_storage.iter().map(|folder| Place {
        of: "roleStorage".to_owned(),
        folder: folder.clone(),
    });
    storage.chain(others(described)).collect()
}

/// What keeps things from being written where it is allowed: a file system that is read-only or full.
fn room(place: &Place) -> Option<Finding> {
    let there = nearest_existing(&place.folder);
    let looked_at = format!("file system of `{}` ({})", place.folder.display(), place.of);
    match statvfs(there) {
        Ok(system) => judge_room(looked_at, &system),
        Err(error) => Some(Finding::unknown(looked_at, error.to_string())),
    }
}

fn judge_room(looked_at: String, system: &StatVfs) -> Option<Finding> {
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let fault = |found: String| Finding::fault(&looked_at, found).matters(MATTERS);
    if system.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Some(fault("it is read-only".to_owned()).advice(
            "`dmesg` tells of errors of the card or disk, after which Linux makes it so; else see `/etc/fstab`",
        ));
    }
    // File systems without a table of files say that they have none at all.
    if system.f_files > 0 && system.f_favail == 0 {
        return Some(
            fault("no file can be made any more".to_owned()).advice("`df -i` shows where they are"),
        );
    }
    let found = format!("{} are free", bytes(free));
    let advice = "`du -xh / | sort -h | tail` shows what takes the room; `journalctl --vacuum-size=100M` gives some back";
    match free {
        NO_ROOM.. if free >= LITTLE_ROOM => None,
        NO_ROOM.. => Some(
            Finding::warning(looked_at, found)
                .matters(MATTERS)
                .advice(advice),
        ),
        _ => Some(fault(found).advice(advice)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_file_system_that_is_read_only_or_full_is_told_of() {
        let mut system = statvfs("/").unwrap();
        system.f_flag = StatVfsMountFlags::empty();
        (system.f_frsize, system.f_bavail) = (1, 1 << 40);
        (system.f_files, system.f_favail) = (10, 1);
        let severity = |system: &StatVfs| {
            judge_room("here".into(), system).map_or(Severity::Fine, |it| it.severity)
        };
        assert_eq!(severity(&system), Severity::Fine);
        system.f_bavail = 2 << 20;
        assert_eq!(severity(&system), Severity::Warning);
        system.f_bavail = 0;
        assert_eq!(severity(&system), Severity::Fault);
        (system.f_bavail, system.f_favail) = (1 << 40, 0);
        assert_eq!(severity(&system), Severity::Fault);
        (system.f_favail, system.f_flag) = (1, StatVfsMountFlags::RDONLY);
        assert_eq!(severity(&system), Severity::Fault);
    }
}
