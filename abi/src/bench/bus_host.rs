//! The bench's side of [`BusHostVtable`]: what a host does for a bus.

#![allow(unsafe_code)] // The bench's side of every `context` pointer; each block has its reason.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use rustix::io::Errno;

use super::shared::shared;
use super::stopping::Stopping;
use crate::ffi::{
    BusHostHandle, BusHostVtable, BusHostVtableRef, LimitsView, WindowParts, delivered,
};
use crate::{Level, Limits, MAX_SUBJECT};

/// How many datagrams the bench holds unless the test says otherwise.
const ROOM: usize = 1_000_000;

/// A datagram that a bus has handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Its subject.
    pub subject: String,
    /// The subject at which its sender waits for an answer.
    pub reply: Option<String>,
    /// What it holds.
    pub data: Vec<u8>,
}

/// What a bus has told its host.
#[derive(Default)]
pub(super) struct Told {
    /// What the engine can do, while it is connected.
    pub(super) limits: Option<Limits>,
    pub(super) ups: u64,
    /// Why the connection was lost, each time.
    pub(super) downs: Vec<String>,
    /// What has come in and was not taken by the test yet.
    pub(super) received: Vec<Datagram>,
    /// How much of that there may be.
    pub(super) room: usize,
    pub(super) dropped: u64,
    pub(super) confirmed: Option<u64>,
    pub(super) nobody: Vec<String>,
    pub(super) refused: Vec<(String, String)>,
    pub(super) round_trip: Option<Duration>,
    pub(super) status: String,
    pub(super) logged: Vec<(Level, String)>,
    /// The highest number of what was accepted.
    pub(super) accepted: Option<u64>,
    /// What the bus does that the contract does not allow.
    pub(super) breaches: Vec<String>,
}

impl Told {
    /// The contract is broken. Once is enough of each: a bus may do it a million times.
    pub(super) fn breach(&mut self, what: String) {
        if !self.breaches.contains(&what) {
            self.breaches.push(what);
        }
    }
}

/// One bus's host.
pub(super) struct Host {
    pub(super) node: String,
    pub(super) name: String,
    pub(super) module: String,
    /// Where the bus keeps its files, if the test has given it a place.
    state_dir: Option<PathBuf>,
    told: Mutex<Told>,
    /// Whenever something was told, or taken by the test.
    changed: Condvar,
    stopping: Stopping,
}

impl Host {
    pub(super) fn new(
        node: String,
        name: String,
        module: String,
        state_dir: Option<PathBuf>,
    ) -> Result<Self, Errno> {
        Ok(Self {
            node,
            name,
            module,
            state_dir,
            told: Mutex::new(Told {
                room: ROOM,
                ..Told::default()
            }),
            changed: Condvar::new(),
            stopping: Stopping::new()?,
        })
    }

    /// The bus's way to this host.
    pub(super) fn handle(self: &Arc<Self>) -> BusHostHandle {
        BusHostHandle {
            context: Arc::into_raw(Arc::clone(self)).cast(),
            vtable: BusHostVtableRef(VTABLE.static_as_prefix()),
        }
    }

    pub(super) fn stop(&self) {
        self.stopping.stop();
        self.changed.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_stopping()
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes or takes something, and wakes who waits for that.
    pub(super) fn tell<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        let result = change(&mut self.told());
        self.changed.notify_all();
        result
    }

    /// Waits until `ready` gives something; none when the time is up.
    pub(super) fn wait_for<T>(
        &self,
        timeout: Duration,
        mut ready: impl FnMut(&mut Told) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + timeout;
        let mut told = self.told();
        loop {
            if let Some(result) = ready(&mut told) {
                // It may have taken something, for which others wait.
                self.changed.notify_all();
                return Some(result);
            }
            let left = until.checked_duration_since(Instant::now())?;
            (told, _) = self
                .changed
                .wait_timeout(told, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The connection is gone.
    pub(super) fn is_down(&self, reason: &str) {
        self.tell(|told| {
            if told.limits.take().is_some() {
                told.downs.push(reason.to_owned());
            }
        });
    }
}

/// Whether a subject is one, by the rules of [`Bus`](crate::Bus).
fn is_subject(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_token = |token: &str| !token.is_empty() && token.chars().all(fits);
    text.len() <= MAX_SUBJECT && text.split('.').all(is_token)
}

const VTABLE: &WithMetadata<BusHostVtable> = &WithMetadata::new(BusHostVtable {
    retain,
    release,
    node,
    name,
    module,
    stopping,
    wait_readable,
    log,
    up,
    down,
    deliver,
    wait_for_room,
    dropped,
    confirmed,
    window,
    nobody,
    refused,
    round_trip,
    state_dir,
    set_status,
    #[cfg(feature = "next-minor-fixture")]
    next_minor,
});

shared!(Host);

extern "C" fn node(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).node)
}

/// That of a node without options of its own.
extern "C" fn window(_context: *const ()) -> WindowParts {
    WindowParts {
        messages: 128,
        bytes: 4 << 20,
    }
}

extern "C" fn name(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).name)
}

