//! `kozo doctor`: what a support person would look at on this machine, and would say about it.
//!
//! ```text
//!  targets ──▶ Case (file, daemon, unit, user, names) ──▶ subjects, side by side ──▶ Finding ──▶ text
//!                                                                                           ├─▶ --json
//!                                                                                           └─▶ --bundle
//! ```
//!
//! Nothing is changed, and nothing is waited for without a limit. What this user may not look at, or what
//! did not answer, is said to be so ([`Severity::Unknown`]): it counts neither as fine nor as wrong.

mod bluetooth;
mod bundle;
mod buses;
mod case;
mod clock;
mod command;
mod daemon;
mod devices;
mod dial;
mod file;
mod finding;
mod firewall;
mod keys;
mod listeners;
mod machine;
mod modules;
mod names;
mod other_files;
mod parallel;
mod ports;
mod reachability;
mod redaction;
mod render;
mod resolving;
mod storage;
mod systemd;
mod targets;
mod tor;
mod unit;
mod ways;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::arguments::DoctorArguments;
use super::failure::Failure;
use super::output;
use crate::control::{Client, ClientError, Surroundings};
use crate::log::shows_colours;
use case::Case;
use finding::{Counts, Diagnosis, Finding, Section, Severity, Subject, worst};
use machine::Machine;
use targets::Target;

/// How long it may take to read the file, with what its modules say.
const OPEN_LIMIT: Duration = Duration::from_secs(60);

/// How long the subjects may take, all together.
const SUBJECT_LIMIT: Duration = Duration::from_secs(30);

/// What looks at a subject. There are no findings where it does not concern the node.
type Look = fn(&Case) -> Vec<Finding>;

/// The subjects, and what looks at each.
const SUBJECTS: [(Subject, Look); 15] = [
    (Subject::File, file::look),
    (Subject::Keys, keys::look),
    (Subject::Ports, ports::look),
    (Subject::Clock, clock::look),
    (Subject::Names, names::look),
    (Subject::Reachability, reachability::look),
    (Subject::Firewall, firewall::look),
    (Subject::Tor, tor::look),
    (Subject::Bluetooth, bluetooth::look),
    (Subject::Devices, devices::look),
    (Subject::Storage, storage::look),
    (Subject::Unit, unit::look),
    (Subject::Modules, modules::look),
    (Subject::Daemon, daemon::look),
    (Subject::OtherFiles, other_files::look),
];

/// Why nothing can be looked at.
#[derive(Debug, thiserror::Error)]
enum DoctorError {
    #[error(
        "no node runs on this machine, no unit `kozo@NODE` is enabled, and there is no `{}`: name the file and the node, as in `kozo doctor CONFIG NODE`",
        targets::PACKAGED_FILE
    )]
    NothingHere,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'d> {
    severity: Severity,
    #[serde(flatten)]
    counts: Counts,
    nodes: &'d [Diagnosis],
    /// The file that was written, if any.
    bundle: Option<PathBuf>,
}

pub(super) fn doctor(arguments: DoctorArguments) -> Result<(), Failure> {
    let targets = targets(&arguments)?;
    let mut cases = Vec::new();
    let mut diagnoses = Vec::new();
    for target in targets {
        let daemon = match (&arguments.daemon.control, &target.node) {
            (Some(path), _) => Ok(Client::at(path)),
            (None, node) => Client::find(&Surroundings::read(), node.as_ref()),
        };
        match open(target.clone(), daemon) {
            Ok(case) => {
                diagnoses.push(diagnose(&case));
                cases.push(case);
            }
            Err(finding) => diagnoses.push(diagnosis(
                &target,
                vec![Section {
                    subject: Subject::File,
                    findings: vec![finding],
                }],
            )),
        }
    }
    let severity = worst(&diagnoses);
    if !arguments.json {
        let colour = shows_colours(&std::io::stdout());
        output::print_coloured(&render::render(&diagnoses, colour))?;
    }
    if let Some(path) = &arguments.bundle {
        bundle::write(path, &diagnoses, &cases).map_err(Failure::other)?;
        if !arguments.json {
            output::print(&bundle::contents(path))?;
        }
    }
    if arguments.json {
        output::print_json(&Report {
            severity,
            counts: Counts::of(&diagnoses),
            nodes: &diagnoses,
            bundle: arguments.bundle,
        })?;
    }
    match severity.exit_code() {
        0 => Ok(()),
        code => Err(Failure::Diagnosed(code)),
    }
}

fn targets(arguments: &DoctorArguments) -> Result<Vec<Target>, Failure> {
    let asked = (arguments.config.clone(), arguments.node.clone());
    // On a thread of its own: the file may be a pipe that nobody writes to.
    let found = within(OPEN_LIMIT, asked, |asked| match asked {
        (Some(config), Some(node)) => vec![Target {
            config,
            node: Some(node),
            chosen: "named on the command line".to_owned(),
        }],
        (Some(config), None) => vec![targets::own_node(config)],
        (None, _) => targets::find(&Machine::this(), &Surroundings::read()),
    });
    match found.unwrap_or_default() {
        none if none.is_empty() => Err(Failure::other(DoctorError::NothingHere)),
        found => Ok(found),
    }
}

/// Finds out what all subjects need, on a thread of its own: modules are asked, and one of them may not
/// come back.
fn open(target: Target, daemon: Result<Client, ClientError>) -> Result<Arc<Case>, Finding> {
    let config = target.config.display().to_string();
    let opened = within(OPEN_LIMIT, (target, daemon), |(target, daemon)| {
        Arc::new(Case::open(target, daemon))
    });
    opened.ok_or_else(|| {
        let limit = OPEN_LIMIT.as_secs();
        Finding::fault(config, format!("it could not be looked at within {limit} s"))
            .matters("nothing else is looked at without it")
            .advice("`kozo check CONFIG NODE` hangs, too, where a module does: `--log debug` says which is asked")
    })
}

/// What comes of `work`, if it comes within `limit`.
fn within<T, R>(limit: Duration, of: T, work: impl Fn(T) -> R + Send + Sync + 'static) -> Option<R>
where
    T: Send + 'static,
    R: Send + 'static,
{
    parallel::each(vec![of], limit, work).pop().flatten()
}

/// Looks at all subjects, side by side.
fn diagnose(case: &Arc<Case>) -> Diagnosis {
    let shared = Arc::clone(case);
    let looks: Vec<_> = SUBJECTS.iter().map(|(_, look)| *look).collect();
    let found = parallel::each(looks, SUBJECT_LIMIT, move |look| look(&shared));
    let sections = SUBJECTS.iter().zip(found).map(|((subject, _), findings)| {
        let late = || {
            vec![Finding::unknown(
                subject.title(),
                "looking at it took too long, or failed",
            )]
        };
        Section {
            subject: *subject,
            findings: findings.unwrap_or_else(late),
        }
    });
    let concerned = sections.filter(|section| !section.findings.is_empty());
    diagnosis(&case.target, concerned.collect())
}

fn diagnosis(target: &Target, sections: Vec<Section>) -> Diagnosis {
    Diagnosis {
        node: target.node.as_ref().map(ToString::to_string),
        config: target.config.display().to_string(),
        chosen: target.chosen.clone(),
        sections,
    }
}
