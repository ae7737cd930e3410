//! What the options of a module have to be beyond their types: of the right format, and such that
//! they go together. Checked when each value by itself is known to be one.

use kozo_ground::text::{join_path, quoted};

use super::block::Values;
use super::metadata::{Claimed, check_listed};
use super::problem::{Place, Problem, Problems, Severity};
use super::schema::{DefaultValue, OptionSpec};
use super::tree::{Tree, TreeNode};
use super::value::{ModuleOptions, Value};
use crate::conflict::Condition;
use crate::metadata::Metadata;

/// One block whose options are checked.
pub(crate) struct Rules<'r> {
    /// The mapping with the options.
    pub(crate) tree: &'r Tree,
    /// Where the block is named, for what is about no single value.
    pub(crate) place: Place,
    /// The way to it through the blocks around it.
    pub(crate) path: &'r str,
    /// How bad a mistake is: it may be that of another node, which this one starts without.
    pub(crate) severity: Severity,
}

impl Rules<'_> {
    /// Takes those values away that have not the format of their option, and says what is wrong with
    /// the first one.
    /// Of a list in another node's block the other items stay, and that is no loss.
    pub(crate) fn formats(
        &self,
        specs: &[OptionSpec],
        values: &mut Values,
        problems: &mut Problems,
    ) -> Option<String> {
        let mut fault = None;
        for spec in specs {
            let Some((format, value)) = spec.format.zip(values.value(&spec.name)) else {
                continue;
            };
            let path = join_path(self.path, &spec.name);
            let texts: Vec<_> = value.texts().zip(self.places(&spec.name)).collect();
            let mut right = Vec::new();
            let mut wrong = None;
            for (text, place) in texts {
                if spec.allows_empty() && text.is_empty() {
                    right.push(Value::Text(text.to_owned()));
                    continue;
                }
                match format.check(text, &spec.schemes) {
                    Ok(()) => right.push(Value::Text(text.to_owned())),
                    Err(error) => {
                        wrong.get_or_insert_with(|| error.clone());
                        let problem = self.problem(place, &path, error);
                        problems.push(problem.with_help(format.advice_with(&spec.schemes)));
                    }
                }
            }
            let Some(wrong) = wrong else {
                continue;
            };
            if self.severity == Severity::Warning && !right.is_empty() {
                values.replace(&spec.name, Value::List(right));
            } else {
                values.remove(&spec.name);
                fault.get_or_insert_with(|| format!("{}: {wrong}", quoted(&spec.name)));
            }
        }
        fault
    }

    /// Gives the list of interests that an option holds one form, or takes it away and says what is wrong with
    /// it.
    pub(crate) fn listed_interests(
        &self,
        metadata: &Metadata,
        values: &mut Values,
        problems: &mut Problems,
    ) -> Option<String> {
        let mut options = metadata.options.iter();
        let option = options.find(|option| metadata.lists_interests(&option.name))?;
        // What is not given, or given as having no value, is no list.
        let tree = values
            .value(&option.name)
            .and(self.tree.child(&option.name))?;
        let mut wrong = Problems::new(problems.file());
        let path = join_path(self.path, &option.name);
        let checked = check_listed(tree, &path, &mut wrong);
        for problem in &wrong {
            problems.push(Problem {
                severity: self.severity,
                ..problem.clone()
            });
        }
        match (checked, wrong.iter().next()) {
            (Some(list), None) => values.replace(&option.name, list),
            (_, wrong) => {
                values.remove(&option.name);
                let why = wrong.map_or("it is no list of interests", |problem| &problem.message);
                return Some(format!("{}: {why}", quoted(&option.name)));
            }
        }
        None
    }

    /// Finds options that do not go together, and says so of the first ones. Those of which a value is missing
    /// because it was wrong are left out.
    pub(crate) fn combinations(
        &self,
        metadata: &Metadata,
        options: &ModuleOptions,
        values: &Values,
        problems: &mut Problems,
    ) -> Option<String> {
        let mut found = None;
        let is_sound = |name: &str| self.is_sound(name, values);
        for conflict in &metadata.conflicts {
            let there =
                |condition: &Condition| is_sound(&condition.option) && condition.holds(options);
            if !conflict.when.iter().all(there) {
                continue;
            }
            found.get_or_insert_with(|| conflict.message.clone());
            let options = conflict
                .when
                .iter()
                .map(|condition| condition.option.as_str());
            let (place, path) = self.last_given(options);
            problems.push(self.problem(place, &path, conflict.message.clone()));
        }
        for spec in &metadata.options {
            let Some(other) = spec.at_most.as_deref() else {
                continue;
            };
            let number = |name: &str| {
                let value = options.value(name).filter(|_| is_sound(name))?;
                value.as_number()
            };
            let both = number(&spec.name).zip(number(other));
            if let Some((value, most)) = both.filter(|(value, most)| value > most) {
                let (place, path) = self.last_given([other, &spec.name].into_iter());
                let (name, other) = (quoted(&spec.name), quoted(other));
                let message = format!(
                    "{name} is {value}, which is more than {other}, {most}: make it smaller"
                );
                found.get_or_insert_with(|| message.clone());
                problems.push(self.problem(place, &path, message));
            }
        }
        found
    }

    /// What the options claim, with the place and path of each.
    pub(crate) fn claims(
        &self,
        metadata: &Metadata,
        options: &ModuleOptions,
        values: &Values,
    ) -> Vec<(Claimed, Place, String)> {
        let claims = metadata.claims(options, |name| self.is_sound(name, values));
        let located = claims.into_iter().map(|claim| {
            let options = claim.options.iter().map(String::as_str);
            let (mut place, path) = self.last_given(options);
            if let [option] = claim.options.as_slice() {
                place = self.places(option).nth(claim.item).unwrap_or(place);
            }
            (claim.what, place, path)
        });
        located.collect()
    }

    /// Whether the option has the value that is given, or none is.
    fn is_sound(&self, name: &str, values: &Values) -> bool {
        self.tree.entry(name).is_none() || values.contains(name)
    }

    /// Where each text of an option stands. Those of one text with commas stand where that does.
    fn places(&self, option: &str) -> impl Iterator<Item = Place> {
        let tree = self.tree.child(option);
        let items = match tree.map(|tree| &tree.node) {
            Some(TreeNode::List(items)) => items.as_slice(),
            _ => &[],
        };
        let whole = tree.map_or(self.place, |tree| tree.place);
        let places: Vec<Place> = items.iter().map(|item| item.place).collect();
        places.into_iter().chain(std::iter::repeat(whole))
    }

    /// The place and the path of the last of these options that the file gives.
    fn last_given<'o>(&self, options: impl Iterator<Item = &'o str>) -> (Place, String) {
        let given = options.filter_map(|option| Some((option, self.tree.child(option)?)));
        match given.last() {
            Some((option, tree)) => (tree.place, join_path(self.path, option)),
            None => (self.place, self.path.to_owned()),
        }
    }

    fn problem(&self, place: Place, path: &str, message: String) -> Problem {
        Problem {
            severity: self.severity,
            ..Problem::error(place, path, message)
        }
    }
}

impl OptionSpec {
    /// Whether an empty text stands for something: it does where it is the default.
    fn allows_empty(&self) -> bool {
        matches!(&self.default, DefaultValue::Value(Value::Text(text)) if text.is_empty())
    }
}
