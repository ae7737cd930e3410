//! Combinations of options with which a module can do nothing.

use std::sync::LazyLock;

use kozo_ground::interest::Pattern;
use kozo_ground::text::{join_path, quoted};

use super::{Keys, List, Reader, text};
use crate::conflict::{Condition, Conflict, Expected};
use crate::metadata::MAX_CONFLICTS;
use crate::scalar;
use crate::{DefaultValue, Entry, Format, OptionSpec, Problem, Scalar, Tree, TreeNode, ValueKind};

const CONFLICTS: List = List {
    key: "conflicts",
    most: MAX_CONFLICTS,
    owner: "a module",
    example: "write `- {when: {…}, message: …}` lines",
};

/// What an option whose value is anything is called in a condition.
const ANY_VALUE: &str = "*";

/// What a condition says of an address to listen on, `true` or `false`: that nobody else reaches it.
const LOOPBACK: &str = "loopback";

fn conflict_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let when = OptionSpec::new("when", ValueKind::Block, DefaultValue::Required, "Options.");
        Keys {
            new: &[],
            table: vec![when, text("message", "What is wrong, and what to do.")],
        }
    });
    &KEYS
}

impl Reader<'_> {
    pub(super) fn conflicts(&mut self, tree: &Tree, options: &[OptionSpec]) -> Vec<Conflict> {
        let items = self.items(tree, &CONFLICTS).iter().enumerate();
        items
            .map(|(index, item)| self.conflict(item, index, options))
            .collect()
    }

    fn conflict(&mut self, item: &Tree, index: usize, options: &[OptionSpec]) -> Conflict {
        let path = format!("conflicts[{index}]");
        let values = self.block(item, item.place, &path, "a conflict", conflict_keys());
        let when = self.conditions(item, &path, options);
        Conflict {
            when,
            message: values.text("message").unwrap_or_default().to_owned(),
        }
    }

    /// What stands below `when` in `item`; nothing, if that is not there.
    pub(super) fn conditions(
        &mut self,
        item: &Tree,
        path: &str,
        options: &[OptionSpec],
    ) -> Vec<Condition> {
        let path = join_path(path, "when");
        let mut when = Vec::new();
        if let Some(TreeNode::Map(entries)) = item.child("when").map(|tree| &tree.node) {
            for entry in entries {
                when.extend(self.condition(entry, &path, options));
            }
            if entries.is_empty() {
                self.error(item.place, &path, "it is empty, so it would always hold");
            }
        }
        when
    }

    fn condition(
        &mut self,
        entry: &Entry,
        path: &str,
        options: &[OptionSpec],
    ) -> Option<Condition> {
        let path = join_path(path, &entry.key);
        let option = options.iter().find(|option| option.name == entry.key);
        if option.is_none() {
            let message = format!("the module has no option {}", quoted(&entry.key));
            self.error(entry.key_place, &path, message);
        }
        let value = match (&entry.value.node, entry.value.is_null()) {
            (_, true) => Expected::Nothing,
            (TreeNode::Scalar(scalar), false) => Expected::Fitting(Pattern::new(&scalar.text)),
            (TreeNode::Invalid, _) => return None,
            (TreeNode::Map(entries), _) if entries.iter().any(|entry| entry.key == LOOPBACK) => {
                let expected = self.loopback(entries, &path)?;
                if let Some(option) = option.filter(|option| !is_to_listen_on(option)) {
                    let name = quoted(&option.name);
                    let message = format!("{name} has no format of an address to listen on");
                    self.error(entry.value.place, &path, message);
                }
                Expected::Loopback(expected)
            }
            _ => {
                self.problems.push(
                    Problem::error(entry.value.place, &path, "expected a value").with_help(
                        format!(
                            "write one, `\"{ANY_VALUE}\"` for any or `null` for none; of an address to listen \
                             on also `{{{LOOPBACK}: true}}` or `{{{LOOPBACK}: false}}`"
                        ),
                    ),
                );
                return None;
            }
        };
        Some(Condition {
            option: entry.key.clone(),
            value,
        })
    }

    /// Whether an address is to be this machine's alone.
    fn loopback(&mut self, entries: &[Entry], path: &str) -> Option<bool> {
        match entries {
            [entry] => match &entry.value.node {
                TreeNode::Scalar(Scalar { text, plain: true }) => match scalar::boolean(text) {
                    Some(expected) => return Some(expected),
                    None => self.error(entry.value.place, path, "expected `true` or `false`"),
                },
                TreeNode::Invalid => {}
                _ => self.error(entry.value.place, path, "expected `true` or `false`"),
            },
            [first, ..] => {
                let message = format!("`{LOOPBACK}` stands alone");
                self.error(first.key_place, path, message);
            }
            [] => {}
        }
        None
    }
}

fn is_to_listen_on(option: &OptionSpec) -> bool {
    matches!(
        option.format,
        Some(Format::Listening | Format::ListeningEndpoint)
    )
}
