//! How the two ends of a connection prove to each other which nodes they are.
//!
//! Both sign keying material that only these two have, each with its node's key. Somebody in the middle has two
//! connections, and so two materials. The dialler proves itself first: a stranger learns nothing of who listens.

use kozo_abi::{Error, TransportHost};

/// The longest proof: a name and a signature, each with its length.
const MAX_PROOF: usize = 8 << 10;

const LENGTH: usize = 2;

/// Under which label the material is had.
pub(crate) const EXPORTER_LABEL: &[u8] = b"EXPORTER-kozo-ice";

/// How much of it there is, in bytes.
pub(crate) const MATERIAL: usize = 32;

/// Which of the two ends signs: one's proof is none for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Dialler = 0,
    Listener = 1,
}

impl End {
    fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Listener,
            Self::Listener => Self::Dialler,
        }
    }
}

/// Who signs and checks: the host, and in tests something else.
pub(crate) trait Notary {
    /// This node's name.
    fn node(&self) -> &str;

    /// # Errors
    /// It cannot sign.
    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Error>;

    /// # Errors
    /// It is not that node's signature, or there is no such node.
    fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), Error>;
}

impl Notary for TransportHost {
    fn node(&self) -> &str {
        self.node()
    }

    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        self.sign(data)
    }

    fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.verify(node, data, signature)
    }
}

/// A connection's material, as one of its ends signs it.
fn signed(material: &[u8; MATERIAL], end: End) -> [u8; MATERIAL + 1] {
    let mut signed = [end as u8; MATERIAL + 1];
    signed[1..].copy_from_slice(material);
    signed
}

/// What an end sends to prove which node it is.
pub(crate) fn make(
    notary: &dyn Notary,
    material: &[u8; MATERIAL],
    own: End,
) -> Result<Vec<u8>, Error> {
    let signature = notary.sign(&signed(material, own))?;
    let mut proof = Vec::new();
    for part in [notary.node().as_bytes(), &signature] {
        proof.extend_from_slice(&u16::try_from(part.len())?.to_be_bytes());
        proof.extend_from_slice(part);
    }
    Ok(proof)
}

/// Checks what the other end has sent, which is taken away from the front of `received`. None while it is not all there.
///
/// # Errors
/// It is not the node that is expected there, or it is no proof.
pub(crate) fn check(
    notary: &dyn Notary,
    material: &[u8; MATERIAL],
    own: End,
    expected: &str,
    received: &mut Vec<u8>,
) -> Result<Option<()>, Error> {
    let Some((name, rest)) = part(received)? else {
        return Ok(None);
    };
    let Some((signature, rest)) = part(rest)? else {
        return Ok(None);
    };
    if name != expected.as_bytes() {
        return Err(format!(
            "it says that it is `{}`, but `{expected}` is expected there",
            String::from_utf8_lossy(name).escape_debug()
        )
        .into());
    }
    notary.verify(expected, &signed(material, own.other()), signature)?;
    let used = received.len() - rest.len();
    received.drain(..used);
    Ok(Some(()))
}

type Split<'a> = Option<(&'a [u8], &'a [u8])>;

fn part(bytes: &[u8]) -> Result<Split<'_>, Error> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > MAX_PROOF / 2 {
        return Err("what it sent is no proof of who it is".into());
    }
    Ok(rest.split_at_checked(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATERIAL_OF_BOTH: [u8; MATERIAL] = [7; MATERIAL];

    struct Everybody(&'static str);

    impl Notary for Everybody {
        fn node(&self) -> &str {
            self.0
        }

        fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
            Ok([self.0.as_bytes(), data].concat())
        }

        fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), Error> {
            match signature == [node.as_bytes(), data].concat() {
                true => Ok(()),
                false => Err("another's signature".into()),
            }
        }
    }

    fn check_at_listener(
        material: &[u8; MATERIAL],
        received: &mut Vec<u8>,
    ) -> Result<Option<()>, Error> {
        check(
            &Everybody("barn"),
            material,
            End::Listener,
            "cabin",
            received,
        )
    }

    #[test]
    fn a_proof_is_taken_however_it_comes_and_what_stands_behind_it_is_kept() -> Result<(), Error> {
        let proof = make(&Everybody("cabin"), &MATERIAL_OF_BOTH, End::Dialler)?;
        for length in 0..proof.len() {
            let mut received = proof[..length].to_vec();
            assert!(check_at_listener(&MATERIAL_OF_BOTH, &mut received)?.is_none());
        }
        let mut received = [&proof[..], b"more"].concat();
        assert!(check_at_listener(&MATERIAL_OF_BOTH, &mut received)?.is_some());
        assert_eq!(received, b"more");
        Ok(())
    }

    #[test]
    fn what_proves_something_else_is_refused() -> Result<(), Error> {
        let wrong = [
            // Of another connection, such as that of somebody in the middle with the dialler.
            make(&Everybody("cabin"), &[8; MATERIAL], End::Dialler)?,
            // Of the listener itself, sent back to it.
            make(&Everybody("cabin"), &MATERIAL_OF_BOTH, End::Listener)?,
            // Of another node.
            make(&Everybody("shed"), &MATERIAL_OF_BOTH, End::Dialler)?,
            // Of nobody.
            vec![0xff; 64],
            vec![0, 5, b'c', b'a', b'b', b'i', b'n', 0, 0],
        ];
        for mut proof in wrong {
            assert!(
                check_at_listener(&MATERIAL_OF_BOTH, &mut proof).is_err(),
                "{proof:?}"
            );
        }
        Ok(())
    }
}
