//! The transports of this node.

use std::collections::HashSet;
use std::sync::Arc;

use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_status::{TransportState, TransportStatus};

use super::services::{Services, TransportCondition};
use crate::limited::DroppedApart;
use crate::link::Calls;
use crate::modules::{TransportInstance, TransportServices};

/// One transport of this node.
pub(crate) struct OwnTransport {
    /// Its name.
    pub(crate) name: String,
    pub(super) services: Arc<Services>,
    /// None when its module did not come back from making it.
    pub(super) made: Option<Made>,
    /// The transports of other nodes that it can connect to: the nodes, and their names there.
    pub(super) reaches: HashSet<(NodeName, String)>,
}

/// What there is of a transport whose module has made it.
pub(super) struct Made {
    pub(super) instance: Arc<DroppedApart<TransportInstance>>,
    pub(super) calls: Arc<Calls>,
    pub(super) priority: u8,
    pub(super) can_accept: bool,
}

impl OwnTransport {
    /// How it is at `now`.
    pub(crate) fn status(&self, now: Moment) -> TransportStatus {
        let fault = self.made.as_ref().and_then(|made| made.calls.fault());
        let condition = fault.map_or_else(
            || self.services.condition(),
            |(reason, since)| TransportCondition {
                state: TransportState::Failing,
                error: Some(reason),
                since,
            },
        );
        TransportStatus {
            name: self.name.clone(),
            module: self.services.identity().module.clone(),
            state: condition.state,
            error: condition.error,
            status: self.says(),
            since_seconds: now.since(condition.since).as_secs_f64(),
        }
    }

    /// Why the way to a transport of a node is not tried at present.
    pub(crate) fn barred(&self, transport: &str, node: &NodeName) -> Option<String> {
        let made = self.made.as_ref()?;
        made.calls.barred(transport, node.as_str())
    }

    /// What it is about, as it has said last.
    pub(crate) fn says(&self) -> Option<String> {
        self.services.status()
    }

    /// Leaves it out, since its module does not come back from a call.
    pub(super) fn fail(&mut self, reason: &str) {
        let reason = format!("{reason}: it is left out until the daemon is started again");
        self.services.report(&reason);
        self.services.set_failing(reason);
        self.made = None;
    }
}
