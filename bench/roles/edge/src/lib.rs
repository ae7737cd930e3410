//! Changes a simulated pin, and measures how long each change takes to arrive as an event.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kozo_abi::{Error, Role, RoleHost, export_role};
use serde::Deserialize;

/// How long one change may take. A machine that is this busy measures nothing.
const LIMIT: Duration = Duration::from_secs(30);

/// Between a change and the next: a pin that changes all the time is another measurement.
const PAUSE: Duration = Duration::from_millis(20);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
struct Options {
    file: PathBuf,
    report: PathBuf,
    count: usize,
}

struct Edge(Options);

impl Role for Edge {
    type Options = Options;

    fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
        Ok(Self(options))
    }

    /// Measures once, when the first event says that the other end is there.
    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let Some(first) = host.receive() else {
            return Ok(());
        };
        let mut level: bool = first.data()?;
        let mut times = Vec::with_capacity(self.0.count);
        while times.len() < self.0.count && !host.stopping() {
            level = !level;
            let start = Instant::now();
            std::fs::write(&self.0.file, if level { "pull-up" } else { "pull-down" })?;
            let event = host
                .receive_timeout(LIMIT)
                .ok_or("the event did not come")?;
            times.push(start.elapsed());
            if event.data::<bool>()? != level {
                return Err("an event of another change came".into());
            }
            host.sleep(PAUSE);
        }
        times.sort_unstable();
        let microseconds = |share: usize| {
            let place = times.len().saturating_sub(1) * share / 100;
            times.get(place).map(Duration::as_micros)
        };
        let figures = serde_json::json!({
            "count": times.len(),
            "median_us": microseconds(50),
            "99%_us": microseconds(99),
            "longest_us": microseconds(100),
        });
        std::fs::write(&self.0.report, format!("{figures}\n"))?;
        Ok(())
    }
}

export_role!(Edge);
