//! Whether this machine fits the node that it is to be: the private key, and the folder in which
//! roles keep things. The daemon finds the same out when it starts; here it is only said.

use std::io;
use std::path::Path;

use kozo_auth::keys;
use kozo_description::{Problem, Problems};
use kozo_ground::text::error_text;

use crate::config::Node;
use crate::modules::Registry;
use crate::storage::{StorageError, check_folder};

/// Adds what is wrong on this machine to a report.
pub(super) fn check(node: &Node, registry: &Registry, problems: &mut Problems) {
    let path = |option: &str| format!("system.{}.{option}", node.block_name());
    let key = keys::load_private(&node.private_key).and_then(|key| node.check_key(&key));
    if let Err(error) = key {
        let message = error_text(&error);
        problems.push(Problem::error(
            node.private_key_place,
            path("privateKey"),
            message,
        ));
    }
    if let Some(folder) = &node.role_storage
        && let Err(error) = check_storage(folder)
    {
        let (message, place) = (error_text(&error), node.role_storage_place);
        problems.push(match registry.has_storing_role(node) {
            true => Problem::error(place, path("roleStorage"), message),
            false => Problem::warning(place, path("roleStorage"), message),
        });
    }
}

/// Whether the daemon will be able to store things in a folder. One that is missing is made by it,
/// if the folder above is there.
pub(super) fn check_storage(folder: &Path) -> Result<(), StorageError> {
    let missing = match folder.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => error,
        _ => return check_folder(folder),
    };
    let parent = folder.parent().unwrap_or(Path::new("/"));
    check_folder(parent).map_err(|error| StorageError::Make {
        path: folder.to_owned(),
        reason: match error {
            StorageError::Access { reason, .. } => reason,
            _ => missing,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_for_storage_may_be_there_or_be_made() {
        let folder = tempfile::tempdir().unwrap();
        check_storage(folder.path()).unwrap();
        check_storage(&folder.path().join("new")).unwrap();
        assert!(!folder.path().join("new").exists());
    }

    #[test]
    fn what_cannot_be_a_folder_for_storage_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = check_storage(&file).unwrap_err();
        assert!(matches!(error, StorageError::NotAFolder(_)), "{error}");
        let error = check_storage(&folder.path().join("no/where")).unwrap_err();
        assert!(matches!(error, StorageError::Make { .. }), "{error}");
        assert!(check_storage(&file.join("x")).is_err());
    }
}
