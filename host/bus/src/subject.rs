//! Subjects, and the tokens that they are made of.
//!
//! ```text
//! kozo.NET.m.KIND.TYPE.ROLE.CHANNEL.NODE    a lane: datagrams with messages of NODE
//! kozo.NET.here.NODE                        announcements of NODE
//! kozo.NET.ask.NODE                         asks to NODE, each with a subject for the answer
//! kozo.NET.re.NODE.NONCE                    answers to NODE, which asked with that nonce
//! ```
//!
//! NET is the bus's name, KIND one letter (`e`, `o`, `l`), an absent channel `-`; the others are [`Token`]s. Any
//! text becomes one: a type may hold dots and stars, which mean something in a subject. Two texts may have one
//! token (by chance once in 2^60, or on purpose by who has the key), so a receiver compares what a message says
//! once it is opened; tokens only say where to.

use std::collections::BTreeSet;
use std::fmt;

use kozo_ground::interest::{Interest, Kind, Pattern};
use kozo_ground::names::{BusName, MAX_NAME_LEN, NodeName};
use kozo_wire::Message;
use ring::hmac;

/// How many characters a token has.
pub const TOKEN_LEN: usize = 12;
/// The longest subject of this protocol, in bytes: that of a lane, on a bus with the longest name.
pub const MAX_SUBJECT_LEN: usize = ROOT.len() + 1 + MAX_NAME_LEN + 4 + 4 * (TOKEN_LEN + 1);
/// How many tokens of a lane are behind its `m`: kind, type, role, channel, node.
pub const LANE_TOKENS: usize = 5;
/// How many patterns one interest becomes at most. One with more alternatives has a star in some token, and the
/// receiver drops what it did not want.
pub const MAX_PATTERNS_PER_INTEREST: usize = 64;
/// How many patterns a node subscribes to for its roles at most. One with more wants all lanes.
pub const MAX_PATTERNS: usize = 1024;
/// The shortest secret for subjects, in bytes.
pub const MIN_SUBJECT_SECRET_LEN: usize = 16;
/// How many bytes a nonce has.
pub const NONCE_LEN: usize = 16;

/// The first token of every subject.
const ROOT: &str = "kozo";
/// What stands for a channel that is absent. No token has this character.
const NO_CHANNEL: &str = "-";
/// Any one token.
const ANY: &str = "*";
/// The alphabet of base32 (RFC 4648) in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// The length of a nonce in base32.
const NONCE_TEXT_LEN: usize = (NONCE_LEN * 8).div_ceil(5);

/// A text as it stands in a subject: twelve characters of base32 of an HMAC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; TOKEN_LEN]);

impl Token {
    /// The token's text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Self> {
        let bytes: [u8; TOKEN_LEN] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(|byte| BASE32.contains(byte))
            .then_some(Self(bytes))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A number that is used once: which answer belongs to which ask.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub [u8; NONCE_LEN]);

impl Nonce {
    /// The nonce of a session's ask with this number, which no other ask of the session has, and so many random bytes:
    /// an answer has to name all of it.
    pub fn new(number: u64, random: [u8; 8]) -> Self {
        let mut bytes = [0; NONCE_LEN];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[8..].copy_from_slice(&random);
        Self(bytes)
    }

