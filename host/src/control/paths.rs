//! Where control sockets are.
//!
//! The first of these folders that can be used:
//!
//! 1. `$RUNTIME_DIRECTORY`, which systemd sets for a service with `RuntimeDirectory=`;
//! 2. `/run/kozo`, if it is there and writable;
//! 3. `$XDG_RUNTIME_DIR/kozo`;
//! 4. `/tmp/kozo-UID`.
//!
//! The last two are made when they are missing, for their user alone (0700). One that somebody
//! else owns or may write to is refused. A folder whose path is too long for a socket in it is
//! passed over, by daemons and by those who look for them.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use kozo_ground::names::NodeName;
use rustix::fs::{Access, access};
use rustix::net::SocketAddrUnix;

use kozo_ground::text::error_text;

/// What a node's socket is called, behind the node's name.
const SUFFIX: &str = ".sock";

/// The folder of the system.
const SYSTEM_FOLDER: &str = "/run/kozo";

/// What the choice of a folder depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// The variable `RUNTIME_DIRECTORY`.
    pub(crate) runtime_directory: Option<OsString>,
    /// The folder of the system: `/run/kozo`.
    pub(crate) system: PathBuf,
    /// The variable `XDG_RUNTIME_DIR`.
    pub(crate) user_runtime: Option<OsString>,
    /// The folder for everybody's temporary files: `/tmp`.
    pub(crate) temporary: PathBuf,
    /// The user of this process.
    pub(crate) user: u32,
}

/// Why there is no place for a control socket.
#[derive(Debug, thiserror::Error)]
#[error("`{folder}` {reason}: give the socket a place with `--control PATH`")]
pub(crate) struct FolderError {
    folder: String,
    reason: String,
}

impl Surroundings {
    /// The surroundings of this process.
    pub(crate) fn read() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            runtime_directory: variable("RUNTIME_DIRECTORY"),
            system: SYSTEM_FOLDER.into(),
            user_runtime: variable("XDG_RUNTIME_DIR"),
            temporary: "/tmp".into(),
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// Where a daemon puts the socket of `node`. Makes the folder if need be.
    ///
    /// # Errors
    /// [`FolderError`] when the last choice cannot be used either.
    pub(crate) fn place_for(&self, node: &NodeName) -> Result<PathBuf, FolderError> {
        let file = format!("{node}{SUFFIX}");
        if let Some(folder) = self.service_folder()
            && holds(&folder, &file)
        {
            return Ok(folder.join(file));
        }
        if holds(&self.system, &file)
            && access(&self.system, Access::WRITE_OK | Access::EXEC_OK).is_ok()
        {
            return Ok(self.system.join(file));
        }
        if let Some(folder) = self.user_folder()
            && holds(&folder, &file)
            && make_private(&folder, self.user).is_ok()
        {
            return Ok(folder.join(file));
        }
        let folder = self.temporary_folder();
        make_private(&folder, self.user).map_err(|error| FolderError {
            folder: folder.display().to_string(),
            reason: error_text(&error),
        })?;
        Ok(folder.join(file))
    }

    /// Where the socket of `node` may be, in the order in which daemons choose.
    pub(crate) fn places_of(&self, node: &NodeName) -> Vec<PathBuf> {
        let file = format!("{node}{SUFFIX}");
        let folders = self.folders().into_iter();
        folders
            .filter(|folder| holds(folder, &file))
            .map(|folder| folder.join(&file))
            .collect()
    }

    /// The sockets that there are, live or not, with the names of their nodes.
    pub(crate) fn sockets(&self) -> Vec<(NodeName, PathBuf)> {
        let entries = self.folders().into_iter().flat_map(|folder| {
            let mut paths: Vec<_> = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect();
            paths.sort();
            paths
        });
        entries
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
                Some((NodeName::new(name).ok()?, path))
            })
            .collect()
    }

    /// The folders to look in. A folder in `/tmp` that is somebody else's is not: they could
    /// answer in the daemon's place.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let temporary = self.temporary_folder();
        let temporary = is_private(&temporary, self.user).then_some(temporary);
        let mut folders = Vec::new();
        for folder in [
            self.service_folder(),
            Some(self.system.clone()),
            self.user_folder(),
            temporary,
        ]
        .into_iter()
        .flatten()
        {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }

    /// systemd separates several folders with colons.
    fn service_folder(&self) -> Option<PathBuf> {
        let folders = self.runtime_directory.as_ref()?;
        std::env::split_paths(folders).find(|folder| folder.is_absolute())
    }

    fn user_folder(&self) -> Option<PathBuf> {
        let runtime = Path::new(self.user_runtime.as_ref()?);
        runtime.is_absolute().then(|| runtime.join("kozo"))
    }

    fn temporary_folder(&self) -> PathBuf {
        self.temporary.join(format!("kozo-{}", self.user))
    }
}

