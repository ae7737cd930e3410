//! All modules, for people to read and for programs.

use kozo_ground::text::{Table, Tone, printable, printable_lines};
use serde::Serialize;

use super::registry::{FileState, ModuleFile, Registry};

/// What is shown in place of something that is not known.
const UNKNOWN: &str = "-";

/// A file that is called like a module, as `kozo modules` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `role`, `transport` or `bus`; none when the file is no module. So with all that follow.
    pub kind: Option<String>,
    /// The module's name.
    pub name: Option<String>,
    /// The module's own version.
    pub version: Option<String>,
    /// The version of the interface that it was built with.
    pub abi: Option<String>,
    /// What it runs on.
    pub architecture: Option<String>,
    /// Whether its file has a checksum, by which damage is noticed. It was compared, but for modules that a running
    /// daemon's node does not use: those it compares when it loads them.
    pub sealed: Option<bool>,
    /// Where the file is.
    pub path: String,
    /// `usable`, `foreign`, `shadowed` or `refused`.
    pub state: &'static str,
    /// Why it is not usable.
    pub reason: Option<String>,
}

impl From<&ModuleFile> for Row {
    fn from(entry: &ModuleFile) -> Self {
        let (state, reason) = in_words(&entry.state);
        let inspected = entry.inspected.as_ref();
        let metadata = inspected.map(|inspected| &inspected.metadata);
        let image = inspected.map(|inspected| &inspected.image);
        Self {
            kind: metadata.map(|metadata| metadata.kind.to_string()),
            name: metadata.map(|metadata| metadata.name.to_string()),
            version: metadata.map(|metadata| metadata.version.clone()),
            abi: image.map(|image| image.abi.to_string()),
            architecture: image.map(|image| image.architecture.to_string()),
            sealed: inspected.map(|inspected| inspected.is_sealed),
            path: entry.path.display().to_string(),
            state,
            reason,
        }
    }
}

/// The word for what becomes of a file, and why it is not usable.
fn in_words(state: &FileState) -> (&'static str, Option<String>) {
    match state {
        FileState::Usable => ("usable", None),
        FileState::Foreign => {
            let text =
                "it is built for another kind of machine: only what it says about itself is used";
            ("foreign", Some(text.to_owned()))
        }
        FileState::ShadowedBy(path) => {
            let text = format!("`{}` comes first", path.display());
            ("shadowed", Some(text))
        }
        FileState::Refused(refusal) => ("refused", Some(refusal.to_string())),
    }
}

/// All files that are called like modules.
pub fn rows(registry: &Registry) -> Vec<Row> {
    registry.entries().iter().map(Row::from).collect()
}

/// A table of all of them, then what is wrong with files and folders. Ends with a line break.
pub fn table(registry: &Registry) -> String {
    let mut table = Table::at_margin(&[
        "KIND",
        "NAME",
        "VERSION",
        "INTERFACE",
        "ARCHITECTURE",
        "STATE",
        "FILE",
    ]);
    for row in rows(registry) {
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
        let cells = [
            or_unknown(row.kind),
            or_unknown(row.name),
            or_unknown(row.version),
            or_unknown(row.abi),
            or_unknown(row.architecture),
            row.state.to_owned(),
            row.path,
        ];
        table.row(cells.map(|cell| (cell, Tone::Plain)));
    }
    let mut text = table.render(false);
    for (index, remark) in remarks(registry).iter().enumerate() {
        if index == 0 {
            text.push('\n');
        }
        text.push_str(&remark.text);
        text.push('\n');
    }
    text
}

/// Something about a file or folder that its owner may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Whether it is a mistake: not so for a file that another one shadows on purpose.
    pub is_mistake: bool,
    /// The path, and what is the matter with it.
    pub text: String,
}

/// What is wrong with files and folders, and which files are not used; of files that were only looked at for their
/// modules' names, as far as it is known.
pub fn remarks(registry: &Registry) -> Vec<Remark> {
    let files = registry.states().filter_map(|(path, state)| {
        let (word, reason) = in_words(state);
        Some(Remark {
            is_mistake: matches!(state, FileState::Refused(_)),
            text: format!(
                "{}: {word}: {}",
                printable(&path.display().to_string()),
                printable_lines(&reason?)
            ),
        })
    });
    let folders = registry
        .folder_errors()
        .iter()
        .map(|(folder, error)| Remark {
            is_mistake: true,
            text: format!(
                "{}: not searched: {error}",
                printable(&folder.display().to_string())
            ),
        });
    files.chain(folders).collect()
}
