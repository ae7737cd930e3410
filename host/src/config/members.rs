//! Files with the names and keys of a group's members: a line each, `NAME KEYTYPE KEY [comment]`.
//!
//! They are read with the file that names them, before anything in it is checked. What is wrong with a line is
//! kept, and told with everything else.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use kozo_auth::identity::NodeKey;
use kozo_auth::keys;
use kozo_description::{Entry, Place, Problem, Tree, TreeNode};
use kozo_ground::names::NodeName;
use kozo_ground::text::{error_text, join_path, quoted};
use rustix::fs::{Mode, OFlags};

use super::network::Members;
use super::node_path;
use super::writers;

/// The option of a node's block that names the file.
pub(super) const MEMBERS: &str = "members";

/// How many lines with keys all files of members together may have.
pub const MAX_MEMBERS: usize = 100_000;

/// The largest file of members, in bytes.
pub const MAX_MEMBERS_FILE_SIZE: usize = 16 << 20;

/// How much all of them together may have, in bytes.
const MAX_TOTAL_SIZE: usize = 4 * MAX_MEMBERS_FILE_SIZE;

/// How many mistakes of a file are kept: a file that is none of members has one on each line.
const MAX_MISTAKES: usize = 100;

/// What types of keys begin with: where one stands first, the name is missing.
const TYPE_STARTS: [&str; 2] = ["ssh-", "ecdsa-"];

/// A key of a member.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: NodeName,
    pub(super) key: NodeKey,
    pub(super) place: Place,
}

/// A file of members.
#[derive(Debug)]
pub(super) struct MembersFile {
    /// The file; absolute.
    pub(super) path: PathBuf,
    /// Its lines, in their order.
    pub(super) lines: Vec<Line>,
    /// Whether something is wrong with some of its other lines.
    pub(super) has_mistakes: bool,
    /// The SHA-256 of all that is in it.
    pub(super) digest: [u8; 32],
}

/// The files of members that a tree names.
#[derive(Debug, Default)]
pub(super) struct MembersFiles {
    /// By the names of the blocks, in the order of the file. A block whose file cannot be read has none.
    pub(super) of: Vec<(String, MembersFile)>,
    /// What is wrong with them.
    pub(super) problems: Vec<Problem>,
}

/// Whether the block is that of a group.
pub(super) fn is_group(entry: &Entry) -> bool {
    let option = entry.value.child(MEMBERS);
    option.is_some_and(|option| !option.is_null())
}

impl MembersFile {
    /// What keys on these lines are called, as in "key on line 3 of `field.keys`".
    pub(super) fn words_for_keys_on(&self, lines: impl Iterator<Item = usize>) -> String {
        let lines: Vec<_> = lines.map(|line| line.to_string()).collect();
        let noun = match lines.len() {
            1 => "line",
            _ => "lines",
        };
        let lines = lines.join(" and ");
        format!("key on {noun} {lines} of `{}`", self.path.display())
    }
}

impl MembersFiles {
    /// Reads all of them. Relative paths start at `folder`.
    pub(super) fn read(tree: &Tree, folder: &Path) -> Self {
        let mut files = Self::default();
        let Some(TreeNode::Map(entries)) = tree.child("system").map(|system| &system.node) else {
            return files;
        };
        let mut room = Room {
            lines: MAX_MEMBERS,
            bytes: MAX_TOTAL_SIZE,
        };
        let mut known = HashMap::new();
        for block in entries {
            let Some((option, text)) = named(block) else {
                continue;
            };
            let path = folder.join(text);
            let told = join_path(&node_path(&block.key), MEMBERS);
            if let Some(first) = known.insert(path.clone(), block.key.as_str()) {
                let message = format!("{} has the same file", quoted(first));
                files.problems.push(
                    Problem::error(option.value.place, told, message)
                        .with_help("give each group a file of its own: a node has one block"),
                );
                continue;
            }
            match read(&path, &mut room) {
                Ok((bytes, digest)) => {
                    if let Some(mut problem) = writers::check(&path) {
                        (problem.place, problem.path) = (Some(option.value.place), told);
                        files.problems.push(problem);
                    }
                    let known = files.problems.len();
                    let lines = lines(&bytes, &path, &mut room, &mut files.problems);
                    let file = MembersFile {
                        path,
                        lines,
                        has_mistakes: files.problems.len() > known,
                        digest,
                    };
                    files.of.push((block.key.clone(), file));
                }
                Err(reason) => files.problems.push(
                    Problem::error(option.value.place, told, reason.message(&path))
                        .with_help(reason.help()),
                ),
            }
        }
        files
    }

    /// All members by their names, each with the place of its file. One that several have counts as a member of
    /// the first.
    pub(super) fn by_name(&self) -> Members {
        let files = (0u32..).zip(&self.of);
        let mut all: Vec<_> = files
            .flat_map(|(at, (_, file))| file.lines.iter().map(move |line| (line.name.clone(), at)))
            .collect();
        all.sort();
        all.dedup_by(|later, first| later.0 == first.0);
        all.into()
    }

    /// The file of the block with this name.
    pub(super) fn of(&self, block: &str) -> Option<&MembersFile> {
        let mut files = self.of.iter();
        files.find(|(name, _)| name == block).map(|(_, file)| file)
    }
}

