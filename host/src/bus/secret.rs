//! The secret that hides names from whoever runs an engine.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use kozo_bus::subject::SubjectKey;

use super::error::BusError;

/// The longest secret, in bytes.
const MAX_SECRET: usize = 4096;

/// Reads `subjectSecretFile`: its bytes, without what is blank at the end.
///
/// # Errors
/// It cannot be read, or is none.
pub(crate) fn read(path: &Path) -> Result<SubjectKey, BusError> {
    let mut secret = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(MAX_SECRET as u64 + 1).read_to_end(&mut secret));
    if let Err(reason) = read {
        let path = path.to_owned();
        return Err(BusError::SecretFile { path, reason });
    }
    if secret.len() > MAX_SECRET {
        return Err(BusError::SecretTooLong {
            path: path.to_owned(),
            most: MAX_SECRET,
        });
    }
    SubjectKey::from_secret(secret.trim_ascii_end()).map_err(|reason| BusError::SecretTooShort {
        path: path.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blank_at_the_end_is_no_part_of_a_secret_and_a_short_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read_as = |text: &str| {
            std::fs::write(&path, text).unwrap();
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
        let error = read_as(&"x".repeat(MAX_SECRET + 1)).err().unwrap();
        assert!(matches!(error, BusError::SecretTooLong { .. }), "{error}");
        let error = read(&folder.path().join("gone")).err().unwrap();
        assert!(error.to_string().contains("subjectSecretFile"), "{error}");
    }
}
