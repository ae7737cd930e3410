//! The role contract.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abi_stable::std_types::{ROption, RResult, RSlice};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ffi::{MessageSink, MessageView, OutgoingView, RoleHostHandle, level, received};
use crate::{Error, Kind, Message, Outgoing, SendError};

/// A role: a task that a node performs. It has a thread of its own, so it may block.
///
/// The host makes it, then calls [`run`](Self::run) again and again until the daemon stops, at
/// the pace that [`pace`](Self::pace) says. A role that returns an error or panics is dropped,
/// and made anew after a while; nothing else on the node notices.
pub trait Role: Send + Sized + 'static {
    /// The role's options, as `module.yaml` describes them. The host has checked them and filled
    /// in every default before it hands them over.
    type Options: DeserializeOwned;

    /// Makes the role.
    ///
    /// # Errors
    /// Whatever keeps it from working. The host tries again later.
    fn new(options: Self::Options, host: &RoleHost) -> Result<Self, Error>;

    /// Does the role's work once, waiting for a message perhaps, and returns soon after
    /// [`RoleHost::stopping`] turns true.
    ///
    /// # Errors
    /// Whatever the role cannot go on from: it is made anew after a while.
    fn run(&mut self, host: &RoleHost) -> Result<(), Error>;

    /// When `run` is called again. By default at once: it is expected to wait in
    /// [`RoleHost::receive`].
    fn pace(&self) -> Pace {
        Pace::AtOnce
    }

    /// The limits of the role's inbox, given those of the configuration.
    fn inbox(&self, configured: InboxLimits) -> InboxLimits {
        configured
    }

    /// Chooses among the messages that the interests in `module.yaml` let in, where patterns
    /// cannot say it. Asked once, after [`new`](Self::new).
    fn filter(&self) -> Option<Filter> {
        None
    }

    /// Opens files again that somebody may have moved: the daemon got a SIGHUP.
    ///
    /// # Errors
    /// As for `run`.
    fn reopen(&mut self, host: &RoleHost) -> Result<(), Error> {
        let _ = host;
        Ok(())
    }

    /// The last call, when the daemon stops or the role is restarted: writes out what is still in
    /// memory. A role that failed is dropped without it.
    ///
    /// # Errors
    /// They are logged.
    fn stop(&mut self, host: &RoleHost) -> Result<(), Error> {
        let _ = host;
        Ok(())
    }
}

/// Whether the role wants a message.
pub type Filter = Box<dyn Fn(&Message) -> bool + Send + Sync>;

/// When `run` is called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    AtOnce,
    /// So long after the last start of `run` at the earliest; the very first call comes after a
    /// random part of that, so that many roles do not all start together.
    Every(Duration),
    /// As [`Every`](Self::Every), but also as soon as a message waits in the inbox.
    EveryOrMessage(Duration),
}

/// The limits of a role's inbox. A message that does not fit pushes out the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxLimits {
    /// How many messages it holds.
    pub length: u64,
    /// How many bytes they have together.
    pub size: u64,
}

/// Levels of the host's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something that a user wants to see.
    Info,
    /// Something for whoever looks for a fault.
    Debug,
}

impl Level {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Error => level::ERROR,
            Self::Warn => level::WARN,
            Self::Info => level::INFO,
            Self::Debug => level::DEBUG,
        }
    }

    /// A level of a later version counts as debug.
    #[cfg(feature = "bench")]
    pub(crate) fn from_number(number: u8) -> Self {
        match number {
            level::ERROR => Self::Error,
            level::WARN => Self::Warn,
            level::INFO => Self::Info,
            _ => Self::Debug,
        }
    }
}

/// The four methods that write to the host's own log.
macro_rules! log_methods {
    () => {
        /// Writes a line to the host's own log.
        pub fn log(&self, level: $crate::Level, text: &str) {
            let text = abi_stable::std_types::RStr::from_str(text);
            self.handle.vtable.log()(self.handle.context, level.number(), text);
        }

        /// Something failed: a line for the host's own log.
        pub fn error(&self, text: &str) {
            self.log($crate::Level::Error, text);
        }

        /// Something is odd: a line for the host's own log.
        pub fn warn(&self, text: &str) {
            self.log($crate::Level::Warn, text);
        }

        /// Something that a user wants to see: a line for the host's own log.
        pub fn info(&self, text: &str) {
            self.log($crate::Level::Info, text);
        }

        /// Something for whoever looks for a fault: a line for the host's own log.
        pub fn debug(&self, text: &str) {
            self.log($crate::Level::Debug, text);
        }
    };
}
pub(crate) use log_methods;

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

    /// Stands for what a next minor version offers; none when the host is older than that.
    #[cfg(feature = "next-minor-fixture")]
    pub fn next_minor(&self) -> Option<u64> {
        let next_minor = self.handle.vtable.next_minor()?;
        Some(next_minor(self.handle.context))
    }

    pub(crate) fn send_view(
        &self,
        message: &OutgoingView<'_>,
        wait: Duration,
    ) -> Result<(), SendError> {
        match self.handle.vtable.send()(self.handle.context, message, nanos(wait)) {
            RResult::ROk(true) => Ok(()),
            RResult::ROk(false) => Err(SendError::NoRoom),
            RResult::RErr(reason) => Err(SendError::Data(reason.into())),
        }
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

/// A duration for the interface: 584 years are enough for anybody.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What the host calls with a message that is ready.
#[allow(unsafe_code)]
extern "C" fn take(sink: *mut (), message: &MessageView<'_>) {
    let message = Message::from_view(message);
    // SAFETY: `receive_within` gave the host a pointer to its own `Option<Message>`, and the host
    // calls this before that call returns.
    let slot = unsafe { &mut *sink.cast::<Option<Message>>() };
    *slot = message;
}
