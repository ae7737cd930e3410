//! A block of a role or transport, checked with what its module says of its options.

use std::path::Path;

use kozo_faces::Face;
use kozo_ground::text::join_path;

use crate::block::{Block, Unknown, Values};
use crate::common;
use crate::metadata::{Claimed, Metadata, Names};
use crate::problem::{Place, Problem, Problems, Severity};
use crate::rules::Rules;
use crate::value::ModuleOptions;

/// A block of a role or transport, and what its module's defaults are filled in with.
pub struct ModuleBlock<'b> {
    /// The block.
    pub block: Block<'b>,
    /// The name of its node.
    pub node: &'b str,
    /// The name of the role or transport.
    pub name: &'b str,
    /// Where relative paths start; they stay as they are without one.
    pub folder: Option<&'b Path>,
    /// How bad it is when options have not their format, or do not go together: it may be the block of
    /// another node, which this one starts without.
    pub severity: Severity,
}

/// What the block of a role or transport says.
#[derive(Debug)]
pub struct CheckedBlock {
    /// The valid values that are given, those of the options that every module has among them.
    pub values: Values,
    /// What the module gets, or why it could do nothing with that.
    pub options: Result<ModuleOptions, String>,
    /// What the options claim, with the place and path of each.
    pub claims: Vec<(Claimed, Place, String)>,
    /// What the role is for people and other systems; nothing where the module gets no options.
    pub faces: Vec<Face>,
}

impl ModuleBlock<'_> {
    /// Checks everything in the block, and fills in what is not given.
    pub fn check(&self, metadata: &Metadata, problems: &mut Problems) -> CheckedBlock {
        let specs = common::of(metadata.kind).iter().chain(&metadata.options);
        let mut values = self
            .block
            .check(specs, Unknown::REFUSED, self.folder, problems);
        let rules = Rules {
            tree: self.block.tree,
            place: self.block.place,
            path: self.block.path,
            severity: self.severity,
        };
        let wrong = rules.formats(&metadata.options, &mut values, problems);
        let wrong = wrong.or(rules.listed_interests(metadata, &mut values, problems));
        let options = self.options(metadata, &values);
        let clash = rules.combinations(metadata, &options, &values, problems);
        let (options, claims) = match wrong.or(clash) {
            None => {
                let claims = rules.claims(metadata, &options, &values);
                (Ok(options), claims)
            }
            Some(fault) => (Err(fault), Vec::new()),
        };
        let faces = self.faces(metadata, options.as_ref().ok(), problems);
        CheckedBlock {
            values,
            options,
            claims,
            faces,
        }
    }

    /// The faces of the role. What is wrong with one leaves it out, and harms nothing else.
    fn faces(
        &self,
        metadata: &Metadata,
        options: Option<&ModuleOptions>,
        problems: &mut Problems,
    ) -> Vec<Face> {
        let mut wrong = Problems::new("");
        let tree = self.block.tree.child(common::FACE);
        let path = join_path(self.block.path, common::FACE);
        let names = Names {
            node: self.node,
            role: self.name,
        };
        let place = tree.map_or(self.block.place, |tree| tree.place);
        let faces = metadata.faces((tree, &path), place, options, names, &mut wrong);
        for problem in &wrong {
            problems.push(Problem {
                severity: self.severity,
                ..problem.clone()
            });
        }
        faces
    }

    /// The values of all options of the module.
    fn options(&self, metadata: &Metadata, values: &Values) -> ModuleOptions {
        let specs = metadata.options.iter();
        specs
            .map(|spec| {
                let value = match values.value(&spec.name) {
                    Some(value) => value.clone(),
                    None => spec.default_for(self.node, self.name, self.folder),
                };
                (spec.name.clone(), value)
            })
            .collect()
    }
}
