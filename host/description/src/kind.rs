//! Roles, transports and buses.

use std::fmt;

/// What kind of module it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModuleKind {
    /// It does a job, with messages.
    Role,
    /// It moves bytes between nodes.
    Transport,
    /// It moves datagrams between all nodes on it, over an engine that is there already.
    Bus,
}

impl ModuleKind {
    /// Several of the kind.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::Transport => "transports",
            Self::Bus => "buses",
        }
    }

    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Role, Self::Transport, Self::Bus];

    /// The option for the folders in which modules of the kind are looked for; those for transports
    /// hold buses as well.
    pub fn search_path(self) -> &'static str {
        match self {
            Self::Role => "rolePath",
            Self::Transport | Self::Bus => "transportPath",
        }
    }
}

impl fmt::Display for ModuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Role => "role",
            Self::Transport => "transport",
            Self::Bus => "bus",
        })
    }
}
