//! The transports of this node.

use std::collections::HashSet;
use std::sync::Arc;

use kozo_ground::clock::Moment;
use kozo_ground::names::{ModuleName, NodeName};

use super::services::{Services, TransportState};
use crate::limited::DroppedApart;
use crate::link::Calls;
use crate::modules::{TransportInstance, TransportServices};

/// One transport of this node.
pub struct OwnTransport {
    /// Its name.
    pub name: String,
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
    /// How it is, and since when.
    pub fn state(&self) -> (TransportState, Moment) {
        match self.made.as_ref().and_then(|made| made.calls.fault()) {
            Some((fault, since)) => (TransportState::Failing(fault), since),
            None => self.services.state(),
        }
    }

    /// Why the way to a transport of a node is not tried at present.
    pub fn barred(&self, transport: &str, node: &NodeName) -> Option<String> {
        let made = self.made.as_ref()?;
        made.calls.barred(transport, node.as_str())
    }

    /// What it is about, as it has said last.
    pub fn status(&self) -> Option<String> {
        self.services.status()
    }

    /// The module that it is made by.
    pub fn module(&self) -> &ModuleName {
        &self.services.identity().module
    }

    /// Leaves it out, since its module does not come back from a call.
    pub(super) fn fail(&mut self, reason: &str) {
        let reason = format!("{reason}: it is left out until the daemon is started again");
        self.services.report(&reason);
        self.services.set_state(TransportState::Failing(reason));
        self.made = None;
    }
}
