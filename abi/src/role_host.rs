//! What a role asks of its host, and sends through it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abi_stable::std_types::{ROption, RResult, RSlice, RStr};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
#[cfg(not(feature = "previous-minor-fixture"))]
use crate::batch::Batch;
use crate::ffi::{MessageSink, MessageView, OutgoingView, RoleHostHandle, nanos, received};
use crate::log::log_methods;
use crate::message::{Kind, Message, SendError};

/// Whether the role wants a message.
pub type Filter = Box<dyn Fn(&Message) -> bool + Send + Sync>;

/// A role's way to its host. Cheap to clone, and usable from any thread of the role's.
#[derive(Clone)]
pub struct RoleHost {
    handle: RoleHostHandle,
    filter: Option<Arc<Filter>>,
}

impl RoleHost {
    pub(crate) fn new(handle: RoleHostHandle) -> Self {
        Self {
            handle,
            filter: None,
        }
    }

    pub(crate) fn set_filter(&mut self, filter: Option<Filter>) {
        self.filter = filter.map(Arc::new);
    }

    /// The name of this node.
    pub fn node(&self) -> &str {
        self.handle.vtable.node()(self.handle.context).as_str()
    }

    /// The name of this role.
    pub fn name(&self) -> &str {
        self.handle.vtable.name()(self.handle.context).as_str()
    }

    /// Waits for a message for as long as the host allows (`connectionRetry`). None when none
    /// came, or when the role shall return from `run`.
    pub fn receive(&self) -> Option<Message> {
        self.receive_within(None)
    }

    /// Waits for a message for `timeout` at most.
    pub fn receive_timeout(&self, timeout: Duration) -> Option<Message> {
        self.receive_within(Some(timeout))
    }

    /// Takes a message that waits in the inbox.
    pub fn try_receive(&self) -> Option<Message> {
        self.receive_within(Some(Duration::ZERO))
    }

