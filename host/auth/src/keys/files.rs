//! Private keys on disk.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{PrivateKey, decode_secret_key};

use super::error::{KeyError, MAX_KEY_FILE_LEN};
use super::kind::check_kind;
use super::pair::public_line;
use super::{form, line};
use crate::secret_file::{self, Exposure, SecretFileError};

const PRIVATE_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;

/// Reads a node's private key: the OpenSSH format, PEM as PKCS#1, PKCS#8 or SEC 1, or PuTTY's.
///
/// Nobody but root and this user may be able to read the file; docs/keys.md has the rule.
///
/// # Errors
/// One [`KeyError`] for each thing that can be wrong with the file or with the key in it.
pub fn load_private(path: &Path) -> Result<PrivateKey, KeyError> {
    let text = read_secret(path)?;
    // As it is first: a space may belong to what is signed in it.
    let key = decode_secret_key(&text, None).or_else(|error| {
        let text = form::tidied(&text);
        decode_secret_key(&text, None).map_err(|_| form::explain(path, &text, error))
    })?;
    if key.is_encrypted() {
        let path = path.to_owned();
        return Err(KeyError::Encrypted { path });
    }
    check_kind(key.public_key()).map_err(|reason| KeyError::Kind {
        subject: format!("the private key `{}`", path.display()),
        reason,
    })?;
    Ok(key)
}

/// Writes a new key in the OpenSSH format (mode 0600), and its public line next to it (mode 0644)
/// at [`public_path`].
///
/// Either file is whole and on the disk, or not there: a reader never sees half a key.
///
/// # Errors
/// [`KeyError::Exists`] when either file exists (nothing is overwritten), [`KeyError::NoFolder`],
/// or [`KeyError::Unwritable`]. Neither file is left behind then.
pub fn write_private(path: &Path, key: &PrivateKey) -> Result<(), KeyError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let folder = folder.to_owned();
        return Err(KeyError::NoFolder { folder });
    }
    let public = public_path(path);
    // Checked again when each file takes its name; this only spares the undoing.
    for path in [path, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(KeyError::Exists {
                path: path.to_owned(),
            });
        }
    }
    let text = key
        .to_openssh(LineEnding::LF)
        .map_err(KeyError::Generation)?;
    place(folder, path, text.as_bytes(), PRIVATE_MODE)?;
    let line = format!("{}\n", public_line(key));
    if let Err(error) = place(folder, &public, line.as_bytes(), PUBLIC_MODE) {
        // The private half is ours, made a moment ago: without the public one it only stands in
        // the way of the next attempt.
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    // Also the names must outlive a power cut.
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| unwritable(path, source))
}

/// Where the public half of the key at `path` is written: `path` with `.pub` behind it.
pub fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes `text` to a new file and gives it its name only when it is whole and on the disk.
fn place(folder: &Path, path: &Path, text: &[u8], mode: u32) -> Result<(), KeyError> {
    let write = || -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new()
            .prefix(".kozo-key-")
            .permissions(std::fs::Permissions::from_mode(PRIVATE_MODE))
            .tempfile_in(folder)?;
        file.write_all(text)?;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    let file = write().map_err(|source| unwritable(path, source))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(KeyError::Exists {
            path: path.to_owned(),
        }),
        Err(error) => Err(unwritable(path, error.error)),
    }
}

fn unwritable(path: &Path, source: io::Error) -> KeyError {
    let path = path.to_owned();
    KeyError::Unwritable { path, source }
}

/// Reads the file, after checking on the open descriptor that it is one and who may read it.
fn read_secret(path: &Path) -> Result<String, KeyError> {
    let path = path.to_owned();
    let read = match secret_file::read(&path, MAX_KEY_FILE_LEN) {
        Ok(read) => read,
        Err(SecretFileError::Missing) => return Err(KeyError::Missing { path }),
        Err(SecretFileError::NotAFile) => return Err(KeyError::NotAFile { path }),
        Err(SecretFileError::TooLarge) => return Err(KeyError::TooLarge { path }),
        Err(SecretFileError::Unreadable(source)) => {
            return Err(KeyError::Unreadable { path, source });
        }
    };
    let text = match form::text(read.bytes) {
        Ok(text) => text,
        Err(reason) => return Err(KeyError::NotPrivate { path, reason }),
    };
    // Before the permissions, which a public key may well have.
    if line::is_public(&text) {
        return Err(KeyError::PublicGiven { path });
    }
    match read.exposure {
        None => Ok(text),
        Some(Exposure::Own { mode }) => Err(KeyError::Exposed { path, mode }),
        Some(Exposure::HandedOver { mode }) => Err(KeyError::Shared { path, mode }),
    }
}