extern "C" fn module(context: *const ()) -> RStr<'static> {
    RStr::from_str(&host(context).module)
}

extern "C" fn stopping(context: *const ()) -> bool {
    host(context).is_stopping()
}

extern "C" fn wait_readable(
    context: *const (),
    fd: i32,
    wait: ROption<u64>,
) -> RResult<u8, RString> {
    host(context).stopping.wait_readable_for(fd, wait)
}

extern "C" fn log(context: *const (), level: u8, text: RStr<'_>) {
    let line = (Level::from_number(level), text.as_str().to_owned());
    host(context).tell(|told| told.logged.push(line));
}

extern "C" fn up(context: *const (), limits: &LimitsView<'_>) {
    let most = usize::try_from(limits.max_datagram).unwrap_or(usize::MAX);
    let limits = Limits::new(most, limits.server.as_str())
        .wildcards(limits.wildcards)
        .no_responders(limits.no_responders)
        .publish_from_roles(limits.publish_from_roles);
    host(context).tell(|told| {
        if told.limits.replace(limits).is_some() {
            told.breach("it says `up` twice without a `down` between".to_owned());
        }
        told.ups += 1;
    });
}

extern "C" fn down(context: *const (), reason: RStr<'_>) {
    host(context).is_down(reason.as_str());
}

extern "C" fn deliver(
    context: *const (),
    subject: RStr<'_>,
    reply: ROption<RStr<'_>>,
    data: RSlice<'_, u8>,
) -> u8 {
    let reply = reply.into_option().map(|reply| reply.as_str().to_owned());
    let subject = subject.as_str();
    host(context).tell(|told| {
        if told.limits.is_none() {
            told.breach("it delivers while it is not `up`".to_owned());
        }
        for text in std::iter::once(subject).chain(reply.as_deref()) {
            if !is_subject(text) {
                told.breach(format!("it delivers `{text}`, which is no subject"));
            }
        }
        if told.received.len() >= told.room {
            return delivered::FULL;
        }
        told.received.push(Datagram {
            subject: subject.to_owned(),
            reply,
            data: data.to_vec(),
        });
        delivered::TAKEN
    })
}

extern "C" fn wait_for_room(context: *const (), wait: u64) -> bool {
    let host = host(context);
    let has_room = |told: &mut Told| match told.received.len() < told.room {
        true => Some(true),
        false => host.is_stopping().then_some(false),
    };
    host.wait_for(Duration::from_nanos(wait), has_room)
        .unwrap_or(false)
}

extern "C" fn dropped(context: *const (), count: u64) {
    host(context).tell(|told| told.dropped += count);
}

extern "C" fn confirmed(context: *const (), number: u64) {
    host(context).tell(|told| {
        if told.confirmed.is_some_and(|before| number < before) {
            told.breach("it confirms a lower number than before".to_owned());
        }
        told.confirmed = told.confirmed.max(Some(number));
    });
}

extern "C" fn nobody(context: *const (), subject: RStr<'_>) {
    host(context).tell(|told| told.nobody.push(subject.as_str().to_owned()));
}

extern "C" fn refused(context: *const (), subject: RStr<'_>, reason: RStr<'_>) {
    let refused = (subject.as_str().to_owned(), reason.as_str().to_owned());
    host(context).tell(|told| told.refused.push(refused));
}

extern "C" fn round_trip(context: *const (), nanos: u64) {
    host(context).tell(|told| told.round_trip = Some(Duration::from_nanos(nanos)));
}

extern "C" fn state_dir(context: *const ()) -> RResult<RVec<u8>, RString> {
    match &host(context).state_dir {
        None => RResult::RErr("the bench was given no state folder".into()),
        Some(folder) => RResult::ROk(folder.clone().into_os_string().into_vec().into()),
    }
}

extern "C" fn set_status(context: *const (), text: RStr<'_>) {
    host(context).tell(|told| text.as_str().clone_into(&mut told.status));
}

#[cfg(feature = "next-minor-fixture")]
extern "C" fn next_minor(_context: *const ()) -> u64 {
    1
}
