//! `kozo roles restart`.

use kozo_status::RestartedRole;

use super::arguments::{RestartArguments, RolesArguments, RolesCommand};
use super::failure::Failure;
use super::output;
use super::reach::reach;
use crate::introspection::Request;

pub(super) fn roles(arguments: &RolesArguments) -> Result<(), Failure> {
    match &arguments.command {
        RolesCommand::Restart(arguments) => restart(arguments),
    }
}

fn restart(arguments: &RestartArguments) -> Result<(), Failure> {
    let role = arguments.role.clone();
    let daemon = reach(&arguments.daemon, arguments.node.as_ref())?;
    let RestartedRole { role } = daemon
        .ask(&Request::RestartRole { role })
        .map_err(Failure::other)?;
    output::print(&format!(
        "`{}` runs again, from the present file of its module `{}`\n",
        role.name, role.module,
    ))
}
