//! Proofs of who a node is, for transports that secure their streams by themselves, and for buses.
//!
//! A transport hands over data of its own, something that only the two ends of one stream know (a
//! channel binding), and gets a signature of the node's key. What is signed is never that data
//! alone: it is the text that OpenSSH calls SSHSIG, whose namespace names this use and the
//! transport's module, over the signer's name and the data. So nothing that a transport can ask
//! for is of use anywhere else: not to log in by SSH, and not with another module. Each is a PEM
//! text, which `ssh-keygen -Y verify` can check as well.
//!
//! What a node says of its session on a bus is signed in the same way, with a namespace of its own
//! ([`BusAttestor`]): what a transport had signed is of no use on a bus, nor the other way round.

use std::sync::Arc;

use kozo_ground::names::{ModuleName, NodeName};
use russh::keys::ssh_key::{LineEnding, SshSig};
use russh::keys::{HashAlg, PrivateKey};

use crate::algorithms::accepts_signature;
use crate::identity::{Identity, TrustedKeys};

/// The start of the namespace for transports; the module's name follows.
const TRANSPORT: &str = "kozo-transport-v1@";
/// The start of the namespace for buses; the module's name follows.
const BUS: &str = "kozo-bus-v1@";

/// The most data that is signed, in bytes: a channel binding has some dozens.
pub const MAX_DATA_LEN: usize = 64 << 10;

/// The longest signature that is looked at, in bytes: that of the largest RSA key has some 5000.
const MAX_SIGNATURE_LEN: usize = 16 << 10;

/// Why there is no signature, or why one proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// More data than is ever signed.
    #[error("{0} bytes are too many to sign: sign a hash of them, or {MAX_DATA_LEN} at most")]
    TooLong(usize),
    /// The key cannot sign.
    #[error("this node's key cannot sign")]
    Sign(#[source] russh::keys::ssh_key::Error),
    /// The file has no such node.
    #[error("`{0}` is no node of the network file")]
    UnknownNode(String),
    /// This node itself is claimed.
    #[error("`{0}` is this node")]
    OwnNode(NodeName),
    /// It is no signature.
    #[error("the signature that is to be of `{node}` is none")]
    NotSignature {
        /// Whose it was to be.
        node: NodeName,
        /// Why; none: it is longer than any signature.
        source: Option<russh::keys::ssh_key::Error>,
    },
    /// Somebody else's, or of something else.
    #[error("the signature is not of `{0}`, or of something else")]
    Wrong(NodeName),
}

/// Signs for this node, and verifies what others signed.
#[derive(Debug, Clone)]
pub struct Attestor {
    identity: Identity,
    trust: Arc<TrustedKeys>,
}

impl Attestor {
    /// An attestor for the node `identity`.
    pub fn new(identity: Identity, trust: Arc<TrustedKeys>) -> Self {
        Self { identity, trust }
    }

    /// Signs `data` for a transport of this module.
    ///
    /// # Errors
    /// The data is too long, or the key cannot sign.
    pub fn sign(&self, module: &ModuleName, data: &[u8]) -> Result<Vec<u8>, AttestError> {
        self.sign_in(&namespace(TRANSPORT, module), data)
    }

