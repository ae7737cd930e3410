//! Nodes that are linked through a Tor network, all of it on this machine.
//!
//! Needs the `tor` program. The networks are shared by all scenarios that can, since one takes half
//! a minute to start. `cargo test -p kozo-transport-onion --test private_network -- NAME` runs the
//! scenarios whose names hold `NAME`, and `-- figures` measures.

#![allow(missing_docs)] // A test.

mod c_tor;
mod clock;
mod daemon;
mod delay;
mod scenarios;
mod scene;
mod tor_network;
mod wait;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use scenarios::{OF_DAYS, OF_TESTING, ON_REQUEST, Scenario};
use tor_network::{Periods, TorNetwork};

/// What says that the tests could not run, rather than that they failed.
const SKIPPED: u8 = 77;

/// What scenarios share.
pub(crate) struct Stage {
    pub(crate) network: TorNetwork,
    folder: PathBuf,
}

impl Stage {
    /// A folder for a scenario, which is not there yet.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let named = |scenario: &&Scenario| names.iter().any(|name| scenario.name.contains(*name));
    let wanted = |scenario: &&Scenario| names.is_empty() || named(scenario);
    if words.iter().any(|word| word == "--list") {
        for scenario in OF_DAYS.iter().chain(OF_TESTING) {
            println!("{}: test", scenario.name);
        }
        return ExitCode::SUCCESS;
    }
    for program in ["tor", "tor-gencert"] {
        let version = Command::new(program)
            .arg("--help")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if version.is_err() {
            println!("skipped: there is no `{program}`: install Debian's package `tor`");
            return ExitCode::from(SKIPPED);
        }
    }
    let folder = tempfile::Builder::new()
        .prefix("kozo-onion-")
        .tempdir()
        .unwrap();
    let mut failed = Vec::new();
    let asked: Vec<_> = ON_REQUEST.iter().filter(named).collect();
    let of_days: Vec<_> = OF_DAYS.iter().filter(wanted).chain(asked).collect();
    let of_testing: Vec<_> = OF_TESTING.iter().filter(wanted).collect();
    for (periods, scenarios) in [(Periods::Days, of_days), (Periods::OfTesting, of_testing)] {
        if !scenarios.is_empty() {
            failed.extend(run(folder.path(), periods, &scenarios));
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "failed: {}; the logs are in {}",
        failed.join(", "),
        folder.keep().display()
    );
    ExitCode::FAILURE
}

/// Runs scenarios on one network; the names of those that failed.
fn run(folder: &Path, periods: Periods, scenarios: &[&Scenario]) -> Vec<&'static str> {
    let folder = folder.join(format!("{periods:?}"));
    std::fs::create_dir(&folder).unwrap();
    let start = Instant::now();
    let stage = Stage {
        network: TorNetwork::start(folder.join("tor"), periods),
        folder,
    };
    println!(
        "a Tor network is up after {:.1} s",
        start.elapsed().as_secs_f32()
    );
    let mut failed = Vec::new();
    for scenario in scenarios {
        if let Err(reason) = (scenario.check)() {
            println!("skipped: {}: {reason}", scenario.name);
            continue;
        }
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&stage)));
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!(
            "test {} ... {word}, {:.1} s",
            scenario.name,
            start.elapsed().as_secs_f32()
        );
        if result.is_err() {
            failed.push(scenario.name);
        }
    }
    failed
}