    /// Which ask of its session it is of: they are counted from 1.
    pub fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(bytes)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() != NONCE_TEXT_LEN {
            return None;
        }
        let mut bits = 0u128;
        let (last, first) = text.as_bytes().split_last()?;
        for byte in first {
            let digit = BASE32.iter().position(|digit| digit == byte)?;
            bits = bits << 5 | digit as u128;
        }
        // 26 digits hold two bits more than 128; they are zero, so that each nonce has one text.
        let digit = BASE32.iter().position(|digit| digit == last)?;
        (digit & 3 == 0).then_some(Self((bits << 3 | (digit >> 2) as u128).to_be_bytes()))
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for place in 0..NONCE_TEXT_LEN {
            let shift = 123i32 - 5 * place as i32;
            let digit = match shift {
                0.. => bits >> shift,
                _ => bits << -shift,
            };
            write!(f, "{}", char::from(BASE32[(digit & 31) as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What tokens are made with, and what announcements and asks are veiled with (`veil`).
#[derive(Clone)]
pub struct SubjectKey {
    bytes: [u8; 32],
}

/// A secret for subjects is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret for subjects has {MIN_SUBJECT_SECRET_LEN} bytes at least, this one has {0}")]
pub struct SecretTooShort(pub usize);

impl SubjectKey {
    /// The key of all buses without a secret of their own: everybody has it, so it hides nothing.
    pub fn public() -> Self {
        Self::derive(b"everybody knows this")
    }

    /// The key that comes from a secret: the bytes of `subjectSecretFile`, without what is blank at its end.
    ///
    /// # Errors
    /// The secret has fewer than [`MIN_SUBJECT_SECRET_LEN`] bytes.
    pub fn from_secret(secret: &[u8]) -> Result<Self, SecretTooShort> {
        match secret.len() {
            length if length < MIN_SUBJECT_SECRET_LEN => Err(SecretTooShort(length)),
            _ => Ok(Self::derive(secret)),
        }
    }

    fn derive(secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"kozo-bus-v1 subject key");
        let tag = hmac::sign(&key, secret);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        Self { bytes }
    }

    /// A key for another use, made of this one.
    pub(crate) fn for_use(&self, name: &[u8]) -> hmac::Key {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.bytes);
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, name).as_ref())
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectKey")
    }
}

/// What a subject says, once it is known to be of this bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// A datagram of a lane of this node.
    Lane(Token),
    /// An announcement of this node.
    Here(Token),
    /// An ask to this node.
    Ask(Token),
    /// An answer to this node, which asked with this nonce.
    Answer(Token, Nonce),
}

/// Patterns of subjects, as an engine is told what a node may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    /// Where it may publish.
    pub publish: Vec<String>,
    /// What it may subscribe to.
    pub subscribe: Vec<String>,
}

/// Writes and reads the subjects of one bus.
#[derive(Clone)]
pub struct Subjects {
    bus: BusName,
    /// `kozo.NET.`
    start: String,
    tokens: hmac::Key,
}

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subjects").field(&self.bus).finish()
    }
}

impl Subjects {
    /// The subjects of the bus with this name.
    pub fn new(bus: BusName, key: &SubjectKey) -> Self {
        let start = format!("{ROOT}.{bus}.");
        let tokens = key.for_use(b"tokens");
        Self { bus, start, tokens }
    }

    /// The bus's name.
    pub fn bus(&self) -> &BusName {
        &self.bus
    }

    /// The token of a node.
    pub fn node(&self, node: &NodeName) -> Token {
        self.token("node", node.as_str())
    }

    /// Where messages like `message` of the node with the token `node` go. The same for all messages of one kind,
    /// type, role and channel; it takes some microseconds, so remember it by those.
    pub fn lane_of(&self, message: &Message, node: Token) -> String {
        let channel = message.channel();
        let (type_name, role) = (message.type_name(), message.role());
        self.lane(message.kind(), type_name, role, channel, node)
    }

    /// The subject of the lane of these.
    pub fn lane(
        &self,
        kind: Kind,
        type_name: &str,
        role: &str,
        channel: Option<&str>,
        node: Token,
    ) -> String {
        let type_name = self.token("type", type_name);
        let role = self.token("role", role);
        let channel = channel.map(|channel| self.token("channel", channel));
        let channel = channel.as_ref().map_or(NO_CHANNEL, Token::as_str);
        let (start, kind) = (&self.start, letter(kind));
        format!("{start}m.{kind}.{type_name}.{role}.{channel}.{node}")
    }

    /// Where the node announces itself.
    pub fn here(&self, node: Token) -> String {
        format!("{}here.{node}", self.start)
    }

    /// Where asks to the node go.
    pub fn ask(&self, node: Token) -> String {
        format!("{}ask.{node}", self.start)
    }

    /// Where the answer to the node goes that asked with this nonce.
    pub fn answer(&self, node: Token, nonce: Nonce) -> String {
        format!("{}re.{node}.{nonce}", self.start)
    }

    /// A pattern for all answers to the node.
    pub fn answers(&self, node: Token) -> String {
        format!("{}re.{node}.>", self.start)
    }

    /// What a node with this token has to be allowed by the engine.
    pub fn permissions(&self, node: Token) -> Permissions {
        let start = &self.start;
        Permissions {
            publish: vec![
                format!("{start}m.*.*.*.*.{node}"),
                self.here(node),
                format!("{start}ask.*"),
                format!("{start}re.>"),
            ],
            subscribe: vec![
                format!("{start}m.>"),
                self.ask(node),
                self.answers(node),
                format!("{start}here.*"),
            ],
        }
    }

