//! `kozo run`: a node, until it is told to end.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::arguments::RunArguments;
use super::failure::{Failure, log_problems};
use super::prepare::{Prepared, prepare};

pub(super) fn run(arguments: &RunArguments) -> Result<(), Failure> {
    if arguments.end_with_parent {
        end_with_parent()?;
    }
    let prepared =
        prepare(&arguments.config, Some(&arguments.node), &[]).map_err(Failure::Report)?;
    log_problems(&prepared.warnings);
    serve(prepared, arguments)
}

/// Asks the system for a SIGTERM when the program that started this one ends.
fn end_with_parent() -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(Failure::other)?;
    // It may have ended before it was asked for.
    if getppid().is_none_or(|parent| parent.is_init()) {
        return Err(Failure::other(
            "the program that started this one has ended",
        ));
    }
    Ok(())
}

/// The door to the daemon.
fn serve(prepared: Prepared, arguments: &RunArguments) -> Result<(), Failure> {
    let _ = (prepared.network, prepared.registry, &arguments.node);
    Err(Failure::other("this build of Kōzō has no daemon yet"))
}
