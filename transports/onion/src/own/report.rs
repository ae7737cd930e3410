//! What the transport says about itself: in the node's status all of it, in the log what matters.

use std::fmt;
use std::sync::Mutex;

use arti_client::status::{BlockageKind, BootstrapStatus};
use kozo_abi::TransportHost;
use tor_hsservice::status::{OnionServiceStatus, State};

use super::lock;

/// How much further it has to be until the log is told again, in per cent.
const LOGGED_STEP: u8 = 25;

/// Where the transport is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// On its way onto the Tor network.
    Connecting {
        /// How far, in per cent.
        percent: u8,
        /// What seems to keep it.
        stuck: Option<String>,
    },
    /// On the network.
    Connected,
    /// The service tells the network where it can be met.
    Publishing,
    /// Others can connect.
    Reachable,
    /// Others cannot connect, though they could.
    Unreachable {
        /// What arti says.
        problem: String,
    },
}

/// Where it begins.
const START: Stage = Stage::Connecting {
    percent: 0,
    stuck: None,
};

impl Stage {
    /// As arti sees the client.
    pub(super) fn of_bootstrap(status: &BootstrapStatus) -> Self {
        let stuck = status.blocked().and_then(|blockage| {
            let message = blockage.message().to_string();
            match blockage.kind() {
                // It has not begun.
                BlockageKind::Disabled => None,
                // A relay is asked how far the clock is off, and that says more: see `clock`.
                BlockageKind::ClockSkewed => None,
                _ => Some(in_a_sentence(&message)),
            }
        });
        Self::Connecting {
            percent: (status.as_frac().clamp(0.0, 1.0) * 100.0) as u8,
            stuck,
        }
    }

    /// As arti sees the service.
    pub(super) fn of_service(status: &OnionServiceStatus) -> Self {
        match status.state() {
            State::Running | State::DegradedReachable => Self::Reachable,
            // It has not begun, or may be reachable all the same: see `probe`.
            State::Shutdown
            | State::Bootstrapping
            | State::DegradedUnreachable
            | State::Recovering => Self::Publishing,
            state => Self::Unreachable {
                problem: match status.current_problem() {
                    Some(problem) => format!("{problem:?}"),
                    None => format!("{state:?}").to_lowercase(),
                },
            },
        }
    }

    /// What comes later is not taken back by news of what came before.
    fn rank(&self) -> u8 {
        match self {
            Self::Connecting { .. } => 0,
            Self::Connected => 1,
            Self::Publishing | Self::Reachable | Self::Unreachable { .. } => 2,
        }
    }

    fn text(&self, address: Option<&str>) -> String {
        let address = address.unwrap_or("its address");
        match self {
            Self::Connecting {
                percent,
                stuck: None,
            } => format!("connecting to the Tor network: {percent} %"),
            Self::Connecting {
                percent,
                stuck: Some(stuck),
            } => format!("connecting to the Tor network: {percent} %, stuck: {stuck}"),
            Self::Connected => "connected to the Tor network".to_owned(),
            Self::Publishing => format!("publishing {address}"),
            Self::Reachable => format!("reachable at {address}"),
            Self::Unreachable { problem } => format!("not reachable at {address}: {problem}"),
        }
    }
}

/// What arti writes as a sentence of its own, as a part of one.
fn in_a_sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// Tells the host where the transport is.
pub(super) struct Reporter {
    host: TransportHost,
    address: Option<String>,
    said: Mutex<Said>,
}

struct Said {
    stage: Stage,
    /// The last stage that the log has.
    logged: Option<Stage>,
    /// Why the last try to connect failed; it stays until it is connected.
    failure: Option<String>,
    /// What is wrong with the machine's clock.
    clock: Option<String>,
}

impl Reporter {
    pub(super) fn new(host: TransportHost, address: Option<String>) -> Self {
        Self {
            host,
            address,
            said: Mutex::new(Said {
                stage: START,
                logged: None,
                failure: None,
                clock: None,
            }),
        }
    }

    /// Takes over a stage; false when the transport is past it.
    pub(super) fn say(&self, stage: Stage) -> bool {
        let mut said = lock(&self.said);
        if stage.rank() < said.stage.rank() {
            return false;
        }
        // What is published anew is reachable meanwhile.
        if (&said.stage, &stage) == (&Stage::Reachable, &Stage::Publishing) {
            return true;
        }
        if stage.rank() > 0 {
            said.failure = None;
        }
        said.stage = stage;
        let text = self.shown(&said);
        self.host.set_status(&text);
        // What is wrong with the clock, which the log has, explains what the client is stuck with.
        let explained = said.clock.is_some() && matches!(said.stage, Stage::Connecting { .. });
        if !explained && is_worth_a_line(said.logged.as_ref(), &said.stage) {
            match said.stage {
                Stage::Unreachable { .. } | Stage::Connecting { stuck: Some(_), .. } => {
                    self.host.warn(&text);
                }
                // The log has what is wrong with the clock.
                _ => self.host.info(&said.stage.text(self.address.as_deref())),
            }
            said.logged = Some(said.stage.clone());
        }
        true
    }

