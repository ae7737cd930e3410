//! The calls that dial, into one transport of this node: each blocks a thread of its own, of which
//! there are few.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_link::places::{CallId, CallOutcome, CallSubject, GRACE, Look, Places};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::error::CallFault;
use crate::limited::DroppedApart;
use crate::modules::{PeerDescription, TransportConnection, TransportInstance};

/// The stack of a thread that dials, in bytes of address space; memory is only taken for what is
/// used.
const STACK_SIZE: usize = 1024 * 1024;

/// One of this node's transports, as those see it who dial over it. Whatever it does, a call comes
/// to an end, and no more than a named number of threads is blocked in it.
pub(crate) struct Calls {
    /// For the threads, which outlive whoever asks.
    this: Weak<Self>,
    instance: Arc<DroppedApart<TransportInstance>>,
    name: String,
    state: Mutex<CallsState>,
}

#[derive(Default)]
struct CallsState {
    places: Places,
    waiting: HashMap<CallId, WaitingCall>,
    running: HashMap<CallId, StartedCall>,
}

/// A call that has no thread yet.
struct WaitingCall {
    peer: Arc<PeerDescription>,
    address: Option<String>,
    reply: oneshot::Sender<Reply>,
    /// The runtime whose timers tell when the call hangs.
    runtime: Handle,
}

/// A call that has one.
struct StartedCall {
    /// Whoever has asked; nobody once the call was found to hang.
    reply: Option<oneshot::Sender<Reply>>,
    timer: AbortHandle,
}

type Reply = Result<CallAnswer, CallFault>;

enum CallAnswer {
    Addresses(Vec<String>),
    Connection(TransportConnection),
}

