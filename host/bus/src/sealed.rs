//! What only one other session may read: sender keys, questions, and what they are answered with.
//!
//! All three are sealed to the other's agreement key ([`SessionKeys::seal`]), for both sessions and one purpose; and all
//! three stand in an ask or an answer that is signed, so who sealed them is proven as well.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::ask::{ReplyPart, SealedKey};
use crate::random::Random;
use crate::refusal::Refusal;
use crate::sender_key::{Epoch, SENDER_KEY_LEN, SenderKey, Suite};
use crate::session::{SealError, Session, SessionId, SessionKeys, SessionTime};
use crate::subject::{Nonce, Subjects};

const KEY_DOMAIN: &[u8] = b"kozo-bus-v1 sender key\0";
const QUESTION_DOMAIN: &[u8] = b"kozo-bus-v1 question\0";
const REPLY_DOMAIN: &[u8] = b"kozo-bus-v1 reply\0";

impl SealedKey {
    /// Seals the key of `epoch` of the session `own`, which is this node's, for the session `asker`, whose ask came
    /// `waited` before.
    ///
    /// # Errors
    /// There is no randomness, or the asker's agreement key is none.
    pub fn seal(
        key: &SenderKey,
        epoch: Epoch,
        own: (&Session, SessionTime),
        (asker, waited): ((SessionId, &SessionKeys), Duration),
        subjects: &Subjects,
        random: &mut dyn Random,
    ) -> Result<Self, SealError> {
        let (own, time) = own;
        let mut plain = Zeroizing::new(Vec::with_capacity(1 + SENDER_KEY_LEN));
        plain.push(key.suite() as u8);
        plain.extend_from_slice(key.bytes());
        let info = info(
            KEY_DOMAIN,
            subjects,
            own.id(),
            asker.0,
            &epoch.to_be_bytes(),
        );
        let sealed = asker.1.seal(&info, &plain, random)?;
        Ok(Self {
            epoch,
            sealed,
            time,
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Opens it for the session `own`, which is this node's; `answerer` is the session that the answer is of.
    ///
    /// # Errors
    /// [`Refusal::Seal`], [`Refusal::Suite`] or [`Refusal::Body`].
    pub fn open(
        &self,
        own: &Session,
        answerer: SessionId,
        subjects: &Subjects,
    ) -> Result<SenderKey, Refusal> {
        let epoch = self.epoch.to_be_bytes();
        let info = info(KEY_DOMAIN, subjects, answerer, own.id(), &epoch);
        let plain = own.open(&info, &self.sealed)?;
        let (suite, bytes) = plain.split_first().ok_or(Refusal::Body)?;
        let suite = Suite::from_number(*suite).ok_or(Refusal::Suite)?;
        let bytes = bytes.try_into().map_err(|_| Refusal::Body)?;
        Ok(SenderKey::new(suite, bytes))
    }
}

/// Seals a question to the session `to`, for [`Ask::Question`] with this nonce.
///
/// # Errors
/// There is no randomness, or the other's agreement key is none.
pub fn seal_question(
    own: &Session,
    to: (SessionId, &SessionKeys),
    nonce: Nonce,
    subjects: &Subjects,
    question: &[u8],
    random: &mut dyn Random,
) -> Result<Vec<u8>, SealError> {
    let info = info(QUESTION_DOMAIN, subjects, own.id(), to.0, &nonce.0);
    to.1.seal(&info, question, random)
}

/// Opens a question of the session `asker` with this nonce.
///
/// # Errors
/// [`Refusal::Length`] or [`Refusal::Seal`].
pub fn open_question(
    own: &Session,
    asker: SessionId,
    nonce: Nonce,
    subjects: &Subjects,
    sealed: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let info = info(QUESTION_DOMAIN, subjects, asker, own.id(), &nonce.0);
    own.open(&info, sealed).map(|opened| opened.to_vec())
}

impl ReplyPart {
    /// Seals part `index` of the reply to a question of the session `asker` with this nonce. `part` has
    /// [`MAX_REPLY_PART_LEN`] bytes at most.
    ///
    /// # Errors
    /// There is no randomness, or the asker's agreement key is none.
    pub fn seal(
        own: &Session,
        asker: (SessionId, &SessionKeys),
        nonce: Nonce,
        subjects: &Subjects,
        (index, is_last, part): (u32, bool, &[u8]),
        random: &mut dyn Random,
    ) -> Result<Self, SealError> {
        let place = reply_place(nonce, index, is_last);
        let info = info(REPLY_DOMAIN, subjects, own.id(), asker.0, &place);
        Ok(Self {
            index,
            is_last,
            sealed: asker.1.seal(&info, part, random)?,
        })
    }

    /// Opens it for the session `own`, which is this node's; `answerer` is the session that the answer is of.
    ///
    /// # Errors
    /// [`Refusal::Length`] or [`Refusal::Seal`].
    pub fn open(
        &self,
        own: &Session,
        answerer: SessionId,
        nonce: Nonce,
        subjects: &Subjects,
    ) -> Result<Vec<u8>, Refusal> {
        let place = reply_place(nonce, self.index, self.is_last);
        let info = info(REPLY_DOMAIN, subjects, answerer, own.id(), &place);
        own.open(&info, &self.sealed).map(|opened| opened.to_vec())
    }
}

/// What is sealed, for whom: the domain, the bus, the session that seals, the one that opens, and what else there is.
fn info(
    domain: &[u8],
    subjects: &Subjects,
    from: SessionId,
    to: SessionId,
    more: &[u8],
) -> Vec<u8> {
    let bus = subjects.bus().as_str().as_bytes();
    [domain, bus, b"\0", &from.0, &to.0, more].concat()
}

fn reply_place(nonce: Nonce, index: u32, is_last: bool) -> Vec<u8> {
    [&nonce.0[..], &index.to_be_bytes(), &[u8::from(is_last)]].concat()
}
