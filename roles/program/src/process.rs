//! The program's process, and the threads that serve it.

use std::process::Stdio;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kozo_abi::{Error, RoleHost};
use kozo_child::{Child, Interrupt, Program, Reader, Started, Writer};

use crate::options::Settings;
use crate::outbox::Outbox;
use crate::rate::Rate;
use crate::shared::{Shared, lock};
use crate::{errors, listener, told};

/// By this variable all that the program starts is found, and ends with it.
const MARK: &str = "KOZO_PROGRAM";

/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);

/// How long a program that has closed its pipes may take to end.
const EXIT_LIMIT: Duration = Duration::from_millis(500);

/// How long what a program that has failed wrote before is waited for: something that it has started may have
/// got away, and keep its pipes open.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(2);

/// The same for one that has taken all of its time to stop: the host waits for that.
const STOPPED_LINES_LIMIT: Duration = Duration::from_millis(200);

/// A program that runs. When this is dropped it is killed, with everything that it has started.
pub(crate) struct Process {
    child: Child,
    pub(crate) shared: Arc<Shared>,
    /// What the file calls it.
    name: String,
    stop_limit: Duration,
    /// Closed when both threads have read all that there is.
    reading: Receiver<()>,
}

impl Process {
    pub(crate) fn start(settings: Settings, host: &RoleHost) -> Result<Self, Error> {
        let hello = told::hello(host.node(), host.name(), &settings)?;
        let mut program = Program::new(&settings.program)
            .args(settings.arguments)
            .folder(settings.directory)
            .mark(MARK)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in settings.environment {
            program = program.env(name, value);
        }
        if let Some(bytes) = settings.max_memory {
            program = program.memory_limit(bytes);
        }
        let started = program.start().map_err(|error| {
            let hint = match settings.program.contains(char::is_whitespace) {
                true => "; the program and its arguments are a list, `[PROGRAM, ARGUMENT]`",
                false => "",
            };
            format!("{error}{hint} (option `command`)")
        })?;
        let Started {
            child,
            stdin: Some(stdin),
            stdout: Some(stdout),
            stderr: Some(stderr),
            ..
        } = started
        else {
            return Err("the program has no pipes".into());
        };
        let over = Interrupt::new()?;
        let shared = Arc::new(Shared {
            host: host.clone(),
            outbox: Outbox::new(Writer::new(stdin, over.clone())?),
            max_line: settings.max_line,
            questions: AtomicUsize::new(0),
            rate: Mutex::new(Rate::new(settings.max_rate, Instant::now())),
            complaints: Mutex::default(),
            unheard: AtomicU64::new(0),
            last_words: Mutex::default(),
            hurry: Interrupt::new()?,
            over: over.clone(),
        });
        shared.outbox.push(&hello);
        let (output, errors) = (
            Reader::new(stdout, over.clone())?,
            Reader::new(stderr, over)?,
        );
        let (reads, reading) = channel::<()>();
        let process = Self {
            child,
            shared: Arc::clone(&shared),
            name: settings.program,
            stop_limit: settings.stop_limit,
            reading,
        };
        let listening = {
            let (shared, reads) = (Arc::clone(&shared), reads.clone());
            move || {
                listener::read(output, &shared);
                drop(reads);
            }
        };
        thread::Builder::new()
            .name("listener".to_owned())
            .spawn(listening)?;
        let collecting = move || {
            errors::read(errors, &shared);
            drop(reads);
        };
        thread::Builder::new()
            .name("errors".to_owned())
            .spawn(collecting)?;
        Ok(process)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.child.handle().has_ended()
    }

    /// Whether it has ended, or does now: its pipes are closed a little before.
    pub(crate) fn is_ending(&self) -> bool {
        self.child.handle().wait(EXIT_LIMIT)
    }

    /// How it has ended, though nobody told it to.
    pub(crate) fn failure(&mut self) -> String {
        let ended = match self.child.end(EXIT_LIMIT) {
            Ok(ended) if ended.is_success() => {
                format!("{ended}, and should run until it is told to stop")
            }
            Ok(ended) => ended.to_string(),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        self.read_to_the_end(LAST_LINES_LIMIT);
        let words = lock(&self.shared.last_words).clone();
        let words = match words.is_empty() {
            true => String::new(),
            false => format!("; the last line of its error output: `{words}`"),
        };
        format!("its program `{}` {ended}{words}", self.name)
    }

    /// Tells it to stop with these lines, and sees to it that it does.
    pub(crate) fn stop(&mut self, lines: &[u8]) -> Result<(), String> {
        let deadline = Instant::now() + self.stop_limit;
        let outbox = &self.shared.outbox;
        self.shared.hurry.raise();
        outbox.push(lines);
        // What ends meanwhile does not read, so this comes back then.
        outbox.flush(self.stop_limit);
        outbox.close();
        let left = || deadline.saturating_duration_since(Instant::now());
        let ended = self.child.stop(left(), GRACE);
        self.read_to_the_end(left().max(STOPPED_LINES_LIMIT));
        let (name, limit) = (&self.name, self.stop_limit);
        let late =
            format!("its program `{name}` did not end within {limit:.1?} of being told to stop");
        match ended {
            Err(error) => Err(format!(
                "its program `{name}` cannot be waited for: {error}"
            )),
            Ok(ended) if ended.was_killed => Err(format!("{late}, nor by SIGTERM, and was killed")),
            Ok(ended) if ended.was_asked => Err(format!("{late}, but by SIGTERM")),
            Ok(ended) if !ended.is_success() => Err(format!(
                "its program `{name}` {ended} when it was told to stop"
            )),
            Ok(_) => Ok(()),
        }
    }

    /// Lets the threads do what the program, which has ended, wrote before.
    fn read_to_the_end(&self, limit: Duration) {
        self.shared.hurry.raise();
        // That it is closed is what is waited for.
        let _ = self.reading.recv_timeout(limit);
        self.shared.over.raise();
        self.shared.settle();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shared.over.raise();
    }
}
