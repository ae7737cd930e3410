//! What a node says of its session, signed by the node key.
//!
//! ```text
//! ┌────────┬──────┬────────┬──────┐┌───────────┐
//! │ length │ name │ length │ body ││ signature │
//! │      1 │    … │      2 │    … ││         … │
//! └────────┴──────┴────────┴──────┘└───────────┘
//! ```
//!
//! The name says whose key is to be looked up. The body, a MessagePack map, is read only once the signature has been
//! verified with it; the name stands in the body once more.

use std::fmt;
use std::sync::Arc;

use kozo_ground::names::{BusName, NodeName};
use kozo_ground::text::printable;
use kozo_wire::value_len;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::members::{CannotSign, NodeKeys};
use crate::refusal::Refusal;
use crate::sender_key::Epoch;
use crate::session::{PUBLIC_KEY_LEN, SESSION_ID_LEN, SessionId, SessionKeys};

/// The longest announcement, in bytes, with its signature: that of the largest RSA key has some 6000.
pub const MAX_ANNOUNCEMENT_LEN: usize = 8 * 1024;
/// The longest name and version of a program, in bytes; what is longer is cut.
pub const MAX_AGENT_LEN: usize = 128;
/// How many bytes the digest of a network file has.
pub const DIGEST_LEN: usize = 32;

/// What is signed begins with this.
const DOMAIN: &[u8] = b"kozo-bus-v1 announcement\0";

/// What a node says of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The bus that it is for.
    pub bus: BusName,
    /// The node.
    pub node: NodeName,
    /// Its session.
    pub session: SessionId,
    /// Which run of the node on this bus that is: it rises with each.
    pub counter: u64,
    /// The session's public keys.
    pub keys: SessionKeys,
    /// The epoch of the sender key that it used when it said so.
    pub epoch: Epoch,
    /// SHA-256 of its network file.
    pub digest: [u8; DIGEST_LEN],
    /// Its program and version, for people.
    pub agent: String,
}

/// Its map. Keys that are not known are skipped: later versions may say more.
#[derive(Serialize, Deserialize)]
struct Map {
    bus: String,
    node: String,
    session: ByteArray<SESSION_ID_LEN>,
    counter: u64,
    signing: ByteArray<PUBLIC_KEY_LEN>,
    agreement: ByteArray<PUBLIC_KEY_LEN>,
    epoch: Epoch,
    digest: ByteArray<DIGEST_LEN>,
    agent: String,
}

/// An announcement that its node's key has signed; and, if it is another node's, one that was verified.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedAnnouncement {
    announcement: Announcement,
    bytes: Arc<[u8]>,
}

/// An announcement as it came: whose it claims to be is known, and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct ClaimedAnnouncement<'a> {
    node: &'a str,
    body: &'a [u8],
    signature: &'a [u8],
    bytes: &'a [u8],
}

impl Announcement {
    /// Signs it with the node key.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn sign(self, keys: &dyn NodeKeys) -> Result<SignedAnnouncement, CannotSign> {
        let map = Map {
            bus: self.bus.as_str().to_owned(),
            node: self.node.as_str().to_owned(),
            session: ByteArray::new(self.session.0),
            counter: self.counter,
            signing: ByteArray::new(*self.keys.signing()),
            agreement: ByteArray::new(*self.keys.agreement()),
            epoch: self.epoch,
            digest: ByteArray::new(self.digest),
            agent: cut(&self.agent).to_owned(),
        };
        // A struct of texts, numbers and bytes always has an encoding.
        let body = rmp_serde::to_vec_named(&map).unwrap_or_default();
        let signature = keys.sign(&text(&self.bus, &body))?;
        let mut bytes = Vec::with_capacity(3 + MAX_NAME + body.len() + signature.len());
        // Names have 64 bytes at most; the body is made of parts that are all short.
        bytes.push(self.node.as_str().len() as u8);
        bytes.extend_from_slice(self.node.as_str().as_bytes());
        bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&signature);
        let announcement = Self {
            agent: map.agent,
            ..self
        };
        match bytes.len() {
            0..=MAX_ANNOUNCEMENT_LEN => Ok(SignedAnnouncement {
                announcement,
                bytes: bytes.into(),
            }),
            length => Err(CannotSign(
                format!("an announcement of {length} bytes is too long: the key is too large")
                    .into(),
            )),
        }
    }
}

