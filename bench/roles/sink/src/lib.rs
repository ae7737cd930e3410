//! Counts numbered events, says how late they came, and writes down which ones did.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_abi::{Error, InboxLimits, Message, Role, RoleHost, export_role};
use kozo_bench_payload::{Tally, clock};
use serde::Deserialize;

/// How many messages are taken at once.
const BATCH: usize = 256;

/// The inbox holds whatever a benchmark sends: what is lost shall be lost on the way.
const INBOX: InboxLimits = InboxLimits {
    length: 1_000_000,
    size: 1 << 30,
};

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
struct Options {
    report: Option<PathBuf>,
    count: u64,
    quiet: f64,
    record: Option<PathBuf>,
    // Only the interest refers to it.
    #[serde(rename = "from")]
    _from: String,
}

struct Sink {
    report: Option<PathBuf>,
    count: u64,
    quiet: Duration,
    record: Option<File>,
    tally: Tally,
    /// When this life of the role began.
    life: u64,
    reported: u64,
}

impl Role for Sink {
    type Options = Options;

    fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
        let open = |path: PathBuf| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            report: options.report,
            count: options.count,
            quiet: Duration::try_from_secs_f64(options.quiet)?,
            record: options.record.map(open).transpose()?,
            tally: Tally::default(),
            life: clock(),
            reported: 0,
        })
    }

    fn inbox(&self, _configured: InboxLimits) -> InboxLimits {
        INBOX
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let messages = host.receive_many(BATCH, self.quiet);
        if messages.is_empty() {
            return self.tell();
        }
        for message in &messages {
            self.take(message)?;
        }
        if self.count > 0 && self.tally.received() >= self.count {
            self.tell()?;
        }
        Ok(())
    }

    fn stop(&mut self, host: &RoleHost) -> Result<(), Error> {
        while let Some(message) = host.try_receive() {
            self.take(&message)?;
        }
        self.tell()
    }
}

impl Sink {
    fn take(&mut self, message: &Message) -> Result<(), Error> {
        let now = clock();
        let Some(stamp) = kozo_bench_payload::read(message.data_bytes()) else {
            return Ok(());
        };
        if let Some(record) = &mut self.record {
            let node = message.sender_node();
            let life = self.life;
            let line = format!("{life} {node} {} {}\n", stamp.run, stamp.sequence);
            // In one go: a process that is killed leaves no half of a line, to which the next one would
            // add its own.
            record.write_all(line.as_bytes())?;
        }
        self.tally.count(stamp, now);
        Ok(())
    }

    /// Writes the figures, if there are new ones.
    fn tell(&mut self) -> Result<(), Error> {
        let received = self.tally.received();
        if received == self.reported {
            return Ok(());
        }
        self.reported = received;
        if let Some(report) = &self.report {
            write_whole(report, &serde_json::to_string(&self.tally.figures())?)?;
        }
        Ok(())
    }
}

/// Writes a file so that nobody ever sees a part of it.
fn write_whole(path: &Path, text: &str) -> Result<(), Error> {
    let draft = path.with_extension("draft");
    fs::write(&draft, text)?;
    Ok(fs::rename(draft, path)?)
}

export_role!(Sink);
