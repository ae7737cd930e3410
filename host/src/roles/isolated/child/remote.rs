//! The host, as a role sees it whose host is another process.

use std::collections::HashMap;
use std::io::Write;
use std::iter::Peekable;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::ThreadId;
use std::time::Duration;

use abi_stable::std_types::{ROption, RSlice, RStr};
use kozo_abi::Level;
use kozo_abi::ffi::MessageView;
use kozo_ground::clock;
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::RoleName;
use kozo_wire::{MAX_QUESTION_LEN, Message};
use serde_bytes::ByteBuf;

use crate::log::Line;
use crate::modules::{OutgoingMessage, Received, RoleServices, ServiceError};
use crate::roles::isolated::protocol::{
    self, Delivered, FromRole, HostAnswer, HostRequest, MAX_SENT, MAX_SENT_DATA, Sent, bounded,
};
use crate::storage::MAX_STORED;

/// The connection with the host, for all threads of the role.
pub(super) struct Remote {
    node: String,
    name: String,
    stream: Mutex<UnixStream>,
    /// Who waits for the answer to which request.
    waiting: Mutex<HashMap<u64, SyncSender<HostAnswer>>>,
    next_id: AtomicU64,
    is_stopping: AtomicBool,
    /// The thread that calls the role's functions.
    main: OnceLock<ThreadId>,
}

impl Remote {
    pub(super) fn new(stream: UnixStream, node: &str, name: &str) -> Self {
        Self {
            node: node.to_owned(),
            name: name.to_owned(),
            stream: Mutex::new(stream),
            waiting: Mutex::default(),
            next_id: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            main: OnceLock::new(),
        }
    }

    /// Sends this process's own log, in which modules write what belongs to no role, to the host.
    pub(super) fn take_log(self: &Arc<Self>) {
        let remote = Arc::clone(self);
        let started = crate::log::start_with(move |line: &Line| {
            let level = match line.level.as_str() {
                "ERROR" => Level::Error,
                "WARN" => Level::Warn,
                "INFO" => Level::Info,
                _ => Level::Debug,
            };
            remote.log_line(level, &line.message);
        });
        // There is a log already: somebody else sees the lines.
        drop(started);
    }

    /// The calling thread is the one that calls the role's functions.
    pub(super) fn is_main_thread(&self) {
        // This is called only once, so that nothing was set before.
        let _ = self.main.set(std::thread::current().id());
    }

    /// Gives an answer to who waits for it.
    pub(super) fn answered(&self, id: u64, answer: HostAnswer) {
        let waiting = self.waiting.lock_anyway().remove(&id);
        if let Some(waiting) = waiting {
            // There is room for it.
            let _ = waiting.try_send(answer);
        }
    }

    /// The role is being stopped from now on.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Says something that is not answered.
    pub(super) fn tell(&self, frame: &FromRole) {
        // When the host is gone, this process ends, too.
        let _ = self.write(frame);
    }

    pub(super) fn log_line(&self, level: Level, text: &str) {
        let (level, text) = (level as u8, bounded(text));
        self.tell(&FromRole::Log { level, text });
    }

    /// The same for several, with one call to the system.
    fn tell_all(&self, frames: impl Iterator<Item = FromRole>) {
        let bytes: Result<Vec<_>, _> = frames.map(|frame| protocol::encode(&frame)).collect();
        if let Ok(bytes) = bytes {
            let _ = self.stream.lock_anyway().write_all(&bytes.concat());
        }
    }

    /// A message of the role. What is wrong with it is told at once, so that the host need not answer.
    fn checked(&self, message: OutgoingMessage<'_>) -> Result<Sent, ServiceError> {
        let OutgoingMessage {
            kind,
            type_name,
            channel,
            data,
        } = message;
        let role = RoleName::new(&self.name)?;
        Message::new(kind, &role, type_name, channel, 0.0, data)?;
        Ok(Sent {
            kind: kind as u8,
            type_name: type_name.to_owned(),
            channel: channel.map(str::to_owned),
            data: ByteBuf::from(data),
        })
    }

    fn write(&self, frame: &FromRole) -> Result<(), protocol::IpcError> {
        let bytes = protocol::encode(frame)?;
        Ok(self.stream.lock_anyway().write_all(&bytes)?)
    }

    /// Asks the host for something, and waits for the answer. None when the host is gone.
    fn request(&self, request: HostRequest) -> Option<HostAnswer> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let main = self.main.get() == Some(&std::thread::current().id());
        let (sender, answer) = sync_channel(1);
        self.waiting.lock_anyway().insert(id, sender);
        let frame = FromRole::Request { id, main, request };
        if self.write(&frame).is_err() {
            self.waiting.lock_anyway().remove(&id);
            return None;
        }
        answer.recv().ok()
    }
}

