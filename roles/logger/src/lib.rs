//! Prints the lines that roles send to the log of the network, and writes them to a file.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kozo_abi::{Error, InboxLimits, Message, Role, RoleHost, export_role};
use serde::Deserialize;

mod line;
mod log_file;
#[cfg(test)]
mod tests;

use line::LineFormat;
use log_file::{LogFile, MAX_PENDING_BYTES, Rotation, WriteError};

/// How long a line waits for the file to be written at most, and how long after a failure the
/// next try comes.
const FLUSH_AFTER: Duration = Duration::from_secs(3);

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
    file: LogFile,
    flush_every: u64,
    /// When the oldest line that is not written yet came, or the last try to write failed.
    waiting_since: Instant,
    /// Whether the last try to write failed; that is reported once.
    failing: bool,
}

impl Role for Logger {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let rotation = Rotation {
            every: options.rotate_every,
            keep: options.rotate_max,
        };
        let mut logger = Self {
            format: LineFormat::new(options.time_prefix, &options.node_restrict)?,
            file: LogFile::new(options.file, rotation, options.clear_log),
            flush_every: options.flush_every,
            waiting_since: Instant::now(),
            failing: false,
        };
        // A file that cannot be opened now may be later: that is no reason to lose lines.
        let opened = logger.file.open();
        logger.report(opened, host);
        Ok(logger)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let message = if self.file.is_flushed() {
            host.receive()
        } else {
            host.receive_timeout(FLUSH_AFTER.saturating_sub(self.waiting_since.elapsed()))
        };
        match message {
            Some(message) => self.log(&message, host),
            None => self.flush(host),
        }
        Ok(())
    }

    fn inbox(&self, configured: InboxLimits) -> InboxLimits {
        InboxLimits {
            length: configured.length.max(INBOX_LENGTH),
            ..configured
        }
    }

    fn reopen(&mut self, host: &RoleHost) -> Result<(), Error> {
        self.flush(host);
        let opened = self.file.open();
        self.report(opened, host);
        Ok(())
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        self.file.flush(&self.format).map_err(|error| {
            let lost = self.file.pending();
            format!("lines of the log that are lost: {lost}: {error}").into()
        })
    }
}

impl Logger {
    fn log(&mut self, message: &Message, host: &RoleHost) {
        let line = self.format.line(message);
        host.info(&line.text);
        if self.file.is_flushed() {
            self.waiting_since = Instant::now();
        }
        self.file.push(&line);

        let many = self.file.pending() >= self.flush_every || self.file.has_batch();
        let overdue = self.waiting_since.elapsed() >= FLUSH_AFTER;
        if overdue || (many && !self.failing) {
            self.flush(host);
        }
    }

    fn flush(&mut self, host: &RoleHost) {
        let flushed = self.file.flush(&self.format);
        self.report(flushed, host);
        self.waiting_since = Instant::now();
    }

    /// Says that the file cannot be written, and that it can again, once each.
    fn report(&mut self, result: Result<(), WriteError>, host: &RoleHost) {
        match result {
            Ok(()) if self.failing => {
                host.info(&format!(
                    "`{}` is written again",
                    self.file.path().display()
                ));
                self.failing = false;
            }
            Err(error) if !self.failing => {
                let kept = MAX_PENDING_BYTES / 1024 / 1024;
                host.error(&format!(
                    "{error}; it is tried again, and up to {kept} MiB of lines are kept meanwhile"
                ));
                self.failing = true;
            }
            Ok(()) | Err(_) => {}
        }
    }
}

export_role!(Logger);
