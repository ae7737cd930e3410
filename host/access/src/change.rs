//! Who can change a file, or put another one in its place.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use super::rights::{ROOT, Rights, WRITE};

/// How many symbolic links are followed on the way to a file, as the kernel does.
const MAX_LINKS: usize = 40;

/// In a folder with this bit of the mode, only the owner of a file may rename or remove it.
const STICKY: u32 = 0o1000;

/// Who can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Every user of the machine.
    Everybody,
    /// A group, or whom an access list names.
    Group,
    /// The user with this number, who owns it.
    Owner(u32),
}

/// Why a file is not safe from others.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Somebody else can change the file, or a folder on the way to it.
    #[error("{}", changeable(path, *writer))]
    Changeable {
        /// The file or folder.
        path: PathBuf,
        /// Who.
        writer: Writer,
    },
    /// It cannot be found out.
    #[error(transparent)]
    Unknown(#[from] io::Error),
}

/// What is the matter, and what to do. Only root is told of the first two.
fn changeable(path: &Path, writer: Writer) -> String {
    let path = path.display();
    match writer {
        Writer::Everybody => format!(
            "every user may write to `{path}`, and Kōzō runs as root here: \
             take that right away with `chmod o-w`"
        ),
        Writer::Group => format!(
            "others than root may write to `{path}`, by its group or access list, and Kōzō runs as \
             root here: take that right away with `chmod g-w`"
        ),
        Writer::Owner(id) => format!(
            "`{path}` belongs to the user {id}, who may change it: give it to root, or to the user \
             that Kōzō runs as, with `chown`"
        ),
    }
}

/// How a file is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// By its own name.
    Named,
    /// By looking into its folder: whoever can put a file there chooses, too.
    Found,
}

/// Checks that nobody but root and `user` can change the file at `path`, or put another one in its
/// place: the file, and every folder on the way to it, that of links included.
///
/// For root all of that counts. Anybody else is warned of less, since shared groups and folders are
/// usual there: only of a file, or a folder right above one, that belongs to a third user.
///
/// Who can change this program itself gains nothing from changing its files. So the owner of its file
/// counts as `user` does, and the folders above it are not looked at.
///
/// # Errors
/// The first thing that somebody else can change.
pub fn check_unchangeable(path: &Path, choice: Choice, user: u32) -> Result<(), ChangeError> {
    let mut way = Way::new(path)?;
    while let Some(step) = way.advance()? {
        let is_near = matches!(step.kind, Kind::File | Kind::LastFolder);
        if user == ROOT || is_near {
            check(&step, choice, user)?;
        }
    }
    Ok(())
}

fn check(step: &Step, choice: Choice, user: u32) -> Result<(), ChangeError> {
    let changeable = |writer| {
        let path = step.path.clone();
        Err(ChangeError::Changeable { path, writer })
    };
    let program = Program::of_this_process();
    let owner = step.metadata.uid();
    let is_known = owner == ROOT || owner == user || program.owner == Some(owner);
    if step.kind == Kind::Link {
        // Nobody can write to a link. But where the sticky bit keeps it, its owner can put another
        // one in its place.
        return match is_known || is_from_outside(owner) {
            true => Ok(()),
            false => changeable(Writer::Owner(owner)),
        };
    }
    let rights = Rights::at(&step.path, &step.metadata);
    let is_last = step.kind == Kind::LastFolder;
    // It keeps others from what is there, and not from putting something there.
    let is_kept = rights.mode & STICKY != 0
        && match step.kind {
            Kind::Folder => true,
            Kind::LastFolder => choice == Choice::Named,
            Kind::Link | Kind::File => false,
        };
    let is_above_program = step.kind != Kind::File && program.is_in(&step.path);
    let is_open = rights.is_open_to_all(WRITE) && !is_kept && (is_last || !is_above_program);
    if user == ROOT && is_open {
        return changeable(Writer::Everybody);
    }
    if is_above_program {
        return Ok(());
    }
    if !is_known && !is_from_outside(owner) {
        return changeable(Writer::Owner(owner));
    }
    if user == ROOT && !is_kept && rights.is_open_by_group(WRITE, user, |group| group == ROOT) {
        return changeable(Writer::Group);
    }
    Ok(())
}