    /// The pattern that a node with this token subscribes to with such a text, as it is written here; `None` when it
    /// may not.
    pub fn subscription(&self, pattern: &str, node: Token) -> Option<String> {
        let here = pattern.strip_prefix(&self.start);
        let here = here.and_then(|rest| rest.strip_prefix("here."));
        let is_own = pattern == self.ask(node) || pattern == self.answers(node);
        if is_own || here.is_some_and(|token| Token::read(token).is_some()) {
            return Some(pattern.to_owned());
        }
        let lanes = pattern.strip_prefix(&self.start)?.strip_prefix("m.")?;
        if lanes == ">" {
            return Some(self.starred(&[ANY; LANE_TOKENS], |_| true));
        }
        let tokens = self.lane_tokens(pattern)?;
        let mut all = tokens.iter().enumerate();
        let is_one = all.all(|(place, token)| {
            *token == ANY
                || match place {
                    0 => ["e", "o", "l"].contains(token),
                    3 if *token == NO_CHANNEL => true,
                    _ => Token::read(token).is_some(),
                }
        });
        is_one.then(|| pattern.to_owned())
    }

    /// The last tokens of a lane, or of a pattern of lanes.
    pub(crate) fn lane_tokens<'a>(&self, pattern: &'a str) -> Option<[&'a str; LANE_TOKENS]> {
        let lanes = pattern.strip_prefix(&self.start)?.strip_prefix("m.")?;
        let mut tokens = lanes.split('.');
        let mut found = [""; LANE_TOKENS];
        for token in &mut found {
            *token = tokens.next()?;
        }
        tokens.next().is_none().then_some(found)
    }

    /// The pattern of lanes with these tokens, and stars in some places.
    pub(crate) fn starred(
        &self,
        tokens: &[&str; LANE_TOKENS],
        is_star: impl Fn(usize) -> bool,
    ) -> String {
        let mut pattern = format!("{}m", self.start);
        for (place, token) in tokens.iter().enumerate() {
            pattern.push('.');
            pattern.push_str(if is_star(place) { ANY } else { token });
        }
        pattern
    }

    /// What to subscribe to for these interests: patterns of which none holds another, [`MAX_PATTERNS`] at most.
    /// They hold everything that is wanted, and may hold more.
    pub fn patterns<'a>(&self, interests: impl IntoIterator<Item = &'a Interest>) -> Vec<String> {
        let mut wanted: BTreeSet<[String; 5]> = BTreeSet::new();
        for interest in interests {
            wanted.extend(self.alternatives(interest));
            if wanted.len() > MAX_PATTERNS {
                wanted = BTreeSet::from([std::array::from_fn(|_| ANY.to_owned())]);
                break;
            }
        }
        let holds = |one: &[String; 5], other: &[String; 5]| {
            let mut pairs = one.iter().zip(other);
            one != other && pairs.all(|(one, other)| one == ANY || one == other)
        };
        wanted
            .iter()
            .filter(|pattern| !wanted.iter().any(|other| holds(other, pattern)))
            .map(|tokens| format!("{}m.{}", self.start, tokens.join(".")))
            .collect()
    }

    /// What a subject says; `None` when it is not of this bus or not of this protocol.
    pub fn read(&self, subject: &str) -> Option<Address> {
        if subject.len() > MAX_SUBJECT_LEN {
            return None;
        }
        let mut tokens = subject.strip_prefix(&self.start)?.split('.');
        let address = match tokens.next()? {
            "m" => {
                tokens
                    .next()
                    .filter(|kind| ["e", "o", "l"].contains(kind))?;
                Token::read(tokens.next()?)?;
                Token::read(tokens.next()?)?;
                tokens
                    .next()
                    .filter(|channel| *channel == NO_CHANNEL || Token::read(channel).is_some())?;
                Address::Lane(Token::read(tokens.next()?)?)
            }
            "here" => Address::Here(Token::read(tokens.next()?)?),
            "ask" => Address::Ask(Token::read(tokens.next()?)?),
            "re" => Address::Answer(Token::read(tokens.next()?)?, Nonce::read(tokens.next()?)?),
            _ => return None,
        };
        tokens.next().is_none().then_some(address)
    }

    /// The five last tokens of the patterns of one interest.
    fn alternatives(&self, interest: &Interest) -> Vec<[String; 5]> {
        let kind = interest.kind.map_or(ANY, letter).to_owned();
        let list = |what: &str, patterns: &Option<Vec<Pattern>>| -> Vec<String> {
            let Some(patterns) = patterns else {
                return vec![ANY.to_owned()];
            };
            if patterns
                .iter()
                .any(|pattern| pattern.as_str().contains('*'))
            {
                return vec![ANY.to_owned()];
            }
            let mut tokens = BTreeSet::new();
            for pattern in patterns {
                tokens.insert(self.token(what, pattern.as_str()).to_string());
                // A message without a channel fits what fits the empty text.
                if what == "channel" && pattern.as_str().is_empty() {
                    tokens.insert(NO_CHANNEL.to_owned());
                }
            }
            tokens.into_iter().collect()
        };
        let mut lists = [
            vec![kind],
            list("type", &interest.type_name),
            list("role", &interest.role),
            list("channel", &interest.channel),
            list("node", &interest.node),
        ];
        let count = |lists: &[Vec<String>; 5]| {
            let lengths = lists.iter().map(Vec::len);
            lengths.fold(1usize, usize::saturating_mul)
        };
        while count(&lists) > MAX_PATTERNS_PER_INTEREST {
            if let Some(longest) = lists.iter_mut().max_by_key(|list| list.len()) {
                *longest = vec![ANY.to_owned()];
            }
        }
        let mut found: Vec<[String; 5]> = vec![Default::default()];
        for (place, list) in lists.iter().enumerate() {
            found = found
                .iter()
                .flat_map(|tokens| {
                    list.iter().map(|token| {
                        let mut tokens = tokens.clone();
                        tokens[place].clone_from(token);
                        tokens
                    })
                })
                .collect();
        }
        found
    }

    fn token(&self, what: &str, text: &str) -> Token {
        let mut context = hmac::Context::with_key(&self.tokens);
        context.update(what.as_bytes());
        context.update(b":");
        context.update(text.as_bytes());
        let tag = context.sign();
        let mut first = [0; 8];
        first.copy_from_slice(&tag.as_ref()[..8]);
        let bits = u64::from_be_bytes(first);
        Token(std::array::from_fn(|place| {
            BASE32[(bits >> (59 - 5 * place) & 31) as usize]
        }))
    }
}

