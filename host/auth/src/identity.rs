//! Who this node is, and which keys it trusts for the others.

use std::fmt;
use std::sync::Arc;

use kozo_ground::names::NodeName;
use russh::keys::ssh_key::public::{Ed25519PublicKey, KeyData};

use crate::keys::{PrivateKey, PublicKey, fingerprint};

/// This node's name and the key that proves it.
#[derive(Clone)]
pub struct Identity {
    /// The name that the network file gives this node.
    pub node: NodeName,
    /// The private half of its `publicKey`.
    pub key: Arc<PrivateKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("node", &self.node)
            .field("key", &fingerprint(self.key.public_key()))
            .finish()
    }
}

/// The public half of a node's key, without its comment, in little room: a network may have ten thousand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey(Form);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Ed25519([u8; Ed25519PublicKey::BYTE_SIZE]),
    /// Any other, as SSH sends it.
    Other(Box<[u8]>),
}

impl NodeKey {
    /// What a key is, whatever its comment says.
    pub fn new(key: &PublicKey) -> Self {
        Self(match key.key_data() {
            KeyData::Ed25519(key) => Form::Ed25519(key.0),
            // Encoding fails only for lengths beyond 32 bits, which no key has.
            _ => Form::Other(key.to_bytes().unwrap_or_default().into()),
        })
    }

    /// The key, without a comment.
    pub fn public_key(&self) -> Option<PublicKey> {
        match &self.0 {
            Form::Ed25519(bytes) => Some(KeyData::Ed25519(Ed25519PublicKey(*bytes)).into()),
            Form::Other(bytes) => PublicKey::from_bytes(bytes).ok(),
        }
    }

    /// The key's fingerprint as `ssh-keygen -l` prints it (`SHA256:…`).
    pub fn fingerprint(&self) -> String {
        self.public_key()
            .as_ref()
            .map(fingerprint)
            .unwrap_or_default()
    }
}

/// The public keys of the network's nodes, as the network file gives them.
///
/// Keys are compared by what they are, never by their comment.
#[derive(Debug, Default)]
pub struct TrustedKeys {
    /// The nodes by their names, each with the place of its first key.
    nodes: Box<[(NodeName, u32)]>,
    /// Their keys, in the order of the nodes.
    keys: Box<[NodeKey]>,
    /// The places of all keys, in the order of the keys themselves and, for the same key, of the nodes.
    by_key: Box<[u32]>,
}

impl TrustedKeys {
    /// The keys of `node`, or `None` when the file has no such node.
    pub fn keys(&self, node: &str) -> Option<&[NodeKey]> {
        let place = self.place(node)?;
        let start = self.nodes[place].1;
        let end = match self.nodes.get(place + 1) {
            Some((_, end)) => *end as usize,
            None => self.keys.len(),
        };
        self.keys.get(start as usize..end)
    }

    /// The file's own copy of a node's name.
    pub fn node(&self, name: &str) -> Option<&NodeName> {
        Some(&self.nodes[self.place(name)?].0)
    }

    /// The node that `key` is of: the first one by name, if there are several.
    pub fn holder(&self, key: &PublicKey) -> Option<&NodeName> {
        let key = NodeKey::new(key);
        let key_at = |at: &u32| &self.keys[*at as usize];
        let first = self.by_key.partition_point(|at| *key_at(at) < key);
        let at = self.by_key.get(first).filter(|at| *key_at(at) == key)?;
        let after = self.nodes.partition_point(|(_, start)| start <= at);
        Some(&self.nodes.get(after.checked_sub(1)?)?.0)
    }

    /// Whether `key` is one of the keys of `node`.
    pub fn holds(&self, node: &str, key: &PublicKey) -> bool {
        self.keys(node).is_some_and(|keys| is_one_of(key, keys))
    }

    fn place(&self, node: &str) -> Option<usize> {
        let by_name = |(name, _): &(NodeName, u32)| name.as_str().cmp(node);
        self.nodes.binary_search_by(by_name).ok()
    }
}

/// A node that is there several times has all of its keys; one may have none.
impl FromIterator<(NodeName, Vec<NodeKey>)> for TrustedKeys {
    fn from_iter<I: IntoIterator<Item = (NodeName, Vec<NodeKey>)>>(nodes: I) -> Self {
        let mut given: Vec<_> = nodes.into_iter().collect();
        given.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (mut nodes, mut keys) = (Vec::<(NodeName, u32)>::new(), Vec::new());
        for (node, of_node) in given {
            // No file has as many keys as that.
            let start = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            if nodes.last().is_none_or(|(last, _)| *last != node) {
                nodes.push((node, start));
            }
            keys.extend(of_node);
        }
        let mut by_key: Vec<u32> = (0..).take(keys.len()).collect();
        by_key.sort_by_key(|at| (&keys[*at as usize], *at));
        Self {
            nodes: nodes.into(),
            keys: keys.into(),
            by_key: by_key.into(),
        }
    }
}