    /// Checks that `node` signed `data`, on another machine and for a transport of this module.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn verify(
        &self,
        module: &ModuleName,
        node: &str,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), AttestError> {
        let node = self.peer(node)?;
        self.verify_in(&namespace(TRANSPORT, module), node, data, signature)
    }

    /// The other node of this name.
    ///
    /// # Errors
    /// There is none, or it is this one.
    pub fn peer(&self, name: &str) -> Result<NodeName, AttestError> {
        match self.trust.node(name) {
            Some(node) if *node == self.identity.node => Err(AttestError::OwnNode(node.clone())),
            Some(node) => Ok(node.clone()),
            None => Err(AttestError::UnknownNode(
                kozo_ground::text::printable(name).into_owned(),
            )),
        }
    }

    fn sign_in(&self, namespace: &str, data: &[u8]) -> Result<Vec<u8>, AttestError> {
        let text = text(&self.identity.node, data)?;
        let key: &PrivateKey = &self.identity.key;
        key.sign(namespace, HashAlg::Sha512, &text)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map(String::into_bytes)
            .map_err(AttestError::Sign)
    }

    fn verify_in(
        &self,
        namespace: &str,
        node: NodeName,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), AttestError> {
        let text = text(&node, data)?;
        if signature.len() > MAX_SIGNATURE_LEN {
            return Err(AttestError::NotSignature { node, source: None });
        }
        let signature = match SshSig::from_pem(signature) {
            Ok(signature) => signature,
            Err(error) => {
                let source = Some(error);
                return Err(AttestError::NotSignature { node, source });
            }
        };
        let signer = signature.public_key().clone().into();
        let holds = self.trust.holds(node.as_str(), &signer)
            && accepts_signature(&signature.algorithm())
            && signer.verify(namespace, &text, &signature).is_ok();
        match holds {
            true => Ok(()),
            false => Err(AttestError::Wrong(node)),
        }
    }
}

/// Signs for this node on the buses of one module, and verifies what nodes signed for them.
#[derive(Debug, Clone)]
pub struct BusAttestor {
    attestor: Attestor,
    namespace: String,
}

impl BusAttestor {
    /// One for the buses of this module.
    pub fn new(attestor: Attestor, module: &ModuleName) -> Self {
        Self {
            attestor,
            namespace: namespace(BUS, module),
        }
    }

    /// Signs `data`.
    ///
    /// # Errors
    /// The data is too long, or the key cannot sign.
    pub fn sign(&self, data: &[u8]) -> Result<Vec<u8>, AttestError> {
        self.attestor.sign_in(&self.namespace, data)
    }

    /// Checks that `node` signed `data` for a bus of this module. It may be this node itself: what it signed in an
    /// earlier run, or what another daemon signs with its key, comes back over a bus.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn verify(
        &self,
        node: &NodeName,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), AttestError> {
        self.attestor
            .verify_in(&self.namespace, node.clone(), data, signature)
    }
}

fn namespace(start: &str, module: &ModuleName) -> String {
    format!("{start}{module}")
}

