//! Which names of nodes there are, for options that name some.

use std::collections::HashMap;

use kozo_ground::interest::Pattern;
use kozo_ground::names::NodeName;

use super::assemble::Parts;
use super::members::MembersFiles;

/// The names of a network's nodes, and which patterns any of them fits.
pub(super) struct KnownNodes<'n> {
    names: Vec<&'n NodeName>,
    /// A pattern is mostly that of many roles.
    asked: HashMap<String, bool>,
}

impl<'n> KnownNodes<'n> {
    pub(super) fn new(parts: &'n Parts, members: &'n MembersFiles) -> Self {
        let lines = members.of.iter().flat_map(|(_, file)| &file.lines);
        let mut names: Vec<_> = parts.nodes.keys().collect();
        names.extend(lines.map(|line| &line.name));
        names.sort();
        names.dedup();
        let asked = HashMap::new();
        Self { names, asked }
    }

    /// Whether there is a node that fits.
    pub(super) fn some_fits(&mut self, pattern: &Pattern) -> bool {
        let text = pattern.as_str();
        if !text.contains('*') {
            let by_text = |name: &&NodeName| name.as_str().cmp(text);
            return self.names.binary_search_by(by_text).is_ok();
        }
        if let Some(fits) = self.asked.get(text) {
            return *fits;
        }
        let mut names = self.names.iter();
        let fits = names.any(|name| pattern.matches(name.as_str()));
        self.asked.insert(text.to_owned(), fits);
        fits
    }
}
