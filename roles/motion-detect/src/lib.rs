//! Reports the movement that a sensor on a GPIO pin sees: an event `motion detection`, true or
//! false, every `period`, or with `onChange` at each change.

mod report;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kozo_abi::{Error, Pace, Role, RoleHost, export_role};
use kozo_gpio::{Board, Hardware, Input, PinError, PinOptions, Pull};
use serde::Deserialize;

use self::report::Report;

#[cfg(test)]
mod tests;

/// How late an interrupt may come, as the machine may be busy, before it counts as lost.
const LATEST: Duration = Duration::from_secs(1);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(flatten)]
    place: PinOptions,
    pull: Pull,
    period: f64,
    debounce: f64,
    on_change: bool,
    log: bool,
}

struct MotionDetect<B> {
    pin: Input,
    period: Duration,
    report: Arc<Mutex<Report>>,
    /// With `onChange`.
    watch: Option<Watch>,
    board: std::marker::PhantomData<B>,
}

struct Watch {
    debounce: Duration,
    doubt: Option<Doubt>,
}

/// The pin is not at the level that was reported. The interrupt may be under way: it comes when the
/// level has stood for `debounce`, and at most [`LATEST`] later.
struct Doubt {
    /// The count of changes that were reported: one that is reported meanwhile ends the doubt.
    changes: u64,
    /// For how long it has been so at least: a `period` for each further look. When all of the machine
    /// stood still, so did the interrupt.
    time: Duration,
}

impl<B: Board> Role for MotionDetect<B> {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let mut role = Self {
            pin: B::input(&options.place, options.pull)?,
            period: Duration::try_from_secs_f64(options.period)?,
            report: Arc::new(Mutex::new(Report::new(options.log))),
            watch: None,
            board: std::marker::PhantomData,
        };
        if options.on_change {
            let debounce = Duration::try_from_secs_f64(options.debounce)?;
            // Before the first look, so that no change falls in between.
            role.watch(debounce, host)?;
            let mut report = lock(&role.report);
            report.change(role.pin.is_active()?, host)?;
            drop(report);
            role.watch = Some(Watch {
                debounce,
                doubt: None,
            });
        }
        Ok(role)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let Some(mut watch) = self.watch.take() else {
            let motion = self.pin.is_active()?;
            return Ok(lock(&self.report).state(motion, host)?);
        };
        if self.missed(&mut watch, host)? {
            host.warn("a change of the pin came without an interrupt: they are asked for anew");
            // With nothing locked: it waits for the thread that reports changes.
            self.watch(watch.debounce, host)?;
        }
        self.watch = Some(watch);
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace::Every(self.period)
    }
}

impl<B: Board> MotionDetect<B> {
    /// Lets the pin report changes by itself.
    fn watch(&mut self, debounce: Duration, host: &RoleHost) -> Result<(), PinError> {
        let (report, host) = (Arc::clone(&self.report), host.clone());
        self.pin.watch(debounce, move |motion| {
            if let Err(error) = lock(&report).change(motion, &host) {
                host.error(&error.to_string());
            }
        })
    }

    /// Looks whether an interrupt got lost, and reports what it would have.
    fn missed(&self, watch: &mut Watch, host: &RoleHost) -> Result<bool, Error> {
        // Locked before the look: otherwise a change could be reported in between, and then undone.
        let mut report = lock(&self.report);
        let motion = self.pin.is_active()?;
        let before = watch.doubt.take();
        if !report.differs(motion) {
            return Ok(false);
        }
        let changes = report.changes();
        let time = match before {
            Some(doubt) if doubt.changes == changes => doubt.time + self.period,
            _ => Duration::ZERO,
        };
        let missed = time > watch.debounce + LATEST;
        if missed {
            report.change(motion, host)?;
        } else {
            watch.doubt = Some(Doubt { changes, time });
        }
        Ok(missed)
    }
}

/// What is reported is whole at any time, even when a thread that had it panicked.
fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

export_role!(MotionDetect<Hardware>);
