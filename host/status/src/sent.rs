//! Messages that people send by hand.

use kozo_ground::names::{NodeName, RoleName};
use serde::{Deserialize, Serialize};

/// Where a message went that somebody had the node send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// The roles of this node that got it.
    pub roles: Vec<RoleName>,
    /// The other nodes that it went to over links with them.
    pub nodes: Vec<SentTo>,
    /// The buses that it went to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buses: Vec<SentToBus>,
}

/// A bus that a message went to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentToBus {
    /// The bus.
    pub bus: String,
    /// What has become of the message. `acknowledged` says that the bus's engine has it: which nodes take it from
    /// there is known to nobody.
    pub fate: MessageFate,
}

/// A node that a message went to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTo {
    /// The node.
    pub node: NodeName,
    /// The roles there that want the message: as that node has said, or as the file tells as long as there
    /// was no link with it. A role whose module is not known here counts as one that does.
    pub roles: Vec<String>,
    /// What has become of the message.
    pub fate: MessageFate,
}

/// What has become of a message for another node, or for a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageFate {
    /// It waits for a link, or is sent and not acknowledged yet.
    Waiting,
    /// The node, or the engine of the bus, has it.
    Acknowledged,
    /// Limits or age dropped it here.
    Dropped,
    /// The engine of the bus refused something that this node published meanwhile: this message, or another one.
    Refused,
    /// Too many messages are watched at once; or messages were dropped behind the queue of a bus, and it may be
    /// one of them.
    Unknown,
}
