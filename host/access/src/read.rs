//! Who can read a file.

use std::fs::{File, Metadata};
use std::path::Path;

use super::rights::{READ, ROOT, Rights, SEARCH, User, WRITE};

/// Who else can read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nobody but root and the user: the file itself says so, whatever folder it is in.
    Owner,
    /// Nobody but root, the user and, where root gives it to them, those who share a group with the
    /// user; partly by what the folders above the file say.
    Closed,
    /// Others.
    Open,
}

/// Who else can read the open file at `path`. A file that others may write is open whatever keeps
/// them from it.
pub fn reach_of(file: &File, metadata: &Metadata, path: &Path, user: &User) -> Reach {
    const OTHERS: u32 = 0o077;
    const OTHERS_WRITE: u32 = WRITE << 3 | WRITE;
    let rights = Rights::of_open(file, metadata);
    if rights.mode & OTHERS == 0 {
        return Reach::Owner;
    }
    if rights.mode & OTHERS_WRITE != 0 {
        return Reach::Open;
    }
    let is_closed = is_closed(&rights, READ, user) || is_behind_a_closed_folder(path, user);
    if is_closed {
        Reach::Closed
    } else {
        Reach::Open
    }
}

/// Whether one of the folders above lets nobody else through.
fn is_behind_a_closed_folder(path: &Path, user: &User) -> bool {
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    path.ancestors().skip(1).any(|folder| {
        let Ok(metadata) = folder.metadata() else {
            return false;
        };
        is_closed(&Rights::at(folder, &metadata), SEARCH, user)
    })
}

/// Whether nobody else has these rights. Root may share what is its own with a group of the user:
/// there is no other way to let the user read it, and not change it.
fn is_closed(rights: &Rights, bits: u32, user: &User) -> bool {
    let is_of_root = rights.owner == ROOT;
    let shares = |group: u32| is_of_root && (group == ROOT || user.groups.contains(&group));
    (is_of_root || rights.owner == user.id)
        && !rights.is_open_to_all(bits)
        && !rights.is_open_by_group(bits, user.id, shares)
}
