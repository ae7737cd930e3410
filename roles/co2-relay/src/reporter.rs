//! What the relay tells: lines of the daemon's log, and events.

use serde::Serialize;

use crate::registry::Change;
use crate::satellite::Satellite;

/// What the event is called that tells of satellites.
pub(crate) const EVENT: &str = "satellite";

/// What has become of a satellite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Registered,
    Restored,
    Failing,
    Back,
    Replaced,
    Deregistered,
    Lost,
}

impl From<Change> for State {
    fn from(change: Change) -> Self {
        match change {
            Change::Failing => Self::Failing,
            Change::Back => Self::Back,
            Change::Lost => Self::Lost,
        }
    }
}

/// The data of the event.
#[derive(Serialize)]
struct Report<'a> {
    host_id: &'a str,
    nick: &'a str,
    state: State,
}

/// Where the relay tells what it does: the host, but for some tests.
pub(crate) trait Reporter: Send + Sync + 'static {
    fn debug(&self, text: &str);
    fn info(&self, text: &str);
    fn warn(&self, text: &str);
    fn satellite(&self, satellite: &Satellite, state: State);
}

impl Reporter for kozo_abi::RoleHost {
    fn debug(&self, text: &str) {
        Self::debug(self, text);
    }

    fn info(&self, text: &str) {
        Self::info(self, text);
    }

    fn warn(&self, text: &str) {
        Self::warn(self, text);
    }

    fn satellite(&self, satellite: &Satellite, state: State) {
        let report = Report {
            host_id: &satellite.host_id,
            nick: &satellite.nick,
            state,
        };
        if let Err(error) = self.send_event(EVENT, &report) {
            Self::warn(self, &format!("cannot send the event `{EVENT}`: {error}"));
        }
    }
}
