//! From the path of a configuration file to everything that a node is started with.

use std::path::{Path, PathBuf};

use kozo_description::{Problem, Problems};
use kozo_ground::names::NodeName;

use super::surroundings;
use crate::config::{self, Document, Given, Network};
use crate::modules::{Environment, FileState, Registry, SearchFolders, TrustedWriters};

/// A configuration file, and the modules of this machine, also those in the folders that the file
/// names.
#[derive(Debug)]
pub(super) struct Prepared {
    document: Document,
    pub(super) registry: Registry,
}

impl Prepared {
    /// Reads a configuration file for a node, or for nobody in particular. `modules` are folders
    /// that are searched for modules before all others.
    ///
    /// # Errors
    /// Why the file is not one of YAML. What it says is not checked yet.
    pub(super) fn read(
        config: &Path,
        local: Option<&NodeName>,
        modules: &[PathBuf],
    ) -> Result<Self, Problems> {
        let document = Document::read(config)?;
        let mut environment = Environment::read();
        for folders in [&mut environment.roles, &mut environment.transports] {
            folders.splice(0..0, modules.iter().cloned());
        }
        let paths = SearchFolders::new(&environment, &document.search_paths(local));
        let registry = Registry::scan(paths, TrustedWriters::of_this_process());
        Ok(Self { document, registry })
    }

    /// Reads a configuration file for a node that is to run. Of modules that only other nodes use, no more is read than
    /// what they say about themselves, and of those that the file does not name, which ones they are.
    ///
    /// # Errors
    /// As those of [`read`](Self::read).
    pub(super) fn read_to_run(config: &Path, local: &NodeName) -> Result<Self, Problems> {
        let document = Document::read(config)?;
        let paths = document.search_paths(Some(local));
        let paths = SearchFolders::new(&Environment::read(), &paths);
        let (trust, used) = (
            TrustedWriters::of_this_process(),
            document.modules_of(local),
        );
        let mut registry = Registry::scan_for(paths, trust, &used);
        registry.know(&document.modules());
        Ok(Self { document, registry })
    }

    /// The network that the file describes, and what is odd about it.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub(super) fn network(
        &self,
        local: Option<&NodeName>,
    ) -> Result<(Network, Problems), Problems> {
        self.document.network(&self.registry, local)
    }

    /// The same for a node that is to run, which starts in spite of some mistakes in what is said
    /// about others: see [`Document::network_to_run`].
    ///
    /// # Errors
    /// Everything that keeps the node from starting.
    pub(super) fn network_to_run(&self, local: &NodeName) -> Result<(Network, Problems), Problems> {
        self.document.network_to_run(&self.registry, local)
    }

    /// Checks that the file has this node.
    ///
    /// # Errors
    /// A report that offers the names there are.
    pub(super) fn require_node(&self, node: &NodeName) -> Result<(), Problems> {
        self.document.require_node(node)
    }

    /// One node of each block of the file but that of `own`, whether all of it is valid or not.
    pub(super) fn others(&self, own: Option<&NodeName>) -> Vec<NodeName> {
        self.document.others(own).collect()
    }

    /// The folder at which relative paths of the file start.
    pub(super) fn folder(&self) -> &Path {
        self.document.folder()
    }

    /// The paths and addresses that the file gives for a node.
    pub(super) fn given(&self, node: &NodeName) -> Vec<Given<'_>> {
        self.document.given(&self.registry, node)
    }

    /// Adds a warning for what the file says of a node, which this machine is, and is not there.
    pub(super) fn report_surroundings(&self, local: &NodeName, problems: &mut Problems) {
        surroundings::check(&self.document, &self.registry, local, problems);
    }

    /// Adds a warning for each folder of modules, or of their libraries, that cannot be searched, and
    /// for each file in them that is no usable module: those of which `kozo run` warns, too, and those that are
    /// damaged and not used. What keeps the node from starting is an error of its own, and not said twice.
    pub(super) fn report_modules(&self, local: Option<&NodeName>, problems: &mut Problems) {
        let named = self.document.module_folders(local);
        for (folder, error) in self.registry.folder_errors() {
            let message = format!("nothing is looked for in `{}`: {error}", folder.display());
            let mut lines = named
                .iter()
                .filter(|named| named.folder == *folder)
                .peekable();
            if lines.peek().is_none() {
                problems.push(Problem::warning(None, "", message.clone()).with_help(
                    "make the folder, or correct the variable (`KOZOROLEPATH` and its like) or `--modules`",
                ));
            }
            for line in lines {
                problems.push(
                    Problem::warning(line.place, &line.path, message.clone())
                        .with_help("make the folder, or correct or remove the line"),
                );
            }
        }
        for entry in self.registry.entries() {
            let FileState::Refused(refusal) = &entry.state else {
                continue;
            };
            let path = format!("`{}`", entry.path.display());
            if !problems
                .iter()
                .any(|problem| problem.message.contains(&path))
            {
                let message = format!("the module file {path} is not used: {refusal}");
                problems.push(Problem::warning(None, "", message));
            }
        }
    }
}

/// The modules of this machine, as far as they are found without a configuration file.
pub(super) fn installed_modules() -> Registry {
    let paths = SearchFolders::new(&Environment::read(), &config::SearchPaths::default());
    Registry::scan(paths, TrustedWriters::of_this_process())
}
