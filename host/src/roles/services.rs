//! What the host does for a role.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abi_stable::std_types::{ROption, RSlice, RStr};
use kozo_abi::Level;
use kozo_abi::ffi::MessageView;
use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::{NodeName, RoleName};
use kozo_ground::text::status_line;
use kozo_wire::{Draft, Message, MessageRows};

use super::inbox::{self, InboxReader, IncomingMessage};
use super::line::RoleLog;
use crate::modules::{OutgoingMessage, Received, RoleServices, ServiceError};
use crate::storage::{RoleStorage, StorageError};

/// How long a paced send waits at a time before it looks whether the role is being stopped.
const PACED_STEP: Duration = Duration::from_millis(250);

/// How long a role waits for an answer at a time before it looks whether it is being stopped.
const ANSWER_STEP: Duration = Duration::from_millis(250);

/// Where the messages of roles go: the router.
pub(crate) trait Dispatcher: Send + Sync + 'static {
    /// Takes what is to be a message of a role of this node, where that is quickly done, pushes nothing out and needs
    /// no wait. False: it has not, and the message is to be made and [sent](Self::send).
    fn take(&self, _draft: &Draft<'_>, _now: Moment) -> bool {
        false
    }

    /// Takes messages of the role `from` of this node, in order. With `wait` above zero it waits, that
    /// long at most, until every node that wants a message has room for it. The result is how many were
    /// sent, the first ones; the others went to nobody. With no wait the oldest messages make room, and all
    /// are sent.
    fn send(&self, from: &RoleName, messages: &[Message], wait: Duration) -> usize;
}

/// Who answers what roles ask about the node.
pub(crate) trait AnswerDesk: Send + Sync + 'static {
    /// For one life of a role; what belongs to it ends when this is dropped.
    fn open(&self, role: &RoleName) -> Box<dyn RoleQuestions>;
}

/// The questions of one life of a role.
pub(crate) trait RoleQuestions: Send + Sync {
    /// Answers a question, one MessagePack value each way, within about `wait`. An error says why not.
    fn ask(&self, question: &[u8], wait: Duration) -> Receiver<Result<Vec<u8>, String>>;
}

/// What one life of a role says that it is about.
#[derive(Debug, Default)]
pub(super) struct StatusText(Mutex<Option<String>>);

impl StatusText {
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock_anyway().clone()
    }

    fn set(&self, text: &str) {
        *self.0.lock_anyway() = status_line(text);
    }
}

/// The host as one life of a role sees it.
pub(super) struct LifeServices {
    pub(super) node: NodeName,
    pub(super) name: RoleName,
    pub(super) reader: InboxReader,
    pub(super) dispatcher: Arc<dyn Dispatcher>,
    pub(super) questions: Box<dyn RoleQuestions>,
    pub(super) storage: Option<Arc<RoleStorage>>,
    pub(super) log: Arc<RoleLog>,
    pub(super) status: Arc<StatusText>,
    /// The longest wait for a message: `connectionRetry`.
    pub(super) longest_wait: Duration,
}

