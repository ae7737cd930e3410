//! What goes wrong with Tor, in words for those who have to do something about it.

use std::path::Path;

use arti_client::{ErrorKind, HasKind};
use kozo_abi::{Error, error_text};

use crate::options::Target;

/// Why a client cannot be made on a state folder.
pub(super) fn of_folder(error: &arti_client::Error, folder: &Path) -> Error {
    explain(error.kind(), &error_text(error), folder)
}

/// Why the keys in a state folder cannot be used.
pub(super) fn of_keys(error: &tor_hsservice::StartupError, folder: &Path) -> Error {
    explain(error.kind(), &error_text(error), folder)
}

fn explain(kind: ErrorKind, reason: &str, folder: &Path) -> Error {
    let shown = folder.display();
    let text = match kind {
        ErrorKind::LocalResourceAlreadyInUse => return in_use(folder),
        ErrorKind::FsPermissions => {
            format!("others may change what is in `{shown}`, or in a folder around it: {reason}")
        }
        ErrorKind::KeystoreCorrupted
        | ErrorKind::PersistentStateCorrupted
        | ErrorKind::CacheCorrupted => format!(
            "what is in `{shown}` is damaged: bring `state/keystore` back from a backup, which keeps the address, or move the folder away to begin anew with another one: {reason}"
        ),
        ErrorKind::KeystoreAccessFailed
        | ErrorKind::PersistentStateAccessFailed
        | ErrorKind::CacheAccessFailed => {
            format!(
                "`{shown}` cannot be used: see who owns it, and whether the disk is full: {reason}"
            )
        }
        _ => reason.to_owned(),
    };
    text.into()
}

/// Another process has the state folder.
pub(super) fn in_use(folder: &Path) -> Error {
    let folder = folder.display();
    format!(
        "another process uses `{folder}`: stop it, or give this node a folder of its own with `transportStorage`"
    )
    .into()
}

/// Why there is no connection.
pub(super) fn of_connection(error: &arti_client::Error, target: &Target) -> Error {
    let reason = error_text(error);
    let text = match error.kind() {
        ErrorKind::OnionServiceNotFound => format!(
            "Tor finds no such address: the node there does not run or is not online, or `{}` is not its address",
            target.address
        ),
        ErrorKind::OnionServiceNotRunning => {
            format!("the node there does not answer: {reason}")
        }
        ErrorKind::RemoteStreamClosed
        | ErrorKind::RemoteStreamReset
        | ErrorKind::RemoteConnectionRefused => format!(
            "the node there takes no connections at port {}: compare `onionPort` in both files",
            target.port
        ),
        ErrorKind::ClockSkew => format!("this machine's clock is wrong: {reason}"),
        _ => reason,
    };
    text.into()
}
