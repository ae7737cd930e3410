//! The bench's side of [`RoleHostVtable`]: what a host does for a role, with a clock that is moved
//! on by hand.

#![allow(unsafe_code)] // The bench's side of every `context` pointer; each block has its reason.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};

use super::Incoming;
use super::shared::shared;
use crate::ffi::{
    MessageSink, MessageView, OutgoingView, RoleHostHandle, RoleHostVtable, RoleHostVtableRef,
    received,
};
use crate::{InboxLimits, Level, Message};

/// How long a role waits for a message when it names no time: the host's `connectionRetry`.
const RECEIVE_LIMIT: Duration = Duration::from_secs(60);
/// What the sender's wall clock shows when the bench starts, in seconds since 1970.
const WALL_CLOCK_START: f64 = 1_000_000_000.0;
/// The inbox limits of a configuration that says nothing of them.
pub(super) const CONFIGURED_INBOX: InboxLimits = InboxLimits {
    length: 8,
    size: 4 * 1024 * 1024,
};

/// One role's host.
pub(super) struct Host {
    pub(super) node: String,
    pub(super) name: String,
    /// Whether the role's metadata says `storage: true`.
    pub(super) storage_declared: bool,
    state: Mutex<State>,
    sent_more: Condvar,
}

/// What changes while the role works.
pub(super) struct State {
    pub(super) elapsed: Duration,
    pub(super) inbox: VecDeque<Incoming>,
    pub(super) inbox_limits: InboxLimits,
    pub(super) sent: Vec<Message>,
    pub(super) logged: Vec<(Level, String)>,
    pub(super) stored: Option<Vec<u8>>,
    /// What the role says that it is about.
    pub(super) status: String,
    /// What the host answers, by the text `request` of the question; the last one of each again and again.
    pub(super) answers: BTreeMap<String, VecDeque<Vec<u8>>>,
    /// The questions of the role that were not taken yet.
    pub(super) asked: Vec<Vec<u8>>,
    /// Why the storage does not work.
    pub(super) storage_failure: Option<String>,
    /// Whether paced sends find room.
    pub(super) room: bool,
    pub(super) interrupted: bool,
    pub(super) stopping: bool,
}

impl Host {
    pub(super) fn new(node: String, name: String, storage_declared: bool) -> Self {
        Self {
            node,
            name,
            storage_declared,
            state: Mutex::new(State {
                elapsed: Duration::ZERO,
                inbox: VecDeque::new(),
                inbox_limits: CONFIGURED_INBOX,
                sent: Vec::new(),
                logged: Vec::new(),
                stored: None,
                status: String::new(),
                answers: BTreeMap::new(),
                asked: Vec::new(),
                storage_failure: None,
                room: true,
                interrupted: false,
                stopping: false,
            }),
            sent_more: Condvar::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, in reality, until `count` messages were sent; whether they were.
    pub(super) fn wait_for_sent(&self, count: usize, limit: Duration) -> bool {
        let (state, _) = self
            .sent_more
            .wait_timeout_while(self.state(), limit, |state| state.sent.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        state.sent.len() >= count
    }

    /// The role's way to this host.
    pub(super) fn handle(self: &Arc<Self>) -> RoleHostHandle {
        RoleHostHandle {
            context: Arc::into_raw(Arc::clone(self)).cast(),
            vtable: RoleHostVtableRef(VTABLE.static_as_prefix()),
        }
    }

    fn storage(&self, state: &State) -> Result<(), RString> {
        if !self.storage_declared {
            return Err("`module.yaml` does not say `storage: true`".into());
        }
        match &state.storage_failure {
            Some(reason) => Err(reason.as_str().into()),
            None => Ok(()),
        }
    }
}

impl State {
    /// Puts a message into the inbox, which pushes out the oldest ones over its limits.
    pub(super) fn push(&mut self, message: Incoming) {
        self.inbox.push_back(message);
        let over = |inbox: &VecDeque<Incoming>, limits: InboxLimits| {
            let size: u64 = inbox.iter().map(Incoming::size).sum();
            inbox.len() as u64 > limits.length || size > limits.size
        };
        while self.inbox.len() > 1 && over(&self.inbox, self.inbox_limits) {
            self.inbox.pop_front();
        }
    }
}

const VTABLE: &WithMetadata<RoleHostVtable> = &WithMetadata::new(RoleHostVtable {
    retain,
    release,
    node,
    name,
    receive,
    send,
    sleep,
    stopping,
    log,
    load,
    store,
    #[cfg(not(feature = "previous-minor-fixture"))]
    ask,
    #[cfg(not(feature = "previous-minor-fixture"))]
    set_status,
    #[cfg(not(feature = "previous-minor-fixture"))]
    receive_many,
    #[cfg(not(feature = "previous-minor-fixture"))]
    send_many,
    #[cfg(feature = "next-minor-fixture")]
    next_minor,
});

shared!(Host);

extern "C" fn node(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).node)
}

extern "C" fn name(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).name)
}