const MAX_NAME: usize = kozo_ground::names::MAX_NAME_LEN;

impl<'a> ClaimedAnnouncement<'a> {
    /// Takes an announcement apart.
    ///
    /// # Errors
    /// [`Refusal::Length`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_ANNOUNCEMENT_LEN {
            return Err(Refusal::Length);
        }
        let (length, rest) = bytes.split_first().ok_or(Refusal::Length)?;
        let (node, rest) = split(rest, usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk().ok_or(Refusal::Length)?;
        let (body, signature) = split(rest, usize::from(u16::from_be_bytes(*length)))?;
        Ok(Self {
            node: std::str::from_utf8(node).map_err(|_| Refusal::UnknownNode)?,
            body,
            signature,
            bytes,
        })
    }

    /// Whose it claims to be.
    ///
    /// # Errors
    /// [`Refusal::UnknownNode`]: that is no name.
    pub fn node(&self) -> Result<NodeName, Refusal> {
        NodeName::new(self.node).map_err(|_| Refusal::UnknownNode)
    }

    /// Whether it is, byte for byte, one that is known already, so that it need not be verified again.
    pub fn is(&self, known: &SignedAnnouncement) -> bool {
        self.bytes == &*known.bytes
    }

    /// Verifies that the node signed it for this bus, and reads it. Whether the node may be on the bus is for the
    /// caller to ask first.
    ///
    /// # Errors
    /// [`Refusal::ForeignKey`], [`Refusal::Body`], [`Refusal::OtherBus`] or [`Refusal::OtherNode`].
    pub fn verify(
        &self,
        bus: &BusName,
        keys: &dyn NodeKeys,
    ) -> Result<SignedAnnouncement, Refusal> {
        let node = self.node()?;
        if !keys.verify(&node, &text(bus, self.body), self.signature) {
            return Err(Refusal::ForeignKey);
        }
        // One value and nothing behind it; nested deeply, what is skipped would exhaust the stack.
        if value_len(self.body) != Ok(self.body.len()) {
            return Err(Refusal::Body);
        }
        let map: Map = rmp_serde::from_slice(self.body).map_err(|_| Refusal::Body)?;
        if map.bus != bus.as_str() {
            return Err(Refusal::OtherBus);
        }
        if map.node != node.as_str() {
            return Err(Refusal::OtherNode);
        }
        let announcement = Announcement {
            bus: bus.clone(),
            node,
            session: SessionId(map.session.into_array()),
            counter: map.counter,
            keys: SessionKeys::read(&map.signing, map.agreement.into_array())?,
            epoch: map.epoch,
            digest: map.digest.into_array(),
            agent: cut(&printable(&map.agent)).to_owned(),
        };
        Ok(SignedAnnouncement {
            announcement,
            bytes: self.bytes.into(),
        })
    }
}

impl SignedAnnouncement {
    /// What it says.
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// Its bytes, as [`ClaimedAnnouncement::read`] reads them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SignedAnnouncement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.announcement, f)
    }
}

/// What is signed. No bus's name has a zero in it, so the first one ends it.
fn text(bus: &BusName, body: &[u8]) -> Vec<u8> {
    [DOMAIN, bus.as_str().as_bytes(), b"\0", body].concat()
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), Refusal> {
    bytes.split_at_checked(at).ok_or(Refusal::Length)
}

/// The start of a text, [`MAX_AGENT_LEN`] bytes of it at most.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_AGENT_LEN)]
}

