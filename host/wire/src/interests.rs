//! What a node tells its peers of the interests of its roles, so that they take it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use kozo_ground::interest::Interest;

use super::frame::MAX_HELLO_LEN;
use super::hello::{MAX_INTERESTS, RoleInterests};

/// What everything else in a hello has room for: names, some numbers, a few links.
const REST_LEN: usize = 16 * 1024;

/// How long the interests of all roles are together at most, encoded.
const MAX_LEN: usize = MAX_HELLO_LEN - REST_LEN;

/// The interests of a node's roles as they go into its hello.
///
/// Peers refuse a hello that is too large. Then the roles that take most room are summed up: such a
/// role seems to want all messages of the kinds that it wants any of. Its node gets more messages
/// than it needs and drops the others, as it does anyway, so no role sees a difference.
#[derive(Debug, Clone, PartialEq)]
pub struct ToldInterests {
    /// One entry a role; a single one for all of them where even that is too much.
    pub roles: Vec<RoleInterests>,
    /// What was too large, if anything was.
    pub summed_up: Option<SummedUp>,
}

/// Why and how interests were summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "what its roles want to hear of are {interests} interests, {length} bytes together, and other nodes take \
     {MAX_INTERESTS} of {MAX_LEN} bytes: {roles} of the roles are told of less exactly, so that messages are \
     sent here which no role wants"
)]
pub struct SummedUp {
    /// How many interests there were.
    pub interests: usize,
    /// How many bytes they had, encoded.
    pub length: usize,
    /// How many roles are told less exactly now.
    pub roles: usize,
}

impl ToldInterests {
    /// The same interests, or as exact ones as there is room for.
    pub fn new(mut roles: Vec<RoleInterests>) -> Self {
        let (mut count, mut length) = totals(&roles);
        let mut summed_up = SummedUp {
            interests: count,
            length,
            roles: 0,
        };
        let fits = |count, length| count <= MAX_INTERESTS && length <= MAX_LEN;
        if fits(count, length) {
            return Self {
                roles,
                summed_up: None,
            };
        }
        let mut largest: Vec<usize> = (0..roles.len()).collect();
        largest.sort_by_cached_key(|&place| Reverse(encoded_len(&roles[place])));
        for place in largest {
            let role = &mut roles[place];
            let (old_count, old_length) = (role.count(), encoded_len(role));
            let kinds = by_kind(&role.interests);
            if kinds == role.interests {
                continue;
            }
            role.interests = kinds;
            count = count - old_count + role.count();
            length = length - old_length + encoded_len(role);
            summed_up.roles += 1;
            if fits(count, length) {
                break;
            }
        }
        if !fits(count, length) {
            let all = roles.iter().flat_map(|role| &role.interests);
            let interests = by_kind(&all.cloned().collect::<Vec<_>>());
            summed_up.roles = roles.len();
            roles.truncate(1);
            roles
                .iter_mut()
                .for_each(|role| role.interests = interests.clone());
        }
        Self {
            roles,
            summed_up: Some(summed_up),
        }
    }
}

/// How many interests there are as a hello counts them, and how long they are.
fn totals(roles: &[RoleInterests]) -> (usize, usize) {
    let count = roles.iter().map(RoleInterests::count).sum();
    (count, roles.iter().map(encoded_len).sum())
}

fn encoded_len(role: &RoleInterests) -> usize {
    // Texts in lists always have an encoding.
    rmp_serde::to_vec_named(role).map_or(0, |bytes| bytes.len())
}

