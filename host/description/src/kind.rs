//! Roles and transports.

use std::fmt;

/// What kind of module it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModuleKind {
    /// It does a job, with messages.
    Role,
    /// It moves bytes between nodes.
    Transport,
}

impl fmt::Display for ModuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Role => "role",
            Self::Transport => "transport",
        })
    }
}
