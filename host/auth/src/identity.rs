//! Who this node is, and which keys it trusts for the others.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use kozo_ground::names::NodeName;

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

/// The public keys of the network's nodes, as the network file gives them.
///
/// Keys are compared by what they are, never by their comment.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys {
    keys: HashMap<NodeName, Arc<[PublicKey]>>,
}

impl TrustedKeys {
    /// The keys of `node`, or `None` when the file has no such node.
    pub(crate) fn keys(&self, node: &str) -> Option<&Arc<[PublicKey]>> {
        self.keys.get(node)
    }

    /// The file's own copy of a node's name.
    pub(crate) fn node(&self, name: &str) -> Option<&NodeName> {
        self.keys.get_key_value(name).map(|(name, _)| name)
    }

    /// The node that `key` is of: the first one by name, if there are several.
    pub(crate) fn holder(&self, key: &PublicKey) -> Option<&NodeName> {
        let holders = self.keys.iter().filter(|(_, keys)| is_one_of(key, keys));
        holders.map(|(node, _)| node).min()
    }

    /// Whether `key` is one of the keys of `node`.
    pub(crate) fn holds(&self, node: &str, key: &PublicKey) -> bool {
        self.keys(node).is_some_and(|keys| is_one_of(key, keys))
    }
}

impl FromIterator<(NodeName, Vec<PublicKey>)> for TrustedKeys {
    fn from_iter<I: IntoIterator<Item = (NodeName, Vec<PublicKey>)>>(nodes: I) -> Self {
        let keys = nodes
            .into_iter()
            .map(|(node, keys)| (node, keys.into()))
            .collect();
        Self { keys }
    }
}

/// Whether `key` is one of `keys`, whatever the comments say.
pub(crate) fn is_one_of(key: &PublicKey, keys: &[PublicKey]) -> bool {
    keys.iter().any(|known| known.key_data() == key.key_data())
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