impl RoleServices for Remote {
    fn node(&self) -> &str {
        &self.node
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn receive(&self, wait: Option<Duration>, take: &mut dyn FnMut(&MessageView<'_>)) -> Received {
        match self.request(HostRequest::Receive { wait }) {
            Some(HostAnswer::Message(message)) => {
                take(&view(&message));
                Received::Message
            }
            Some(HostAnswer::Timeout) => Received::Timeout,
            _ => Received::Interrupted,
        }
    }

    fn receive_many(
        &self,
        wait: Option<Duration>,
        most: usize,
        take: &mut dyn FnMut(&MessageView<'_>),
    ) -> Received {
        match self.request(HostRequest::ReceiveMany { wait, most }) {
            Some(HostAnswer::Messages(messages)) => {
                messages.iter().for_each(|message| take(&view(message)));
                Received::Message
            }
            Some(HostAnswer::Timeout) => Received::Timeout,
            _ => Received::Interrupted,
        }
    }

    fn send(&self, message: OutgoingMessage<'_>, wait: Duration) -> Result<bool, ServiceError> {
        let message = self.checked(message)?;
        if wait.is_zero() {
            self.tell(&FromRole::Send(message));
            return Ok(true);
        }
        match self.request(HostRequest::Send { message, wait }) {
            Some(HostAnswer::Sent(sent)) => Ok(sent?),
            _ => Err(gone()),
        }
    }

    fn send_many(
        &self,
        messages: &[OutgoingMessage<'_>],
        wait: Duration,
    ) -> Result<usize, ServiceError> {
        let checked: Result<Vec<_>, _> = messages.iter().map(|one| self.checked(*one)).collect();
        let mut messages = checked?.into_iter().peekable();
        let deadline = clock::now() + wait;
        let mut sent = 0;
        while messages.peek().is_some() {
            let some = next_sent(&mut messages);
            let count = some.len();
            let taken = if wait.is_zero() {
                self.tell_all(some.into_iter().map(FromRole::Send));
                count
            } else {
                // Nothing at all would not wait for room, but push out what waits.
                let left = deadline.since(clock::now()).max(Duration::from_nanos(1));
                let request = HostRequest::SendMany {
                    messages: some,
                    wait: left,
                };
                match self.request(request) {
                    Some(HostAnswer::SentMany(sent)) => sent?,
                    _ => return Err(gone()),
                }
            };
            sent += taken;
            if taken < count {
                break;
            }
        }
        Ok(sent)
    }

    fn sleep(&self, time: Duration) -> bool {
        matches!(
            self.request(HostRequest::Sleep { time }),
            Some(HostAnswer::Slept(true))
        )
    }

    fn stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    fn log(&self, level: Level, text: &str) {
        self.log_line(level, text);
    }

    fn set_status(&self, text: &str) {
        let text = bounded(text);
        self.tell(&FromRole::Status { text });
    }

    fn load(&self) -> Result<Option<Vec<u8>>, ServiceError> {
        match self.request(HostRequest::Load) {
            Some(HostAnswer::Loaded(loaded)) => Ok(loaded?.map(ByteBuf::into_vec)),
            _ => Err(gone()),
        }
    }

    fn store(&self, value: &[u8]) -> Result<(), ServiceError> {
        if value.len() > MAX_STORED {
            let length = value.len();
            return Err(
                format!("the value has {length} bytes, and {MAX_STORED} are the limit").into(),
            );
        }
        let value = ByteBuf::from(value);
        match self.request(HostRequest::Store { value }) {
            Some(HostAnswer::Stored(stored)) => Ok(stored?),
            _ => Err(gone()),
        }
    }

    fn ask(&self, question: &[u8], wait: Duration) -> Result<Vec<u8>, ServiceError> {
        if question.len() > MAX_QUESTION_LEN {
            let length = question.len();
            let text =
                format!("the question has {length} bytes, and {MAX_QUESTION_LEN} are the limit");
            return Err(text.into());
        }
        let request = HostRequest::Ask {
            question: ByteBuf::from(question),
            wait,
        };
        match self.request(request) {
            Some(HostAnswer::Answered(answered)) => Ok(answered?.into_vec()),
            _ => Err(gone()),
        }
    }
}

/// The next messages that go in one frame.
fn next_sent(messages: &mut Peekable<impl Iterator<Item = Sent>>) -> Vec<Sent> {
    let mut some: Vec<_> = messages.next().into_iter().collect();
    let mut data = some.iter().map(|message| message.data.len()).sum::<usize>();
    while some.len() < MAX_SENT
        && let Some(next) = messages.next_if(|next| data + next.data.len() <= MAX_SENT_DATA)
    {
        data += next.data.len();
        some.push(next);
    }
    some
}

fn view(message: &Delivered) -> MessageView<'_> {
    MessageView {
        kind: message.kind,
        sender_node: RStr::from_str(&message.sender_node),
        sender_role: RStr::from_str(&message.sender_role),
        type_name: RStr::from_str(&message.type_name),
        channel: match &message.channel {
            Some(channel) => ROption::RSome(RStr::from_str(channel)),
            None => ROption::RNone,
        },
        timestamp: message.timestamp,
        age_nanos: message.age_nanos,
        data: RSlice::from_slice(&message.data),
        extra: RSlice::EMPTY,
    }
}

fn gone() -> ServiceError {
    "the host is gone".into()
}
