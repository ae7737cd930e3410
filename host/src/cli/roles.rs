//! `kozo roles`: lists, restarts, stops and starts roles.

use kozo_ground::text::{Table, Tone, shortened};
use kozo_status::{NodeStatus, RoleStatus, SteeredRole};

use super::arguments::{ListRolesArguments, OneRoleArguments, RolesArguments, RolesCommand};
use super::failure::Failure;
use super::output;
use super::reach::reach;
use super::status::{LONGEST_ERROR, role_state};
use crate::introspection::Request;
use crate::log::shows_colours;

pub(super) fn roles(arguments: &RolesArguments) -> Result<(), Failure> {
    match &arguments.command {
        RolesCommand::List(arguments) => list(arguments),
        RolesCommand::Restart(arguments) => {
            let request = |role| Request::RestartRole { role };
            steer(arguments, request, |role| {
                format!(
                    "`{}` runs again, from the present file of its module `{}`\n",
                    role.name, role.module,
                )
            })
        }
        RolesCommand::Stop(arguments) => {
            let request = |role| Request::StopRole { role };
            steer(arguments, request, |role| {
                format!(
                    "`{0}` is stopped, and gets no messages: `kozo roles start {0}` starts it again\n",
                    role.name
                )
            })
        }
        RolesCommand::Start(arguments) => {
            let request = |role| Request::StartRole { role };
            steer(arguments, request, |role| {
                format!(
                    "`{}` runs, from the present file of its module `{}`\n",
                    role.name, role.module,
                )
            })
        }
    }
}

fn list(arguments: &ListRolesArguments) -> Result<(), Failure> {
    let asking = &arguments.asking;
    let daemon = reach(&asking.daemon, asking.on.as_ref())?;
    let status: NodeStatus = daemon.ask(&Request::Status).map_err(Failure::other)?;
    if asking.json {
        return output::print_json(&status.roles);
    }
    let mut table = Table::at_margin(&[
        "role",
        "module",
        "state",
        "restarts",
        "failures",
        "last error",
    ]);
    for role in &status.roles {
        let error = role.last_error.as_deref().unwrap_or_default();
        table.row([
            (role.name.to_string(), Tone::Plain),
            (role.module.to_string(), Tone::Plain),
            role_state(role),
            (role.restarts.to_string(), Tone::Plain),
            (role.failures.to_string(), Tone::Plain),
            (shortened(error, LONGEST_ERROR).into_owned(), Tone::Plain),
        ]);
    }
    output::print_coloured(&table.render(shows_colours(&std::io::stdout())))
}

fn steer(
    arguments: &OneRoleArguments,
    request: fn(String) -> Request,
    sentence: fn(&RoleStatus) -> String,
) -> Result<(), Failure> {
    let asking = &arguments.asking;
    let daemon = reach(&asking.daemon, asking.on.as_ref())?;
    let answer: SteeredRole = daemon
        .ask(&request(arguments.role.clone()))
        .map_err(Failure::other)?;
    match asking.json {
        true => output::print_json(&answer),
        false => output::print(&sentence(&answer.role)),
    }
}
