//! Keys, signatures, and what a caller says before it has proven who it is.

use std::sync::{Arc, LazyLock};

use kozo_auth::attest::Attestor;
use kozo_auth::identity::{Identity, TrustedKeys};
use kozo_auth::keys::{PrivateKey, parse_public};
use kozo_auth::ssh::Opening;
use kozo_ground::names::{ModuleName, NodeName};
use russh::keys::ssh_key::SshSig;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

/// The longest complaint about a public key, in bytes, with what it repeats of the line.
const MAX_COMPLAINT: usize = 1000;

/// The value of the option `publicKey`.
pub fn public_key(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match parse_public(text) {
        Ok(key) => {
            let line = key.to_openssh().expect("what was read can be written");
            let again = parse_public(&line).expect("what was written can be read");
            assert_eq!(again.key_data(), key.key_data());
        }
        Err(error) => {
            let complaint = error.to_string();
            assert!(!complaint.is_empty() && !error.help().is_empty());
            assert!(complaint.len() <= MAX_COMPLAINT, "{complaint}");
        }
    }
}

/// A signature that a transport with security of its own shows.
///
/// Whatever is accepted is what the node has really signed: nothing can be made of it.
pub fn signature(input: &[u8]) {
    let (key, cellar) = &*ATTIC_AND_CELLAR;
    let module = ModuleName::new("tls").expect("a module's name");
    if cellar.verify(&module, "attic", b"binding", input).is_ok() {
        let shown = SshSig::from_pem(input).expect("a signature");
        let genuine = key.sign("kozo-transport-v1@tls", shown.hash_alg(), b"attic\0binding");
        assert_eq!(genuine.expect("a key that signs"), shown);
    }
    assert!(cellar.verify(&module, "attic", b"other", input).is_err());
}

/// A caller's first bytes: the first of the input says in what pieces they come.
pub fn ssh_opening(input: &[u8]) {
    let Some((&chunk, bytes)) = input.split_first() else {
        return;
    };
    let mut whole = Opening::default();
    let looked_at = whole.look(bytes);
    assert_eq!(whole.has_greeted(), bytes[..looked_at].contains(&b'\n'));
    let mut opening = Opening::default();
    let mut in_pieces = 0;
    for piece in bytes.chunks(usize::from(chunk).max(1)) {
        let taken = opening.look(piece);
        in_pieces += taken;
        if taken < piece.len() {
            break;
        }
    }
    assert_eq!(in_pieces, looked_at);
    assert_eq!(opening.has_greeted(), whole.has_greeted());
}

/// The key of one node, and what another one that knows it verifies with. The keys are always the
/// same, so that the corpus has signatures that are good.
static ATTIC_AND_CELLAR: LazyLock<(PrivateKey, Attestor)> = LazyLock::new(|| {
    let [attic, cellar] = [7, 8].map(|byte| {
        let pair = Ed25519Keypair::from_seed(&[byte; 32]);
        PrivateKey::new(KeypairData::Ed25519(pair), "").expect("a key")
    });
    let name = |node| NodeName::new(node).expect("a node's name");
    let trusted: TrustedKeys = [("attic", &attic), ("cellar", &cellar)]
        .into_iter()
        .map(|(node, key)| (name(node), vec![key.public_key().clone()]))
        .collect();
    let identity = Identity {
        node: name("cellar"),
        key: Arc::new(cellar),
    };
    (attic, Attestor::new(identity, Arc::new(trusted)))
});
