//! The door: a configuration file that was read, and what to ask it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kozo_description::{Class, Entry, Problem, Problems, Severity, Tree, parse_yaml};
use kozo_ground::names::NodeName;

use super::assemble::{Assembly, entries};
use super::catalog::Catalog;
use super::folders::{self, NamedFolder};
use super::given::{self, Given};
use super::members::{MembersFiles, is_group};
use super::network::{Members, Network, is_a_group, unknown_node};
use super::node::SearchPaths;
use super::parts::Parts;
use super::writers;

/// The largest configuration file, in bytes.
pub const MAX_FILE_SIZE: usize = 1 << 20;

/// A configuration file that is YAML; what it says is not checked yet.
#[derive(Debug)]
pub struct Document {
    tree: Tree,
    folder: PathBuf,
    digest: [u8; 32],
    members: MembersFiles,
    /// The members by their names, each with the place of its file.
    by_name: Members,
    /// What was wrong with the YAML, without making it unreadable, and with the file itself.
    problems: Problems,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// A report of class [`Class::Unreadable`] when the file is missing or cannot be read; of class
    /// [`Class::Invalid`] when it is larger than [`MAX_FILE_SIZE`] or not one YAML mapping.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let unreadable = |message: &str, help: &str| {
            let mut problems = Problems::of_class(&file, Class::Unreadable);
            problems.push(Problem::error(None, "", message).with_help(help));
            problems
        };
        let (bytes, folder) = read_bounded(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => unreadable(
                "there is no such file",
                "give the path of the network's configuration file",
            ),
            ErrorKind::PermissionDenied => unreadable(
                "this file may not be read by this user",
                "run as a user who may read it, or let this one read it",
            ),
            ErrorKind::IsADirectory => {
                unreadable("this is a folder", "give the path of the file in it")
            }
            _ => unreadable(
                &format!("the file cannot be read: {error}"),
                "give the path of the network's configuration file",
            ),
        })?;
        if bytes.len() > MAX_FILE_SIZE {
            let mut problems = Problems::new(&file);
            let message = format!("the file is larger than {MAX_FILE_SIZE} bytes");
            problems.push(
                Problem::error(None, "", message)
                    .with_help("check that this is the network's configuration file"),
            );
            return Err(problems);
        }
        // Paths in the file are texts, and modules receive them as texts.
        if folder.to_str().is_none() {
            return Err(unreadable(
                "the name of the folder that it is in is not UTF-8",
                "move the file to a folder with such a name",
            ));
        }
        let odd = writers::check(path);
        let add =
            |problems: &mut Problems| odd.into_iter().for_each(|problem| problems.push(problem));
        match Self::parse(&file, folder, &bytes) {
            Ok(mut document) => {
                add(&mut document.problems);
                Ok(document)
            }
            Err(mut problems) => {
                add(&mut problems);
                Err(problems)
            }
        }
    }

    /// Reads the bytes of a file that is called `file` in messages, and whose relative paths
    /// start at `folder`; with the files of members that it names.
    ///
    /// # Errors
    /// A report of class [`Class::Invalid`] when they are not one YAML mapping.
    pub fn parse(file: &str, folder: impl Into<PathBuf>, bytes: &[u8]) -> Result<Self, Problems> {
        let mut problems = Problems::new(file);
        let tree = parse_yaml(bytes, &mut problems);
        let help = "begin with `system:` and describe the network below it";
        match tree {
            Some(tree) if tree.is_mapping() => {
                let folder = folder.into();
                let mut members = MembersFiles::read(&tree, &folder);
                let odd = std::mem::take(&mut members.problems);
                odd.into_iter().for_each(|problem| problems.push(problem));
                return Ok(Self {
                    digest: digest(bytes, &members),
                    by_name: members.by_name(),
                    members,
                    tree,
                    folder,
                    problems,
                });
            }
            Some(tree) if !tree.is_null() && !tree.is_invalid() => {
                let message = format!("expected a mapping, found {}", tree.describe());
                problems.push(Problem::error(tree.place, "", message).with_help(help));
            }
            _ if !problems.has_errors() => {
                problems.push(Problem::error(None, "", "the file is empty").with_help(help));
            }
            _ => {}
        }
        Err(problems)
    }

    /// Where the file says that modules are, for this node or, without one, at its root. What is
    /// wrong there is left out; [`Document::network`] reports it.
    pub fn search_paths(&self, local: Option<&NodeName>) -> SearchPaths {
        folders::search_paths(&self.tree, &self.folder, self.block_of(local))
    }

    /// The folders that [`search_paths`](Self::search_paths) has for modules, with where the file
    /// names each of them.
    pub fn module_folders(&self, local: Option<&NodeName>) -> Vec<NamedFolder> {
        folders::named(&self.tree, &self.folder, self.block_of(local))
    }

    /// The names of the modules of which the file says that this node uses them: of its roles, its transports and the
    /// buses that it speaks with itself.
    pub fn modules_of(&self, node: &NodeName) -> BTreeSet<String> {
        let block = self.block_of(Some(node)).unwrap_or_default();
        folders::modules(&self.tree, block)
    }

    /// The names of all modules that the file names, whatever node uses them.
    pub fn modules(&self) -> BTreeSet<String> {
        folders::all_modules(&self.tree)
    }

    /// The folder of the file, at which its relative paths start.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The paths and addresses that the file gives for a node, as far as their options are known.
    pub fn given(&self, catalog: &dyn Catalog, node: &NodeName) -> Vec<Given<'_>> {
        let block = self.block_of(Some(node)).unwrap_or_default();
        given::given(&self.tree, catalog, block)
    }

    /// The names of all nodes: of those with a block of their own, then of members.
    pub fn nodes(&self) -> impl Iterator<Item = NodeName> {
        let members = self.by_name.iter().map(|(name, _)| name.clone());
        let blocks = self.blocks().filter(|entry| !is_group(entry));
        let nodes = blocks.filter_map(|entry| NodeName::new(&entry.key).ok());
        nodes.chain(members)
    }

    /// One node of each block but that of `own`: those with one of their own, and of each group that has members
    /// its first.
    pub fn others(&self, own: Option<&NodeName>) -> impl Iterator<Item = NodeName> {
        let example = |entry: &Entry| match is_group(entry) {
            true => Some(self.members.of(&entry.key)?.lines.first()?.name.clone()),
            false => NodeName::new(&entry.key).ok(),
        };
        let own = self.block_of(own).map(str::to_owned);
        let others = self.blocks();
        let others = others.filter(move |entry| own.as_ref() != Some(&entry.key));
        others.filter_map(example)
    }

    fn blocks(&self) -> impl Iterator<Item = &Entry> {
        entries(&self.tree, "system")
    }

    /// The key of the block that a node has.
    fn block_of<'a>(&'a self, node: Option<&'a NodeName>) -> Option<&'a str> {
        let node = node?;
        let by_name = |(member, _): &(NodeName, u32)| member.cmp(node);
        match self.by_name.binary_search_by(by_name) {
            Ok(at) => {
                let (_, file) = self.by_name.get(at)?;
                let (block, _) = self.members.of.get(*file as usize)?;
                Some(block)
            }
            Err(_) => Some(node.as_str()),
        }
    }

    /// Checks that the file has a node of this name; whether all of it is valid plays no part.
    ///
    /// # Errors
    /// A report of class [`Class::UnknownNode`] that offers the names there are.
    pub fn require_node(&self, name: &NodeName) -> Result<(), Problems> {
        let nodes: Vec<NodeName> = self.nodes().collect();
        if nodes.contains(name) {
            return Ok(());
        }
        let mut problems = Problems::of_class(self.problems.file(), Class::UnknownNode);
        let group = self
            .blocks()
            .find(|entry| entry.key == name.as_str() && is_group(entry));
        problems.push(match group {
            Some(entry) => {
                let lines = self.members.of(&entry.key).map(|file| &file.lines);
                let members = lines.into_iter().flatten().map(|line| &line.name);
                let (message, help) = is_a_group(name.as_str(), members);
                Problem::error(None, "system", message).with_help(help)
            }
            None => unknown_node(name, nodes.iter()),
        });
        Err(problems)
    }

    /// Checks everything and builds the network, for the local node or, without one, for nobody
    /// in particular. A module that `catalog` lacks is an error on the local node and a warning on
    /// the others. The second part of the result holds warnings only.
    ///
    /// # Errors
    /// Everything that is wrong with the file, warnings included. The report is of class
    /// [`Class::UnknownNode`] when the file is valid but `local` is not in it.
    pub fn network(
        &self,
        catalog: &dyn Catalog,
        local: Option<&NodeName>,
    ) -> Result<(Network, Problems), Problems> {
        self.build(catalog, local, Severity::Error)
    }

    /// The same for a node that is to run: options of the right types with which a module could do
    /// nothing, an address that none can be say, are warnings on all other nodes. Theirs is the
    /// mistake, and this one starts without the transport that has them.
    ///
    /// # Errors
    /// As those of [`network`](Self::network).
    pub fn network_to_run(
        &self,
        catalog: &dyn Catalog,
        local: &NodeName,
    ) -> Result<(Network, Problems), Problems> {
        self.build(catalog, Some(local), Severity::Warning)
    }

    fn build(
        &self,
        catalog: &dyn Catalog,
        local: Option<&NodeName>,
        others: Severity,
    ) -> Result<(Network, Problems), Problems> {
        let mut problems = self.problems.clone();
        let assembly = Assembly::new(
            &self.folder,
            catalog,
            local,
            others,
            &self.members,
            &mut problems,
        );
        let parts = assembly.parts(&self.tree);
        if problems.has_errors() {
            return Err(problems);
        }
        let Parts {
            nodes,
            groups,
            buses,
            keys,
        } = parts;
        let network = Network {
            nodes,
            groups,
            buses,
            keys: Arc::new(keys),
            members: Arc::clone(&self.by_name),
            digest: self.digest,
            file: problems.file().to_owned(),
        };
        if let Some(local) = local {
            self.require_node(local)?;
        }
        Ok((network, problems))
    }
}

/// The SHA-256 of the file or, where it names files of members, that of its own and of theirs.
fn digest(bytes: &[u8], members: &MembersFiles) -> [u8; 32] {
    let sha256 = |bytes: &[u8]| {
        let mut sum = [0; 32];
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        sum.copy_from_slice(digest.as_ref());
        sum
    };
    let mut all = sha256(bytes).to_vec();
    all.extend(members.of.iter().flat_map(|(_, file)| file.digest));
    match members.of.is_empty() {
        true => sha256(bytes),
        false => sha256(&all),
    }
}

/// The file's first bytes, one more than allowed at most, and the folder it is in.
fn read_bounded(path: &Path) -> std::io::Result<(Vec<u8>, PathBuf)> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_SIZE as u64 + 1)
        .read_to_end(&mut bytes)?;
    let absolute = std::path::absolute(path)?;
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    Ok((bytes, folder))
}
