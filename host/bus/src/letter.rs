//! Asks, answers and announcements as they go over the bus: whose session signs them, and for whom.
//!
//! ```text
//!   kind session         nonce length announcement body signature      an ask
//!      1      16            16      2            …    …        64
//!   kind session session nonce length announcement body signature      an answer: of whom, to whom
//!      1      16      16    16      2            …    …        64
//!   kind                              announcement                     an announcement by itself
//!      1                                         …
//! ```
//!
//! All of it is veiled (`veil`). What stands at fixed places says which session is to be looked up, or which
//! announcement is to be verified; the body is read only once the session's signature has been verified. An ask is
//! signed for the node that it goes to, an answer for the session that asked and its nonce: neither is of use
//! anywhere else, and an answer not twice.

use kozo_ground::names::NodeName;

use crate::announcement::{ClaimedAnnouncement, MAX_ANNOUNCEMENT_LEN, SignedAnnouncement};
use crate::ask::{Answer, Ask};
use crate::bytes::take;
use crate::random::{NoRandom, Random};
use crate::refusal::Refusal;
use crate::session::{SESSION_ID_LEN, SIGNATURE_LEN, Session, SessionId, SessionKeys};
use crate::subject::{NONCE_LEN, Nonce, Subjects, Token};
use crate::veil::{VEIL_OVERHEAD, Veil};

/// By how many bytes an ask or an answer is longer than its body, without an announcement.
pub const LETTER_OVERHEAD: usize = VEIL_OVERHEAD + ANSWER_HEAD_LEN + SIGNATURE_LEN;

const ASK: u8 = 1;
const ANSWER: u8 = 2;
const ANNOUNCEMENT: u8 = 3;

const ASK_DOMAIN: &[u8] = b"kozo-bus-v1 ask\0";
const ANSWER_DOMAIN: &[u8] = b"kozo-bus-v1 answer\0";

/// What stands before the announcement of an answer; an ask has a session less.
const ANSWER_HEAD_LEN: usize = 1 + 2 * SESSION_ID_LEN + NONCE_LEN + 2;

/// What is needed to write asks, answers and announcements.
#[derive(Debug, Clone, Copy)]
pub struct Pen<'a> {
    /// This node's session.
    pub session: &'a Session,
    /// The bus's subjects.
    pub subjects: &'a Subjects,
    /// The bus's veil.
    pub veil: &'a Veil,
}

impl Pen<'_> {
    /// Writes an ask to the node `to`, which is published at its [`Subjects::ask`] with the answers' subject for this
    /// nonce as its reply subject. The announcement goes along when that node may not know this session.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn ask(
        &self,
        to: &NodeName,
        nonce: Nonce,
        announcement: Option<&SignedAnnouncement>,
        ask: &Ask,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, NoRandom> {
        let mut letter = vec![ASK];
        letter.extend_from_slice(&self.session.id().0);
        letter.extend_from_slice(&nonce.0);
        put_announcement(&mut letter, announcement);
        ask.encode(&mut letter);
        let signature = self.session.sign(&ask_text(self.subjects, to, &letter));
        letter.extend_from_slice(&signature);
        let subject = self.subjects.ask(self.subjects.node(to));
        self.veil.cover(&subject, &letter, random)
    }

    /// Writes an answer to the session `to` of the node `asker`, for its [`Subjects::answer`] with the ask's nonce.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn answer(
        &self,
        asker: Token,
        to: SessionId,
        nonce: Nonce,
        announcement: Option<&SignedAnnouncement>,
        answer: &Answer,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, NoRandom> {
        let mut letter = vec![ANSWER];
        letter.extend_from_slice(&self.session.id().0);
        letter.extend_from_slice(&to.0);
        letter.extend_from_slice(&nonce.0);
        put_announcement(&mut letter, announcement);
        answer.encode(&mut letter);
        let signature = self.session.sign(&answer_text(self.subjects, &letter));
        letter.extend_from_slice(&signature);
        let subject = self.subjects.answer(asker, nonce);
        self.veil.cover(&subject, &letter, random)
    }

    /// Writes this node's announcement, for its [`Subjects::here`].
    ///
    /// # Errors
    /// There is no randomness.
    pub fn announcement(
        &self,
        announcement: &SignedAnnouncement,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, NoRandom> {
        let node = &announcement.announcement().node;
        let subject = self.subjects.here(self.subjects.node(node));
        let letter = [&[ANNOUNCEMENT], announcement.bytes()].concat();
        self.veil.cover(&subject, &letter, random)
    }
}

