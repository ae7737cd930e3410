//! What the host does for a role.

use std::time::Duration;

use kozo_abi::Level;
use kozo_abi::ffi::MessageView;
use kozo_ground::interest::Kind;

use super::call_error::ServiceError;

/// What the host does for a role. It is called from any thread of the role's, several at once,
/// and may block where it says so. A panic in it is logged and the role gets a failure.
pub trait RoleServices: Send + Sync + 'static {
    /// The name of this node.
    fn node(&self) -> &str;

    /// The name of the role.
    fn name(&self) -> &str;

    /// Waits for a message, at most so long (none: the host's own limit), and calls `take` with
    /// it, once, before it returns.
    fn receive(&self, wait: Option<Duration>, take: &mut dyn FnMut(&MessageView<'_>)) -> Received;

    /// Sends a message. With `wait` above zero it waits, that long at most, until every node that
    /// wants the message has room; false: there was none in time, and nothing was sent.
    ///
    /// # Errors
    /// Why the message can never be sent.
    fn send(&self, message: OutgoingMessage<'_>, wait: Duration) -> Result<bool, ServiceError>;

    /// Waits as [`receive`](Self::receive) does, and calls `take` with each message that waits then, the oldest
    /// first, `most` of them at most, or fewer.
    fn receive_many(
        &self,
        wait: Option<Duration>,
        most: usize,
        take: &mut dyn FnMut(&MessageView<'_>),
    ) -> Received;

    /// Sends messages in order, each as [`send`](Self::send) does, all of them within `wait`. The result is how
    /// many were sent, the first ones: fewer than there are when there was no room in time for the next one.
    ///
    /// # Errors
    /// Why one of them can never be sent; none was sent then.
    fn send_many(
        &self,
        messages: &[OutgoingMessage<'_>],
        wait: Duration,
    ) -> Result<usize, ServiceError>;

    /// Sleeps; false when that was cut short because the role shall return from `run`.
    fn sleep(&self, time: Duration) -> bool;

    /// Whether the role is being stopped.
    fn stopping(&self) -> bool;

    /// A line of the role's for the host's own log.
    fn log(&self, level: Level, text: &str);

    /// What the role stored last: one MessagePack value; none when it never did.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn load(&self) -> Result<Option<Vec<u8>>, ServiceError>;

    /// Stores one MessagePack value in place of the last, wholly or not at all.
    ///
    /// # Errors
    /// Why it cannot be stored.
    fn store(&self, value: &[u8]) -> Result<(), ServiceError>;

    /// Answers a question about the node, one MessagePack value each way; waits for the answer, so long at
    /// most.
    ///
    /// # Errors
    /// Why there is no answer.
    fn ask(&self, question: &[u8], wait: Duration) -> Result<Vec<u8>, ServiceError>;

    /// What the role is about at present, for people; any text of any length.
    fn set_status(&self, text: &str);
}

/// How [`RoleServices::receive`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// `take` was called with a message, or with several.
    Message,
    /// The time is up.
    Timeout,
    /// The role shall return from `run`.
    Interrupted,
}

/// A message that a role sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingMessage<'a> {
    /// Event, order or log.
    pub kind: Kind,
    /// Its type; empty for a log.
    pub type_name: &'a str,
    /// Its channel.
    pub channel: Option<&'a str>,
    /// Its data: one MessagePack value, as far as the role keeps its word.
    pub data: &'a [u8],
}
