//! The files that a node reads besides its key: the secrets of its buses, and what options of modules name. Looked at
//! with the eyes of this user, as `kozo check` and `kozo doctor` tell of them.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kozo_description::{Format, Place, Problem};
use kozo_ground::text::error_text;
use rustix::fs::OFlags;

use super::prepare::Prepared;
use crate::bus::subject_secret;
use crate::config::{Meaning, Network, Node};

/// A file that a node reads.
#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) path: PathBuf,
    /// The way through the blocks to what names it.
    pub(super) option: String,
    place: Place,
    /// Whether the node does not start without it.
    is_needed: bool,
    /// What is the matter with it; none when it can be read as it should be.
    pub(super) fault: Option<Fault>,
}

/// What is the matter with a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The node cannot do its work with it. With what is wrong, and what to do.
    Wrong(String, Option<&'static str>),
    /// This user may not read it; another one may.
    Forbidden(String),
}

impl ReadFile {
    /// The secret of a bus, as the daemon judges it when it starts.
    fn secret(path: &Path, option: String, place: Place) -> Self {
        let fault = subject_secret(path).err().map(|error| {
            let message = error_text(&error);
            match is_forbidden(path) {
                true => Fault::Forbidden(message),
                false => Fault::Wrong(message, None),
            }
        });
        let path = path.to_owned();
        Self {
            path,
            option,
            place,
            is_needed: true,
            fault,
        }
    }

    /// What an option of a module names. Who else may read it is up to the module.
    fn of_module(path: PathBuf, option: String, place: Place) -> Self {
        let shown = path.display();
        let fault = match open(&path) {
            Ok(file) => match file.metadata() {
                Ok(metadata) if !metadata.is_file() => {
                    let message = format!("`{shown}` is not a file");
                    Some(Fault::Wrong(message, Some(Format::File.advice())))
                }
                _ => None,
            },
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Some(Fault::Forbidden(
                format!("this user may not read `{shown}`"),
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let message = format!("there is no file `{shown}`");
                Some(Fault::Wrong(message, Some(Format::File.advice())))
            }
            Err(error) => {
                let message = format!("`{shown}` cannot be read: {error}");
                Some(Fault::Wrong(message, None))
            }
        };
        Self {
            path,
            option,
            place,
            is_needed: false,
            fault,
        }
    }

    /// What `kozo check` says of it. What the node does not start without is an error, as with its private key; without
    /// the rest, it starts, and what reads it does not work.
    pub(super) fn problem(&self) -> Option<Problem> {
        let (message, help) = match self.fault.as_ref()? {
            Fault::Wrong(message, help) => (message, *help),
            Fault::Forbidden(message) => (
                message,
                Some("right if the daemon runs as another user: check it as that one, or as root"),
            ),
        };
        let (place, option) = (self.place, self.option.as_str());
        let problem = match self.is_needed {
            true => Problem::error(place, option, message.as_str()),
            false => Problem::warning(place, option, message.as_str()),
        };
        Some(match help {
            Some(help) => problem.with_help(help),
            None => problem,
        })
    }
}

/// The files of a node.
pub(super) fn of(prepared: &Prepared, network: &Network, node: &Node) -> Vec<ReadFile> {
    let mut files = Vec::new();
    for on in &node.buses {
        let bus = network.bus(on.bus.as_str());
        if let Some(path) = bus.and_then(|bus| bus.subject_secret_file.as_ref()) {
            let option = format!("system.{}.transports.{}", node.block_name(), on.bus);
            files.push(ReadFile::secret(path, option, on.place));
        }
    }
    let given = prepared.given(&node.name).into_iter();
    let named = given.filter(|given| given.meaning == Meaning::File);
    files.extend(named.map(|given| {
        let path = prepared.folder().join(given.text);
        ReadFile::of_module(path, given.path, given.place)
    }));
    files
}

/// Opens a file to read it, without waiting for whoever writes to a pipe.
fn open(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
}

fn is_forbidden(path: &Path) -> bool {
    open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kozo_description::Severity;

    use super::*;

    fn judged(path: &Path) -> Option<Fault> {
        let place = Place { line: 1, column: 1 };
        ReadFile::of_module(path.to_owned(), "buses.fleet.keyFile".into(), place).fault
    }

    #[test]
    fn what_an_option_names_has_to_be_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.key");
        let advice = Some("make the file, or name the one that is meant");
        let missing = format!("there is no file `{}`", file.display());
        assert_eq!(judged(&file), Some(Fault::Wrong(missing, advice)));
        fs::write(&file, "").unwrap();
        assert_eq!(judged(&file), None);
        let wrong = format!("`{}` is not a file", folder.path().display());
        assert_eq!(judged(folder.path()), Some(Fault::Wrong(wrong, advice)));
        assert!(matches!(judged(&file.join("x")), Some(Fault::Wrong(..))));
    }

    #[test]
    fn what_is_the_matter_is_an_error_where_the_node_does_not_start_without_the_file() {
        for (is_needed, severity) in [(true, Severity::Error), (false, Severity::Warning)] {
            let file = ReadFile {
                path: "/etc/kozo/fleet/node.key".into(),
                option: "buses.fleet.keyFile".to_owned(),
                place: Place { line: 1, column: 1 },
                is_needed,
                fault: Some(Fault::Forbidden("this user may not read it".to_owned())),
            };
            let problem = file.problem().unwrap();
            assert_eq!(problem.severity, severity);
            assert!(problem.help.unwrap().contains("as root"));
        }
    }
}
