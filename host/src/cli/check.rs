//! `kozo check`: what is wrong with a configuration file.

use std::path::{Path, PathBuf};

use kozo_description::{Class, Problems, Severity};
use kozo_ground::names::NodeName;
use kozo_ground::text;
use serde::Serialize;

use super::arguments::CheckArguments;
use super::failure::Failure;
use super::files::ReadFile;
use super::prepare::Prepared;
use super::{files, local, output};
use crate::config::Network;
use crate::transports::try_transports;

pub(super) fn check(arguments: &CheckArguments) -> Result<(), Failure> {
    let Checked {
        problems, failed, ..
    } = look(
        &arguments.config,
        arguments.node.as_ref(),
        &arguments.modules,
    );
    if arguments.json {
        output::print_json(&Findings::new(&problems))?;
    } else {
        let report = match problems.is_empty() {
            true => String::new(),
            false => format!("{problems}\n"),
        };
        output::print(&format!("{report}{}\n", summary(&problems)))?;
    }
    match failed {
        Some(class) => Err(Failure::Reported(class)),
        None => Ok(()),
    }
}

/// A file that was checked, with all that was needed for it.
pub(super) struct Checked {
    /// All that was found.
    pub(super) problems: Problems,
    /// What kind of failure that is; none when it is warnings at most.
    pub(super) failed: Option<Class>,
    /// The file and the modules; none when the file cannot be read.
    pub(super) prepared: Option<Prepared>,
    /// What the file describes; none when there are mistakes in it.
    pub(super) network: Option<Network>,
}

/// Checks a file, for the node `local` or for nobody in particular. `modules` are folders that are
/// searched before all others.
pub(super) fn look(config: &Path, local: Option<&NodeName>, modules: &[PathBuf]) -> Checked {
    let prepared = match Prepared::read(config, local, modules) {
        Ok(prepared) => prepared,
        Err(problems) => {
            let class = problems.class();
            return Checked {
                problems,
                failed: Some(class),
                prepared: None,
                network: None,
            };
        }
    };
    let (mut problems, network) = match prepared.network(local) {
        Ok((network, warnings)) => (warnings, Some(network)),
        Err(problems) => (problems, None),
    };
    prepared.report_modules(local, &mut problems);
    let node = local.and_then(|name| network.as_ref()?.nodes.get(name));
    if let Some(node) = node {
        local::check(node, &prepared.registry, &mut problems);
    }
    if let Some((node, network)) = node.zip(network.as_ref()) {
        let read = files::of(&prepared, network, node);
        read.iter()
            .filter_map(ReadFile::problem)
            .for_each(|problem| problems.push(problem));
        try_transports(network, &node.name, &prepared.registry, &mut problems);
    }
    // Last, since it adds advice to what others have said.
    if let Some(local) = local {
        prepared.report_surroundings(local, &mut problems);
    }
    let failed = problems.has_errors().then_some(problems.class());
    Checked {
        problems,
        failed,
        prepared: Some(prepared),
        network,
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Findings<'p> {
    #[serde(flatten)]
    report: &'p Problems,
    errors: usize,
    warnings: usize,
}

impl<'p> Findings<'p> {
    fn new(report: &'p Problems) -> Self {
        let (errors, warnings) = count(report);
        Self {
            report,
            errors,
            warnings,
        }
    }
}

/// How many errors and how many warnings a report shows.
fn count(problems: &Problems) -> (usize, usize) {
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    (errors, problems.iter().count() - errors)
}

/// `2 errors, 1 warning`
fn summary(problems: &Problems) -> String {
    let (errors, warnings) = count(problems);
    let errors = text::count(errors as u64, "error");
    let warnings = text::count(warnings as u64, "warning");
    match problems.omitted() {
        0 => format!("{errors}, {warnings}"),
        more => format!("{errors}, {warnings}, and {more} more that are not shown"),
    }
}