/// The signer's name belongs to it: two nodes may have one key.
fn text(node: &NodeName, data: &[u8]) -> Result<Vec<u8>, AttestError> {
    if data.len() > MAX_DATA_LEN {
        return Err(AttestError::TooLong(data.len()));
    }
    // No name has a zero in it, so the first one ends it.
    Ok([node.as_str().as_bytes(), b"\0", data].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{NewKey, generate};

    fn name(text: &str) -> ModuleName {
        ModuleName::new(text).unwrap()
    }

    /// Attestors of two nodes that know each other.
    fn pair(kind: NewKey) -> (Attestor, Attestor) {
        let nodes = ["attic", "cellar"].map(|node| NodeName::new(node).unwrap());
        let keys = [(); 2].map(|()| generate(kind, "test").unwrap());
        let trust: TrustedKeys = nodes
            .iter()
            .zip(&keys)
            .map(|(node, key)| (node.clone(), vec![key.public_key().clone()]))
            .collect();
        let trust = Arc::new(trust);
        let mut attestors = nodes.into_iter().zip(keys).map(|(node, key)| {
            let identity = Identity {
                node,
                key: Arc::new(key),
            };
            Attestor::new(identity, Arc::clone(&trust))
        });
        (attestors.next().unwrap(), attestors.next().unwrap())
    }

    #[test]
    fn what_one_node_signed_the_other_verifies() {
        for kind in [
            NewKey::Ed25519,
            NewKey::EcdsaP256,
            NewKey::Rsa { bits: 2048 },
        ] {
            let (attic, cellar) = pair(kind);
            let signature = attic.sign(&name("tls"), b"binding").unwrap();
            cellar
                .verify(&name("tls"), "attic", b"binding", &signature)
                .unwrap();
        }
    }

    #[test]
    fn a_signature_is_good_for_one_node_one_module_and_one_text() {
        let (attic, cellar) = pair(NewKey::Ed25519);
        let signature = attic.sign(&name("tls"), b"binding").unwrap();
        let refused = |module: &str, node: &str, data: &[u8], signature: &[u8]| {
            let error = cellar.verify(&name(module), node, data, signature);
            error.unwrap_err().to_string()
        };
        assert!(refused("other", "attic", b"binding", &signature).contains("not of `attic`"));
        assert!(refused("tls", "attic", b"bindinG", &signature).contains("not of `attic`"));
        assert_eq!(
            refused("tls", "cellar", b"binding", &signature),
            "`cellar` is this node"
        );
        assert!(refused("tls", "nobody", b"binding", &signature).contains("no node"));
        assert!(refused("tls", "attic", b"binding", b"x").ends_with("is none"));
        let own = cellar.sign(&name("tls"), b"binding").unwrap();
        assert!(refused("tls", "attic", b"binding", &own).contains("not of `attic`"));
    }

    #[test]
    fn a_login_by_ssh_cannot_be_signed() {
        let (attic, _) = pair(NewKey::Ed25519);
        let signature = attic.sign(&name("tls"), b"data").unwrap();
        let signature = SshSig::from_pem(signature).unwrap();
        assert_eq!(signature.namespace(), "kozo-transport-v1@tls");
        let blob = SshSig::signed_data(signature.namespace(), HashAlg::Sha512, b"attic\0data");
        assert!(blob.unwrap().starts_with(b"SSHSIG"));
    }

    #[test]
    fn what_one_node_signed_for_a_bus_the_others_verify_and_itself() {
        for kind in [
            NewKey::Ed25519,
            NewKey::EcdsaP256,
            NewKey::Rsa { bits: 2048 },
        ] {
            let (attic, cellar) = pair(kind);
            let [attic, cellar] = [attic, cellar].map(|one| BusAttestor::new(one, &name("nats")));
            let node = NodeName::new("attic").unwrap();
            let signature = attic.sign(b"session").unwrap();
            cellar.verify(&node, b"session", &signature).unwrap();
            attic.verify(&node, b"session", &signature).unwrap();
            assert!(cellar.verify(&node, b"sessioN", &signature).is_err());
            let other = NodeName::new("cellar").unwrap();
            assert!(cellar.verify(&other, b"session", &signature).is_err());
            let unknown = NodeName::new("garden").unwrap();
            assert!(cellar.verify(&unknown, b"session", &signature).is_err());
        }
    }

    #[test]
    fn a_signature_for_a_bus_is_none_for_a_transport_or_another_module() {
        let (attic, cellar) = pair(NewKey::Ed25519);
        let node = NodeName::new("attic").unwrap();
        let bus = |attestor: &Attestor, module| BusAttestor::new(attestor.clone(), &name(module));
        let for_bus = bus(&attic, "nats").sign(b"data").unwrap();
        assert_eq!(
            SshSig::from_pem(&for_bus).unwrap().namespace(),
            "kozo-bus-v1@nats"
        );
        let for_transport = attic.sign(&name("nats"), b"data").unwrap();
        let verify =
            |module, signature: &[u8]| bus(&cellar, module).verify(&node, b"data", signature);
        assert!(verify("nats", &for_bus).is_ok());
        assert!(verify("other", &for_bus).is_err());
        assert!(verify("nats", &for_transport).is_err());
        let as_transport = cellar.verify(&name("nats"), "attic", b"data", &for_bus);
        assert!(as_transport.is_err());
    }

    #[test]
    fn there_is_a_limit_to_what_is_signed() {
        let (attic, _) = pair(NewKey::Ed25519);
        assert!(attic.sign(&name("tls"), &[0; MAX_DATA_LEN]).is_ok());
        assert!(attic.sign(&name("tls"), &[0; MAX_DATA_LEN + 1]).is_err());
    }
}
