//! What nodes tell each other of themselves.

/// What a node tells other nodes of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disclosure {
    /// Nothing.
    None,
    /// How its roles, links and transports are.
    Status,
    /// Also what decides about each of its links, and what happened with it lately.
    Full,
}

impl Disclosure {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::None, Self::Status, Self::Full];

    /// What the file calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Status => "status",
            Self::Full => "full",
        }
    }

    /// The one that the file calls so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}
