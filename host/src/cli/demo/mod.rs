//! `kozo demo`: a network of three nodes on this machine, which shows what they do.
//!
//! ```text
//! network ──file, keys──▶ nodes (three processes of this program) ──lines──▶ screen
//!                            │
//!                            └── what they left in the folder ──▶ verdict
//! ```
//!
//! All is in a folder of its own, which is removed at the end. The nodes are real ones: nothing in
//! them knows of the demo, and the demo sees of them what anybody would, their logs and files.

mod network;
mod nodes;
mod screen;
mod verdict;

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use kozo_description::{ModuleKind, Problems};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::DemoArguments;
use super::failure::Failure;
use super::output::print_or_broken;
use super::prepare::{Prepared, installed_modules};
use crate::log::LogFilter;
use crate::modules::FileState;
use nodes::{Event, Nodes};
use screen::Screen;

/// How long the nodes have to end when they are asked to.
const STOP_TIME: Duration = Duration::from_secs(10);

/// Why the demo did not do what it should.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("cannot make a folder for the demo")]
    Folder(#[source] io::Error),
    #[error(transparent)]
    Make(#[from] network::MakeError),
    #[error(
        "the demo needs the modules {0}: build them with `make build`, or name the folder they are in with `KOZOROLEPATH` and `KOZOTRANSPORTPATH`; `kozo modules` says what is found"
    )]
    Modules(String),
    #[error("the demo's own configuration file is not valid, which is a fault of Kōzō: {0}")]
    Config(Problems),
    #[error("cannot start a node")]
    Start(#[source] io::Error),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    #[error("cannot write to the standard output")]
    Output(#[source] io::Error),
    #[error("the node `{node}` ended by itself ({status}): its last lines say why")]
    Died { node: String, status: ExitStatus },
    #[error("the node `{node}` did not end as it should when it was asked to ({status})")]
    Unclean { node: String, status: ExitStatus },
    #[error("the demo was ended before its time, so nothing was checked")]
    Interrupted,
    #[error("the demo did not do what it should: {}", .0.join("; "))]
    Missing(Vec<String>),
}

/// What ended the demo.
#[derive(Debug, PartialEq, Eq)]
enum DemoEnd {
    /// Its time is over.
    Time,
    /// Somebody wants it to end.
    Signal,
    /// Nobody reads what it prints.
    Unread,
}

pub(super) fn demo(arguments: &DemoArguments, filter: &LogFilter) -> Result<(), Failure> {
    perform(arguments, filter).map_err(|error| Failure::Demo(error.into()))
}

fn perform(arguments: &DemoArguments, filter: &LogFilter) -> Result<(), DemoError> {
    check_modules()?;
    let folder = tempfile::Builder::new()
        .prefix("kozo-demo-")
        .tempdir()
        .map_err(DemoError::Folder)?;
    let result = run_in(folder.path(), arguments, filter);
    if arguments.keep {
        let kept = format!("kept: {}\n", folder.keep().display());
        // Whoever does not read does not need it.
        let _ = print_or_broken(&kept);
    } else {
        remove(folder);
    }
    result
}

/// What cannot be removed is left to the system, which clears such folders.
fn remove(folder: TempDir) {
    let _ = folder.close();
}

fn run_in(folder: &Path, arguments: &DemoArguments, filter: &LogFilter) -> Result<(), DemoError> {
    let config = network::make(folder)?;
    let prepared = Prepared::read(&config, None, &[]).map_err(DemoError::Config)?;
    prepared.network(None).map_err(DemoError::Config)?;
    // All of it is on this thread: the nodes end when the thread that started them does.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DemoError::Start)?;
    let program = std::env::current_exe().map_err(DemoError::Start)?;
    let greeting = greeting(&config, arguments.run_for);
    let end = runtime.block_on(async {
        let mut nodes = Nodes::start(network::NODES.iter().map(|node| {
            let command = nodes::command(&program, &config, node, filter);
            ((*node).to_owned(), command)
        }))
        .map_err(DemoError::Start)?;
        let mut screen = Screen::of_stdout(&network::NODES);
        let watched = match print_or_broken(&greeting) {
            Ok(()) => watch(&mut nodes, &mut screen, arguments.run_for).await,
            Err(error) => unread(error),
        };
        let stopped = stop(&mut nodes, &mut screen).await;
        let end = watched?;
        stopped.map(|()| end)
    })?;
    match (end, arguments.run_for) {
        (DemoEnd::Time, _) => {
            let proof = verdict::judge(folder).map_err(DemoError::Missing)?;
            print_or_broken(&proof).or_else(|error| unread(error).map(|_| ()))
        }
        (_, Some(_)) => Err(DemoError::Interrupted),
        (_, None) => Ok(()),
    }
}

/// Whether the modules that the nodes need are there, before three of them complain.
fn check_modules() -> Result<(), DemoError> {
    let registry = installed_modules();
    let is_missing = |(kind, name): &&(ModuleKind, &str)| {
        let entry = registry.entry(*kind, name);
        !entry.is_some_and(|entry| matches!(entry.state, FileState::Usable))
    };
    let missing: Vec<String> = network::MODULES
        .iter()
        .filter(is_missing)
        .map(|(kind, name)| format!("`{name}` ({kind})"))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(DemoError::Modules(missing.join(", "))),
    }
}

