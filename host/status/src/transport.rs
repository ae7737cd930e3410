//! The node's own transports.

use kozo_ground::names::ModuleName;
use serde::{Deserialize, Serialize};

/// A transport of the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransportStatus {
    /// The transport's name.
    pub name: String,
    /// The module that it is made by.
    pub module: ModuleName,
    /// How it is.
    pub state: TransportState,
    /// Why it is failing, where it is.
    pub error: Option<String>,
    /// What it is about, as it has said last.
    #[serde(default)]
    pub status: Option<String>,
    /// For how many seconds its state has been so.
    pub since_seconds: f64,
}

/// How a transport is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransportState {
    /// It is being prepared.
    Starting,
    /// It takes connections, and can dial.
    Listening,
    /// It takes no connections, and can dial.
    DialsOnly,
    /// It cannot take connections, or does not come back from calls; that is tried again.
    Failing,
}
