//! Whether a user may use a file at all: the opposite of who else may.

use std::io;
use std::path::{Path, PathBuf};

use super::rights::{READ, ROOT, Rights, SEARCH, User, WRITE};

/// What somebody wants to do with a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Read a file.
    Read,
    /// Read and write a file or a device.
    ReadWrite,
    /// Make, read and remove files in a folder.
    UseFolder,
}

/// What keeps `user` from what it wants at `path`: the first folder on the way that lets it not through,
/// or the file itself. None when nothing does, as far as owners, modes and access lists say.
///
/// # Errors
/// It cannot be found out: the file is not there, or this process may not look into a folder above it.
pub fn hindrance(path: &Path, user: &User, wish: Wish) -> io::Result<Option<PathBuf>> {
    let path = path.canonicalize()?;
    if user.id == ROOT {
        return Ok(None);
    }
    let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
    folders.reverse();
    for folder in folders {
        if !rights(folder)?.allow(user, SEARCH) {
            return Ok(Some(folder.to_owned()));
        }
    }
    let bits = match wish {
        Wish::Read => READ,
        Wish::ReadWrite => READ | WRITE,
        Wish::UseFolder => READ | WRITE | SEARCH,
    };
    let is_allowed = rights(&path)?.allow(user, bits);
    Ok((!is_allowed).then_some(path))
}

fn rights(path: &Path) -> io::Result<Rights> {
    Ok(Rights::at(path, &path.metadata()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn allow(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_thing_in_the_way_of_a_user_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let (inner, file) = (folder.join("keys"), folder.join("keys/node.key"));
        fs::create_dir(&inner).unwrap();
        fs::write(&file, "").unwrap();
        let metadata = file.metadata().unwrap();
        let stranger = |groups: &[u32]| User {
            id: metadata.uid() + 1,
            groups: BTreeSet::from_iter(groups.iter().copied()),
        };
        let owner = User {
            id: metadata.uid(),
            groups: BTreeSet::new(),
        };
        let of = |user: &User, wish| hindrance(&file, user, wish).unwrap();
        for path in [&folder, &inner] {
            allow(path, 0o755);
        }
        allow(&file, 0o640);
        assert_eq!(of(&owner, Wish::ReadWrite), None);
        assert_eq!(of(&stranger(&[]), Wish::Read), Some(file.clone()));
        let friend = stranger(&[metadata.gid()]);
        assert_eq!(of(&friend, Wish::Read), None);
        assert_eq!(of(&friend, Wish::ReadWrite), Some(file.clone()));
        allow(&inner, 0o700);
        assert_eq!(of(&friend, Wish::Read), Some(inner.clone()));
        assert!(hindrance(&inner.join("gone"), &owner, Wish::Read).is_err());
        let folder = |user: &User| hindrance(&inner, user, Wish::UseFolder).unwrap();
        assert_eq!(folder(&friend), Some(inner.clone()));
    }
}
