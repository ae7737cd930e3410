//! What can be wrong with a key.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use kozo_ground::text::error_text;
use russh::keys::ssh_key;

use super::kind::KindError;

/// The longest key file that is read, in bytes.
pub(super) const MAX_KEY_FILE_LEN: u64 = 64 * 1024;

/// What is wrong with a key or its file, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no file at the path.
    #[error(
        "there is no private key at `{}`: make one there with `kozo keygen {}`, or correct `privateKey`",
        path.display(), path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file exists but cannot be read.
    #[error("cannot read the private key `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path is a folder, a device or a pipe.
    #[error(
        "`{}` is not a file: `privateKey` must name the file that holds the private key",
        path.display()
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else than the owner may read or write the file.
    #[error(
        "the private key `{}` is open to others than its owner (mode {mode:04o}): \
         run `chmod 600 {}`, and make a new key if somebody may have read it",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others can read a file that was handed to the daemon.
    #[error(
        "the private key `{}` can be read by others than root and this user (mode {mode:04o}, and no \
         folder above keeps them out): give it the mode 0400, or 0440 with a group of this user, \
         where it comes from",
        path.display()
    )]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is longer than a key ever is.
    #[error(
        "`{}` is not a private key: it is longer than {MAX_KEY_FILE_LEN} bytes",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file holds the public half.
    #[error("`{}` holds a public key: `privateKey` must name the private one", path.display())]
    PublicGiven {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else, or a damaged key.
    #[error("`{}` holds no private key that can be read ({reason})", path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// What it is instead, or what is the matter with it.
        #[source]
        reason: Damage,
    },
    /// The key is protected by a passphrase, and a daemon has nobody to ask.
    #[error(
        "the private key `{}` is protected by a passphrase, which nobody can type for a daemon: \
         remove it with `ssh-keygen -p -N '' -f {}`",
        path.display(), path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// PuTTY's form of the same, for which another program is needed.
    #[error(
        "the private key `{}` is protected by a passphrase, which nobody can type for a daemon: \
         open it in PuTTYgen, empty both fields for the passphrase and save it again, or write one \
         without with `puttygen {} -O private-openssh --new-passphrase /dev/null -o NEW`",
        path.display(), path.display()
    )]
    EncryptedPutty {
        /// The file.
        path: PathBuf,
    },
    /// The kind of key is not accepted.
    #[error("{subject} {reason}")]
    Kind {
        /// Which key.
        subject: String,
        /// What is the matter with it.
        #[source]
        reason: KindError,
    },
    /// The private key belongs to none of the public keys.
    #[error(
        "the private key ({private}) does not belong to the node: its {stands} is {expected}; \
         correct one of them"
    )]
    Mismatch {
        /// Where the public keys stand, in words.
        stands: String,
        /// The private key's fingerprint.
        private: String,
        /// The fingerprints of the node's public keys.
        expected: String,
    },
    /// A key would overwrite a file.
    #[error(
        "`{}` exists already and is not overwritten: remove it first, if it is not needed",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The folder for a new key does not exist.
    #[error("the folder `{}` does not exist: make it first (mode 0700)", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A new key cannot be written.
    #[error("cannot write the key `{}`", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key cannot be made.
    #[error("cannot make a key")]
    Generation(#[source] ssh_key::Error),
}

/// Why the text of a file is no private key.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// What has happened to it shows.
    #[error("{0}")]
    Known(Cow<'static, str>),
    /// It cannot be decoded, and nothing tells why.
    #[error("{}", error_text(.0))]
    Undecodable(#[source] russh::keys::Error),
}