#[cfg(test)]
mod tests {
    use kozo_ground::clock::Moment;

    use super::*;
    use crate::random::SeededRandom;
    use crate::session::Session;
    use crate::testing::{File, FileKeys, node};

    fn fleet() -> BusName {
        BusName::new("fleet").unwrap()
    }

    fn announcement(name: &str) -> Announcement {
        let session = Session::new(&mut SeededRandom::new(1), Moment::ZERO).unwrap();
        Announcement {
            bus: fleet(),
            node: node(name),
            session: session.id(),
            counter: 300,
            keys: *session.keys(),
            epoch: 1,
            digest: [9; 32],
            agent: "kozo 0.1.0".to_owned(),
        }
    }

    fn verify(bytes: &[u8], keys: &FileKeys) -> Result<SignedAnnouncement, Refusal> {
        ClaimedAnnouncement::read(bytes)?.verify(&fleet(), keys)
    }

    #[test]
    fn what_one_node_announces_the_others_verify() {
        let file = File::default();
        let (hub, field) = (file.add("hub", 1), file.add("field", 2));
        let signed = announcement("hub").sign(&hub).unwrap();
        let verified = verify(signed.bytes(), &field).unwrap();
        assert_eq!(verified, signed);
        assert_eq!(verified.announcement(), &announcement("hub"));
        let claimed = ClaimedAnnouncement::read(signed.bytes()).unwrap();
        assert!(claimed.is(&signed));
        assert_eq!(claimed.node(), Ok(node("hub")));
    }

    #[test]
    fn one_changed_bit_anywhere_is_refused() {
        let file = File::default();
        let (hub, field) = (file.add("hub", 1), file.add("field", 2));
        let signed = announcement("hub").sign(&hub).unwrap();
        for place in 0..signed.bytes().len() {
            for bit in 0..8 {
                let mut changed = signed.bytes().to_vec();
                changed[place] ^= 1 << bit;
                assert!(verify(&changed, &field).is_err(), "{place} {bit}");
            }
            assert!(verify(&signed.bytes()[..place], &field).is_err());
        }
        let longer = [signed.bytes(), b"x"].concat();
        assert_eq!(verify(&longer, &field), Err(Refusal::ForeignKey));
        let long = vec![1; MAX_ANNOUNCEMENT_LEN + 1];
        assert_eq!(verify(&long, &field), Err(Refusal::Length));
    }

    #[test]
    fn only_the_key_that_the_file_has_now_announces_a_node() {
        let file = File::default();
        let (hub, field) = (file.add("hub", 1), file.add("field", 2));
        // A member announces another node.
        let forged = announcement("hub").sign(&field).unwrap();
        assert_eq!(verify(forged.bytes(), &hub), Err(Refusal::ForeignKey));
        // The node has got another key, and then is in the file no more.
        let before = announcement("hub").sign(&hub).unwrap();
        file.add("hub", 3);
        assert_eq!(verify(before.bytes(), &field), Err(Refusal::ForeignKey));
        file.remove("hub");
        assert_eq!(verify(before.bytes(), &field), Err(Refusal::ForeignKey));
        // A node of another network.
        let stranger = File::default().add("stranger", 4);
        let strange = announcement("stranger").sign(&stranger).unwrap();
        assert_eq!(verify(strange.bytes(), &field), Err(Refusal::ForeignKey));
    }

