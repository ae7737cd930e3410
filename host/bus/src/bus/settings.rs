//! What a bus is made with.

use std::sync::Arc;

use kozo_ground::age::MaxAges;
use kozo_ground::interest::Interest;
use kozo_ground::names::{BusName, ModuleName, NodeName};
use kozo_ground::queue::QueueLimits;

use crate::announcement::DIGEST_LEN;
use crate::members::Members;
use crate::subject::SubjectKey;

/// How many nodes are expected to send at most.
pub const MAX_EXPECTED: usize = 64;

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
    /// How many nodes are on the bus: as many may ask one of them for its key.
    pub size: usize,
    /// What the roles of this node want to hear of.
    pub wanted: Vec<Interest>,
    /// The nodes that may send some of that, as far as the file tells, where these are few: their keys are asked for before
    /// anything comes of them. Of more than [`MAX_EXPECTED`] those behind are left out.
    pub expected: Vec<NodeName>,
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
