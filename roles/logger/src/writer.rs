//! Writes the file on a thread of its own. A disk may not answer for hours, a network share whose
//! server is gone say: that keeps neither the log from being printed nor the role from stopping.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use kozo_abi::Error;

use crate::line::LineFormat;
use crate::log_file::{LogFile, WriteError};
use crate::pending::Pending;

/// What the thread is asked to do: one thing at a time.
enum Job {
    Open,
    Write(Pending),
}

/// What became of a job.
pub(crate) struct Outcome {
    /// The lines that are not in the file.
    pub(crate) rest: Pending,
    pub(crate) result: Result<(), WriteError>,
    /// How many lines the file has.
    lines: u64,
}

/// The job that the thread is at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UnderWay {
    /// The length of its lines.
    pub(crate) bytes: usize,
    /// How many lines would be lost with it.
    pub(crate) lines: u64,
}

/// The way to the thread. Dropping it lets the thread end, as soon as it can.
pub(crate) struct Writer {
    jobs: Sender<Job>,
    outcomes: Receiver<Outcome>,
    under_way: Option<UnderWay>,
    /// How many lines the file had at last.
    file_lines: u64,
}

impl Writer {
    pub(crate) fn start(mut file: LogFile, format: LineFormat) -> Result<Self, Error> {
        let (jobs, next_job) = channel();
        let (outcome, outcomes) = channel();
        std::thread::Builder::new()
            .name("log file".to_owned())
            .spawn(move || {
                for job in next_job {
                    let mut rest = Pending::default();
                    let result = match job {
                        Job::Open => file.open(),
                        Job::Write(pending) => {
                            rest = pending;
                            file.write(&mut rest, &format)
                        }
                    };
                    let lines = file.lines();
                    let done = Outcome {
                        rest,
                        result,
                        lines,
                    };
                    if outcome.send(done).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            jobs,
            outcomes,
            under_way: None,
            file_lines: 0,
        })
    }

    /// The job that the thread is at, which has to end before the next one.
    pub(crate) fn under_way(&self) -> Option<UnderWay> {
        self.under_way
    }

    /// How many lines the file had at last.
    pub(crate) fn file_lines(&self) -> u64 {
        self.file_lines
    }

    /// Lets the thread open the file, or open it anew.
    pub(crate) fn open(&mut self) {
        self.give(Job::Open, UnderWay::default());
    }

    /// Lets the thread write these lines.
    pub(crate) fn write(&mut self, pending: Pending) {
        let job = UnderWay {
            bytes: pending.bytes().len(),
            lines: pending.all_lines(),
        };
        self.give(Job::Write(pending), job);
    }

    fn give(&mut self, job: Job, under_way: UnderWay) {
        debug_assert!(self.under_way.is_none(), "one job at a time");
        // If the thread has panicked, `wait` says so.
        let _ = self.jobs.send(job);
        self.under_way = Some(under_way);
    }

    /// What became of the job, if it ends within `limit`.
    ///
    /// # Errors
    /// The thread has panicked.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<Option<Outcome>, Error> {
        match self.outcomes.recv_timeout(limit) {
            Ok(outcome) => {
                self.under_way = None;
                self.file_lines = outcome.lines;
                Ok(Some(outcome))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err("the thread that writes the log file has ended".into())
            }
        }
    }
}
