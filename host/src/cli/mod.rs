//! The command line.
//!
//! ```text
//! words ──arguments──▶ Command ──▶ run, check, status, demo, … ──▶ Failure ──▶ exit code
//! ```
//!
//! Commands print what they were asked for to the standard output, through [`output`]. What keeps
//! them from it is a [`failure::Failure`], which only [`main`] prints.

mod address;
mod arguments;
mod bench;
mod bus;
mod check;
mod complete;
mod demo;
mod doctor;
mod faces;
mod failure;
mod files;
mod keygen;
mod local;
mod log_level;
mod modules;
mod new;
mod output;
mod password;
mod ping;
mod prepare;
mod reach;
mod roles;
mod run;
mod seal;
mod send;
mod status;
mod surroundings;
mod tail;
mod top;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use failure::Failure;

/// The program: does what the words of the command line say (the first is the program's own name),
/// and prints what kept it from that.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = arguments::parse(words.into_iter().collect()).and_then(perform);
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    };
    crate::log::finish();
    code
}

/// The words that the command line understands, for manual pages and completions.
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

fn perform(arguments: Arguments) -> Result<(), Failure> {
    let log = arguments.log;
    // The log of a role's process is that of the host which started it.
    if !matches!(arguments.command, Command::IsolatedRole { .. }) {
        crate::log::start(&log.filter, log.format).map_err(Failure::other)?;
    }
    match arguments.command {
        Command::IsolatedRole { .. } => crate::roles::run_isolated().map_err(Failure::other),
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Keygen(arguments) => keygen::keygen(&arguments),
        Command::Password => password::password(),
        Command::Bus(arguments) => bus::bus(&arguments),
        Command::Address(arguments) => address::address(&arguments),
        Command::Modules(arguments) => modules::modules(&arguments),
        Command::Seal(arguments) => seal::seal(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Why(arguments) => why::why(&arguments),
        Command::Top(arguments) => top::top(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Doctor(arguments) => doctor::doctor(arguments),
        Command::Tail(arguments) => tail::tail(&arguments),
        Command::Send(arguments) => send::send(arguments),
        Command::Ping(arguments) => ping::ping(&arguments),
        Command::LogLevel(arguments) => log_level::log_level(&arguments),
        Command::Complete { names } => complete::complete(names),
        Command::Roles(arguments) => roles::roles(&arguments),
        Command::New(arguments) => new::new(&arguments),
        Command::Demo(arguments) => demo::demo(&arguments, &log.filter),
    }
}
