//! Other messaging systems, measured in the same run by a program of its own (`bench/peers`),
//! which `make bench-peers` builds.

use std::path::PathBuf;
use std::process::Command;

use kozo_bench_payload::Figures;
use serde::Deserialize;

use super::Settings;
use super::stream::{QUEUE_LENGTH, Stream};
use crate::Failure;
use crate::report::{RATIO, Report};

/// How many events Kōzō's role sends with one call, where it does not send them one by one.
const TOGETHER: usize = 128;

/// Its exit code where there is no such peer on this machine.
const MISSING: i32 = 77;

/// One of the figures of an outcome.
type Figure<'a> = &'a dyn Fn(&Outcome) -> f64;

/// What the program prints.
#[derive(Deserialize)]
struct Outcome {
    latency: Figures,
    throughput: Figures,
}

pub(super) fn mosquitto(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    run(settings, report, "mosquitto", "Mosquitto, TLS, QoS 0")
}

pub(super) fn nats(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    run(settings, report, "nats", "NATS, TLS")
}

pub(super) fn zenoh(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    run(settings, report, "zenoh", "zenoh, peer to peer, TLS")
}

/// Measures one of them: what it is called, by that program and by people.
fn run(settings: &Settings, report: &mut Report, name: &str, about: &str) -> Result<(), Failure> {
    let program = program()?;
    if !program.exists() {
        report.skip(
            name,
            "its client is not built: `make bench-peers` does that",
        );
        return Ok(());
    }
    let counts = [
        settings.choose(5000, 500),
        settings.choose(1_000_000, 50_000),
    ];
    // In turns: what else the machine does is the same for both, as far as it can be.
    let pairs = settings.repeat(name, || match measure(&program, name, counts)? {
        Ok(outcome) => Ok(Ok((outcome, own(counts)?))),
        Err(missing) => Ok(Err(missing)),
    })?;
    match pairs.into_iter().collect::<Result<Vec<_>, String>>() {
        Ok(pairs) => add(report, name, about, counts, &pairs),
        Err(missing) => report.skip(name, missing),
    }
    Ok(())
}

/// What Kōzō comes to in the same turn.
struct Own {
    /// One by one, as the peer's client does it.
    each: Outcome,
    /// [`TOGETHER`] at a time.
    together: Figures,
}

/// The same with Kōzō's own daemons.
fn own(counts: [u64; 2]) -> Result<Own, Failure> {
    let [seldom, many] = counts;
    let stream = Stream {
        receivers: 1,
        count: seldom,
        size: 64,
        interval: Some(0.001),
        queue: QUEUE_LENGTH,
        batch: 1,
    };
    let figures = |stream: Stream| -> Result<Figures, Failure> {
        let outcome = stream.run_whole()?;
        outcome
            .figures
            .into_iter()
            .next()
            .ok_or_else(|| "nobody received".into())
    };
    let fast = Stream {
        count: many,
        interval: None,
        ..stream
    };
    Ok(Own {
        each: Outcome {
            latency: figures(stream)?,
            throughput: figures(fast)?,
        },
        together: figures(Stream {
            batch: TOGETHER,
            ..fast
        })?,
    })
}

/// Where `make bench-peers` puts the program: in a target folder of its own inside this one's.
fn program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).ok_or("this program is nowhere")?;
    Ok(target.join("peers/release/kozo-bench-peers"))
}

/// One run. The inner error says why there is no such peer on this machine.
fn measure(
    program: &PathBuf,
    name: &str,
    counts: [u64; 2],
) -> Result<Result<Outcome, String>, Failure> {
    let output = Command::new(program)
        .arg(name)
        .args(counts.map(|count| count.to_string()))
        .output()?;
    let told = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.code() {
        Some(0) => Ok(Ok(serde_json::from_slice(&output.stdout)?)),
        Some(MISSING) => Ok(Err(told())),
        _ => Err(told().into()),
    }
}

/// Each pair is the peer's outcome, and Kōzō's own of the same turn.
fn add(report: &mut Report, name: &str, about: &str, counts: [u64; 2], pairs: &[(Outcome, Own)]) {
    let each = |of: &dyn Fn(&Outcome) -> f64| pairs.iter().map(|(peer, _)| of(peer)).collect();
    let times = |of: &dyn Fn(&Outcome) -> f64| {
        let times = pairs.iter().map(|(peer, own)| of(&own.each) / of(peer));
        times.collect::<Vec<_>>()
    };
    let [seldom, many] = counts;
    let limits = format!("{about}, {seldom} events of 64 B, one every ms");
    let micros = |nanos: u64| nanos as f64 / 1000.0;
    let (median, slow) = (
        format!("{name}, latency, median"),
        format!("{name}, latency, 99 %"),
    );
    report.add(
        &median,
        each(&|outcome| micros(outcome.latency.p50)),
        "µs",
        &limits,
    );
    report.add(
        &slow,
        each(&|outcome| micros(outcome.latency.p99)),
        "µs",
        &limits,
    );
    let lost = pairs
        .iter()
        .map(|(peer, _)| many - peer.throughput.received.min(many));
    let limits = format!(
        "{about}, {many} events of 64 B, {} lost at most",
        lost.max().unwrap_or(0)
    );
    let throughput = format!("{name}, throughput");
    let rate = |figures: &Figures| figures.received as f64 / (figures.duration as f64 / 1e9);
    report.add(
        &throughput,
        each(&|outcome| rate(&outcome.throughput)),
        "/s",
        limits,
    );
    let limits = format!("{} turns, pair by pair", pairs.len());
    let ratios: [(&str, Figure<'_>); 3] = [
        ("latency", &|outcome| outcome.latency.p50 as f64),
        ("latency, 99 %", &|outcome| outcome.latency.p99 as f64),
        ("throughput", &|outcome| rate(&outcome.throughput)),
    ];
    for (what, of) in ratios {
        report.add(format!("{what}, times {name}'s"), times(of), RATIO, &limits);
    }
    let times = pairs
        .iter()
        .map(|(peer, own)| rate(&own.together) / rate(&peer.throughput));
    report.add(
        format!("throughput, {TOGETHER} at a time, times {name}'s"),
        times.collect(),
        RATIO,
        format!("{limits}; the peer's client sends one by one"),
    );
}
