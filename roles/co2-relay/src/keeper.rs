//! Keeps the dump up to date: one write at a time, and one for all changes that came meanwhile.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::dump;
use crate::reporter::Reporter;
use crate::satellite::Satellite;

/// How long a change waits until it is written.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Keeper {
    path: Option<PathBuf>,
    /// How often the satellites have changed.
    changes: watch::Sender<u64>,
    /// How many of these changes are in the file, or could not be written.
    done: watch::Sender<u64>,
    /// Whether the last write failed, which is told once.
    failing: AtomicBool,
}

impl Keeper {
    /// Without a path, nothing is kept.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            changes: watch::Sender::new(0),
            done: watch::Sender::new(0),
            failing: AtomicBool::new(false),
        }
    }

    /// The satellites have changed. Waits until that is written, but not for ever: a disk may hang.
    pub(crate) async fn keep(&self) {
        if self.path.is_none() {
            return;
        }
        let mut change = 0;
        self.changes.send_modify(|changes| {
            *changes += 1;
            change = *changes;
        });
        let mut done = self.done.subscribe();
        let written = done.wait_for(|&done| done >= change);
        let _ = tokio::time::timeout(PATIENCE, written).await;
    }

    /// Writes the satellites at once, so that a file that cannot be written is told before there is something to lose,
    /// and whenever they have changed. Only one may do so: two would write one file.
    pub(crate) async fn run(
        &self,
        text: impl Fn() -> Result<String, String>,
        reporter: &dyn Reporter,
    ) {
        if self.path.is_none() {
            return;
        }
        let mut changes = self.changes.subscribe();
        changes.mark_changed();
        while changes.changed().await.is_ok() {
            let change = *changes.borrow_and_update();
            self.save(text(), reporter).await;
            self.done.send_replace(change);
        }
    }

    /// Reads the satellites. A file that cannot be used is put aside, and the relay does without.
    pub(crate) fn load(&self, reporter: &dyn Reporter) -> Vec<Satellite> {
        let Some(path) = &self.path else {
            return Vec::new();
        };
        dump::load(path).unwrap_or_else(|error| {
            let shown = path.display();
            let aside = match dump::put_aside(path) {
                Ok(aside) => format!("it is now {}", aside.display()),
                Err(error) => format!("it cannot be put aside ({error})"),
            };
            reporter.warn(&format!(
                "the dump {shown} is not used: {error}; {aside}, and satellites have to register again"
            ));
            Vec::new()
        })
    }

    async fn save(&self, text: Result<String, String>, reporter: &dyn Reporter) {
        let Some(path) = &self.path else {
            return;
        };
        let file = path.clone();
        let result = match text {
            Ok(text) => tokio::task::spawn_blocking(move || dump::save(&file, &text))
                .await
                .map_err(|error| error.to_string())
                .and_then(|saved| saved.map_err(|error| error.to_string())),
            Err(error) => Err(error),
        };
        let path = path.display();
        match result {
            Ok(()) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    reporter.info(&format!("the dump {path} is written again"));
                }
            }
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    reporter.warn(&format!(
                        "cannot write the dump {path}: {error}; satellites will have to register again after a restart"
                    ));
                }
            }
        }
    }
}