fn letter(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "e",
        Kind::Order => "o",
        Kind::Log => "l",
    }
}

/// Whether a subject of any bus is a lane, as it looks: not an ask, an answer or an announcement.
pub fn is_of_lane(subject: &str) -> bool {
    subject.split('.').nth(2) == Some("m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects() -> Subjects {
        Subjects::new(BusName::new("fleet").unwrap(), &SubjectKey::public())
    }

    fn node(name: &str) -> Token {
        subjects().node(&NodeName::new(name).unwrap())
    }

    fn interest(yaml: &[(&str, &[&str])]) -> Interest {
        let mut interest = Interest::default();
        for (field, patterns) in yaml {
            let patterns = patterns.iter().map(|text| Pattern::new(*text)).collect();
            match *field {
                "type" => interest.type_name = Some(patterns),
                "channel" => interest.channel = Some(patterns),
                "role" => interest.role = Some(patterns),
                "node" => interest.node = Some(patterns),
                _ => unreachable!(),
            }
        }
        interest
    }

    /// Nodes of all versions have to write the same subjects.
    #[test]
    fn subjects_are_pinned() {
        let subjects = subjects();
        let hub = node("hub");
        let lane = subjects.lane(Kind::Event, "tick", "timer1", None, hub);
        assert_eq!(
            lane,
            "kozo.fleet.m.e.b3yldh5oioxt.lyb5rlrpwoey.-.sx5gawlpeamf"
        );
        let nonce = Nonce(std::array::from_fn(|place| place as u8));
        assert_eq!(
            subjects.answer(hub, nonce),
            "kozo.fleet.re.sx5gawlpeamf.aaaqeayeaudaocajbifqydiob4"
        );
        let secret = SubjectKey::from_secret(b"0123456789abcdef").unwrap();
        let hidden = Subjects::new(BusName::new("fleet").unwrap(), &secret);
        assert_eq!(
            hidden.here(hidden.node(&NodeName::new("hub").unwrap())),
            "kozo.fleet.here.373umjmpixwv"
        );
    }

    #[test]
    fn every_subject_that_is_written_is_read() {
        let subjects = subjects();
        let hub = node("hub");
        for channel in [None, Some(""), Some("a.b.*.>")] {
            let lane = subjects.lane(Kind::Order, "t.*", "r", channel, hub);
            assert_eq!(subjects.read(&lane), Some(Address::Lane(hub)));
        }
        assert_eq!(subjects.read(&subjects.here(hub)), Some(Address::Here(hub)));
        assert_eq!(subjects.read(&subjects.ask(hub)), Some(Address::Ask(hub)));
        for byte in [0, 1, 0x7f, 0xff] {
            let nonce = Nonce([byte; NONCE_LEN]);
            let answer = subjects.answer(hub, nonce);
            assert_eq!(subjects.read(&answer), Some(Address::Answer(hub, nonce)));
        }
    }

    #[test]
    fn the_longest_subject_fits() {
        let bus = BusName::new(&"b".repeat(MAX_NAME_LEN)).unwrap();
        let subjects = Subjects::new(bus, &SubjectKey::public());
        let lane = subjects.lane(Kind::Log, "", "r", Some("c"), node("n"));
        assert_eq!(lane.len(), MAX_SUBJECT_LEN);
        assert!(subjects.read(&lane).is_some());
        assert!(subjects.answer(node("n"), Nonce([0; 16])).len() < MAX_SUBJECT_LEN);
    }

    #[test]
    fn what_is_no_subject_of_this_bus_is_none() {
        let subjects = subjects();
        let hub = node("hub");
        let (here, lane) = (
            subjects.here(hub),
            subjects.lane(Kind::Event, "t", "r", None, hub),
        );
        let answer = subjects.answer(hub, Nonce([0xff; NONCE_LEN]));
        let wrong = [
            "",
            "kozo",
            "kozo.fleet.",
            &here.replace("fleet", "other"),
            &here.replace("here", "there"),
            &here.to_uppercase(),
            &format!("{here}.x"),
            &format!("{here}a"),
            &here[..here.len() - 1],
            &lane.replace(".e.", ".x."),
            &lane.replace(".-.", ".*."),
            &lane.replace(".-.", "."),
            // The last digit of a nonce has two bits that have to be zero.
            &format!("{}7", &answer[..answer.len() - 1]),
            &"x".repeat(MAX_SUBJECT_LEN + 1),
        ];
        for subject in wrong {
            assert_eq!(subjects.read(subject), None, "{subject}");
        }
    }

    #[test]
    fn what_a_token_is_of_belongs_to_it() {
        let subjects = subjects();
        assert_ne!(subjects.token("type", "x"), subjects.token("role", "x"));
        let secret = SubjectKey::from_secret(&[7; 16]).unwrap();
        let hidden = Subjects::new(subjects.bus.clone(), &secret);
        assert_ne!(subjects.token("type", "x"), hidden.token("type", "x"));
        assert_eq!(
            SubjectKey::from_secret(&[7; 15]).unwrap_err(),
            SecretTooShort(15)
        );
    }

    #[test]
    fn an_exact_pattern_is_a_token_and_another_a_star() {
        let subjects = subjects();
        let lane = |channel| subjects.lane(Kind::Event, "tick", "r", channel, node("n"));
        let fits = |pattern: &str, subject: &str| {
            pattern.split('.').count() == subject.split('.').count()
                && pattern
                    .split('.')
                    .zip(subject.split('.'))
                    .all(|(one, other)| one == "*" || one == other)
        };
        let wanted = |list: &[Interest], subject: &str| {
            let patterns = subjects.patterns(list);
            patterns.iter().any(|pattern| fits(pattern, subject))
        };
        let tick = interest(&[("type", &["tick"]), ("channel", &[""])]);
        assert!(wanted(std::slice::from_ref(&tick), &lane(None)));
        assert!(wanted(std::slice::from_ref(&tick), &lane(Some(""))));
        assert!(!wanted(&[tick], &lane(Some("hall"))));
        let any = interest(&[("type", &["ti*", "other"])]);
        assert_eq!(subjects.patterns([&any]), ["kozo.fleet.m.*.*.*.*.*"]);
        assert!(!wanted(&[], &lane(None)));
    }

    #[test]
    fn no_pattern_holds_another_and_there_are_not_too_many() {
        let subjects = subjects();
        let of_type = interest(&[("type", &["tick"])]);
        let narrower = interest(&[("type", &["tick"]), ("role", &["a", "b"])]);
        assert_eq!(subjects.patterns([&narrower]).len(), 2);
        assert_eq!(
            subjects.patterns([&narrower, &of_type]),
            subjects.patterns([&of_type])
        );
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let many = interest(&[("type", &names), ("role", &["a", "b"])]);
        assert_eq!(subjects.patterns([&many]).len(), 2);
        let lists: Vec<Interest> = (0..2000)
            .map(|number| interest(&[("type", &[&number.to_string()])]))
            .collect();
        assert_eq!(subjects.patterns(&lists), ["kozo.fleet.m.*.*.*.*.*"]);
    }
}
