//! When nodes connect to each other.

/// When one node connects to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
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
}
