//! Prints the lines that roles send to the log of the network, and writes them to a file.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kozo_abi::{Error, InboxLimits, Message, Role, RoleHost, export_role};
use serde::Deserialize;

mod line;
mod log_file;
mod pending;
#[cfg(test)]
mod tests;
mod writer;

use line::LineFormat;
use log_file::{LogFile, Rotation, WriteError};
use pending::{MAX_PENDING_BYTES, Pending};
use writer::Writer;

/// How long a line waits for the file to be written at most, and how long after a failure the
/// next try comes.
const FLUSH_AFTER: Duration = Duration::from_secs(3);

/// How many bytes of lines are worth a write of their own, however few the lines are.
const BATCH_BYTES: usize = 64 * 1024;

/// How long a job of the writer may take until it counts as stuck: the role waits so long for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many messages the inbox holds at least: a burst of lines is normal for a central log.
const INBOX_LENGTH: u64 = 1024;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    file: PathBuf,
    time_prefix: String,
    flush_every: u64,
    clear_log: bool,
    node_restrict: Vec<String>,
    rotate_every: u64,
    rotate_max: u32,
}

struct Logger {
    format: LineFormat,
    path: PathBuf,
    rotation: Rotation,
    pending: Pending,
    writer: Writer,
    flush_every: u64,
    /// When the oldest line that is not written yet came, or the last try to write failed.
    waiting_since: Instant,
    /// Why the last try to write failed, or has not ended; that it does is reported once.
    failing: Option<String>,
}

impl Role for Logger {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let rotation = Rotation {
            every: options.rotate_every,
            keep: options.rotate_max,
        };
        let format = LineFormat::new(options.time_prefix, &options.node_restrict)?;
        if let Some(problem) = line::time_zone_problem() {
            host.warn(&problem);
        }
        let file = LogFile::new(options.file.clone(), rotation, options.clear_log);
        let mut logger = Self {
            writer: Writer::start(file, format.clone())?,
            format,
            path: options.file,
            rotation,
            pending: Pending::default(),
            flush_every: options.flush_every,
            waiting_since: Instant::now(),
            failing: None,
        };
        // A file that cannot be opened now may be later: that is no reason to lose lines.
        logger.open(host)?;
        Ok(logger)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let message = if self.pending.is_empty() && self.writer.under_way().is_none() {
            host.receive()
        } else {
            host.receive_timeout(FLUSH_AFTER.saturating_sub(self.waiting_since.elapsed()))
        };
        match message {
            Some(message) => self.log(&message, host),
            None => self.flush(host),
        }
    }

    fn inbox(&self, configured: InboxLimits) -> InboxLimits {
        InboxLimits {
            length: configured.length.max(INBOX_LENGTH),
            ..configured
        }
    }

    fn reopen(&mut self, host: &RoleHost) -> Result<(), Error> {
        self.flush(host)?;
        if let Some(stuck) = self.writer.under_way() {
            // Its thread may hang for ever. Whoever asks for this has seen to the disk.
            let file = LogFile::new(self.path.clone(), self.rotation, false);
            self.writer = Writer::start(file, self.format.clone())?;
            self.pending.lose(stuck.lines);
        }
        self.open(host)
    }

    fn stop(&mut self, host: &RoleHost) -> Result<(), Error> {
        self.flush(host)?;
        let under_way = self.writer.under_way().map_or(0, |job| job.lines);
        match under_way + self.pending.all_lines() {
            0 => Ok(()),
            lost => {
                let reason = self.failing.as_deref().unwrap_or_default();
                Err(format!("lines of the log that are lost: {lost}: {reason}").into())
            }
        }
    }
}

impl Logger {
    fn log(&mut self, message: &Message, host: &RoleHost) -> Result<(), Error> {
        let line = self.format.line(message);
        host.info(&line.text);
        if self.pending.is_empty() {
            self.waiting_since = Instant::now();
        }
        let under_way = self.writer.under_way().map_or(0, |job| job.bytes);
        self.pending.push(&line, under_way);

        let lines = self.pending.lines();
        let many = lines >= self.flush_every
            || self.pending.bytes().len() >= BATCH_BYTES
            || self.rotation.is_full(self.writer.file_lines() + lines);
        let overdue = self.waiting_since.elapsed() >= FLUSH_AFTER;
        if overdue || (many && self.failing.is_none()) {
            self.flush(host)?;
        }
        Ok(())
    }

    fn open(&mut self, host: &RoleHost) -> Result<(), Error> {
        self.writer.open();
        self.settle(PATIENCE, host)
    }

    fn flush(&mut self, host: &RoleHost) -> Result<(), Error> {
        self.settle(Duration::ZERO, host)?;
        if self.writer.under_way().is_none() && !self.pending.is_empty() {
            self.writer.write(std::mem::take(&mut self.pending));
            self.settle(PATIENCE, host)?;
        }
        self.waiting_since = Instant::now();
        Ok(())
    }

    /// Takes back what became of the writer's job, if it ends within `limit`.
    fn settle(&mut self, limit: Duration, host: &RoleHost) -> Result<(), Error> {
        if self.writer.under_way().is_none() {
            return Ok(());
        }
        match self.writer.wait(limit)? {
            Some(outcome) => {
                self.pending.put_back(outcome.rest);
                self.report(outcome.result.map_err(Trouble::Failed), host);
            }
            None => self.report(Err(Trouble::Stuck), host),
        }
        Ok(())
    }

    /// Says that the file cannot be written, and that it can again, once each.
    fn report(&mut self, result: Result<(), Trouble>, host: &RoleHost) {
        let path = self.path.display();
        let (problem, next) = match result {
            Ok(()) => {
                if self.failing.take().is_some() {
                    host.info(&format!("`{path}` is written again"));
                }
                return;
            }
            Err(Trouble::Failed(error)) => (error.to_string(), "it is tried again"),
            Err(Trouble::Stuck) => (
                format!("the disk of the log file `{path}` does not answer"),
                "the lines are written when it does",
            ),
        };
        if self.failing.is_none() {
            let kept = MAX_PENDING_BYTES / 1024 / 1024;
            host.error(&format!(
                "{problem}; {next}, and up to {kept} MiB of lines are kept meanwhile"
            ));
        }
        self.failing = Some(problem);
    }
}

/// Why lines are not in the file.
enum Trouble {
    Failed(WriteError),
    /// The system has not answered within [`PATIENCE`].
    Stuck,
}

export_role!(Logger);
