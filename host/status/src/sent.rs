//! Messages that people send by hand.

use kozo_ground::names::{NodeName, RoleName};
use serde::{Deserialize, Serialize};

/// Where a message went that somebody had the node send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// The roles of this node that got it.
    pub roles: Vec<RoleName>,
    /// The other nodes that it went to.
    pub nodes: Vec<SentTo>,
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

/// What has become of a message for another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageFate {
    /// It waits for a link, or is sent and not acknowledged yet.
    Waiting,
    /// The node has it, and its roles get it.
    Acknowledged,
    /// Limits or age dropped it here.
    Dropped,
    /// Too many messages are watched at once.
    Unknown,
}
