//! How the transport is, in words for people.

use kozo_ice::Path;
use kozo_xmpp::{Counts, Jid, State};

/// What the words are made of.
pub(crate) struct Facts<'a> {
    pub(crate) account: &'a Jid,
    pub(crate) state: &'a State,
    /// Each node to which there is a way, by name.
    pub(crate) ways: Vec<(&'a str, Path)>,
    pub(crate) counts: Counts,
    /// Descriptions of nodes that were of no use, or too many.
    pub(crate) refused: u64,
}

/// One line, the most important first: it may be cut.
pub(crate) fn words(facts: &Facts<'_>) -> String {
    let mut words = match facts.state {
        State::Online { .. } => format!("connected as {}", facts.account),
        State::Offline { reason, .. } => reason.to_string(),
    };
    for (node, path) in &facts.ways {
        words.push_str(&format!("; {node}: {}", way(path)));
    }
    let strangers = facts.counts.strangers + facts.refused;
    if strangers > 0 {
        words.push_str(&format!("; {strangers} queries refused"));
    }
    let dropped = facts.counts.dropped_events + facts.counts.oversized;
    if dropped > 0 {
        words.push_str(&format!("; {dropped} queries dropped"));
    }
    words
}

/// A way, and where it leads.
pub(crate) fn way(path: &Path) -> String {
    format!("{}, {} to {}", path.kind().name(), path.local, path.remote)
}

#[cfg(test)]
mod tests {
    use kozo_ice::CandidateKind;
    use kozo_xmpp::Reason;

    use super::*;

    #[test]
    fn the_account_the_ways_and_what_was_refused_are_told() -> Result<(), Box<dyn std::error::Error>>
    {
        let account = "cabin@example.org".parse()?;
        let path = Path {
            local: "203.0.113.10:4000".parse()?,
            local_kind: CandidateKind::ServerReflexive,
            remote: "203.0.113.20:5000".parse()?,
            remote_kind: CandidateKind::ServerReflexive,
        };
        let mut facts = Facts {
            account: &account,
            state: &State::Online {
                jid: account.clone(),
            },
            ways: vec![("barn", path)],
            counts: Counts::default(),
            refused: 2,
        };
        assert_eq!(
            words(&facts),
            "connected as cabin@example.org; barn: through NAT, 203.0.113.10:4000 to 203.0.113.20:5000; \
             2 queries refused"
        );
        let offline = State::Offline {
            reason: Reason::NoStartTls,
            retry_in: None,
        };
        facts.state = &offline;
        facts.ways.clear();
        facts.refused = 0;
        assert_eq!(words(&facts), Reason::NoStartTls.to_string());
        Ok(())
    }
}