    #[test]
    fn an_announcement_is_for_one_bus_and_of_one_node() {
        let file = File::default();
        let (hub, field) = (file.add("hub", 1), file.add("field", 2));
        let signed = announcement("hub").sign(&hub).unwrap();
        let other = BusName::new("other").unwrap();
        let claimed = ClaimedAnnouncement::read(signed.bytes()).unwrap();
        assert_eq!(claimed.verify(&other, &field), Err(Refusal::ForeignKey));
        // What a faulty or hostile member could sign itself.
        let body = |change: fn(&mut Announcement)| {
            let mut announcement = announcement("hub");
            change(&mut announcement);
            let signed = announcement.sign(&hub).unwrap();
            let claimed = ClaimedAnnouncement::read(signed.bytes()).unwrap();
            claimed.body.to_vec()
        };
        let sign = |body: &[u8]| {
            let signature = hub.sign(&text(&fleet(), body)).unwrap();
            let length = (body.len() as u16).to_be_bytes();
            [b"\x03hub", &length[..], body, &signature].concat()
        };
        let of_other_bus = sign(&body(|announcement| {
            announcement.bus = BusName::new("other").unwrap();
        }));
        assert_eq!(verify(&of_other_bus, &field), Err(Refusal::OtherBus));
        let of_other_node = sign(&body(|announcement| announcement.node = node("field")));
        assert_eq!(verify(&of_other_node, &field), Err(Refusal::OtherNode));
        assert_eq!(verify(&sign(b"\x80"), &field), Err(Refusal::Body));
        let before = body(|_| {});
        let longer = [&before[..], b"\xc0"].concat();
        assert_eq!(verify(&sign(&longer), &field), Err(Refusal::Body));
        let mut nested = [&before[..], b"\xa1x", &[0x91; 3000], b"\xc0"].concat();
        nested[0] += 1;
        assert_eq!(verify(&sign(&nested), &field), Err(Refusal::Body));
    }

    #[test]
    fn what_later_versions_say_as_well_is_skipped() {
        let file = File::default();
        let (hub, field) = (file.add("hub", 1), file.add("field", 2));
        let signed = announcement("hub").sign(&hub).unwrap();
        let mut body = ClaimedAnnouncement::read(signed.bytes())
            .unwrap()
            .body
            .to_vec();
        assert_eq!(body[0], 0x89);
        body[0] += 1;
        body.extend_from_slice(b"\xa5later\x93\x01\x02\xc0");
        let signature = hub.sign(&text(&fleet(), &body)).unwrap();
        let length = (body.len() as u16).to_be_bytes();
        let bytes = [b"\x03hub", &length[..], &body, &signature].concat();
        let verified = verify(&bytes, &field).unwrap();
        assert_eq!(verified.announcement(), &announcement("hub"));
    }

    #[test]
    fn what_people_read_is_short_and_harmless() {
        let file = File::default();
        let (hub, field) = (file.add("hub", 1), file.add("field", 2));
        let mut announcement = announcement("hub");
        announcement.agent = format!("\u{1b}[31m{}", "é".repeat(200));
        let signed = announcement.sign(&hub).unwrap();
        let verified = verify(signed.bytes(), &field).unwrap();
        let agent = &verified.announcement().agent;
        assert!(
            agent.len() <= MAX_AGENT_LEN && !agent.contains('\u{1b}'),
            "{agent}"
        );
    }

    #[test]
    fn the_bytes_are_pinned() {
        let file = File::default();
        let signed = announcement("hub").sign(&file.add("hub", 1)).unwrap();
        let hex: String = signed
            .bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "0368756200d089a3627573a5666c656574a46e6f6465a3687562a773657373696f6ec410b1bed1b6cdbd33a83dfeb5aae597dc88a7636f756e746572cd012ca77369676e696e67c42082459060ff892c9cf87d3c4b5446c6a9e46a92cad48eeee461465bd59c4c7533a961677265656d656e74c42031bdd1f360d7770b998a85213be5d3d89633150d5c2c2c4b7bb84444a1473752a565706f636801a6646967657374c4200909090909090909090909090909090909090909090909090909090909090909a56167656e74aa6b6f7a6f20302e312e309f42dfa79b7a89f3abb83484d0c42bed7345140871822fce02c0eafe9d4e6990c0ddfb54484f06f6c03a52158fe137d0f8a756cbd3419a185dd4d04985c30604"
        );
    }
}
