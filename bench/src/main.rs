//! `kozo-bench`: measures real daemons on this machine, over TCP on the loopback interface,
//! encrypted. `make bench` builds all that it needs and runs it.
//!
//! Each measurement is a file in `measure`; each figure says the limits that it was taken under.
//! A measurement runs in a process of its own (`supervise`), so that one that hangs can be ended,
//! with all that it has started, and the others go on.

mod daemon;
mod fleet;
mod measure;
mod network;
mod proxy;
mod report;
mod supervise;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use self::measure::{MEASUREMENTS, Settings};
use self::report::Report;

/// Why a measurement could not be made.
type Failure = Box<dyn std::error::Error>;

/// Measures Kōzō on this machine. Exit code 1: something failed or hung.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only measurements whose name holds one of these texts
    only: Vec<String>,
    /// Take each figure so many times, and give the median
    #[arg(long, default_value_t = 3)]
    repeat: u32,
    /// Do everything shorter, to see whether it works: the figures mean little
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Warn of ratios that are not what they were in this file, which `--json` wrote; that is no failure
    #[arg(long)]
    compare: Option<PathBuf>,
    /// List the measurements, and how long each may take
    #[arg(long)]
    list: bool,
    /// Make this one measurement in this process, and write what comes of it as JSON
    #[arg(long, hide = true)]
    here: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = Settings {
        repeat: arguments.repeat.max(1),
        quick: arguments.quick,
    };
    if arguments.list {
        for measurement in MEASUREMENTS {
            let limit = settings.limit(measurement).as_secs();
            println!(
                "{:<16} {}, in {limit} s at most",
                measurement.name, measurement.about
            );
        }
        return ExitCode::SUCCESS;
    }
    if let Some(name) = &arguments.here {
        return measure_here(name, &settings);
    }
    let mut report = Report::new();
    let mut failures = Vec::new();
    let chosen = MEASUREMENTS.iter().filter(|measurement| {
        let mut only = arguments.only.iter();
        arguments.only.is_empty() || only.any(|text| measurement.name.contains(text.as_str()))
    });
    for measurement in chosen {
        eprintln!("{}: {} …", measurement.name, measurement.about);
        if let Err(failure) = supervise::measure(measurement, &settings, &mut report) {
            eprintln!("{}: {failure}", measurement.name);
            failures.push(format!("{}: {failure}", measurement.name));
        }
    }
    println!("{report}");
    if let Some(path) = &arguments.json
        && let Err(failure) = report.write_json(path)
    {
        failures.push(format!("{}: {failure}", path.display()));
    }
    if let Some(path) = &arguments.compare {
        match report.differences(path) {
            Ok(told) => told.iter().for_each(|line| println!("warning: {line}")),
            Err(failure) => failures.push(format!("{}: {failure}", path.display())),
        }
    }
    // Once more, for whoever sees the last lines only.
    for failure in &failures {
        eprintln!("{failure}");
    }
    ExitCode::from(u8::from(!failures.is_empty()))
}

/// What a supervised process does.
fn measure_here(name: &str, settings: &Settings) -> ExitCode {
    let Some(measurement) = MEASUREMENTS.iter().find(|known| known.name == name) else {
        eprintln!("no measurement is called `{name}`");
        return ExitCode::FAILURE;
    };
    supervise::end_with_supervisor();
    match (measurement.run)(settings, &mut Report::told()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            supervise::tell_failure(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}
