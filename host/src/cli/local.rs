//! Whether this machine fits the node that it is to be: the private key, and the folder in which
//! roles keep things. The daemon finds the same out when it starts; here it is only said.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::auth::keys;
use crate::config::{Node, Problem, Problems};
use crate::log::error_text;
use crate::modules::{ModuleKind, Registry};

/// Adds what is wrong on this machine to a report.
pub(super) fn check(node: &Node, registry: &Registry, problems: &mut Problems) {
    let path = |option: &str| format!("system.{}.{option}", node.name);
    let key = keys::load_private(&node.private_key)
        .and_then(|key| keys::matches(&key, &node.public_keys));
    if let Err(error) = key {
        let message = error_text(&error);
        problems.push(Problem::error(node.place, path("privateKey"), message));
    }
    if let Some(folder) = &node.role_storage
        && let Err((message, help)) = check_storage(folder)
    {
        let needed = node.roles.iter().any(|role| {
            let metadata = registry.metadata(ModuleKind::Role, role.module.as_str());
            metadata.is_some_and(|metadata| metadata.storage)
        });
        let problem = match needed {
            true => Problem::error(node.place, path("roleStorage"), message),
            false => Problem::warning(node.place, path("roleStorage"), message),
        };
        problems.push(problem.with_help(help));
    }
}

/// What is wrong with a folder for storage, and what to do about it. One that is missing is made
/// by the daemon, if the folder that it is in is there.
fn check_storage(folder: &Path) -> Result<(), (String, String)> {
    let shown = folder.display();
    if folder.is_dir() {
        if may_write(folder) {
            return Ok(());
        }
        return Err((
            format!("the folder `{shown}` may not be written by this user"),
            "give it to the user that Kōzō runs as".to_owned(),
        ));
    }
    if folder.symlink_metadata().is_ok() {
        return Err((
            format!("`{shown}` is not a folder"),
            "name the folder in which roles may keep things".to_owned(),
        ));
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    if parent.is_dir() && may_write(parent) {
        return Ok(());
    }
    Err((
        format!("there is no folder `{shown}`, and this user cannot make it"),
        "make it, and give it to the user that Kōzō runs as".to_owned(),
    ))
}

/// Whether files can be made in a folder, with the rights that the program has now.
fn may_write(folder: &Path) -> bool {
    let access = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, folder, access, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_for_storage_may_be_there_or_be_made() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(check_storage(folder.path()), Ok(()));
        assert_eq!(check_storage(&folder.path().join("new")), Ok(()));
    }

    #[test]
    fn what_cannot_be_a_folder_for_storage_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (message, _) = check_storage(&file).unwrap_err();
        assert_eq!(message, format!("`{}` is not a folder", file.display()));
        for missing in [folder.path().join("no/where"), file.join("x")] {
            let (message, _) = check_storage(&missing).unwrap_err();
            assert!(message.starts_with("there is no folder"), "{message}");
        }
    }
}