/// Interests in all messages of the kinds that these are interested in.
fn by_kind(interests: &[Interest]) -> Vec<Interest> {
    let kinds: BTreeSet<_> = interests.iter().map(|interest| interest.kind).collect();
    if kinds.contains(&None) {
        return vec![Interest::default()];
    }
    let of_kind = |kind| Interest {
        kind,
        ..Interest::default()
    };
    kinds.into_iter().map(of_kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FrameDecoder, FrameError, FrameWriter, Hello, PROTOCOL, SessionId};
    use kozo_ground::interest::{Kind, Pattern, Subject};

    fn role(name: &str, patterns: usize) -> RoleInterests {
        let patterns = (0..patterns).map(|number| Pattern::new(format!("{name}-{number:060}")));
        RoleInterests {
            role: name.to_owned(),
            interests: vec![Interest {
                kind: Some(Kind::Log),
                node: Some(patterns.collect()),
                ..Interest::default()
            }],
        }
    }

    /// Whether a peer takes a hello with these.
    fn is_taken(roles: &[RoleInterests]) -> bool {
        let mut writer = FrameWriter::default();
        writer.hello(&Hello {
            protocol: PROTOCOL,
            node: "n".repeat(kozo_ground::names::MAX_NAME_LEN),
            agent: "kozo 0.1.0".to_owned(),
            features: vec![],
            session: SessionId(u64::MAX),
            link: None,
            rank: 8,
            alive: vec![],
            heartbeat: u64::MAX,
            base: u64::MAX,
            seen: Some((SessionId(u64::MAX), u64::MAX)),
            config: vec![0; 32].into(),
            interests: roles.to_vec(),
        });
        let taken = |_| Ok::<_, FrameError>(());
        FrameDecoder::default()
            .decode(&writer.take(), taken)
            .is_ok()
    }

    #[test]
    fn what_fits_is_told_as_it_is() {
        let roles = vec![role("a", 100), role("b", 0)];
        let told = ToldInterests::new(roles.clone());
        assert_eq!(told.roles, roles);
        assert_eq!(told.summed_up, None);
    }

    #[test]
    fn the_largest_roles_are_summed_up_until_peers_take_it() {
        let mut roles: Vec<_> = (0..60)
            .map(|number| role(&format!("r{number}"), 100))
            .collect();
        roles.push(role("small", 2));
        assert!(!is_taken(&roles));
        let told = ToldInterests::new(roles.clone());
        assert!(is_taken(&told.roles));
        let summed_up = told.summed_up.unwrap();
        assert!((1..60).contains(&summed_up.roles), "{summed_up}");
        assert_eq!(told.roles[60], roles[60]);
        assert_eq!(told.roles.len(), 61);
        // Whatever was wanted before is wanted still.
        let wanted = format!("r0-{:060}", 7);
        let subject = Subject {
            kind: Kind::Log,
            type_name: "",
            channel: None,
            role: "x",
            node: &wanted,
        };
        let wants = |role: &RoleInterests| role.interests.iter().any(|one| one.matches(&subject));
        assert!(wants(&roles[0]) && wants(&told.roles[0]));
        let event = Subject {
            kind: Kind::Event,
            ..subject
        };
        assert!(
            !told
                .roles
                .iter()
                .flat_map(|role| &role.interests)
                .any(|one| one.matches(&event))
        );
    }

    #[test]
    fn too_many_interests_are_summed_up_too() {
        let mut many = role("many", 0);
        many.interests = (0..MAX_INTERESTS + 1)
            .map(|number| Interest {
                kind: Some(if number % 2 == 0 {
                    Kind::Event
                } else {
                    Kind::Order
                }),
                type_name: Some(vec![Pattern::new(number.to_string())]),
                ..Interest::default()
            })
            .collect();
        let told = ToldInterests::new(vec![many]);
        assert_eq!(told.roles[0].interests.len(), 2);
        assert!(is_taken(&told.roles));
    }

    #[test]
    fn more_roles_than_a_hello_may_name_share_one_entry() {
        let roles: Vec<_> = (0..=MAX_INTERESTS)
            .map(|number| role(&format!("r{number}"), 1))
            .collect();
        let told = ToldInterests::new(roles);
        assert_eq!(told.roles.len(), 1);
        assert_eq!(
            told.roles[0].interests,
            [Interest {
                kind: Some(Kind::Log),
                ..Interest::default()
            }]
        );
        assert!(is_taken(&told.roles));
    }
}
