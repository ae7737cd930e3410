//! What a role, or whoever else asks, may see and do of a node.

use serde::{Deserialize, Serialize};

/// One thing that may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// To see how the node is, and others as far as they tell it: roles, links, transports, counts.
    Status,
    /// To see messages as they pass, whoever they are for.
    Messages,
    /// To steer it: restart roles, send as the node's own, change the log's level.
    Control,
}

impl Grant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Status, Self::Messages, Self::Control];

    /// What the file calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Messages => "messages",
            Self::Control => "control",
        }
    }

    /// The one that the file calls so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}

/// Several of them, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants(u8);

impl Grants {
    /// Everything.
    pub fn all() -> Self {
        Grant::ALL.into_iter().collect()
    }

    /// Whether this is among them.
    pub fn contains(self, grant: Grant) -> bool {
        self.0 & Self::bit(grant) != 0
    }

    /// Those of them that are not among `others`.
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Grant> {
        Grant::ALL
            .into_iter()
            .filter(move |grant| self.contains(*grant))
    }

    fn bit(grant: Grant) -> u8 {
        1 << grant as u8
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        let bits = grants.into_iter().map(Self::bit);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_sets() {
        let two: Grants = ["status", "messages", "status"]
            .into_iter()
            .filter_map(Grant::from_name)
            .collect();
        assert!(two.iter().eq([Grant::Status, Grant::Messages]));
        assert!(Grants::all().without(two).iter().eq([Grant::Control]));
        assert!(two.without(Grants::all()).is_empty());
        assert!(!Grants::default().contains(Grant::Status));
        assert_eq!(Grant::from_name("everything"), None);
    }
}