/// One file or folder on a way.
struct Step {
    path: PathBuf,
    metadata: Metadata,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    /// The folder where the file was looked for, or the one where it is.
    LastFolder,
    Link,
    File,
}

/// The way that the system takes to a file: every folder that it looks into, and the file.
struct Way {
    /// Where it is now.
    at: PathBuf,
    /// What is still to be walked, the next one last.
    todo: Vec<OsString>,
    links: usize,
    started: bool,
}

impl Way {
    fn new(path: &Path) -> io::Result<Self> {
        let mut way = Self {
            at: PathBuf::from("/"),
            todo: Vec::new(),
            links: 0,
            started: false,
        };
        way.push(&std::path::absolute(path)?);
        Ok(way)
    }

    fn push(&mut self, path: &Path) {
        if path.is_absolute() {
            self.at = PathBuf::from("/");
            self.started = false;
        }
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.todo.push(name.to_owned()),
                Component::ParentDir => self.todo.push("..".into()),
                _ => {}
            }
        }
    }

    fn advance(&mut self) -> io::Result<Option<Step>> {
        if !self.started {
            self.started = true;
            return Ok(Some(self.step(self.at.metadata()?)));
        }
        while let Some(name) = self.todo.pop() {
            if name == ".." {
                self.at.pop();
                continue;
            }
            let path = self.at.join(&name);
            let metadata = path.symlink_metadata()?;
            if metadata.is_symlink() {
                self.links += 1;
                if self.links > MAX_LINKS {
                    return Err(io::Error::from(rustix::io::Errno::LOOP));
                }
                self.push(&path.read_link()?);
                let kind = Kind::Link;
                return Ok(Some(Step {
                    path,
                    metadata,
                    kind,
                }));
            }
            self.at = path;
            return Ok(Some(self.step(metadata)));
        }
        Ok(None)
    }

    /// Where it is now, which is no link.
    fn step(&self, metadata: Metadata) -> Step {
        let kind = match (metadata.is_dir(), self.todo.len()) {
            (false, _) => Kind::File,
            (true, 0 | 1) => Kind::LastFolder,
            (true, _) => Kind::Folder,
        };
        Step {
            path: self.at.clone(),
            metadata,
            kind,
        }
    }
}

/// The file of this program.
#[derive(Debug)]
struct Program {
    owner: Option<u32>,
    folder: Option<PathBuf>,
}

impl Program {
    fn of_this_process() -> &'static Self {
        static PROGRAM: OnceLock<Program> = OnceLock::new();
        PROGRAM.get_or_init(|| {
            // The link leads to the file that runs, also when another one has taken its place.
            let link = Path::new("/proc/self/exe");
            let path = link.canonicalize().ok();
            Self {
                owner: link.metadata().ok().map(|metadata| metadata.uid()),
                folder: path.and_then(|path| path.parent().map(Path::to_owned)),
            }
        })
    }

    /// Whether the program is in this folder or one below it.
    fn is_in(&self, folder: &Path) -> bool {
        self.folder
            .as_ref()
            .is_some_and(|own| own.starts_with(folder))
    }
}

/// Whether a file belongs to somebody who does not exist here, since this process is in a namespace of
/// users: there root's own files look so.
fn is_from_outside(owner: u32) -> bool {
    let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid");
    if overflow.ok().and_then(|text| text.trim().parse().ok()) != Some(owner) {
        return false;
    }
    let Ok(map) = std::fs::read_to_string("/proc/self/uid_map") else {
        return false;
    };
    !map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), _, Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(owner))
    })
}
