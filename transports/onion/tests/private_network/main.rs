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
mod failures;
mod scenarios;
mod scene;
mod tor_network;
mod wait;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use failures::Failures;
use scenarios::{OF_DAYS, OF_TESTING, ON_REQUEST, Scenario};
use tor_network::{Periods, TorNetwork};

/// What says that the tests could not run, rather than that they failed.
const SKIPPED: u8 = 77;

/// What scenarios share.
pub(crate) struct Stage {
    pub(crate) network: TorNetwork,
    folder: PathBuf,
    /// Those of the scenario that runs.
    given: RefCell<Vec<PathBuf>>,
}

impl Stage {
    /// A folder for a scenario, which is not there yet.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        self.given.borrow_mut().push(folder.clone());
        folder
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
    let mut failures = Failures::watch();
    let asked: Vec<_> = ON_REQUEST.iter().filter(named).collect();
    let of_days: Vec<_> = OF_DAYS.iter().filter(wanted).chain(asked).collect();
    let of_testing: Vec<_> = OF_TESTING.iter().filter(wanted).collect();
    for (periods, scenarios) in [(Periods::Days, of_days), (Periods::OfTesting, of_testing)] {
        if !scenarios.is_empty() {
            run(folder.path(), periods, &scenarios, &mut failures);
        }
    }
    if failures.is_empty() {
        return ExitCode::SUCCESS;
    }
    failures.print();
    println!("the logs are in {}", folder.keep().display());
    ExitCode::FAILURE
}

/// Runs scenarios on one network.
fn run(folder: &Path, periods: Periods, scenarios: &[&Scenario], failures: &mut Failures) {
    let folder = folder.join(format!("{periods:?}"));
    std::fs::create_dir(&folder).unwrap();
    let start = Instant::now();
    let tor = folder.join("tor");
    let network = failures.catch("a Tor network", || TorNetwork::start(tor.clone(), periods));
    let Some(network) = network else {
        failures.explain(&[tor]);
        return;
    };
    println!(
        "a Tor network is up after {:.1} s",
        start.elapsed().as_secs_f32()
    );
    let stage = Stage {
        network,
        folder,
        given: RefCell::default(),
    };
    for scenario in scenarios {
        if let Err(reason) = (scenario.check)() {
            println!("skipped: {}: {reason}", scenario.name);
            continue;
        }
        stage.given.take();
        let start = Instant::now();
        let done = failures.catch(scenario.name, || (scenario.run)(&stage));
        let word = if done.is_some() { "ok" } else { "FAILED" };
        println!(
            "test {} ... {word}, {:.1} s",
            scenario.name,
            start.elapsed().as_secs_f32()
        );
        if done.is_none() {
            failures.explain(&stage.given.take());
        }
    }
}