impl Calls {
    /// Calls into the transport of this name.
    pub(crate) fn new(instance: Arc<DroppedApart<TransportInstance>>, name: &str) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            instance,
            name: name.to_owned(),
            state: Mutex::default(),
        })
    }

    /// The transport's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The addresses at which `peer` may be reached, best first.
    pub(super) async fn addresses(
        &self,
        peer: &Arc<PeerDescription>,
    ) -> Result<Vec<String>, CallFault> {
        match self.ask(peer, None).await? {
            CallAnswer::Addresses(addresses) => Ok(addresses),
            CallAnswer::Connection(_) => Err(CallFault::OtherAnswer),
        }
    }

    /// Connects to one of them.
    pub(super) async fn connect(
        &self,
        peer: &Arc<PeerDescription>,
        address: &str,
    ) -> Result<TransportConnection, CallFault> {
        match self.ask(peer, Some(address)).await? {
            CallAnswer::Connection(connection) => Ok(connection),
            CallAnswer::Addresses(_) => Err(CallFault::OtherAnswer),
        }
    }

    /// A link with a node shows that it is there.
    pub(super) fn heard_of(&self, node: &str) {
        self.lock().places.heard_of(node);
    }

    /// What is wrong with the transport, and since when: calls that do not come back.
    pub(crate) fn fault(&self) -> Option<(String, Moment)> {
        let state = self.lock();
        let (subject, since) = state.places.longest_hanging()?;
        let seconds = clock::now().since(since).as_secs();
        let text = match state.places.hanging() {
            1 => format!("{subject} has not come back for {seconds} s"),
            many => format!("{many} calls have not come back, {subject} for {seconds} s"),
        };
        Some((text, since))
    }

    /// Why the way to a transport of a node is not tried at present.
    pub(crate) fn barred(&self, transport: &str, node: &str) -> Option<String> {
        let barred = self.lock().places.barred_way(transport, node)?;
        Some(barred.to_string())
    }

    async fn ask(&self, peer: &Arc<PeerDescription>, address: Option<&str>) -> Reply {
        let (reply, answer) = oneshot::channel();
        let id = {
            let mut state = self.lock();
            let id = state.places.ask(subject(peer, address))?;
            let waiting = WaitingCall {
                peer: Arc::clone(peer),
                address: address.map(str::to_owned),
                reply,
                runtime: Handle::current(),
            };
            state.waiting.insert(id, waiting);
            id
        };
        // Whoever gives up leaves its place to others.
        let _awaited = AwaitedCall { calls: self, id };
        self.start();
        answer.await.unwrap_or(Err(CallFault::Dropped))
    }

    /// Starts what there are places for.
    fn start(&self) {
        loop {
            let mut state = self.lock();
            let Some((id, limit)) = state.places.start(clock::now()) else {
                return;
            };
            let (Some(waiting), Some(this)) = (state.waiting.remove(&id), self.this.upgrade())
            else {
                state.places.ended(id, CallOutcome::Done, clock::now());
                continue;
            };
            let WaitingCall {
                peer,
                address,
                reply,
                runtime,
            } = waiting;
            let timer = {
                let this = Weak::clone(&self.this);
                runtime.spawn(async move {
                    tokio::time::sleep(limit + GRACE).await;
                    if let Some(this) = this.upgrade() {
                        this.look(id);
                    }
                })
            };
            let running = StartedCall {
                reply: Some(reply),
                timer: timer.abort_handle(),
            };
            state.running.insert(id, running);
            drop(state);
            let thread = std::thread::Builder::new()
                .name(format!("dial {}", self.name))
                .stack_size(STACK_SIZE)
                .spawn(move || {
                    let reply = this.call(&peer, address.as_deref(), limit);
                    this.ended(id, reply);
                });
            if let Err(error) = thread {
                self.ended(id, Err(CallFault::NoThread(error)));
            }
        }
    }

    fn call(&self, peer: &PeerDescription, address: Option<&str>, limit: Duration) -> Reply {
        Ok(match address {
            None => CallAnswer::Addresses(self.instance.addresses(peer)?),
            Some(address) => CallAnswer::Connection(self.instance.connect(peer, address, limit)?),
        })
    }

    fn ended(&self, id: CallId, reply: Reply) {
        let outcome = match &reply {
            Ok(_) => CallOutcome::Done,
            Err(_) => CallOutcome::Failed,
        };
        let (running, recovered) = {
            let mut state = self.lock();
            let recovered = state.places.ended(id, outcome, clock::now());
            (state.running.remove(&id), recovered)
        };
        if recovered {
            tracing::info!(
                target: "transport",
                transport = self.name,
                "every call has come back: it is asked again",
            );
        }
        if let Some(running) = running {
            running.timer.abort();
            // Nobody waits for it any more when it was given up: a connection is closed then.
            let _ = running.reply.map(|waits| waits.send(reply));
        }
        self.start();
    }

    /// The time of a call and some more is over.
    fn look(&self, id: CallId) {
        let (waits, look, fault) = {
            let mut state = self.lock();
            let look = state.places.look(id, clock::now());
            let running = state.running.get_mut(&id);
            let waits = match look {
                Look::Well => return,
                Look::Hangs | Look::HangsFirst => running.and_then(|call| call.reply.take()),
            };
            drop(state);
            (waits, look, self.fault())
        };
        if let (Look::HangsFirst, Some((fault, _))) = (look, fault) {
            tracing::warn!(
                target: "transport",
                transport = self.name,
                "{fault}, a fault of its module: it is not asked the same again until it does",
            );
        }
        if let Some(waits) = waits {
            let _ = waits.send(Err(CallFault::Hangs));
        }
    }

    fn lock(&self) -> MutexGuard<'_, CallsState> {
        // What is done under the lock does not panic.
        self.state.lock_anyway()
    }
}

/// A call whose answer somebody waits for.
struct AwaitedCall<'a> {
    calls: &'a Calls,
    id: CallId,
}

impl Drop for AwaitedCall<'_> {
    fn drop(&mut self) {
        let mut state = self.calls.lock();
        state.places.withdraw(self.id);
        state.waiting.remove(&self.id);
    }
}

fn subject(peer: &PeerDescription, address: Option<&str>) -> CallSubject {
    CallSubject {
        transport: peer.name.clone(),
        node: peer.node.clone(),
        address: address.map(str::to_owned),
    }
}
