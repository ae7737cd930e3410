//! What is to be started, and how.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::child::Child;
use crate::environment::ordinary;
use crate::error::StartError;
use crate::find::find;
use crate::handle::Handle;
use crate::mark::Mark;

/// A program, and how it is started.
///
/// Unless told otherwise it gets no arguments, the folder of its parent, and `/dev/null` for its three
/// streams. Of the environment it has `PATH`, `HOME`, `LANG`, `TZ`, `LC_*`, and what is [given](Self::env).
#[derive(Debug)]
pub struct Program {
    name: OsString,
    shown: Option<OsString>,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    mark: Option<String>,
    memory_limit: Option<u64>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
}

/// A program that runs, and this end of those of its streams that are pipes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Started {
    /// The process.
    pub child: Child,
    /// What is written here it reads as its input.
    pub stdin: Option<ChildStdin>,
    /// What it writes as its output.
    pub stdout: Option<ChildStdout>,
    /// What it writes as its error output.
    pub stderr: Option<ChildStderr>,
}

impl Program {
    /// The program of this name, which is looked for in the folders of `PATH`, or of this path, when there is a
    /// `/` in it; a relative one begins in the [folder](Self::folder).
    pub fn new(name: impl Into<OsString>) -> Self {
        Self {
            name: name.into(),
            shown: None,
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: None,
            mark: None,
            memory_limit: None,
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
        }
    }

    /// What lists of processes show as its name, and what it sees as such.
    #[must_use]
    pub fn arg0(mut self, shown: impl Into<OsString>) -> Self {
        self.shown = Some(shown.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// One more variable of its environment; a later one of the same name replaces an earlier one, and
    /// `PATH` is also where the program is looked for.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Where it runs.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// By a variable of this name in its environment everything that it starts is found, and ends with
    /// it: also what leaves its process group. What clears its environment as well is not found.
    #[must_use]
    pub fn mark(mut self, variable: impl Into<String>) -> Self {
        self.mark = Some(variable.into());
        self
    }

    /// How much private memory it and each process that it starts may have, in bytes: heap, stacks,
    /// anonymous mappings. What it asks for beyond that is refused to it.
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Its input: a pipe, nothing, or a descriptor.
    #[must_use]
    pub fn stdin(mut self, stream: impl Into<Stdio>) -> Self {
        self.stdin = stream.into();
        self
    }

    /// Its output: a pipe, nothing, or a descriptor.
    #[must_use]
    pub fn stdout(mut self, stream: impl Into<Stdio>) -> Self {
        self.stdout = stream.into();
        self
    }

    /// Its error output: a pipe, nothing, or a descriptor.
    #[must_use]
    pub fn stderr(mut self, stream: impl Into<Stdio>) -> Self {
        self.stderr = stream.into();
        self
    }

    /// Starts it, in a process group of its own: what a terminal sends (Ctrl-C) is for its parent.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub fn start(self) -> Result<Started, StartError> {
        let folder = self.folder.as_deref();
        if let Some(folder) = folder {
            check_folder(folder)?;
        }
        let path = self.variables.iter().rfind(|(name, _)| name == "PATH");
        let path = path.map(|(_, value)| value.clone());
        let path = path.or_else(|| std::env::var_os("PATH"));
        let file = find(&self.name, folder, path.as_deref())?;
        // The system takes a relative path from the parent's folder or from the child's, as it likes.
        let file = std::path::absolute(&file)
            .map_err(StartError::system("the folder of this process is gone"))?;

        let mark = self.mark.map(Mark::new);
        let mut command = Command::new(&file);
        command
            .arg0(self.shown.as_deref().unwrap_or(&self.name))
            .args(&self.arguments)
            .env_clear()
            .envs(ordinary())
            .envs(self.variables)
            .process_group(0)
            .stdin(self.stdin)
            .stdout(self.stdout)
            .stderr(self.stderr);
        if let Some(mark) = &mark {
            command.env(mark.variable(), mark.value());
        }
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        let mut process = command
            .spawn()
            .map_err(|error| refusal(error, &self.name, file))?;
        let (stdin, stdout, stderr) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let number = Pid::from_child(&process);
        let handle = match Handle::open(number) {
            Ok(handle) => Arc::new(handle),
            Err(error) => {
                // Without a handle there is nothing that would end it later.
                let _ = process.kill();
                let _ = process.wait();
                let what = "its process cannot be watched (`pidfd_open`, Linux 5.3)";
                return Err(StartError::system(what)(error));
            }
        };
        // From here on it ends when this is dropped.
        let child = Child::new(process, handle, mark);
        if let Some(bytes) = self.memory_limit {
            limit_memory(number, bytes)
                .map_err(StartError::system("its memory cannot be limited"))?;
        }
        Ok(Started {
            child,
            stdin,
            stdout,
            stderr,
        })
    }
}

fn check_folder(folder: &Path) -> Result<(), StartError> {
    let reason = match std::fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => io::ErrorKind::NotADirectory.into(),
        Err(error) => error,
    };
    Err(StartError::Folder {
        folder: folder.to_owned(),
        reason,
    })
}

/// Why the system did not start a file that is there and executable.
fn refusal(error: io::Error, name: &OsStr, file: PathBuf) -> StartError {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => StartError::NoInterpreter(file),
        Some(Errno::ACCESS) => StartError::NotExecutable(file),
        Some(Errno::NOEXEC) => StartError::NotForThisMachine(file),
        None if error.kind() == io::ErrorKind::InvalidInput => {
            StartError::Nul(name.to_string_lossy().into_owned())
        }
        _ => StartError::system("its process cannot be started")(error),
    }
}

/// Not before it is started, since that would take code between `fork` and `exec`. What it has by then is
/// too little to matter.
fn limit_memory(process: Pid, bytes: u64) -> rustix::io::Result<()> {
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    match prlimit(Some(process), Resource::Data, limit) {
        // It has ended by itself already.
        Err(Errno::SRCH) => Ok(()),
        other => other.map(drop),
    }
}
