//! The roles of this node: which messages are for them.

use kozo_ground::interest::{Interests, Kind, Subject};
use kozo_ground::names::RoleName;

use crate::OrderSources;

/// A role of this node, as far as it matters to what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRole {
    /// Its name.
    pub name: RoleName,
    /// What it wants to hear of.
    pub interests: Interests,
    /// Whose orders it accepts.
    pub accept_orders_from: OrderSources,
}

/// Whether a role gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The role gets it.
    Deliver,
    /// The role does not want it.
    NotWanted,
    /// The message is an order that the role wants, of a sender that it accepts no orders from:
    /// to be counted, and told.
    OrderRefused,
}

impl LocalRole {
    /// Whether the role gets a message with this subject, of another node or of this one. A role gets
    /// its own messages, too, if it wants them.
    pub fn judge(&self, subject: &Subject<'_>) -> Verdict {
        let is_accepted = || {
            subject.kind != Kind::Order
                || self.accept_orders_from.accept(subject.role, subject.node)
        };
        if !self.interests.matches(subject) {
            Verdict::NotWanted
        } else if is_accepted() {
            Verdict::Deliver
        } else {
            Verdict::OrderRefused
        }
    }
}

#[cfg(test)]
mod tests {
    use kozo_ground::interest::{Interest, Pattern};

    use super::*;
    use crate::SenderPattern;

    fn subject<'a>(kind: Kind, type_name: &'a str, role: &'a str, node: &'a str) -> Subject<'a> {
        Subject {
            kind,
            type_name,
            channel: None,
            role,
            node,
        }
    }

    fn cuckoo(interests: Interests, orders: &[&str]) -> LocalRole {
        let patterns = orders
            .iter()
            .map(|text| SenderPattern::parse(text).unwrap());
        LocalRole {
            name: RoleName::new("cuckoo").unwrap(),
            interests,
            accept_orders_from: OrderSources::Listed(patterns.collect()),
        }
    }

    fn wants(kind: Kind, type_name: &str) -> Interests {
        Interests::Known(vec![Interest {
            kind: Some(kind),
            type_name: Some(vec![Pattern::new(type_name)]),
            ..Interest::default()
        }])
    }

    #[test]
    fn a_role_gets_what_it_wants_from_this_node_and_from_others() {
        let role = cuckoo(wants(Kind::Event, "tick"), &[]);
        for node in ["clock", "scribe"] {
            let judge = |kind, type_name| role.judge(&subject(kind, type_name, "timer1", node));
            assert_eq!(judge(Kind::Event, "tick"), Verdict::Deliver, "{node}");
            assert_eq!(judge(Kind::Event, "tock"), Verdict::NotWanted, "{node}");
            assert_eq!(judge(Kind::Log, "tick"), Verdict::NotWanted, "{node}");
        }
    }

    #[test]
    fn an_interest_may_name_the_node_that_sends() {
        let of_scribe = Interest {
            node: Some(vec![Pattern::new("scribe")]),
            ..Interest::default()
        };
        let role = cuckoo(Interests::Known(vec![of_scribe]), &[]);
        let judge = |node| role.judge(&subject(Kind::Event, "tick", "timer1", node));
        assert_eq!(judge("scribe"), Verdict::Deliver);
        assert_eq!(judge("clock"), Verdict::NotWanted);
    }

    #[test]
    fn a_role_gets_its_own_messages_if_it_wants_them() {
        let role = cuckoo(wants(Kind::Event, "tick"), &[]);
        let own = subject(Kind::Event, "tick", "cuckoo", "clock");
        assert_eq!(role.judge(&own), Verdict::Deliver);
    }

    #[test]
    fn a_role_whose_module_tells_nothing_gets_everything() {
        let role = cuckoo(Interests::Unknown, &[]);
        let log = subject(Kind::Log, "", "timer1", "clock");
        assert_eq!(role.judge(&log), Verdict::Deliver);
    }

    #[test]
    fn orders_are_taken_from_those_that_the_file_names() {
        let role = cuckoo(wants(Kind::Order, "ring"), &["scribe", "timer*@clock"]);
        for (sender, node, verdict) in [
            ("anybody", "scribe", Verdict::Deliver),
            ("timer1", "clock", Verdict::Deliver),
            ("bell", "clock", Verdict::OrderRefused),
            ("timer1", "attic", Verdict::OrderRefused),
        ] {
            let order = subject(Kind::Order, "ring", sender, node);
            assert_eq!(role.judge(&order), verdict, "{sender}@{node}");
        }
    }

    #[test]
    fn nobody_orders_a_role_that_names_nobody_and_everybody_one_without_a_list() {
        let mut role = cuckoo(wants(Kind::Order, "ring"), &[]);
        let order = subject(Kind::Order, "ring", "timer1", "clock");
        assert_eq!(role.judge(&order), Verdict::OrderRefused);
        role.accept_orders_from = OrderSources::Everybody;
        assert_eq!(role.judge(&order), Verdict::Deliver);
    }

    #[test]
    fn only_orders_are_refused() {
        let role = cuckoo(Interests::Unknown, &[]);
        for kind in [Kind::Event, Kind::Log] {
            let verdict = role.judge(&subject(kind, "ring", "timer1", "clock"));
            assert_eq!(verdict, Verdict::Deliver, "{kind:?}");
        }
    }

    #[test]
    fn an_order_that_the_role_does_not_want_counts_as_no_refusal() {
        let role = cuckoo(wants(Kind::Order, "ring"), &[]);
        let order = subject(Kind::Order, "stop", "timer1", "clock");
        assert_eq!(role.judge(&order), Verdict::NotWanted);
    }
}
