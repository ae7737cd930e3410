//! What is wanted elsewhere: the receivers that a message of this node may go to.

use std::sync::Arc;

use kozo_ground::interest::{Interests, Subject};
use kozo_ground::policy::ConnectPolicy;
use kozo_wire::RoleInterests;

use crate::Crowd;

/// A receiver's place in the list that [`Receivers`] was made of. A receiver is whatever takes
/// messages away from this node: a peer with the link to it, or a bus with all nodes that it carries
/// messages to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReceiverId(pub usize);

/// A role behind a receiver, by its name, and what it wants.
pub type NamedInterests = (String, Interests);

/// A receiver, and what is wanted there.
#[derive(Debug)]
pub enum Receiver {
    /// One other node.
    Node {
        /// By which policy this node sends to it.
        policy: ConnectPolicy,
        /// What its roles want to hear of, as far as the file tells.
        wanted: Vec<NamedInterests>,
    },
    /// Many nodes at once. What they say themselves stays with what carries the messages.
    Crowd(Arc<Crowd>),
}

/// The receivers, always in the same order, and what they want.
#[derive(Debug)]
pub struct Receivers(Vec<Wanted>);

#[derive(Debug)]
enum Wanted {
    /// By one node that the policies let messages go to. What its roles want to hear of is known from the
    /// file, and once they have said so themselves, from what they said. What was learnt is kept while there is
    /// no link.
    ByNode(Vec<NamedInterests>),
    ByCrowd(Arc<Crowd>),
    /// By one that they let nothing go to.
    InVain,
}

impl Receivers {
    /// Receivers, in the order in which they are named by places from then on.
    pub fn new(receivers: impl IntoIterator<Item = Receiver>) -> Self {
        let wanted = receivers.into_iter().map(|receiver| match receiver {
            Receiver::Node {
                policy: ConnectPolicy::Never,
                ..
            } => Wanted::InVain,
            Receiver::Node { wanted, .. } => Wanted::ByNode(wanted),
            Receiver::Crowd(crowd) => Wanted::ByCrowd(crowd),
        });
        Self(wanted.collect())
    }

    /// The receivers that a message with this subject goes to.
    pub fn wanting(&self, subject: &Subject<'_>) -> impl Iterator<Item = ReceiverId> {
        let places = self.0.iter().enumerate();
        let wanting = places.filter(|(_, wanted)| wanted.has(subject));
        wanting.map(|(place, _)| ReceiverId(place))
    }

    /// The names of the roles of the one node behind a receiver that want a message with this subject, as far as
    /// they are known to.
    pub fn roles_wanting(&self, id: ReceiverId, subject: &Subject<'_>) -> Vec<String> {
        let Some(Wanted::ByNode(wanted)) = self.0.get(id.0) else {
            return Vec::new();
        };
        let wanting = wanted
            .iter()
            .filter(|(_, interests)| interests.matches(subject));
        wanting.map(|(role, _)| role.clone()).collect()
    }

    /// The roles of the one node behind a receiver have said what they want to hear of, and want nothing else.
    pub fn learn(&mut self, id: ReceiverId, interests: Vec<RoleInterests>) {
        if let Some(Wanted::ByNode(wanted)) = self.0.get_mut(id.0) {
            let learnt = interests
                .into_iter()
                .map(|role| (role.role, Interests::Known(role.interests)));
            *wanted = learnt.collect();
        }
    }
}

