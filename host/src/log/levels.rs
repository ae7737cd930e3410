//! Which lines are written, while the process runs.

use std::sync::{Arc, Mutex, RwLock};

use kozo_ground::lock::{LockAnyway, ReadWriteAnyway};
use kozo_status::LogLevels;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::reload;

use super::filter::{FilterError, LogFilter};

/// Why the levels are not told or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LevelsError {
    /// The node runs inside another program.
    #[error("the log of the program that this node runs in is not the node's own")]
    NotOurs,
    /// What was asked for is no change.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The log has ended.
    #[error("the log cannot be changed")]
    Ended(#[from] reload::Error),
}

/// The levels of a log: of the host's own parts, and of the libraries that it uses.
pub(super) struct Levels {
    at_start: LogFilter,
    present: Mutex<LogFilter>,
    own: reload::Handle<Targets, Registry>,
    of_libraries: Arc<RwLock<Targets>>,
}

impl Levels {
    /// Those to begin with, and what the lines of the host's own parts go through.
    pub(super) fn new(filter: LogFilter) -> (Self, reload::Layer<Targets, Registry>) {
        let (layer, own) = reload::Layer::new(filter.own());
        let levels = Self {
            of_libraries: Arc::new(RwLock::new(filter.of_libraries())),
            present: Mutex::new(filter.clone()),
            at_start: filter,
            own,
        };
        (levels, layer)
    }

    /// What holds for libraries.
    pub(super) fn of_libraries(&self) -> Arc<RwLock<Targets>> {
        Arc::clone(&self.of_libraries)
    }

    /// Changes the levels, and tells them.
    pub(super) fn change(&self, set: Option<&str>, reset: bool) -> Result<LogLevels, LevelsError> {
        let mut present = self.present.lock_anyway();
        let from = if reset { &self.at_start } else { &*present };
        let wanted = match set {
            Some(set) => from.changed(set)?,
            None => from.clone(),
        };
        if wanted != *present {
            self.own.reload(wanted.own())?;
            *self.of_libraries.write_anyway() = wanted.of_libraries();
            ::log::set_max_level(wanted.most_verbose());
            *present = wanted;
            drop(present);
            let levels = self.present.lock_anyway().to_string();
            tracing::info!(target: "control", "the log's levels are {levels} now");
            return Ok(self.told(levels));
        }
        Ok(self.told(present.to_string()))
    }

    fn told(&self, levels: String) -> LogLevels {
        LogLevels {
            levels,
            at_start: self.at_start.to_string(),
        }
    }
}