    fn receive_within(&self, timeout: Option<Duration>) -> Option<Message> {
        // Nothing is read from the clock where there is no time to measure.
        let deadline = timeout
            .filter(|timeout| !timeout.is_zero())
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        loop {
            let wait = left.map_or(ROption::RNone, |left| ROption::RSome(nanos(left)));
            let mut slot: Option<Message> = None;
            let sink = (&raw mut slot).cast();
            let status =
                self.handle.vtable.receive()(self.handle.context, wait, sink, MessageSink { take });
            if status != received::MESSAGE {
                return None;
            }
            // A message that cannot be read is one of a later version: not for us.
            let wanted =
                |message: &Message| self.filter.as_ref().is_none_or(|wants| wants(message));
            if let Some(message) = slot.filter(wanted) {
                return Some(message);
            }
            left = deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()))
                .or(left);
        }
    }

    /// Waits for messages as [`receive_timeout`](Self::receive_timeout) does, and takes those that wait
    /// then with one call of the host, the oldest first and `most` at most; the host may stop earlier. Empty
    /// when none came, or when the role shall return from `run`.
    ///
    /// Short ones lie in memory that up to 16 KiB of them share, and that is held as long as any of them is kept:
    /// whoever keeps one for long copies what it needs of it.
    ///
    /// They are out of the inbox then: a role that fails loses those that it has not looked at yet. A host of
    /// version 1.0 is called for each of them.
    pub fn receive_many(&self, most: usize, timeout: Duration) -> Vec<Message> {
        let mut messages = Vec::new();
        if most == 0 {
            return messages;
        }
        let deadline = Some(timeout)
            .filter(|timeout| !timeout.is_zero())
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        while self.take_many(most, left, &mut messages) {
            if let Some(wants) = &self.filter {
                messages.retain(|message| wants(message));
            }
            if !messages.is_empty() {
                break;
            }
            left = deadline.map_or(left, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
        }
        messages
    }

    /// Whether there were any, wanted or not.
    fn take_many(&self, most: usize, wait: Duration, messages: &mut Vec<Message>) -> bool {
        #[cfg(not(feature = "previous-minor-fixture"))]
        if let Some(receive_many) = self.handle.vtable.receive_many() {
            let wait = ROption::RSome(nanos(wait));
            let mut batch = Batch::new(most);
            let sink = (&raw mut batch).cast();
            let take = MessageSink {
                take: take_one_more,
            };
            let status = receive_many(self.handle.context, wait, most as u64, sink, take);
            *messages = batch.finish();
            return status == received::MESSAGE;
        }
        messages.extend(self.receive_timeout(wait));
        while !messages.is_empty() && messages.len() < most {
            let Some(message) = self.try_receive() else {
                break;
            };
            messages.push(message);
        }
        !messages.is_empty()
    }

    /// An event to send: something happened.
    pub fn event<'a>(&'a self, type_name: &'a str) -> Outgoing<'a> {
        Outgoing::new(self, Kind::Event, type_name)
    }

    /// An order to send: somebody is asked to do something.
    pub fn order<'a>(&'a self, type_name: &'a str) -> Outgoing<'a> {
        Outgoing::new(self, Kind::Order, type_name)
    }

    /// Sends an event without a channel.
    ///
    /// # Errors
    /// As [`Outgoing::send`].
    pub fn send_event(
        &self,
        type_name: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), SendError> {
        self.event(type_name).send(data)
    }

    /// Sends a line for the log of the network, which a `logger` role somewhere may write down.
    ///
    /// # Errors
    /// As [`Outgoing::send`].
    pub fn send_log(&self, text: &str) -> Result<(), SendError> {
        Outgoing::new(self, Kind::Log, "").send(text)
    }

    /// Asks about this node and its network, or for something of them: what the node's control socket
    /// answers, as far as the role's block in the file grants it (`grant`). The question is a map with the
    /// text `request`, the answer a value of the shape that `docs/modules.md` says. Waits `wait` at most.
    ///
    /// ```no_run
    /// # use std::{collections::BTreeMap, time::Duration};
    /// # fn names(host: &kozo_abi::RoleHost) -> Result<(), kozo_abi::Error> {
    /// #[derive(serde::Deserialize)]
    /// struct Status {
    ///     node: String,
    /// }
    /// let question = BTreeMap::from([("request", "status")]);
    /// let status: Status = host.ask(&question, Duration::from_secs(1))?;
    /// host.info(&format!("this is {}", status.node));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AskError::NotOffered`] in a host of version 1.0; [`AskError::Refused`] where the role is not granted
    /// it, the host does not know the question, or there is no answer in time.
    pub fn ask<T: DeserializeOwned>(
        &self,
        question: &(impl Serialize + ?Sized),
        wait: Duration,
    ) -> Result<T, AskError> {
        let question = rmp_serde::to_vec_named(question).map_err(AskError::Question)?;
        let answer = self.ask_bytes(&question, wait)?;
        rmp_serde::from_slice(&answer).map_err(AskError::Answer)
    }

    #[cfg(not(feature = "previous-minor-fixture"))]
    fn ask_bytes(&self, question: &[u8], wait: Duration) -> Result<Vec<u8>, AskError> {
        let ask = self.handle.vtable.ask().ok_or(AskError::NotOffered)?;
        let question = RSlice::from_slice(question);
        match ask(self.handle.context, question, nanos(wait)) {
            RResult::ROk(answer) => Ok(answer.into()),
            RResult::RErr(reason) => Err(AskError::Refused(reason.into())),
        }
    }

    #[cfg(feature = "previous-minor-fixture")]
    fn ask_bytes(&self, _question: &[u8], _wait: Duration) -> Result<Vec<u8>, AskError> {
        Err(AskError::NotOffered)
    }

    /// Says what the role is about, in a few words, for `kozo status`: `connected to hub as living-room`. It
    /// stays until the next one, or until the role ends; an empty text takes it back. The host shows one line
    /// of at most 200 characters, and does not log it. A host of version 1.0 shows nothing.
    pub fn set_status(&self, text: &str) {
        #[cfg(not(feature = "previous-minor-fixture"))]
        if let Some(set_status) = self.handle.vtable.set_status() {
            set_status(self.handle.context, RStr::from_str(text));
        }
        #[cfg(feature = "previous-minor-fixture")]
        let _ = text;
    }

    /// Stands for what a next minor version offers; none when the host is older than that.
    #[cfg(feature = "next-minor-fixture")]
    pub fn next_minor(&self) -> Option<u64> {
        let next_minor = self.handle.vtable.next_minor()?;
        Some(next_minor(self.handle.context))
    }

    fn send_view(&self, message: &OutgoingView<'_>, wait: Duration) -> Result<(), SendError> {
        match self.handle.vtable.send()(self.handle.context, message, nanos(wait)) {
            RResult::ROk(true) => Ok(()),
            RResult::ROk(false) => Err(SendError::NoRoom),
            RResult::RErr(reason) => Err(SendError::Data(reason.into())),
        }
    }

    /// Sends several messages; the result is how many of them, the first ones.
    fn send_views(
        &self,
        messages: &[OutgoingView<'_>],
        wait: Duration,
    ) -> Result<usize, SendError> {
        #[cfg(not(feature = "previous-minor-fixture"))]
        if let Some(send_many) = self.handle.vtable.send_many() {
            let messages = RSlice::from_slice(messages);
            return match send_many(self.handle.context, messages, nanos(wait)) {
                RResult::ROk(sent) => Ok(usize::try_from(sent).unwrap_or(usize::MAX)),
                RResult::RErr(reason) => Err(SendError::Data(reason.into())),
            };
        }
        let deadline = Some(wait)
            .filter(|wait| !wait.is_zero())
            .and_then(|wait| Instant::now().checked_add(wait));
        for (place, message) in messages.iter().enumerate() {
            // A wait of nothing would push out what waits.
            let left = deadline.map_or(wait, |deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                left.max(Duration::from_nanos(1))
            });
            match self.send_view(message, left) {
                Ok(()) => {}
                Err(SendError::NoRoom) => return Ok(place),
                Err(error) => return Err(error),
            }
        }
        Ok(messages.len())
    }

    /// Sleeps. False when the sleep was cut short because the role shall return from `run`.
    pub fn sleep(&self, duration: Duration) -> bool {
        self.handle.vtable.sleep()(self.handle.context, nanos(duration))
    }

    /// Whether the role is being stopped.
    pub fn stopping(&self) -> bool {
        self.handle.vtable.stopping()(self.handle.context)
    }

    /// Reads the value that [`store`](Self::store) wrote last, in this run of the daemon or an
    /// earlier one. None when there is none.
    ///
    /// # Errors
    /// The value cannot be read, or is of another shape than `T`.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        match self.handle.vtable.load()(self.handle.context) {
            RResult::ROk(ROption::RSome(value)) => rmp_serde::from_slice(&value)
                .map(Some)
                .map_err(|error| format!("the stored value is of another shape: {error}").into()),
            RResult::ROk(ROption::RNone) => Ok(None),
            RResult::RErr(reason) => Err(String::from(reason).into()),
        }
    }

    /// Writes a value to the role's storage, in place of the last one: wholly or not at all.
    ///
    /// # Errors
    /// The value cannot be encoded, or the storage cannot be written.
    pub fn store(&self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let value = rmp_serde::to_vec_named(value)?;
        let stored = self.handle.vtable.store()(self.handle.context, RSlice::from_slice(&value));
        stored
            .into_result()
            .map_err(|reason| String::from(reason).into())
    }

    log_methods!();
}

