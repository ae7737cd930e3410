//! `kozo roles restart`.

use kozo_ground::text::printable;

use super::arguments::{RestartArguments, RolesArguments, RolesCommand};
use super::failure::Failure;
use super::output;
use super::reach::reach;
use crate::control::protocol::Request;
use crate::control::report::RestartReport;

pub(super) fn roles(arguments: &RolesArguments) -> Result<(), Failure> {
    match &arguments.command {
        RolesCommand::Restart(arguments) => restart(arguments),
    }
}

fn restart(arguments: &RestartArguments) -> Result<(), Failure> {
    let role = arguments.role.clone();
    let daemon = reach(&arguments.daemon, arguments.node.as_ref())?;
    let report: RestartReport = daemon
        .ask(&Request::RestartRole { role })
        .map_err(Failure::other)?;
    output::print(&format!(
        "`{}` runs again, from the present file of its module `{}`\n",
        printable(&report.role.name),
        printable(&report.role.module),
    ))
}