/// The option of a block that names a file of members, if it names one.
fn named(block: &Entry) -> Option<(&Entry, &str)> {
    let option = block.value.entry(MEMBERS)?;
    let text = option.value.text()?;
    // What no path can be is told with the other options.
    let is_path = !option.value.is_null() && !text.is_empty() && !text.contains('\0');
    (is_path && text != "~" && !text.starts_with("~/")).then_some((option, text))
}

/// What may still be read.
struct Room {
    lines: usize,
    bytes: usize,
}

/// Why a file is none.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("cannot be read: {}", error_text(.0))]
    Failed(#[from] std::io::Error),
    #[error("is a folder")]
    Folder,
    #[error("is no file that has an end")]
    NoFile,
    #[error("is larger than {MAX_MEMBERS_FILE_SIZE} bytes")]
    TooLarge,
    #[error("is too much: all files of members may have {MAX_TOTAL_SIZE} bytes together")]
    TooMuch,
}

impl Unreadable {
    fn message(&self, path: &Path) -> String {
        format!("the file of members `{}` {self}", path.display())
    }

    fn help(&self) -> &'static str {
        match self {
            Self::Failed(_) => {
                "make it, with a line `NAME ssh-ed25519 AAAA...` for each member; a relative path starts \
                 at the folder of this file"
            }
            Self::Folder | Self::NoFile => {
                "name a file, with a line `NAME ssh-ed25519 AAAA...` for each member"
            }
            Self::TooLarge | Self::TooMuch => "check that this is the list of members",
        }
    }
}

fn read(path: &Path, room: &mut Room) -> Result<(Vec<u8>, [u8; 32]), Unreadable> {
    // A pipe is not waited for.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(std::io::Error::from)?;
    let file = File::from(file);
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(Unreadable::Folder);
    }
    if !kind.is_file() {
        return Err(Unreadable::NoFile);
    }
    let mut bytes = Vec::new();
    file.take(MAX_MEMBERS_FILE_SIZE as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > MAX_MEMBERS_FILE_SIZE {
        return Err(Unreadable::TooLarge);
    }
    room.bytes = room
        .bytes
        .checked_sub(bytes.len())
        .ok_or(Unreadable::TooMuch)?;
    let mut digest = [0; 32];
    let sum = ring::digest::digest(&ring::digest::SHA256, &bytes);
    digest.copy_from_slice(sum.as_ref());
    Ok((bytes, digest))
}

/// The lines that have a member, and what is wrong with the others.
fn lines(bytes: &[u8], path: &Path, room: &mut Room, problems: &mut Vec<Problem>) -> Vec<Line> {
    let file = path.display().to_string();
    let mut found = Vec::new();
    let mut mistakes = Vec::new();
    let mut push = |problem: Problem| {
        mistakes.push(problem.in_file(file.as_str()));
        mistakes.len() < MAX_MISTAKES
    };
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let place = Place {
            line: index + 1,
            column: 1,
        };
        let read = match std::str::from_utf8(line) {
            Ok(line) => member(line, place),
            Err(_) => Err(Problem::error(place, "", "this line is not UTF-8 text")
                .with_help("save the file as UTF-8")),
        };
        match read {
            Ok(None) => {}
            Ok(Some(_)) if room.lines == 0 => {
                let message = format!("there are more than {MAX_MEMBERS} keys of members");
                push(
                    Problem::error(place, "", message)
                        .with_help("make networks of fewer nodes, which gateways join"),
                );
                break;
            }
            Ok(Some(line)) => {
                room.lines -= 1;
                found.push(line);
            }
            Err(problem) => {
                if !push(problem) {
                    push(
                        Problem::error(place, "", "what follows was not looked at")
                            .with_help("correct the mistakes above first"),
                    );
                    break;
                }
            }
        }
    }
    problems.append(&mut mistakes);
    found
}

/// The member on a line; none when there is nothing, or a comment.
fn member(text: &str, place: Place) -> Result<Option<Line>, Problem> {
    let line = text.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let indented = text.len() - text.trim_start().len();
    let at = |offset: usize| Place {
        column: 1 + text[..indented + offset].chars().count(),
        ..place
    };
    let form = "write `NAME ssh-ed25519 AAAA... comment`: the node's name, and the line of its `.pub` file";
    let Some((name, key)) = line.split_once(char::is_whitespace) else {
        let message = match NodeName::new(line) {
            Ok(_) => format!("behind the name {} stands no key", quoted(line)),
            Err(_) => format!("{} is no name of a node with its key", quoted(line)),
        };
        return Err(Problem::error(at(0), "", message).with_help(form));
    };
    let is_type = TYPE_STARTS.iter().any(|start| name.starts_with(start));
    if is_type && keys::parse_public(line).is_ok() {
        let message = "the name of the node is missing before its key";
        return Err(Problem::error(at(0), "", message).with_help(form));
    }
    let wrong_name = |error| {
        let message = format!("{} is not the name of a node: {error}", quoted(name));
        Problem::error(at(0), "", message).with_help(form)
    };
    let name = NodeName::new(name).map_err(wrong_name)?;
    let key = key.trim_start();
    let key = keys::parse_public(key).map_err(|error| {
        let offset = line.len() - key.len();
        Problem::error(at(offset), name.as_str(), error.to_string()).with_help(error.help())
    })?;
    Ok(Some(Line {
        name,
        key: NodeKey::new(&key),
        place,
    }))
}
