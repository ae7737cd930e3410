//! People's plug-ins, which run in a process of their own: any Python, whatever it does.
//!
//! ```text
//!  notify, calls ──▶ Frames (bounded) ──▶ writer ──▶ plughost.py ──▶ reader ──▶ outbox, results, methods, log
//!                                                       └─ error output ──▶ log
//! ```
//! `life` is one life of the process; this starts it again whenever it has ended.

mod configuration;
mod frame;
mod frames;
mod life;
mod start;
mod told;

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kozo_abi::Error;
use kozo_backoff::Backoff;

use crate::options::Plugins as Settings;
use crate::shared::{Shared, lock};
pub(crate) use configuration::configuration;
pub(crate) use frames::Frames;
use life::Life;

/// What ids of calls to plug-ins begin with.
pub(crate) const CALLS: &str = "plugin.";

/// How long plug-ins have to say goodbye, and how much longer the process has before it is killed. A role in a process of
/// its own has to stop in 4 s, and the relay is told of the end after this.
const EXIT_LIMIT: Duration = Duration::from_millis(1700);
const EXIT_GRACE: Duration = Duration::from_millis(300);

/// The first wait before the process is started again, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long a life has to be for the next wait to be the first again.
const LONG_LIFE: Duration = Duration::from_secs(60);

/// The plug-ins at work.
pub(crate) struct Plugins {
    shared: Arc<Shared>,
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
}

/// What the role's thread and that of the plug-ins tell each other.
#[derive(Default)]
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// The process that runs.
    handle: Option<Arc<kozo_child::Handle>>,
    ended: bool,
}

impl Control {
    pub(crate) fn is_stopping(&self) -> bool {
        lock(&self.state).stopping
    }

    /// Says which process runs now; one that comes too late is killed.
    fn runs(&self, handle: Option<&Arc<kozo_child::Handle>>) {
        let mut state = lock(&self.state);
        state.handle = handle.cloned();
        if let (true, Some(handle)) = (state.stopping, handle) {
            handle.kill();
        }
    }

    /// Waits so long, or until it is to stop; whether it is to go on.
    fn pause(&self, wait: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self
            .changed
            .wait_timeout_while(state, wait, |state| !state.stopping);
        waited.is_ok_and(|(state, _)| !state.stopping)
    }

    /// Waits for the end of the thread; whether it came in time.
    fn wait_for_end(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self
            .changed
            .wait_timeout_while(state, limit, |state| !state.ended);
        waited.is_ok_and(|(state, _)| state.ended)
    }
}

impl Plugins {
    /// Starts them.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn start(shared: &Arc<Shared>, settings: Settings) -> Result<Self, Error> {
        let control = Arc::new(Control::default());
        let work = {
            let (shared, control) = (Arc::clone(shared), Arc::clone(&control));
            move || {
                work(&shared, &control, &settings);
                lock(&control.state).ended = true;
                control.changed.notify_all();
            }
        };
        let thread = std::thread::Builder::new()
            .name("co2 plug-ins".to_owned())
            .spawn(work)?;
        Ok(Self {
            shared: Arc::clone(shared),
            control,
            thread: Some(thread),
        })
    }

    /// Lets all say goodbye, and ends the process.
    pub(crate) fn stop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        lock(&self.control.state).stopping = true;
        self.control.changed.notify_all();
        if let Some(frames) = &self.shared.frames {
            frames.exit(EXIT_LIMIT);
        }
        if !self.control.wait_for_end(EXIT_LIMIT + EXIT_GRACE) {
            self.shared
                .host
                .warn("the plug-ins did not end in time, and were killed");
            if let Some(handle) = &lock(&self.control.state).handle {
                handle.kill();
            }
        }
        // What panicked was told by the hook.
        let _ = thread.join();
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        // A role that failed has no time for goodbyes.
        lock(&self.control.state).stopping = true;
        if let Some(handle) = &lock(&self.control.state).handle {
            handle.kill();
        }
        self.stop();
    }
}

fn work(shared: &Arc<Shared>, control: &Control, settings: &Settings) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT).at_once_first();
    let mut random = fastrand::Rng::new();
    loop {
        let began = Instant::now();
        let ended = Life::begin(shared, control, settings).and_then(Life::live);
        control.runs(None);
        // Whoever registers does not wait for those that do not come.
        shared.loaded.send_replace(true);
        shared.forget_calls(CALLS);
        tell_missed(shared);
        if control.is_stopping() {
            return;
        }
        if began.elapsed() > LONG_LIFE {
            backoff.reset();
        }
        let wait = backoff.next(&mut random);
        let how = ended.unwrap_or_else(|error| kozo_abi::error_text(&*error));
        let next = match wait {
            Duration::ZERO => "starting it again".to_owned(),
            wait => format!("starting it again in {:.1} s", wait.as_secs_f64()),
        };
        shared
            .host
            .error(&format!("the process of the plug-ins {how}; {next}"));
        if !control.pause(wait) {
            return;
        }
    }
}

/// Messages that came while there was no process, or that it did not take before it ended.
fn tell_missed(shared: &Shared) {
    let missed = shared.frames.as_ref().map_or(0, Frames::take_missed);
    if missed > 0 {
        shared.host.warn(&format!(
            "messages that plug-ins did not get, for their process had ended: {missed}"
        ));
    }
}