extern "C" fn receive(
    context: *const (),
    wait: ROption<u64>,
    sink: *mut (),
    take: MessageSink,
) -> u8 {
    let host = host(context);
    let (message, timestamp) = {
        let mut state = host.state();
        if state.interrupted || state.stopping {
            return received::INTERRUPTED;
        }
        let Some(message) = state.inbox.pop_front() else {
            let wait = wait.map_or(RECEIVE_LIMIT, Duration::from_nanos);
            state.elapsed += wait.min(RECEIVE_LIMIT);
            return received::TIMEOUT;
        };
        (message, WALL_CLOCK_START + state.elapsed.as_secs_f64())
    };
    let view = MessageView {
        kind: message.kind.number(),
        sender_node: RStr::from_str(&message.node),
        sender_role: RStr::from_str(&message.role),
        type_name: RStr::from_str(&message.type_name),
        channel: message.channel.as_deref().map(RStr::from_str).into(),
        timestamp: timestamp - message.age.as_secs_f64(),
        age_nanos: crate::ffi::nanos(message.age),
        data: RSlice::from_slice(&message.data),
        extra: RSlice::EMPTY,
    };
    (take.take)(sink, &view);
    received::MESSAGE
}

extern "C" fn send(
    context: *const (),
    message: &OutgoingView<'_>,
    wait: u64,
) -> RResult<bool, RString> {
    let host = host(context);
    let mut state = host.state();
    if wait > 0 && !state.room {
        state.elapsed += Duration::from_nanos(wait);
        return RResult::ROk(false);
    }
    let sent = Message::from_view(&MessageView {
        kind: message.kind,
        sender_node: RStr::from_str(&host.node),
        sender_role: RStr::from_str(&host.name),
        type_name: message.type_name,
        channel: message.channel,
        timestamp: WALL_CLOCK_START + state.elapsed.as_secs_f64(),
        age_nanos: 0,
        data: message.data,
        extra: message.extra,
    });
    match sent {
        Some(sent) => state.sent.push(sent),
        None => return RResult::RErr("its kind is none that this host knows".into()),
    }
    host.sent_more.notify_all();
    RResult::ROk(true)
}

extern "C" fn sleep(context: *const (), nanos: u64) -> bool {
    let mut state = host(context).state();
    if state.interrupted || state.stopping {
        return false;
    }
    state.elapsed += Duration::from_nanos(nanos);
    true
}

extern "C" fn stopping(context: *const ()) -> bool {
    host(context).state().stopping
}

extern "C" fn log(context: *const (), level: u8, text: RStr<'_>) {
    let line = (Level::from_number(level), text.as_str().to_owned());
    host(context).state().logged.push(line);
}

extern "C" fn load(context: *const ()) -> RResult<ROption<RVec<u8>>, RString> {
    let host = host(context);
    let state = host.state();
    host.storage(&state)
        .map(|()| state.stored.clone().map(RVec::from).into())
        .into()
}

extern "C" fn store(context: *const (), value: RSlice<'_, u8>) -> RResult<(), RString> {
    let host = host(context);
    let mut state = host.state();
    host.storage(&state)
        .map(|()| state.stored = Some(value.as_slice().to_vec()))
        .into()
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn ask(
    context: *const (),
    question: RSlice<'_, u8>,
    _wait: u64,
) -> RResult<RVec<u8>, RString> {
    #[derive(serde::Deserialize)]
    struct Question {
        request: String,
    }
    let mut state = host(context).state();
    state.asked.push(question.as_slice().to_vec());
    let request = match rmp_serde::from_slice::<Question>(question.as_slice()) {
        Ok(Question { request }) => request,
        Err(error) => return RResult::RErr(format!("the question: {error}").into()),
    };
    let Some(answers) = state.answers.get_mut(&request) else {
        let text = format!("the test has no answer to `{request}`: give one with `answer`");
        return RResult::RErr(text.into());
    };
    let last = answers.len() == 1;
    let answer = if last {
        answers.front().cloned()
    } else {
        answers.pop_front()
    };
    RResult::ROk(answer.unwrap_or_default().into())
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn set_status(context: *const (), text: RStr<'_>) {
    text.as_str().clone_into(&mut host(context).state().status);
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn receive_many(
    context: *const (),
    wait: ROption<u64>,
    most: u64,
    sink: *mut (),
    take: MessageSink,
) -> u8 {
    let ended = receive(context, wait, sink, take);
    if ended != received::MESSAGE {
        return ended;
    }
    for _ in 1..most {
        let is_empty = host(context).state().inbox.is_empty();
        if is_empty || receive(context, ROption::RSome(0), sink, take) != received::MESSAGE {
            break;
        }
    }
    received::MESSAGE
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn send_many(
    context: *const (),
    messages: RSlice<'_, OutgoingView<'_>>,
    wait: u64,
) -> RResult<u64, RString> {
    let known = |message: &OutgoingView<'_>| crate::Kind::from_number(message.kind).is_some();
    if !messages.iter().all(known) {
        return RResult::RErr("the kind of one is none that this host knows".into());
    }
    let mut sent = 0;
    for message in messages {
        match send(context, message, wait) {
            RResult::ROk(true) => sent += 1,
            RResult::ROk(false) => break,
            RResult::RErr(reason) => return RResult::RErr(reason),
        }
    }
    RResult::ROk(sent)
}

#[cfg(feature = "next-minor-fixture")]
extern "C" fn next_minor(_context: *const ()) -> u64 {
    1
}
