//! The folders in which transports keep their own files.
//!
//! Each transport of the node that runs has one of its own, `NODE.TRANSPORT`, which is made when
//! the transport asks for it. They are in `transportStorage` of the node, or without that in the
//! first of these that fits:
//!
//! 1. `$STATE_DIRECTORY`, which systemd sets for a service with `StateDirectory=`;
//! 2. `/var/lib/kozo`, for root and for the user that it belongs to. So a command that somebody
//!    runs as the user of the service finds what the service keeps;
//! 3. `$XDG_STATE_HOME/kozo`, or `~/.local/state/kozo`.
//!
//! They hold keys: so one that somebody else owns or may look into is refused, and root makes none
//! in a folder that is another user's, whose daemon could not use it.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use kozo_ground::names::NodeName;

/// Who may look into a folder that is made: its user alone.
const FOLDER_MODE: u32 = 0o700;

/// What nobody but the owner may do with a folder.
const OTHERS: u32 = 0o077;

/// The folder of the system.
const SYSTEM_FOLDER: &str = "/var/lib/kozo";

const ROOT: u32 = 0;

/// What the choice of a place depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct StateEnvironment {
    /// The variable `STATE_DIRECTORY`.
    pub(crate) state_directory: Option<OsString>,
    /// The folder of the system: `/var/lib/kozo`.
    pub(crate) system: PathBuf,
    /// The variable `XDG_STATE_HOME`.
    pub(crate) user_state: Option<OsString>,
    /// The variable `HOME`.
    pub(crate) home: Option<OsString>,
    /// The user of this process.
    pub(crate) user: u32,
}

impl StateEnvironment {
    /// The environment of this process.
    pub(crate) fn read() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            state_directory: variable("STATE_DIRECTORY"),
            system: SYSTEM_FOLDER.into(),
            user_state: variable("XDG_STATE_HOME"),
            home: variable("HOME"),
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// Where folders are when the file names no place.
    fn usual_place(&self) -> Option<PathBuf> {
        let absolute =
            |path: Option<&OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
        // systemd separates several folders with colons.
        let service = self
            .state_directory
            .iter()
            .flat_map(std::env::split_paths)
            .find(|folder| folder.is_absolute());
        let system = || {
            let owned = || {
                self.system
                    .metadata()
                    .is_ok_and(|found| found.uid() == self.user)
            };
            (self.user == ROOT || owned()).then(|| self.system.clone())
        };
        let user = || {
            absolute(self.user_state.as_ref())
                .or_else(|| Some(absolute(self.home.as_ref())?.join(".local/state")))
                .map(|folder| folder.join("kozo"))
        };
        service.or_else(system).or_else(user)
    }
}

/// Why a transport has no folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StateError {
    /// Neither the file nor the surroundings name a place.
    #[error("there is no place for its files: name a folder with `transportStorage` of the node")]
    NoPlace,
    /// A folder is missing and cannot be made.
    #[error("the folder `{}` for its files cannot be made; make it, or name another one with `transportStorage` of the node: {reason}", .path.display())]
    Make {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The folder around it is another user's.
    #[error("the folder `{}` belongs to the user {owner}, not to root: run this as that user, or name another folder with `transportStorage` of the node", .path.display())]
    OfAnotherUser {
        /// The folder.
        path: PathBuf,
        /// The number of its user.
        owner: u32,
    },
    /// Something that is not safe has the folder's name.
    #[error("`{}` should be a folder that only its owner, this user, may look into: see `ls -ld`, then `chown` or `chmod 700` it if nobody else can have used it, or move it away", .0.display())]
    Unsafe(PathBuf),
}

/// Makes the folders of transports.
#[derive(Debug)]
pub(crate) struct StateFolders {
    /// The folder that they are in.
    place: Option<PathBuf>,
    /// Whether `place` is made with all that it is in. What the file names is not: a mistyped
    /// path shall not become a tree.
    make_parents: bool,
    user: u32,
}

impl StateFolders {
    /// The folders of a node with this `transportStorage`.
    pub(crate) fn new(configured: Option<&Path>, surroundings: &StateEnvironment) -> Self {
        let place = configured.map_or_else(|| surroundings.usual_place(), |path| Some(path.into()));
        Self {
            place,
            make_parents: configured.is_none(),
            user: surroundings.user,
        }
    }

    /// The folder of a transport, or of a bus, which has the name of none of the node's; made when it is missing.
    ///
    /// # Errors
    /// [`StateError`]: it cannot be made, or is not safe.
    pub(crate) fn folder(&self, node: &NodeName, transport: &str) -> Result<PathBuf, StateError> {
        let place = self.place.as_deref().ok_or(StateError::NoPlace)?;
        make(place, self.make_parents)?;
        let folder = place.join(format!("{node}.{transport}"));
        if folder.symlink_metadata().is_err() {
            let owner = place.metadata().map_or(self.user, |found| found.uid());
            if self.user == ROOT && owner != ROOT {
                let path = place.to_owned();
                return Err(StateError::OfAnotherUser { path, owner });
            }
            make(&folder, false)?;
        }
        if self.is_private(&folder) {
            Ok(folder)
        } else {
            Err(StateError::Unsafe(folder))
        }
    }

