//! The socket's file: made with the right mode, taken over from a dead daemon, removed at the end.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

/// Who may connect: the user and the group.
const MODE: u32 = 0o660;

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 16;

/// Why a daemon has no control socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// Another daemon listens there.
    #[error(
        "another daemon listens on `{}`: is this node running twice? `--control PATH` gives this \
         one a place of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// Something else is there, and is not removed.
    #[error("`{}` is no socket: remove it, or choose another place with `--control PATH`", .0.display())]
    NoSocket(PathBuf),
    /// The system refuses the socket.
    #[error("cannot listen on `{}`: {reason}", path.display())]
    System {
        /// The path that was to be listened at.
        path: PathBuf,
        /// What the system says about it.
        reason: io::Error,
    },
}

/// A listening control socket; its file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file: another one in its place is left alone.
    identity: (u64, u64),
    group: u32,
}

impl ControlSocket {
    /// Listens at `path`, in place of a socket on which nobody listens any more.
    ///
    /// # Errors
    /// [`SocketError`]
    pub(crate) fn open(path: &Path) -> Result<Self, SocketError> {
        let refused = |reason: io::Error| SocketError::System {
            path: path.to_owned(),
            reason,
        };
        clear(path)?;
        let socket = listening(path).map_err(|error| refused(error.into()))?;
        // The user's mask may have taken bits from the mode that it was made with.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(refused)?;
        let found = std::fs::symlink_metadata(path).map_err(refused)?;
        Ok(Self {
            listener: socket.into(),
            path: path.to_owned(),
            identity: (found.dev(), found.ino()),
            group: found.gid(),
        })
    }

    /// The path that it listens at.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The group that may use it.
    pub(super) fn group(&self) -> u32 {
        self.group
    }

    /// A second handle on it, for the runtime.
    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let found = std::fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            // If it cannot be removed, the next daemon takes its place all the same.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the socket of a daemon that is gone.
fn clear(path: &Path) -> Result<(), SocketError> {
    let refused = |reason: io::Error| SocketError::System {
        path: path.to_owned(),
        reason,
    };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NoSocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(refused)
        }
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(error) => Err(refused(error)),
    }
}

/// The file gets its mode from the socket's own: there is no moment at which others may connect.
fn listening(path: &Path) -> rustix::io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    fchmod(&socket, Mode::from_raw_mode(MODE))?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_its_user_and_group_and_goes_with_its_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock.sock");
        let socket = ControlSocket::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_daemons_socket_is_replaced_and_a_live_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock.sock");
        // The standard library leaves the file behind, as a killed daemon does.
        drop(UnixListener::bind(&path).unwrap());
        let live = ControlSocket::open(&path).unwrap();
        let error = ControlSocket::open(&path).unwrap_err();
        assert!(matches!(error, SocketError::InUse(_)), "{error}");
        assert!(UnixStream::connect(&path).is_ok());
        drop(live);
        std::fs::write(&path, "precious").unwrap();
        let error = ControlSocket::open(&path).unwrap_err();
        assert!(matches!(error, SocketError::NoSocket(_)), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn a_socket_that_took_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock.sock");
        let first = ControlSocket::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _second = ControlSocket::open(&path).unwrap();
        drop(first);
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(200));
        let error = ControlSocket::open(&path).unwrap_err().to_string();
        assert!(error.contains("xxxx"), "{error}");
    }
}