impl fmt::Debug for RoleHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleHost({}@{})", self.name(), self.node())
    }
}

/// A message to send, being put together: see [`RoleHost::event`].
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing is sent before `send` is called"]
pub struct Outgoing<'a> {
    host: &'a RoleHost,
    kind: Kind,
    type_name: &'a str,
    channel: Option<&'a str>,
    wait: Duration,
}

impl<'a> Outgoing<'a> {
    fn new(host: &'a RoleHost, kind: Kind, type_name: &'a str) -> Self {
        Self {
            host,
            kind,
            type_name,
            channel: None,
            wait: Duration::ZERO,
        }
    }

    /// Sends on a channel, by which receivers may choose.
    pub fn channel(mut self, channel: &'a str) -> Self {
        self.channel = Some(channel);
        self
    }

    /// Waits, for `limit` at most, until every node that wants the message has room for it,
    /// instead of pushing out older messages. For those who produce in bulk.
    pub fn paced(mut self, limit: Duration) -> Self {
        self.wait = limit;
        self
    }

    /// Sends the message with `data`, any value that serde knows.
    ///
    /// # Errors
    /// [`SendError::Data`] when `data` cannot be encoded or is too large; [`SendError::NoRoom`]
    /// when a paced send found none in time.
    pub fn send(self, data: &(impl Serialize + ?Sized)) -> Result<(), SendError> {
        let data =
            rmp_serde::to_vec_named(data).map_err(|error| SendError::Data(error.to_string()))?;
        self.send_bytes(&data)
    }

