//! The secret that hides names from whoever runs an engine.

use std::path::Path;

use kozo_auth::secret_file::{self, Exposure, SecretFileError};
use kozo_bus::subject::SubjectKey;

use super::error::BusError;

/// The longest secret, in bytes.
const MAX_SECRET: u64 = 4096;

/// Reads `subjectSecretFile`: its bytes, without what is blank at the end. Nobody but root and this user may be able to
/// read it, as with private keys.
///
/// # Errors
/// It cannot be read, is none, or may be known to others.
pub(crate) fn read(path: &Path) -> Result<SubjectKey, BusError> {
    let path = path.to_owned();
    let read = match secret_file::read(&path, MAX_SECRET) {
        Ok(read) => read,
        Err(SecretFileError::TooLarge) => {
            let most = MAX_SECRET;
            return Err(BusError::SecretTooLong { path, most });
        }
        Err(reason) => return Err(BusError::SecretFile { path, reason }),
    };
    match read.exposure {
        None => {}
        Some(Exposure::Own { mode }) => return Err(BusError::SecretExposed { path, mode }),
        Some(Exposure::HandedOver { mode }) => return Err(BusError::SecretShared { path, mode }),
    }
    let key = SubjectKey::from_secret(read.bytes.trim_ascii_end());
    key.map_err(|reason| BusError::SecretTooShort { path, reason })
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_that_others_can_read_or_write_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for mode in [0o644, 0o640, 0o604, 0o620, 0o602] {
            write(&path, "a secret that is long", mode);
            let error = read(&path).err().unwrap();
            let expected = format!(
                "`subjectSecretFile`: `{path}` is open to others than its owner (mode {mode:04o}): run `chmod 600 \
                 {path}`, and give all nodes a new secret if somebody may have read it",
                path = path.display()
            );
            assert_eq!(error.to_string(), expected);
        }
        for mode in [0o600, 0o400] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(read(&path).is_ok(), "{mode:o}");
        }
        let error = read(folder.path()).err().unwrap();
        assert!(error.to_string().contains("it is not a file"), "{error}");
    }

    #[test]
    fn what_is_blank_at_the_end_is_no_part_of_a_secret_and_a_short_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read_as = |text: &str| {
            write(&path, text, 0o600);
            read(&path)
        };
        let name = kozo_ground::names::BusName::new("fleet").unwrap();
        let node = kozo_ground::names::NodeName::new("clock").unwrap();
        let token = |text: &str| {
            let key = read_as(text).unwrap();
            kozo_bus::subject::Subjects::new(name.clone(), &key).node(&node)
        };
        assert_eq!(
            token("a secret that is long"),
            token("a secret that is long \n\n")
        );
        assert_ne!(
            token("a secret that is long"),
            token("another secret, as long")
        );
        let error = read_as("short\n").err().unwrap();
        assert!(matches!(error, BusError::SecretTooShort { .. }), "{error}");
        let error = read_as(&"x".repeat(MAX_SECRET as usize + 1)).err().unwrap();
        assert!(matches!(error, BusError::SecretTooLong { .. }), "{error}");
        let error = read(&folder.path().join("gone")).err().unwrap();
        assert!(error.to_string().contains("subjectSecretFile"), "{error}");
    }
}
