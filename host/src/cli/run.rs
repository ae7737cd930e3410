//! `kozo run`: a node, until it is told to end.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::arguments::RunArguments;
use super::failure::{Failure, log_problems};
use super::prepare::Prepared;
use crate::daemon::{self, StartError};
use crate::log::BOUNDED;
use crate::modules::{Registry, listing};

pub(super) fn run(arguments: RunArguments) -> Result<(), Failure> {
    // Before anything else: a signal that comes early is heeded, too.
    let process = daemon::Process::new().map_err(Failure::from)?;
    if let Some(parent) = arguments.end_with_parent {
        end_with(parent)?;
    }
    process.run(move || prepare(arguments))
}

/// What the node is made of, as the file and the modules of this machine have it.
fn prepare(arguments: RunArguments) -> Result<daemon::Setup, Failure> {
    let node = arguments.node;
    let prepared = Prepared::read_to_run(&arguments.config, &node).map_err(Failure::Report)?;
    let (network, mut warnings) = prepared.network_to_run(&node).map_err(Failure::Report)?;
    prepared.report_surroundings(&node, &mut warnings);
    log_problems(&warnings);
    let registry = prepared.registry;
    log_modules(&registry);
    Ok(daemon::Setup {
        network,
        file: arguments.config,
        node,
        registry,
        control: arguments.control,
    })
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(problems) => Self::Report(problems),
            error => Self::other(error),
        }
    }
}

/// Says which modules hide others, and which are not taken.
fn log_modules(registry: &Registry) {
    for remark in listing::remarks(registry) {
        match remark.is_mistake {
            true => tracing::warn!(name: BOUNDED, target: "module", "{}", remark.text),
            false => tracing::info!(name: BOUNDED, target: "module", "{}", remark.text),
        }
    }
}

/// Asks the system for a SIGTERM when the program that started this one ends.
fn end_with(parent: u32) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(Failure::other)?;
    // It may have ended before that, and somebody else is the parent now.
    let actual = getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if actual != Some(parent) {
        return Err(Failure::other(
            "the program that started this one has ended",
        ));
    }
    Ok(())
}