    /// Sends the message with data that is one MessagePack value already.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_bytes(self, data: &[u8]) -> Result<(), SendError> {
        self.host.send_view(&self.view(data), self.wait)
    }

    /// Sends a message for each of `values`, in order, with one call of the host: for those who produce in
    /// bulk. The result is how many were sent, the first ones: all of them, unless they are
    /// [`paced`](Self::paced) and there was no room in time for the next one. Meanwhile all of them are in memory,
    /// so some hundreds at a time are as good as more.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn send(host: &kozo_abi::RoleHost, mut samples: &[f32]) -> Result<(), kozo_abi::SendError> {
    /// while !samples.is_empty() && !host.stopping() {
    ///     let (next, _) = samples.split_at(samples.len().min(256));
    ///     let sent = host.event("sample").paced(Duration::from_secs(1)).send_many(next)?;
    ///     samples = &samples[sent..];
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SendError::Data`] when one of them cannot be encoded or is too large: none was sent then, but that
    /// a host of version 1.0, which is called for each of them, may have sent those before it.
    pub fn send_many(
        self,
        values: impl IntoIterator<Item = impl Serialize>,
    ) -> Result<usize, SendError> {
        let mut data = Vec::new();
        let mut ends = Vec::new();
        for value in values {
            rmp_serde::encode::write_named(&mut data, &value)
                .map_err(|error| SendError::Data(error.to_string()))?;
            ends.push(data.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let views = starts
            .zip(&ends)
            .map(|(start, &end)| self.view(&data[start..end]));
        self.host.send_views(&views.collect::<Vec<_>>(), self.wait)
    }

    /// Sends a message for each of `data`, of which each is one MessagePack value already; otherwise as
    /// [`send_many`](Self::send_many).
    ///
    /// # Errors
    /// As [`send_many`](Self::send_many).
    pub fn send_many_bytes(self, data: &[impl AsRef<[u8]>]) -> Result<usize, SendError> {
        let views = data.iter().map(|data| self.view(data.as_ref()));
        self.host.send_views(&views.collect::<Vec<_>>(), self.wait)
    }

    fn view<'b>(&'b self, data: &'b [u8]) -> OutgoingView<'b> {
        OutgoingView {
            kind: self.kind.number(),
            type_name: RStr::from_str(self.type_name),
            channel: self
                .channel
                .map_or(ROption::RNone, |channel| ROption::RSome(channel.into())),
            data: RSlice::from_slice(data),
            extra: RSlice::EMPTY,
        }
    }
}

/// Why a question has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum AskError {
    /// The host is of version 1.0 of the interface, which answers nothing.
    NotOffered,
    /// The question cannot be encoded.
    Question(rmp_serde::encode::Error),
    /// The host says why not.
    Refused(String),
    /// The answer is of another shape than expected.
    Answer(rmp_serde::decode::Error),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str(
                "this host is of version 1.0 of the interface, which does not offer to ask about the node: \
                 use a newer one",
            ),
            Self::Question(error) => write!(f, "the question cannot be asked: {error}"),
            Self::Refused(reason) => f.write_str(reason),
            Self::Answer(error) => {
                write!(f, "the answer is of another shape than expected: {error}")
            }
        }
    }
}

impl std::error::Error for AskError {}

/// What the host calls with a message that is ready.
#[allow(unsafe_code)]
extern "C" fn take(sink: *mut (), message: &MessageView<'_>) {
    let message = Message::from_view(message);
    // SAFETY: `receive_within` gave the host a pointer to its own `Option<Message>`, and the host
    // calls this before that call returns.
    let slot = unsafe { &mut *sink.cast::<Option<Message>>() };
    *slot = message;
}

/// What the host calls with each of several messages.
#[cfg(not(feature = "previous-minor-fixture"))]
#[allow(unsafe_code)]
extern "C" fn take_one_more(sink: *mut (), message: &MessageView<'_>) {
    // SAFETY: `take_many` gave the host a pointer to its own `Batch`, and the host calls this
    // before that call returns, never twice at once.
    let batch = unsafe { &mut *sink.cast::<Batch>() };
    batch.take(message);
}
