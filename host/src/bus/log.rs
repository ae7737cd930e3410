//! What happens on a bus, as lines of the log.

use std::collections::HashSet;
use std::sync::Arc;

use kozo_bus::{Happened, Refusal};
use kozo_ground::names::NodeName;

/// How many nodes are known to have been warned of. Beyond that it is for `kozo status`.
const MAX_WARNED: usize = 256;

/// Writes what happens to the log. What repeats itself is said once.
pub(super) struct BusLog {
    bus: Arc<str>,
    /// Why it is down, as was said last.
    down: Option<String>,
    warned: HashSet<(NodeName, Warning)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Warning {
    OtherFile,
    NoKey,
    ForeignKey,
    Twins,
}

impl BusLog {
    pub(super) fn new(bus: &Arc<str>) -> Self {
        Self {
            bus: Arc::clone(bus),
            down: None,
            warned: HashSet::new(),
        }
    }

    pub(super) fn write(&mut self, happened: &Happened) {
        let bus = Arc::clone(&self.bus);
        match happened {
            Happened::Up { server } => {
                self.down = None;
                tracing::info!(target: "bus", %bus, server, "up");
            }
            Happened::Down { reason } => {
                if self.down.as_ref() == Some(reason) {
                    tracing::debug!(target: "bus", %bus, reason, "down");
                } else {
                    tracing::warn!(target: "bus", %bus, reason, "down, tried again");
                    self.down = Some(reason.clone());
                }
            }
            Happened::Heard { node, again } => {
                // Another session may have mended what was wrong with the one before.
                self.warned.retain(|(warned, _)| warned != node);
                tracing::debug!(target: "bus", %bus, %node, again, "is heard");
            }
            Happened::OtherFile { node } if self.is_new(node, Warning::OtherFile) => {
                tracing::warn!(
                    target: "bus",
                    %bus,
                    %node,
                    "has another version of the configuration file: copy the same one to every node",
                )
            }
            Happened::NoKey { node, reason } if self.is_new(node, Warning::NoKey) => {
                tracing::warn!(target: "bus", %bus, %node, reason, "cannot be read: its key is not to be had");
            }
            Happened::Missed { node, messages } => tracing::warn!(
                target: "bus",
                %bus,
                %node,
                messages,
                "missed messages: they were lost on the way, and their sender has them no more",
            ),
            Happened::Refused {
                node: Some(node),
                reason: Refusal::ForeignKey,
            } if self.is_new(node, Warning::ForeignKey) => tracing::warn!(
                target: "bus",
                %bus,
                %node,
                "somebody there says to be this node, and has another key than the network file here: if its machine has a new key, bring the new file to every node",
            ),
            Happened::Refused { node, reason } => {
                let node = node.as_ref().map(NodeName::as_str);
                tracing::debug!(target: "bus", %bus, node, "refused something: {reason:?}");
            }
            Happened::Twins { node } if self.is_new(node, Warning::Twins) => tracing::warn!(
                target: "bus",
                %bus,
                %node,
                "two daemons run with its key: stop one of them, or give it a name and a key of its own",
            ),
            Happened::Counter { counter } => tracing::warn!(
                target: "bus",
                %bus,
                counter,
                "others have heard a later run of this node: what it keeps was lost, or another daemon runs with its key; it goes on with a higher number",
            ),
            // It was said, or whoever waits for it is told.
            _ => {}
        }
    }

    fn is_new(&mut self, node: &NodeName, warning: Warning) -> bool {
        self.warned.len() < MAX_WARNED && self.warned.insert((node.clone(), warning))
    }
}
