//! Whose orders a role accepts (`acceptOrdersFrom`).

use kozo_ground::interest::Pattern;

/// Who may give orders to a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OrderSources {
    /// Every role of every node.
    #[default]
    Everybody,
    /// Those that fit one of these; nobody when there is none.
    Listed(Vec<SenderPattern>),
}

impl OrderSources {
    /// Whether an order of this role on this node is taken.
    pub fn accept(&self, role: &str, node: &str) -> bool {
        match self {
            Self::Everybody => true,
            Self::Listed(patterns) => patterns.iter().any(|pattern| pattern.matches(role, node)),
        }
    }
}

/// Some senders: `NODE` for all roles of a node, or `ROLE@NODE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderPattern {
    /// The roles; all when there is none.
    pub role: Option<Pattern>,
    /// The nodes.
    pub node: Pattern,
}

impl SenderPattern {
    /// Reads `NODE` or `ROLE@NODE`. `None` for anything that no sender could fit.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |part: &str, dots: bool| {
            !part.is_empty()
                && part.chars().all(|c| {
                    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*') || (dots && c == '.')
                })
        };
        let (role, node) = match text.split_once('@') {
            Some((role, node)) => (Some(role), node),
            None => (None, text),
        };
        let valid = role.is_none_or(|role| fits(role, false)) && fits(node, true);
        valid.then(|| Self {
            role: role.map(Pattern::new),
            node: Pattern::new(node),
        })
    }

    /// Whether this role on this node fits.
    pub fn matches(&self, role: &str, node: &str) -> bool {
        self.node.matches(node)
            && self
                .role
                .as_ref()
                .is_none_or(|pattern| pattern.matches(role))
    }
}