impl RoleServices for LifeServices {
    fn node(&self) -> &str {
        self.node.as_str()
    }

    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn receive(&self, wait: Option<Duration>, take: &mut dyn FnMut(&MessageView<'_>)) -> Received {
        match self.reader.receive(self.bounded(wait)) {
            inbox::ReceiveOutcome::Taken(incoming) => {
                take(&view(&incoming));
                Received::Message
            }
            inbox::ReceiveOutcome::Timeout => Received::Timeout,
            inbox::ReceiveOutcome::Interrupted => Received::Interrupted,
        }
    }

    fn receive_many(
        &self,
        wait: Option<Duration>,
        most: usize,
        take: &mut dyn FnMut(&MessageView<'_>),
    ) -> Received {
        match self.reader.receive_many(self.bounded(wait), most) {
            inbox::ReceiveOutcome::Taken(all) => {
                for incoming in all {
                    take(&view(&incoming));
                }
                Received::Message
            }
            inbox::ReceiveOutcome::Timeout => Received::Timeout,
            inbox::ReceiveOutcome::Interrupted => Received::Interrupted,
        }
    }

    fn send(&self, message: OutgoingMessage<'_>, wait: Duration) -> Result<bool, ServiceError> {
        let now = clock::now();
        let draft = Draft {
            kind: message.kind,
            role: &self.name,
            type_name: message.type_name,
            channel: message.channel,
            timestamp: clock::wall(now).as_secs_f64(),
            data: message.data,
        };
        Ok(self.dispatcher.take(&draft, now) || self.dispatch(&[draft.message()?], wait) == 1)
    }

    fn send_many(
        &self,
        messages: &[OutgoingMessage<'_>],
        wait: Duration,
    ) -> Result<usize, ServiceError> {
        let timestamp = clock::wall(clock::now()).as_secs_f64();
        let mut rows = MessageRows::new(&self.name, timestamp, messages.len());
        for message in messages {
            rows.push(
                message.kind,
                message.type_name,
                message.channel,
                message.data,
            )?;
        }
        Ok(self.dispatch(&rows.finish(), wait))
    }

    fn sleep(&self, time: Duration) -> bool {
        self.reader.sleep(time)
    }

    fn stopping(&self) -> bool {
        self.reader.stopping()
    }

    fn log(&self, level: Level, text: &str) {
        self.log.role_line(level, text, clock::now());
    }

    fn load(&self) -> Result<Option<Vec<u8>>, ServiceError> {
        match &self.storage {
            // Nothing can have been stored.
            None => Ok(None),
            Some(storage) => Ok(storage.load()?),
        }
    }

    fn store(&self, value: &[u8]) -> Result<(), ServiceError> {
        match &self.storage {
            None => Err(StorageError::NotConfigured(self.node.clone()).into()),
            Some(storage) => Ok(storage.store(value)?),
        }
    }

    fn set_status(&self, text: &str) {
        self.status.set(text);
    }

    fn ask(&self, question: &[u8], wait: Duration) -> Result<Vec<u8>, ServiceError> {
        let answer = self.questions.ask(question, wait);
        let deadline = clock::now() + wait;
        loop {
            let step = deadline.since(clock::now()).min(ANSWER_STEP);
            match answer.recv_timeout(step) {
                Ok(answer) => return Ok(answer?),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("the node stops, and answers nothing any more".into());
                }
                Err(RecvTimeoutError::Timeout) if self.stopping() => {
                    return Err("the role is being stopped".into());
                }
                Err(RecvTimeoutError::Timeout) if step.is_zero() => {
                    return Err("there was no answer in time".into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl LifeServices {
    /// How long to wait for a message.
    fn bounded(&self, wait: Option<Duration>) -> Duration {
        wait.unwrap_or(self.longest_wait).min(self.longest_wait)
    }

    /// Hands messages over; the result is how many were taken.
    fn dispatch(&self, messages: &[Message], wait: Duration) -> usize {
        let mut step = wait.min(PACED_STEP);
        let mut deadline = None;
        let mut sent = 0;
        loop {
            sent += self.dispatcher.send(&self.name, &messages[sent..], step);
            if sent == messages.len() {
                return sent;
            }
            // Only now, for most sends succeed at once; the first one has waited already.
            let now = clock::now();
            let deadline = *deadline.get_or_insert(now + (wait - step));
            step = deadline.since(now).min(PACED_STEP);
            if step.is_zero() || self.stopping() {
                return sent;
            }
        }
    }
}

/// A message that was taken just now, as the role gets it.
fn view(incoming: &IncomingMessage) -> MessageView<'_> {
    let IncomingMessage { message, age, .. } = incoming;
    MessageView {
        kind: message.kind() as u8,
        sender_node: RStr::from_str(incoming.sender.as_str()),
        sender_role: RStr::from_str(message.role()),
        type_name: RStr::from_str(message.type_name()),
        channel: message
            .channel()
            .map_or(ROption::RNone, |channel| ROption::RSome(channel.into())),
        timestamp: message.timestamp(),
        age_nanos: u64::try_from(age.as_nanos()).unwrap_or(u64::MAX),
        data: RSlice::from_slice(message.data()),
        extra: RSlice::EMPTY,
    }
}
