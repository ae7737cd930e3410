//! What may go wrong with stored values, in words for the user of the role.

use std::io;
use std::path::PathBuf;

use kozo_ground::names::NodeName;

use super::MAX_STORED;
use super::format::FileDamage;

/// Why a value cannot be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The file names no folder.
    #[error(
        "node `{0}` has no place to store things: name a folder with `roleStorage` in its block of the configuration file"
    )]
    NotConfigured(NodeName),
    /// The folder is missing and cannot be made.
    #[error(
        "the folder `{}` (`roleStorage`) does not exist and cannot be made; make it, and give it to the user that runs `kozo`: {reason}",
        .path.display()
    )]
    Make {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// What should be the folder is something else.
    #[error("`{}` (`roleStorage`) is not a folder: name one", .0.display())]
    NotAFolder(PathBuf),
    /// The folder may not be used.
    #[error(
        "the folder `{}` (`roleStorage`) cannot be written to; let the user that runs `kozo` read and write it: {reason}",
        .path.display()
    )]
    Access {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Another daemon of the node uses it.
    #[error(
        "another daemon runs as `{node}` with the folder `{}` (`roleStorage`): stop it first, or name another folder",
        .path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The node.
        node: NodeName,
    },
    /// The role's file cannot be read.
    #[error(
        "the stored value cannot be read from `{}`; let the user that runs `kozo` read it: {reason}",
        .path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// Something else has the name of the role's file.
    #[error("`{}` should hold a stored value, but is not a regular file: move it away", .0.display())]
    NotAFile(PathBuf),
    /// The file was written by a later version.
    #[error(
        "`{}` was written by a later version of Kōzō (format {version}): use that, or move the file away",
        .path.display()
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// The format's version.
        version: u32,
    },
    /// The file does not hold what was written.
    #[error("the stored value in `{}` is damaged: {damage}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way it is damaged.
        damage: FileDamage,
    },
    /// The file is damaged and cannot be moved out of the way.
    #[error(
        "the stored value in `{}` is damaged ({damage}), and the file cannot be set aside; remove it: {reason}",
        .path.display()
    )]
    SetAside {
        /// The file.
        path: PathBuf,
        /// In which way it is damaged.
        damage: FileDamage,
        /// What the system says.
        reason: io::Error,
    },
    /// The value is too large.
    #[error("the value has {0} bytes, and {MAX_STORED} are the limit: store less")]
    TooLarge(usize),
    /// The role's file cannot be written.
    #[error(
        "the value cannot be stored in `{}`; see that the folder is there, writable and not full: {reason}",
        .path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}
