//! Which names of nodes there are, for options that name some.

use std::collections::HashMap;

use kozo_ground::interest::Pattern;
use kozo_ground::names::NodeName;

use super::members::MembersFiles;
use super::node::Node;
use super::parts::Parts;

/// The nodes of a network, and which patterns any of them fits.
pub(super) struct KnownNodes<'n> {
    nodes: Vec<(&'n NodeName, &'n Node)>,
    /// Whether these are all: the members of some group may not be known.
    is_complete: bool,
    /// A pattern is mostly that of many roles.
    asked: HashMap<String, bool>,
}

impl<'n> KnownNodes<'n> {
    pub(super) fn new(parts: &'n Parts, members: &'n MembersFiles, is_complete: bool) -> Self {
        let mut nodes: Vec<_> = parts.nodes.iter().collect();
        for (name, file) in &members.of {
            let mut groups = parts.groups.iter();
            let Some(group) = groups.find(|group| group.name.as_str() == name) else {
                continue;
            };
            nodes.extend(file.lines.iter().map(|line| (&line.name, &group.block)));
        }
        nodes.sort_by_key(|(name, _)| *name);
        nodes.dedup_by_key(|(name, _)| *name);
        let asked = HashMap::new();
        Self {
            nodes,
            is_complete,
            asked,
        }
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'n str> {
        self.nodes.iter().map(|(name, _)| name.as_str())
    }

    /// The block of a node: its own or that of its group.
    pub(super) fn block(&self, name: &str) -> Option<&'n Node> {
        let by_name = |(known, _): &(&NodeName, &Node)| known.as_str().cmp(name);
        let at = self.nodes.binary_search_by(by_name).ok()?;
        Some(self.nodes.get(at)?.1)
    }

    /// Whether there is a node that fits, or may be one.
    pub(super) fn some_fits(&mut self, pattern: &Pattern) -> bool {
        if !self.is_complete {
            return true;
        }
        let text = pattern.as_str();
        if !text.contains('*') {
            return self.block(text).is_some();
        }
        if let Some(fits) = self.asked.get(text) {
            return *fits;
        }
        let fits = self.names().any(|name| pattern.matches(name));
        self.asked.insert(text.to_owned(), fits);
        fits
    }
}
