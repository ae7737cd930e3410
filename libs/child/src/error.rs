//! Why a program is not started.

use std::io;
use std::path::PathBuf;

/// Why a program is not started, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no program of this name where programs are looked for.
    #[error(
        "no program `{name}` in the folders of `PATH` ({path}): install it, or name it by its path"
    )]
    NotInPath {
        /// What was looked for.
        name: String,
        /// Where.
        path: String,
    },
    /// There is no such file.
    #[error("there is no program `{}`: check its path", .0.display())]
    NotFound(PathBuf),
    /// It is a folder, say.
    #[error("`{}` is no file, so it cannot be run", .0.display())]
    NoFile(PathBuf),
    /// The system does not let this user run it.
    #[error(
        "`{}` cannot be run by this user: make it executable (`chmod +x`), and let the user reach it",
        .0.display()
    )]
    NotExecutable(PathBuf),
    /// The file is there, but not what runs it.
    #[error(
        "`{}` cannot be run, for the program that its first line (`#!`) or its loader names is not there",
        .0.display()
    )]
    NoInterpreter(PathBuf),
    /// Neither a script nor a program for this machine.
    #[error(
        "`{}` is no program of this machine: a script needs `#!` and its interpreter as the first line",
        .0.display()
    )]
    NotForThisMachine(PathBuf),
    /// The folder that it is to run in cannot be had.
    #[error("it cannot run in the folder `{}`: {reason}", .folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        #[source]
        reason: io::Error,
    },
    /// No name of a program was given.
    #[error("the name of the program is empty")]
    NoName,
    /// A text holds the byte 0, which ends texts in the system.
    #[error(
        "an argument or a variable of `{0}` holds a NUL character, which no program can be given"
    )]
    Nul(String),
    /// Something that every child needs cannot be had.
    #[error("{what}: {reason}")]
    System {
        /// What.
        what: &'static str,
        /// What the system says.
        #[source]
        reason: io::Error,
    },
}

impl StartError {
    /// The system refuses `what`.
    pub(crate) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System {
            what,
            reason: error.into(),
        }
    }
}