impl Wanted {
    fn has(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::ByNode(wanted) => {
                let mut wanted = wanted.iter();
                wanted.any(|(_, interests)| interests.matches(subject))
            }
            Self::ByCrowd(crowd) => crowd.wants(subject),
            Self::InVain => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kozo_ground::interest::{Interest, Kind, Pattern};

    fn subject(kind: Kind, type_name: &'static str) -> Subject<'static> {
        Subject {
            kind,
            type_name,
            channel: None,
            role: "timer1",
            node: "clock",
        }
    }

    const TICK: Subject<'static> = Subject {
        kind: Kind::Event,
        type_name: "tick",
        channel: None,
        role: "timer1",
        node: "clock",
    };

    fn of_type(type_name: &str) -> Interest {
        Interest {
            type_name: Some(vec![Pattern::new(type_name)]),
            ..Interest::default()
        }
    }

    fn known(type_name: &str) -> Interests {
        Interests::Known(vec![of_type(type_name)])
    }

    fn hello(types: &[&str]) -> Vec<RoleInterests> {
        let roles = types
            .iter()
            .enumerate()
            .map(|(number, type_name)| RoleInterests {
                role: format!("role{number}"),
                interests: vec![of_type(type_name)],
            });
        roles.collect()
    }

    fn with_policy(policy: ConnectPolicy, wanted: Vec<Interests>) -> Receiver {
        let names = (0..).map(|number| format!("role{number}"));
        let wanted = names.zip(wanted).collect();
        Receiver::Node { policy, wanted }
    }

    fn constant(wanted: Vec<Interests>) -> Receiver {
        with_policy(ConnectPolicy::Constant, wanted)
    }

    fn places(receivers: &Receivers, subject: &Subject<'_>) -> Vec<usize> {
        receivers.wanting(subject).map(|id| id.0).collect()
    }

    #[test]
    fn a_message_goes_to_those_of_whose_roles_any_wants_it_and_once_to_each() {
        let receivers = Receivers::new([
            constant(vec![known("tick"), known("t*")]),
            constant(vec![known("tock")]),
            constant(vec![known("tock"), known("tick")]),
        ]);
        assert_eq!(places(&receivers, &TICK), [0, 2]);
        assert_eq!(places(&receivers, &subject(Kind::Event, "tock")), [0, 1, 2]);
        assert_eq!(places(&receivers, &subject(Kind::Order, "ring")), []);
    }

    #[test]
    fn the_roles_that_want_a_message_have_names() {
        let mut receivers = Receivers::new([constant(vec![known("tick"), known("tock")])]);
        assert_eq!(receivers.roles_wanting(ReceiverId(0), &TICK), ["role0"]);
        receivers.learn(ReceiverId(0), hello(&["tock", "tick", "t*"]));
        let wanting = receivers.roles_wanting(ReceiverId(0), &TICK);
        assert_eq!(wanting, ["role1", "role2"]);
        assert!(receivers.roles_wanting(ReceiverId(1), &TICK).is_empty());
    }

    #[test]
    fn behind_a_crowd_it_is_enough_that_somebody_may_want_a_message() {
        let (tick, tock) = (known("tick"), known("tock"));
        let mut receivers = Receivers::new([
            constant(vec![known("tick")]),
            Receiver::Crowd(Arc::new(Crowd::new([&tick, &tock]))),
        ]);
        assert_eq!(places(&receivers, &TICK), [0, 1]);
        assert_eq!(places(&receivers, &subject(Kind::Event, "tock")), [1]);
        assert_eq!(places(&receivers, &subject(Kind::Event, "ring")), []);
        // One of its nodes cannot speak for the others.
        receivers.learn(ReceiverId(1), hello(&["ring"]));
        assert_eq!(places(&receivers, &TICK), [0, 1]);
        assert!(receivers.roles_wanting(ReceiverId(1), &TICK).is_empty());
    }

    #[test]
    fn the_order_of_receivers_is_always_that_of_the_list() {
        let wants_all = || constant(vec![Interests::Unknown]);
        let mut receivers = Receivers::new([wants_all(), wants_all(), wants_all()]);
        receivers.learn(ReceiverId(1), hello(&["tick"]));
        receivers.learn(ReceiverId(0), hello(&["tick"]));
        assert_eq!(places(&receivers, &TICK), [0, 1, 2]);
    }

    #[test]
    fn nothing_goes_to_a_node_with_no_role_that_wants_it() {
        let receivers = Receivers::new([
            constant(vec![]),
            constant(vec![Interests::Known(vec![])]),
            constant(vec![known("tock")]),
        ]);
        assert_eq!(places(&receivers, &TICK), []);
    }

    #[test]
    fn a_role_whose_module_is_not_known_wants_everything_until_it_has_spoken() {
        let mut receivers = Receivers::new([constant(vec![Interests::Unknown])]);
        for kind in [Kind::Event, Kind::Order, Kind::Log] {
            assert_eq!(places(&receivers, &subject(kind, "tick")), [0], "{kind:?}");
        }
        receivers.learn(ReceiverId(0), hello(&["tock"]));
        assert_eq!(places(&receivers, &TICK), []);
        assert_eq!(places(&receivers, &subject(Kind::Event, "tock")), [0]);
    }

    #[test]
    fn what_was_learnt_replaces_what_was_known_and_is_kept() {
        let mut receivers =
            Receivers::new([constant(vec![known("tick")]), constant(vec![known("tick")])]);
        receivers.learn(ReceiverId(0), hello(&["tock", "tuck"]));
        for _ in 0..2 {
            assert_eq!(places(&receivers, &TICK), [1]);
            assert_eq!(places(&receivers, &subject(Kind::Event, "tock")), [0]);
            assert_eq!(places(&receivers, &subject(Kind::Event, "tuck")), [0]);
        }
        // The node was started anew, with another file.
        receivers.learn(ReceiverId(0), hello(&["tick"]));
        assert_eq!(places(&receivers, &TICK), [0, 1]);
        assert_eq!(places(&receivers, &subject(Kind::Event, "tock")), []);
        receivers.learn(ReceiverId(0), vec![]);
        assert_eq!(places(&receivers, &TICK), [1]);
    }

    #[test]
    fn nothing_goes_where_the_policies_let_nothing_go_whatever_was_learnt() {
        let mut receivers = Receivers::new([
            with_policy(ConnectPolicy::Never, vec![Interests::Unknown]),
            with_policy(ConnectPolicy::OnDemand, vec![Interests::Unknown]),
            with_policy(ConnectPolicy::Constant, vec![Interests::Unknown]),
        ]);
        assert_eq!(places(&receivers, &TICK), [1, 2]);
        receivers.learn(ReceiverId(0), hello(&["tick"]));
        assert_eq!(places(&receivers, &TICK), [1, 2]);
    }

    #[test]
    fn all_of_a_subject_counts() {
        let interest = Interest {
            kind: Some(Kind::Event),
            channel: Some(vec![Pattern::new("hall")]),
            role: Some(vec![Pattern::new("timer*")]),
            node: Some(vec![Pattern::new("clock")]),
            ..of_type("tick")
        };
        let receivers = Receivers::new([constant(vec![Interests::Known(vec![interest])])]);
        let fits = Subject {
            channel: Some("hall"),
            ..TICK
        };
        assert_eq!(places(&receivers, &fits), [0]);
        for other in [
            TICK,
            Subject {
                kind: Kind::Order,
                ..fits
            },
            Subject {
                channel: Some("attic"),
                ..fits
            },
            Subject {
                role: "cuckoo",
                ..fits
            },
            Subject {
                node: "scribe",
                ..fits
            },
            Subject {
                type_name: "tock",
                ..fits
            },
        ] {
            assert_eq!(places(&receivers, &other), [], "{other:?}");
        }
    }

    #[test]
    fn a_receiver_that_is_none_learns_nothing() {
        let mut receivers = Receivers::new([constant(vec![known("tick")])]);
        receivers.learn(ReceiverId(1), hello(&["tock"]));
        assert_eq!(places(&receivers, &TICK), [0]);
    }
}
