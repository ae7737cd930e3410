//! Messages as roles see them.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use crate::ffi::MessageView;

/// The three kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something happened.
    Event,
    /// Somebody is asked to do something.
    Order,
    /// A line for the log of the network.
    Log,
}

impl Kind {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Event => 0,
            Self::Order => 1,
            Self::Log => 2,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Event),
            1 => Some(Self::Order),
            2 => Some(Self::Log),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Event => "event",
            Self::Order => "order",
            Self::Log => "log",
        })
    }
}

/// A message that a role got.
#[derive(Clone, PartialEq)]
pub struct Message {
    kind: Kind,
    origin: Origin,
    timestamp: f64,
    age: Duration,
    data: Data,
}

/// One MessagePack value. Messages that were taken together may lie in one allocation.
#[derive(Clone, Default)]
pub(crate) struct Data {
    bytes: Option<Arc<[u8]>>,
    start: usize,
    end: usize,
}

impl Data {
    fn alone(bytes: &[u8]) -> Self {
        let end = bytes.len();
        Self::within(&bytes.into(), 0..end)
    }

    /// What lies there in `bytes`.
    pub(crate) fn within(bytes: &Arc<[u8]>, place: Range<usize>) -> Self {
        Self {
            bytes: Some(Arc::clone(bytes)),
            start: place.start,
            end: place.end,
        }
    }

    fn bytes(&self) -> &[u8] {
        let bytes = self.bytes.as_deref().unwrap_or_default();
        &bytes[self.start..self.end]
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
    }
}

/// What messages have in common that one role sends under one type: shared, for they come in rows.
#[derive(Clone, PartialEq)]
struct Origin {
    /// Sender node, sender role, type and channel in a row: one allocation instead of four.
    texts: Arc<str>,
    node_end: usize,
    role_end: usize,
    type_end: usize,
    has_channel: bool,
}

thread_local! {
    /// That of the last message that this thread got.
    static LAST_ORIGIN: RefCell<Option<Origin>> = const { RefCell::new(None) };
}

impl Origin {
    fn of(view: &MessageView<'_>) -> Self {
        LAST_ORIGIN.with_borrow_mut(|last| match last {
            Some(last) if last.is_that_of(view) => last.clone(),
            _ => last.insert(Self::new(view)).clone(),
        })
    }

    fn new(view: &MessageView<'_>) -> Self {
        let channel = view.channel.map_or("", |channel| channel.as_str());
        let texts = [
            view.sender_node.as_str(),
            view.sender_role.as_str(),
            view.type_name.as_str(),
            channel,
        ]
        .concat();
        let node_end = view.sender_node.len();
        let role_end = node_end + view.sender_role.len();
        Self {
            texts: texts.into(),
            node_end,
            role_end,
            type_end: role_end + view.type_name.len(),
            has_channel: view.channel.is_some(),
        }
    }

    fn is_that_of(&self, view: &MessageView<'_>) -> bool {
        self.node() == view.sender_node.as_str()
            && self.role() == view.sender_role.as_str()
            && self.type_name() == view.type_name.as_str()
            && self.channel() == view.channel.map(|channel| channel.as_str()).into_option()
    }

    fn node(&self) -> &str {
        &self.texts[..self.node_end]
    }

    fn role(&self) -> &str {
        &self.texts[self.node_end..self.role_end]
    }

    fn type_name(&self) -> &str {
        &self.texts[self.role_end..self.type_end]
    }

    fn channel(&self) -> Option<&str> {
        self.has_channel.then(|| &self.texts[self.type_end..])
    }
}

impl Message {
    /// None when the kind is one of a later version, which the role cannot have asked for.
    pub(crate) fn from_view(view: &MessageView<'_>) -> Option<Self> {
        Self::with_data(view, Data::alone(view.data.as_slice()))
    }

    /// The same, with other data than there.
    pub(crate) fn with_data(view: &MessageView<'_>, data: Data) -> Option<Self> {
        Some(Self {
            kind: Kind::from_number(view.kind)?,
            origin: Origin::of(view),
            timestamp: view.timestamp,
            age: Duration::from_nanos(view.age_nanos),
            data,
        })
    }

    /// The same message with this data.
    #[cfg(not(feature = "previous-minor-fixture"))]
    pub(crate) fn and_data(self, data: Data) -> Self {
        Self { data, ..self }
    }

    /// Event, order or log.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The node it came from: the authenticated one, whatever the message might claim.
    pub fn sender_node(&self) -> &str {
        self.origin.node()
    }

    /// The role on that node.
    pub fn sender_role(&self) -> &str {
        self.origin.role()
    }

    /// Its type, `tick` say; empty for a log.
    pub fn type_name(&self) -> &str {
        self.origin.type_name()
    }

    /// Its channel, if the sender named one.
    pub fn channel(&self) -> Option<&str> {
        self.origin.channel()
    }

    /// When it was sent, by the sender's wall clock (which may be wrong, or absent).
    pub fn timestamp(&self) -> SystemTime {
        Duration::try_from_secs_f64(self.timestamp)
            .ok()
            .and_then(|since_1970| SystemTime::UNIX_EPOCH.checked_add(since_1970))
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// How long it was under way when it was taken from the inbox, as far as the two hosts could
    /// measure it: neither wall clock plays a part.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// Its data as a value of type `T`.
    ///
    /// # Errors
    /// The data is of another shape: what was expected and what was found.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, crate::Error> {
        rmp_serde::from_slice(self.data_bytes()).map_err(|error| {
            format!("the data of {self} is of another shape than expected: {error}").into()
        })
    }

    /// Its data as it came: one MessagePack value.
    pub fn data_bytes(&self) -> &[u8] {
        self.data.bytes()
    }
}

impl fmt::Display for Message {
    /// What the message is, for a line in a log: ``event `tick` of timer1@clock``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.type_name().is_empty() {
            write!(f, " `{}`", self.type_name())?;
        }
        write!(f, " of {}@{}", self.sender_role(), self.sender_node())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("sender_node", &self.sender_node())
            .field("sender_role", &self.sender_role())
            .field("type_name", &self.type_name())
            .field("channel", &self.channel())
            .field("timestamp", &self.timestamp)
            .field("age", &self.age)
            .field("data", &self.data)
            .finish()
    }
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// It can never be sent: the reason.
    Data(String),
    /// A paced send waited in vain.
    NoRoom,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(reason) => write!(f, "the message cannot be sent: {reason}"),
            Self::NoRoom => f.write_str("there was no room for the message in time"),
        }
    }
}

impl std::error::Error for SendError {}