/// An ask that was uncovered: what it claims, of which nothing is proven yet.
#[derive(Debug, Clone)]
pub struct ReceivedAsk {
    /// The session that claims to ask.
    pub session: SessionId,
    /// The number that its answer has to name.
    pub nonce: Nonce,
    letter: Letter,
}

/// An answer that was uncovered: what it claims, of which nothing is proven yet.
#[derive(Debug, Clone)]
pub struct ReceivedAnswer {
    /// The session that claims to answer.
    pub session: SessionId,
    /// The session that it claims to answer to.
    pub to: SessionId,
    /// The number of the ask that it claims to answer.
    pub nonce: Nonce,
    letter: Letter,
}

/// The bytes of an ask or an answer, and where its parts are.
#[derive(Debug, Clone)]
struct Letter {
    bytes: Vec<u8>,
    /// Where the announcement begins.
    head: usize,
    /// Where the body begins.
    body: usize,
}

impl ReceivedAsk {
    /// Uncovers an ask that came at this subject.
    ///
    /// # Errors
    /// Those of [`Veil::uncover`]; [`Refusal::Length`] or [`Refusal::Format`].
    pub fn uncover(veil: &Veil, subject: &str, data: &[u8]) -> Result<Self, Refusal> {
        let bytes = veil.uncover(subject, data)?;
        let mut rest = &bytes[..];
        expect(&mut rest, ASK)?;
        Ok(Self {
            session: SessionId(take(&mut rest)?),
            nonce: Nonce(take(&mut rest)?),
            letter: Letter::new(bytes, 1 + SESSION_ID_LEN + NONCE_LEN)?,
        })
    }

    /// Whether an announcement came along.
    pub fn is_introduced(&self) -> bool {
        self.letter.body > self.letter.head
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.letter.bytes.len()
    }

    /// The announcement that came along, not verified; none when there is none.
    ///
    /// # Errors
    /// [`Refusal::Length`].
    pub fn announcement(&self) -> Result<Option<ClaimedAnnouncement<'_>>, Refusal> {
        self.letter.announcement()
    }

    /// Verifies that the session with these keys asked `own`, which is this node, and reads what. `None`: it is of a
    /// kind that this version does not know.
    ///
    /// # Errors
    /// [`Refusal::Signature`] or [`Refusal::Body`].
    pub fn verify(
        &self,
        keys: &SessionKeys,
        subjects: &Subjects,
        own: &NodeName,
    ) -> Result<Option<Ask>, Refusal> {
        let (text, signature) = self.letter.signed()?;
        keys.verify(&ask_text(subjects, own, text), signature)?;
        Ask::read(self.letter.body()?)
    }
}

impl ReceivedAnswer {
    /// Uncovers an answer that came at this subject.
    ///
    /// # Errors
    /// Those of [`Veil::uncover`]; [`Refusal::Length`] or [`Refusal::Format`].
    pub fn uncover(veil: &Veil, subject: &str, data: &[u8]) -> Result<Self, Refusal> {
        let bytes = veil.uncover(subject, data)?;
        let mut rest = &bytes[..];
        expect(&mut rest, ANSWER)?;
        Ok(Self {
            session: SessionId(take(&mut rest)?),
            to: SessionId(take(&mut rest)?),
            nonce: Nonce(take(&mut rest)?),
            letter: Letter::new(bytes, 1 + 2 * SESSION_ID_LEN + NONCE_LEN)?,
        })
    }

