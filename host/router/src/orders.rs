//! Whose orders a role accepts (`acceptOrdersFrom`).

use kozo_ground::interest::Pattern;

/// Who may give orders to a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OrderSources {
    /// Every role of every node.
    #[default]
    Everybody,
    /// Senders that fit one of these; nobody when there is none.
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
    /// The senders' roles; all when there is none.
    pub role: Option<Pattern>,
    /// The senders' nodes.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, role: &str, node: &str) -> bool {
        let pattern = SenderPattern::parse(pattern).expect("a pattern");
        pattern.matches(role, node)
    }

    #[test]
    fn a_node_stands_for_all_its_roles_and_stars_for_any_run() {
        assert!(matches("scribe", "anybody", "scribe"));
        assert!(!matches("scribe", "scribe", "clock"));
        assert!(matches("timer*@clock", "timer1", "clock"));
        assert!(!matches("timer*@clock", "bell", "clock"));
        assert!(!matches("timer*@clock", "timer1", "attic"));
        assert!(matches("*@*.example", "timer1", "clock.example"));
    }

    #[test]
    fn what_no_sender_could_fit_is_no_pattern() {
        for text in [
            "",
            "@clock",
            "timer@",
            "a b",
            "timer.1@clock",
            "a@b@c",
            "clöck",
        ] {
            assert_eq!(SenderPattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_pattern_that_fits_is_enough_and_none_is_nobody() {
        let listed = |texts: &[&str]| {
            let patterns = texts.iter().map(|text| SenderPattern::parse(text));
            OrderSources::Listed(
                patterns
                    .map(|pattern| pattern.expect("a pattern"))
                    .collect(),
            )
        };
        assert!(listed(&["attic", "timer1@clock"]).accept("timer1", "clock"));
        assert!(!listed(&["attic", "timer1@clock"]).accept("bell", "clock"));
        assert!(!listed(&[]).accept("timer1", "clock"));
        assert!(OrderSources::Everybody.accept("timer1", "clock"));
    }
}