fn greeting(config: &Path, run_for: Option<Duration>) -> String {
    let end = match run_for {
        Some(time) => format!("They run for {} seconds.", time.as_secs()),
        None => "Ctrl-C ends them.".to_owned(),
    };
    format!(
        "Three nodes on this machine, in the network of {}\n\
         `clock` sends a tick every second, `cottage` answers with a cuckoo and remembers it,\n\
         and `scribe` writes down what both report. {end}\n\n",
        config.display()
    )
}

/// Shows what the nodes do, until the end of the demo.
async fn watch(
    nodes: &mut Nodes,
    screen: &mut Screen,
    run_for: Option<Duration>,
) -> Result<DemoEnd, DemoError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DemoError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DemoError::Signals)?;
    let time_is_over = async {
        match run_for {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(time_is_over);
    loop {
        tokio::select! {
            () = &mut time_is_over => return Ok(DemoEnd::Time),
            _ = interrupt.recv() => return Ok(DemoEnd::Signal),
            _ = terminate.recv() => return Ok(DemoEnd::Signal),
            event = nodes.next() => match event {
                Some(Event::Line { node, text }) => {
                    if let Err(error) = show(screen, &node, &text) {
                        return unread(error);
                    }
                }
                Some(Event::Ended { node, status }) => {
                    return Err(DemoError::Died { node, status });
                }
                // There is always one that runs, or one whose end is reported.
                None => return Ok(DemoEnd::Signal),
            },
        }
    }
}

/// Ends all nodes, whatever it takes.
async fn stop(nodes: &mut Nodes, screen: &mut Screen) -> Result<(), DemoError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DemoError::Signals)?;
    nodes.signal_all(Signal::TERM);
    let patience = tokio::time::sleep(STOP_TIME);
    tokio::pin!(patience);
    let mut patient = true;
    let mut result = Ok(());
    loop {
        tokio::select! {
            () = &mut patience, if patient => {
                patient = false;
                nodes.signal_all(Signal::KILL);
            }
            _ = interrupt.recv(), if patient => {
                patient = false;
                nodes.signal_all(Signal::KILL);
            }
            event = nodes.next() => match event {
                // That nobody reads does not matter any more.
                Some(Event::Line { node, text }) => drop(show(screen, &node, &text)),
                Some(Event::Ended { status, .. }) if status.success() => {}
                Some(Event::Ended { node, status }) => {
                    result = result.and(Err(DemoError::Unclean { node, status }));
                }
                None => return result,
            },
        }
    }
}

fn show(screen: &mut Screen, node: &str, text: &str) -> io::Result<()> {
    match screen.line(node, text) {
        Some(line) => print_or_broken(&line),
        None => Ok(()),
    }
}

fn unread(error: io::Error) -> Result<DemoEnd, DemoError> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(DemoEnd::Unread),
        _ => Err(DemoError::Output(error)),
    }
}
