//! Combinations of options with which a module can do nothing.

use std::sync::LazyLock;

use kozo_ground::interest::Pattern;
use kozo_ground::text::{join_path, quoted};

use super::{Keys, List, Reader, text};
use crate::conflict::{Condition, Conflict};
use crate::metadata::MAX_CONFLICTS;
use crate::{DefaultValue, Entry, OptionSpec, Problem, Tree, TreeNode, ValueKind};

const CONFLICTS: List = List {
    key: "conflicts",
    most: MAX_CONFLICTS,
    owner: "a module",
    example: "write `- {when: {…}, message: …}` lines",
};

/// What an option whose value is anything is called in a condition.
const ANY_VALUE: &str = "*";

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
        if !options.iter().any(|option| option.name == entry.key) {
            let message = format!("the module has no option {}", quoted(&entry.key));
            self.error(entry.key_place, &path, message);
        }
        let value = match (&entry.value.node, entry.value.is_null()) {
            (_, true) => None,
            (TreeNode::Scalar(scalar), false) => Some(Pattern::new(&scalar.text)),
            (TreeNode::Invalid, _) => return None,
            _ => {
                self.problems.push(
                    Problem::error(entry.value.place, &path, "expected a value").with_help(
                        format!("write one, `\"{ANY_VALUE}\"` for any or `null` for none"),
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
}
