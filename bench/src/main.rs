//! `kozo-bench`: measures real daemons on this machine, over TCP on the loopback interface,
//! encrypted. `make bench` builds all that it needs and runs it.
//!
//! Each measurement is a file in `measure`; each figure says the limits that it was taken under.

mod daemon;
mod measure;
mod network;
mod proxy;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use self::measure::{MEASUREMENTS, Settings};
use self::report::Report;

/// Why a measurement could not be made.
type Failure = Box<dyn std::error::Error>;

/// Measures Kōzō on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only measurements whose name holds one of these texts
    only: Vec<String>,
    /// Take each figure so many times, and give the median
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Do everything shorter, to see whether it works: the figures mean little
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// List the measurements
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for measurement in MEASUREMENTS {
            println!("{:<12} {}", measurement.name, measurement.about);
        }
        return ExitCode::SUCCESS;
    }
    let settings = Settings {
        repeat: arguments.repeat.max(1),
        quick: arguments.quick,
    };
    let mut report = Report::new();
    let mut failed = false;
    let chosen = MEASUREMENTS.iter().filter(|measurement| {
        let mut only = arguments.only.iter();
        arguments.only.is_empty() || only.any(|text| measurement.name.contains(text.as_str()))
    });
    for measurement in chosen {
        eprintln!("{}: {} …", measurement.name, measurement.about);
        if let Err(failure) = (measurement.run)(&settings, &mut report) {
            eprintln!("{}: {failure}", measurement.name);
            failed = true;
        }
    }
    println!("{report}");
    if let Some(path) = &arguments.json
        && let Err(failure) = report.write_json(path)
    {
        eprintln!("{}: {failure}", path.display());
        failed = true;
    }
    ExitCode::from(u8::from(failed))
}
