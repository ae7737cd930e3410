//! What a bus is made with.

use std::sync::Arc;

use kozo_ground::age::MaxAges;
use kozo_ground::interest::Interest;
use kozo_ground::names::{BusName, ModuleName, NodeName};
use kozo_ground::queue::QueueLimits;

use crate::announcement::DIGEST_LEN;
use crate::members::Members;
use crate::subject::SubjectKey;

/// What a bus is made with; all of it from the network's file, but for the counter.
#[derive(Clone)]
pub struct BusSettings {
    /// The bus's name in the file: the same on all its nodes, and a part of all that is signed.
    pub name: BusName,
    /// The module that speaks with the engine, for the status.
    pub module: ModuleName,
    /// This node.
    pub own: NodeName,
    /// Who else is on the bus.
    pub members: Arc<dyn Members>,
    /// What the roles of this node want to hear of.
    pub wanted: Vec<Interest>,
    /// How much waits to be sent (`outgoingQueueLength`, `outgoingQueueSize`); what was sent is kept within the
    /// same limits once more, for those who ask for it again.
    pub queue: QueueLimits,
    /// How long messages have a meaning, at most; what is kept is not kept longer.
    pub max_ages: MaxAges,
    /// The digest of this node's file, which others are told.
    pub digest: [u8; DIGEST_LEN],
    /// This node's program and version, likewise.
    pub agent: String,
    /// What tokens of subjects are made with.
    pub subject_key: SubjectKey,
    /// A number that rises with each run of the daemon. Others take what this node says for the present only where
    /// it is no lower than what they have seen; so it has to outlive the process, and comes from no clock.
    pub counter: u64,
}
