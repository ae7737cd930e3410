//! When nodes connect to each other.

use serde::{Deserialize, Serialize};

/// When one node connects to another, the strictest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ConnectPolicy {
    /// Never.
    Never,
    /// When there is a message to send.
    OnDemand,
    /// At all times.
    #[default]
    Constant,
}

impl ConnectPolicy {
    /// The policy that the file calls so: `constant`, `ondemand` or `never`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "never" => Some(Self::Never),
            "ondemand" => Some(Self::OnDemand),
            "constant" => Some(Self::Constant),
            _ => None,
        }
    }

    /// What the file calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnDemand => "ondemand",
            Self::Constant => "constant",
        }
    }
}