    /// A try to connect has failed; there will be another one.
    pub(super) fn failed(&self, reason: &str) {
        let mut said = lock(&self.said);
        let reason = Some(reason.to_owned());
        if said.failure != reason {
            said.failure = reason;
            let text = self.shown(&said);
            self.host.set_status(&text);
            if said.clock.is_none() {
                self.host.warn(&text);
            }
        }
    }

    /// The machine's clock is wrong. It is told of where the transport has not got where it should.
    pub(super) fn blame_clock(&self, fault: &str) {
        let mut said = lock(&self.said);
        said.clock = Some(fault.to_owned());
        self.host.set_status(&self.shown(&said));
        let text = format!("{fault}, and this transport goes on by itself");
        self.host.warn(&text);
    }

    /// The transport begins anew.
    pub(super) fn begin_anew(&self, reason: &str) {
        let mut said = lock(&self.said);
        *said = Said {
            stage: START,
            logged: Some(START),
            failure: None,
            clock: None,
        };
        let text = self.shown(&said);
        self.host.set_status(&text);
        self.host.info(&format!("{reason}: {text}"));
    }

    /// Whether the transport has got where it should: to be reachable, where others shall reach it.
    pub(super) fn is_settled(&self, is_reached: bool) -> bool {
        match lock(&self.said).stage {
            Stage::Reachable => true,
            Stage::Connected => !is_reached,
            Stage::Connecting { .. } | Stage::Publishing | Stage::Unreachable { .. } => false,
        }
    }

    /// What is said at present.
    pub(super) fn text(&self) -> String {
        self.shown(&lock(&self.said))
    }

    fn shown(&self, said: &Said) -> String {
        let stage = match &said.stage {
            // The clock is why it is stuck, if it is.
            Stage::Connecting { percent, .. } if said.clock.is_some() => Stage::Connecting {
                percent: *percent,
                stuck: None,
            },
            stage => stage.clone(),
        };
        let text = stage.text(self.address.as_deref());
        match (&stage, &said.clock, &said.failure) {
            (Stage::Connected | Stage::Reachable, ..) => text,
            (_, Some(fault), _) => format!("{text}; {fault}"),
            (Stage::Connecting { stuck: None, .. }, None, Some(failure)) => {
                format!("{text}, failed, tried again: {failure}")
            }
            _ => text,
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reporter({})", self.text())
    }
}

/// Whether a stage says something that the last line of the log does not.
fn is_worth_a_line(logged: Option<&Stage>, stage: &Stage) -> bool {
    let Some(logged) = logged else { return true };
    match (logged, stage) {
        (
            Stage::Connecting {
                percent: before,
                stuck: one,
            },
            Stage::Connecting {
                percent,
                stuck: other,
            },
        ) => {
            // When it is all done, that is said next.
            let further = percent.saturating_sub(*before) >= LOGGED_STEP && *percent < 100;
            further || (other.is_some() && one != other)
        }
        (logged, stage) => logged != stage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connecting(percent: u8, stuck: Option<&str>) -> Stage {
        let stuck = stuck.map(str::to_owned);
        Stage::Connecting { percent, stuck }
    }

    #[test]
    fn every_stage_has_words() {
        let text = |stage: Stage| stage.text(Some("x.onion"));
        assert_eq!(
            text(connecting(45, None)),
            "connecting to the Tor network: 45 %"
        );
        assert_eq!(
            text(connecting(5, Some("no way out"))),
            "connecting to the Tor network: 5 %, stuck: no way out"
        );
        assert_eq!(text(Stage::Reachable), "reachable at x.onion");
        assert_eq!(Stage::Publishing.text(None), "publishing its address");
        let problem = "broken".to_owned();
        assert_eq!(
            text(Stage::Unreachable { problem }),
            "not reachable at x.onion: broken"
        );
    }

    #[test]
    fn the_log_has_what_matters_and_not_every_step() {
        let line = |before: &Stage, after: &Stage| is_worth_a_line(Some(before), after);
        assert!(is_worth_a_line(None, &connecting(0, None)));
        assert!(!line(&connecting(0, None), &connecting(24, None)));
        assert!(line(&connecting(0, None), &connecting(25, None)));
        assert!(!line(&connecting(25, None), &connecting(100, None)));
        assert!(line(&connecting(5, None), &connecting(5, Some("filtered"))));
        assert!(!line(
            &connecting(5, Some("filtered")),
            &connecting(6, Some("filtered"))
        ));
        assert!(line(&Stage::Connected, &Stage::Publishing));
        assert!(line(&Stage::Publishing, &Stage::Reachable));
        assert!(!line(&Stage::Reachable, &Stage::Reachable));
    }
}
