//! Nodes with keys, for the tests of this crate.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use kozo_ground::names::{BusName, NodeName};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::members::{CannotSign, Members, NodeKeys};
use crate::subject::{SubjectKey, Subjects, Token};

/// A node's name.
pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// The subjects of the bus with this name, and the public key.
pub(crate) fn subjects(bus: &str) -> Subjects {
    Subjects::new(BusName::new(bus).unwrap(), &SubjectKey::public())
}

/// A network file that tests can change: which nodes are on the bus, with which keys.
#[derive(Clone, Default)]
pub(crate) struct File(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    keys: BTreeMap<NodeName, Vec<u8>>,
    refused: BTreeSet<NodeName>,
}

/// One node's view of a [`File`]: its own key, and the others' public ones.
pub(crate) struct FileKeys {
    file: File,
    own: NodeName,
    key: Ed25519KeyPair,
}

impl File {
    /// Puts a node with a key of its own into the file, made of `seed`; the same again for the same seed.
    pub(crate) fn add(&self, name: &str, seed: u8) -> FileKeys {
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = key.public_key().as_ref().to_vec();
        self.0.lock().unwrap().keys.insert(node(name), public);
        FileKeys {
            file: self.clone(),
            own: node(name),
            key,
        }
    }

    /// The node is in the file, and its policies are `never`.
    pub(crate) fn refuse(&self, name: &str) {
        self.0.lock().unwrap().refused.insert(node(name));
    }

    /// The node is in the file no more.
    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap().keys.remove(name);
    }

    /// Who is on the bus `bus`, by this file.
    pub(crate) fn members(&self, bus: &str) -> FileMembers {
        FileMembers {
            file: self.clone(),
            subjects: subjects(bus),
            names: Mutex::default(),
        }
    }
}

impl NodeKeys for FileKeys {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let text = [self.own.as_str().as_bytes(), b"\0", text].concat();
        Ok(self.key.sign(&text).as_ref().to_vec())
    }

    fn verify(&self, node: &NodeName, text: &[u8], signature: &[u8]) -> bool {
        let text = [node.as_str().as_bytes(), b"\0", text].concat();
        let content = self.file.0.lock().unwrap();
        content.keys.get(node).is_some_and(|key| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(&text, signature)
                .is_ok()
        })
    }
}

pub(crate) struct FileMembers {
    file: File,
    subjects: Subjects,
    /// The names of tokens that were asked for.
    names: Mutex<HashMap<Token, NodeName>>,
}

impl FileMembers {
    fn may_talk(&self, node: &NodeName) -> bool {
        let content = self.file.0.lock().unwrap();
        content.keys.contains_key(node) && !content.refused.contains(node)
    }
}

impl Members for FileMembers {
    fn name_of(&self, token: Token) -> Option<NodeName> {
        let content = self.file.0.lock().unwrap();
        let mut known = self.names.lock().unwrap();
        if !known.contains_key(&token) {
            let names = content.keys.keys();
            known.extend(names.map(|name| (self.subjects.node(name), name.clone())));
        }
        let name = known.get(&token)?;
        content.keys.contains_key(name).then(|| name.clone())
    }

    fn may_be_heard(&self, node: &NodeName) -> bool {
        self.may_talk(node)
    }

    fn may_read(&self, node: &NodeName) -> bool {
        self.may_talk(node)
    }
}