    /// Whether this is a folder of the user that nobody else may look into; a link to one is not.
    fn is_private(&self, folder: &Path) -> bool {
        folder.symlink_metadata().is_ok_and(|found| {
            found.is_dir() && found.uid() == self.user && found.mode() & OTHERS == 0
        })
    }
}

/// Makes a folder if it is not there.
fn make(folder: &Path, parents: bool) -> Result<(), StateError> {
    let made = DirBuilder::new()
        .mode(FOLDER_MODE)
        .recursive(parents)
        .create(folder);
    match made {
        // On a read-only file system the error is another one for a folder that exists.
        Err(reason) if !folder.exists() => Err(StateError::Make {
            path: folder.to_owned(),
            reason,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn surroundings(root: &Path) -> StateEnvironment {
        StateEnvironment {
            system: root.join("system"),
            user: rustix::process::geteuid().as_raw(),
            ..StateEnvironment::default()
        }
    }

    fn folder(
        configured: Option<&Path>,
        surroundings: &StateEnvironment,
    ) -> Result<PathBuf, StateError> {
        let node = NodeName::new("clock.local").unwrap();
        StateFolders::new(configured, surroundings).folder(&node, "onion")
    }

    #[test]
    fn the_first_place_that_fits_is_taken_and_the_folder_is_its_users_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let mut machine = surroundings(root.path());
        // No user of this machine, so that the folder of the system is nobody's.
        let somebody = StateEnvironment {
            user: u32::MAX - 1,
            ..machine.clone()
        };
        assert!(matches!(folder(None, &somebody), Err(StateError::NoPlace)));
        let home = StateEnvironment {
            home: Some(path("home").into()),
            ..somebody.clone()
        };
        assert_eq!(home.usual_place(), Some(path("home/.local/state/kozo")));
        let xdg = StateEnvironment {
            user_state: Some(path("xdg").into()),
            ..home
        };
        assert_eq!(xdg.usual_place(), Some(path("xdg/kozo")));

        std::fs::create_dir(path("system")).unwrap();
        let made = folder(None, &machine).unwrap();
        assert_eq!(made, path("system/clock.local.onion"));
        assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o700);

        let both = format!("{0}/service:{0}/other", root.path().display());
        machine.state_directory = Some(both.into());
        let made = folder(None, &machine).unwrap();
        assert_eq!(made, path("service/clock.local.onion"));
        // It is the same the next time.
        assert_eq!(folder(None, &machine).unwrap(), made);

        let made = folder(Some(&path("named")), &machine).unwrap();
        assert_eq!(made, path("named/clock.local.onion"));
    }

    #[test]
    fn a_mistyped_place_becomes_no_tree() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("no/where");
        let error = folder(Some(&place), &surroundings(root.path())).unwrap_err();
        assert!(matches!(error, StateError::Make { .. }), "{error}");
        assert!(error.to_string().contains("`transportStorage`"), "{error}");
    }

    #[test]
    fn what_others_own_or_may_look_into_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let machine = surroundings(root.path());
        let place = root.path().join("place");
        let made = folder(Some(&place), &machine).unwrap();
        set_permissions(&made, Permissions::from_mode(0o750)).unwrap();
        let error = folder(Some(&place), &machine).unwrap_err();
        assert!(matches!(error, StateError::Unsafe(_)), "{error}");

        std::fs::remove_dir(&made).unwrap();
        std::os::unix::fs::symlink(root.path(), &made).unwrap();
        assert!(folder(Some(&place), &machine).is_err());

        std::fs::remove_file(&made).unwrap();
        std::fs::create_dir(&made).unwrap();
        set_permissions(&made, Permissions::from_mode(0o700)).unwrap();
        folder(Some(&place), &machine).unwrap();
        let stranger = StateEnvironment {
            user: machine.user + 1,
            ..machine
        };
        assert!(folder(Some(&place), &stranger).is_err());
    }

    #[test]
    fn root_makes_no_folder_where_another_users_daemon_keeps_its_own() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("place");
        std::fs::create_dir(&place).unwrap();
        std::os::unix::fs::chown(&place, Some(1), None).unwrap();
        let error = folder(Some(&place), &surroundings(root.path())).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("belongs to the user 1, not to root"),
            "{error}"
        );
        assert!(std::fs::read_dir(&place).unwrap().next().is_none());
    }
}