/// Whether the path of a socket in this folder is short enough for the system: 107 bytes.
fn holds(folder: &Path, file: &str) -> bool {
    SocketAddrUnix::new(folder.join(file)).is_ok()
}

/// Makes sure that a folder is there, and its user's alone.
fn make_private(folder: &Path, user: u32) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if is_private(folder, user) {
        Ok(())
    } else {
        Err(io::Error::other(
            "is no folder that only its owner, this user, may write to",
        ))
    }
}

/// Whether this is a folder of the user that nobody else may write to; a link to one is not.
fn is_private(folder: &Path, user: u32) -> bool {
    std::fs::symlink_metadata(folder)
        .is_ok_and(|found| found.is_dir() && found.uid() == user && found.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A machine in a folder: nothing of it is there yet.
    fn surroundings(root: &Path) -> Surroundings {
        std::fs::create_dir(root.join("tmp")).unwrap();
        Surroundings {
            system: root.join("run/kozo"),
            temporary: root.join("tmp"),
            user: rustix::process::geteuid().as_raw(),
            ..Surroundings::default()
        }
    }

    #[test]
    fn the_first_folder_that_can_be_used_is_taken_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = surroundings(root.path());
        let node = NodeName::new("clock").unwrap();
        let user = machine.user;
        let expect = |machine: &Surroundings, folder: String| {
            let place = machine.place_for(&node).unwrap();
            assert_eq!(place, root.path().join(folder).join("clock.sock"));
            assert!(machine.places_of(&node).contains(&place));
            std::fs::write(&place, "").unwrap();
            assert!(machine.sockets().contains(&(node.clone(), place)));
        };
        expect(&machine, format!("tmp/kozo-{user}"));
        std::fs::create_dir(root.path().join("user")).unwrap();
        machine.user_runtime = Some(root.path().join("user").into());
        expect(&machine, "user/kozo".into());
        std::fs::create_dir_all(&machine.system).unwrap();
        expect(&machine, "run/kozo".into());
        std::fs::create_dir(root.path().join("service")).unwrap();
        let both = format!("{0}/service:{0}/other", root.path().display());
        machine.runtime_directory = Some(both.into());
        expect(&machine, "service".into());
    }

    #[test]
    fn a_folder_whose_path_is_too_long_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let mut machine = surroundings(root.path());
        let node = NodeName::new(&"n".repeat(64)).unwrap();
        let long = root.path().join("x".repeat(60));
        for folder in ["service", "user"] {
            std::fs::create_dir_all(long.join(folder)).unwrap();
        }
        machine.runtime_directory = Some(long.join("service").into());
        machine.user_runtime = Some(long.join("user").into());
        machine.system = long;
        let place = machine.place_for(&node).unwrap();
        assert!(place.starts_with(machine.temporary_folder()), "{place:?}");
        assert_eq!(machine.places_of(&node), [place]);
    }

    #[test]
    fn folders_that_others_may_write_to_and_links_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let machine = surroundings(root.path());
        let node = NodeName::new("clock").unwrap();
        let folder = machine.temporary_folder();
        machine.place_for(&node).unwrap();
        let mode = std::fs::metadata(&folder).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = machine.place_for(&node).unwrap_err().to_string();
        assert!(error.contains("--control"), "{error}");
        assert!(!machine.folders().contains(&folder));
        std::fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink(root.path(), &folder).unwrap();
        assert!(machine.place_for(&node).is_err());
        std::fs::remove_file(&folder).unwrap();
        let stranger = Surroundings {
            user: machine.user + 1,
            ..machine
        };
        std::fs::create_dir(stranger.temporary_folder()).unwrap();
        assert!(stranger.place_for(&node).is_err());
    }
}