impl FromIterator<(NodeName, Vec<PublicKey>)> for TrustedKeys {
    fn from_iter<I: IntoIterator<Item = (NodeName, Vec<PublicKey>)>>(nodes: I) -> Self {
        let compact = |keys: Vec<PublicKey>| keys.iter().map(NodeKey::new).collect::<Vec<_>>();
        let nodes = nodes.into_iter().map(|(node, keys)| (node, compact(keys)));
        nodes.collect()
    }
}

/// Whether `key` is one of `keys`, whatever the comments say.
pub(crate) fn is_one_of(key: &PublicKey, keys: &[NodeKey]) -> bool {
    keys.contains(&NodeKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{NewKey, generate, parse_public, public_line};

    #[test]
    fn a_key_is_known_by_what_it_is_and_not_by_its_comment() {
        let key = generate(NewKey::Ed25519, "attic").unwrap();
        let other = generate(NewKey::Ed25519, "attic").unwrap();
        let attic = NodeName::new("attic").unwrap();
        let line = public_line(&key).replace("attic", "renamed");
        let trust: TrustedKeys = [(attic, vec![parse_public(&line).unwrap()])]
            .into_iter()
            .collect();
        assert!(trust.holds("attic", key.public_key()));
        assert!(!trust.holds("attic", other.public_key()));
        assert!(!trust.holds("cellar", key.public_key()));
        assert_eq!(trust.node("attic").unwrap().as_str(), "attic");
        assert!(trust.node("cellar").is_none());
    }

    #[test]
    fn each_node_has_its_own_keys_and_each_key_its_node() {
        let kinds = [
            NewKey::Ed25519,
            NewKey::EcdsaP256,
            NewKey::Rsa { bits: 2048 },
        ];
        let made: Vec<_> = kinds
            .map(|kind| generate(kind, "x").unwrap().public_key().clone())
            .into();
        let name = |name: &str| NodeName::new(name).unwrap();
        let trust: TrustedKeys = [
            (name("cellar"), vec![made[1].clone()]),
            (name("bare"), vec![]),
            (name("attic"), vec![made[0].clone()]),
            (name("cellar"), vec![made[2].clone()]),
        ]
        .into_iter()
        .collect();
        for (node, held) in [("attic", &made[..1]), ("bare", &[]), ("cellar", &made[1..])] {
            let keys = trust.keys(node).unwrap();
            let back: Vec<_> = keys.iter().map(|key| key.public_key().unwrap()).collect();
            assert!(
                back.iter()
                    .zip(held)
                    .all(|(one, other)| one.key_data() == other.key_data())
            );
            assert_eq!(back.len(), held.len(), "{node}");
            for key in &made {
                assert_eq!(trust.holds(node, key), held.contains(key), "{node}");
            }
            for key in held {
                assert_eq!(trust.holder(key), Some(&name(node)));
            }
        }
        let shown: Vec<_> = trust
            .keys("attic")
            .unwrap()
            .iter()
            .map(NodeKey::fingerprint)
            .collect();
        assert_eq!(shown, [fingerprint(&made[0])]);
        assert_eq!(trust.keys("roof"), None);
        let strange = generate(NewKey::Ed25519, "x").unwrap();
        assert_eq!(trust.holder(strange.public_key()), None);
    }

    #[test]
    fn a_key_of_two_nodes_is_of_the_first_by_name() {
        let key = generate(NewKey::Ed25519, "x").unwrap().public_key().clone();
        let other = generate(NewKey::Ed25519, "x").unwrap().public_key().clone();
        let name = |name: &str| NodeName::new(name).unwrap();
        let trust: TrustedKeys = [
            (name("roof"), vec![key.clone()]),
            (name("attic"), vec![other, key.clone()]),
        ]
        .into_iter()
        .collect();
        assert_eq!(trust.holder(&key), Some(&name("attic")));
    }

    #[test]
    fn an_identity_shown_in_a_log_holds_no_secret() {
        let key = generate(NewKey::Ed25519, "attic").unwrap();
        let shown = format!(
            "{:?}",
            Identity {
                node: NodeName::new("attic").unwrap(),
                key: Arc::new(key.clone()),
            }
        );
        assert!(shown.contains(&fingerprint(key.public_key())), "{shown}");
        assert!(shown.len() < 200, "{shown}");
    }
}
