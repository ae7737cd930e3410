//! Sends numbered events `numbered`, for benchmarks and chaos tests.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_abi::{Error, Role, RoleHost, SendError, export_role};
use kozo_bench_payload::{Payload, Stamp, clock};
use serde::Deserialize;

/// How often the file `go` is looked for.
const GO_POLL: Duration = Duration::from_millis(10);

/// How long one paced event waits for room before the role looks whether it shall stop.
const PACED_WAIT: Duration = Duration::from_secs(1);

/// How many events are sent in one call of `run`.
const BATCH: u64 = 1024;

/// How long is slept at a time when all is sent.
const REST: Duration = Duration::from_secs(1);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
struct Options {
    go: Option<PathBuf>,
    count: u64,
    size: usize,
    interval: f64,
    paced: bool,
    batch: u64,
    done: Option<PathBuf>,
    halt: Option<PathBuf>,
    record: Option<PathBuf>,
}

struct Source {
    options: Options,
    interval: Duration,
    payload: Payload,
    /// Of the events that are sent at once.
    data: Vec<u8>,
    run: u64,
    sent: u64,
    told: bool,
    halted: bool,
    record: Option<File>,
}

impl Role for Source {
    type Options = Options;

    fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
        let open = |path: &PathBuf| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            record: options.record.as_ref().map(open).transpose()?,
            interval: Duration::try_from_secs_f64(options.interval)?,
            payload: Payload::new(options.size),
            data: Vec::new(),
            options,
            run: clock(),
            sent: 0,
            told: false,
            halted: false,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        if let Some(go) = &self.options.go {
            if !go.exists() {
                host.sleep(GO_POLL);
                return Ok(());
            }
            self.options.go = None;
        }
        for _ in 0..BATCH {
            let slow = !self.interval.is_zero();
            self.halted |= slow && self.options.halt.as_ref().is_some_and(|halt| halt.exists());
            if self.is_done() {
                self.tell()?;
                host.sleep(REST);
                return Ok(());
            }
            if !self.send(host)? {
                return Ok(());
            }
            if slow && !host.sleep(self.interval) {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Source {
    fn is_done(&self) -> bool {
        self.halted || self.options.count > 0 && self.sent >= self.options.count
    }

    /// False: there was no room in time.
    fn send(&mut self, host: &RoleHost) -> Result<bool, Error> {
        let mut event = host.event("numbered");
        if self.options.paced {
            event = event.paced(PACED_WAIT);
        }
        let mut stamp = Stamp {
            run: self.run,
            sequence: self.sent + 1,
            sent: clock(),
        };
        let count = match self.options.count {
            0 => self.options.batch,
            count => self.options.batch.min(count - self.sent),
        };
        let sent = if count <= 1 {
            match event.send_bytes(self.payload.stamped(stamp)) {
                Ok(()) => 1,
                Err(SendError::NoRoom) => 0,
                Err(error) => return Err(error.into()),
            }
        } else {
            let first = stamp.sequence;
            self.data.clear();
            for sequence in first..first + count {
                stamp.sequence = sequence;
                self.data.extend_from_slice(self.payload.stamped(stamp));
            }
            stamp.sequence = first;
            let length = self.data.len() / usize::try_from(count)?;
            let each: Vec<_> = self.data.chunks(length).collect();
            event.send_many_bytes(&each)? as u64
        };
        if let Some(record) = &mut self.record {
            for _ in 0..sent {
                let line = format!("{} {} {}\n", stamp.run, stamp.sequence, stamp.sent);
                record.write_all(line.as_bytes())?;
                stamp.sequence += 1;
            }
        }
        self.sent += sent;
        Ok(sent == count.max(1))
    }

    fn tell(&mut self) -> Result<(), Error> {
        if let (false, Some(done)) = (self.told, &self.options.done) {
            write_whole(done, &self.sent.to_string())?;
        }
        self.told = true;
        Ok(())
    }
}

/// Writes a file so that nobody ever sees a part of it.
fn write_whole(path: &Path, text: &str) -> Result<(), Error> {
    let draft = path.with_extension("draft");
    fs::write(&draft, text)?;
    Ok(fs::rename(draft, path)?)
}

export_role!(Source);
