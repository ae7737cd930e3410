//! What the owner, the mode and the access list of one file or folder let others do with it.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::acl::{self, Whom};

/// The user who may do everything.
pub(super) const ROOT: u32 = 0;

pub(super) const READ: u32 = 4;
pub(super) const WRITE: u32 = 2;
pub(super) const SEARCH: u32 = 1;

/// A user, and the groups that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number of the user.
    pub id: u32,
    /// The numbers of the groups.
    pub groups: BTreeSet<u32>,
}

impl User {
    /// The one whom this process acts for.
    pub fn of_this_process() -> Self {
        let mut groups: BTreeSet<u32> = rustix::process::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(rustix::process::Gid::as_raw)
            .collect();
        groups.insert(rustix::process::getegid().as_raw());
        Self {
            id: rustix::process::geteuid().as_raw(),
            groups,
        }
    }
}

/// What is written down about a file or folder.
#[derive(Debug, Clone)]
pub(super) struct Rights {
    pub(super) owner: u32,
    group: u32,
    pub(super) mode: u32,
    /// The entries of its access list; without one, the mode says it all.
    list: Option<Vec<(Whom, u32)>>,
}

impl Rights {
    /// Those of an open file.
    pub(super) fn of_open(file: impl AsFd, metadata: &Metadata) -> Self {
        let mut buffer = vec![0; acl::MAX_LEN];
        let read = rustix::fs::fgetxattr(file, acl::ATTRIBUTE, &mut buffer[..]);
        Self::new(metadata, read.ok().map(|length| &buffer[..length]))
    }

    /// Those of what is at a path, links followed.
    pub(super) fn at(path: &Path, metadata: &Metadata) -> Self {
        let mut buffer = vec![0; acl::MAX_LEN];
        let read = rustix::fs::getxattr(path, acl::ATTRIBUTE, &mut buffer[..]);
        Self::new(metadata, read.ok().map(|length| &buffer[..length]))
    }

    fn new(metadata: &Metadata, list: Option<&[u8]>) -> Self {
        Self {
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode() & 0o7777,
            list: list.and_then(acl::parse),
        }
    }

    /// Whether a user has all of these rights.
    pub(super) fn allow(&self, user: &User, bits: u32) -> bool {
        let has = |given: u32| given & bits == bits;
        if user.id == self.owner {
            return has(self.mode >> 6);
        }
        let others = has(self.mode);
        let Some(list) = &self.list else {
            return match user.groups.contains(&self.group) {
                true => has(self.mode >> 3),
                false => others,
            };
        };
        let is_meant = |whom: &Whom| match whom {
            Whom::User(id) => *id == user.id,
            Whom::GroupObject => user.groups.contains(&self.group),
            Whom::Group(id) => user.groups.contains(id),
        };
        let mut meant = list.iter().filter(|(whom, _)| is_meant(whom)).peekable();
        match meant.peek() {
            // Of one's own entry, no group can say otherwise.
            Some((Whom::User(_), given)) => has(*given),
            Some(_) => meant.any(|(_, given)| has(*given)),
            None => others,
        }
    }

    /// Whether everybody has one of these rights.
    pub(super) fn is_open_to_all(&self, bits: u32) -> bool {
        self.mode & bits != 0
    }

    /// Whether anybody gets one of these rights by the group of the file or by its access list, but
    /// for root, `user`, and those groups of which `trusts` says that they may.
    pub(super) fn is_open_by_group(
        &self,
        bits: u32,
        user: u32,
        trusts: impl Fn(u32) -> bool,
    ) -> bool {
        // With a list, these bits of the mode are its mask.
        if self.mode >> 3 & bits == 0 {
            return false;
        }
        let Some(list) = &self.list else {
            return !trusts(self.group);
        };
        list.iter()
            .filter(|(_, given)| given & bits != 0)
            .any(|(whom, _)| match *whom {
                Whom::User(id) => id != ROOT && id != user,
                Whom::GroupObject => !trusts(self.group),
                Whom::Group(id) => !trusts(id),
            })
    }
}