    /// The announcement that came along, not verified; none when there is none.
    ///
    /// # Errors
    /// [`Refusal::Length`].
    pub fn announcement(&self) -> Result<Option<ClaimedAnnouncement<'_>>, Refusal> {
        self.letter.announcement()
    }

    /// Verifies that the session with these keys answered the session `own`, which is this node's, with this nonce, and
    /// reads what. `None`: it is of a kind that this version does not know. That the nonce is of an ask to the
    /// answerer's node, still without an answer, is for the caller to know.
    ///
    /// # Errors
    /// [`Refusal::Unasked`], [`Refusal::Signature`] or [`Refusal::Body`].
    pub fn verify(
        &self,
        keys: &SessionKeys,
        subjects: &Subjects,
        own: SessionId,
    ) -> Result<Option<Answer>, Refusal> {
        if self.to != own {
            return Err(Refusal::Unasked);
        }
        let (text, signature) = self.letter.signed()?;
        keys.verify(&answer_text(subjects, text), signature)?;
        Answer::read(self.letter.body()?)
    }
}

/// Uncovers the announcement that came at this subject. It is not verified: [`ClaimedAnnouncement::read`] reads it.
///
/// # Errors
/// Those of [`Veil::uncover`], or [`Refusal::Format`].
pub fn uncover_announcement(veil: &Veil, subject: &str, data: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut bytes = veil.uncover(subject, data)?;
    expect(&mut &bytes[..], ANNOUNCEMENT)?;
    bytes.remove(0);
    Ok(bytes)
}

impl Letter {
    fn new(bytes: Vec<u8>, before: usize) -> Result<Self, Refusal> {
        let mut rest = bytes.get(before..).ok_or(Refusal::Length)?;
        let length = usize::from(u16::from_be_bytes(take(&mut rest)?));
        let head = before + 2;
        let body = head + length;
        match length > MAX_ANNOUNCEMENT_LEN || bytes.len() < body + SIGNATURE_LEN {
            true => Err(Refusal::Length),
            false => Ok(Self { bytes, head, body }),
        }
    }

    fn announcement(&self) -> Result<Option<ClaimedAnnouncement<'_>>, Refusal> {
        match &self.bytes[self.head..self.body] {
            [] => Ok(None),
            bytes => ClaimedAnnouncement::read(bytes).map(Some),
        }
    }

    fn signed(&self) -> Result<(&[u8], &[u8]), Refusal> {
        let end = self.bytes.len() - SIGNATURE_LEN;
        self.bytes.split_at_checked(end).ok_or(Refusal::Length)
    }

    fn body(&self) -> Result<&[u8], Refusal> {
        Ok(&self.signed()?.0[self.body..])
    }
}

/// What is signed of an ask. No name has a zero in it, so the first ones end them.
fn ask_text(subjects: &Subjects, to: &NodeName, letter: &[u8]) -> Vec<u8> {
    let (bus, to) = (subjects.bus().as_str().as_bytes(), to.as_str().as_bytes());
    [ASK_DOMAIN, bus, b"\0", to, b"\0", letter].concat()
}

/// What is signed of an answer.
fn answer_text(subjects: &Subjects, letter: &[u8]) -> Vec<u8> {
    let bus = subjects.bus().as_str().as_bytes();
    [ANSWER_DOMAIN, bus, b"\0", letter].concat()
}

fn put_announcement(letter: &mut Vec<u8>, announcement: Option<&SignedAnnouncement>) {
    let bytes = announcement.map_or(&[][..], SignedAnnouncement::bytes);
    // An announcement has `MAX_ANNOUNCEMENT_LEN` bytes at most.
    letter.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    letter.extend_from_slice(bytes);
}

fn expect(rest: &mut &[u8], kind: u8) -> Result<(), Refusal> {
    match take(rest)? {
        [found] if found == kind => Ok(()),
        _ => Err(Refusal::Format),
    }
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
