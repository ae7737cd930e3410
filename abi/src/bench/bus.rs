//! The bench for buses.

use std::fmt::Write as _;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use abi_stable::std_types::{RSlice, RStr};
use kozo_description::ModuleKind;
use kozo_ground::names::{BusName, NodeName};
use serde::Serialize;

use super::bus_host::{Datagram, Host, Told};
use super::description;
use super::given::Given;
use super::role::outcome;
use crate::export::{self, Described};
use crate::ffi::{BusParts, published};
use crate::{Bus, Error, Level, Limits, Publish};

/// How long the bench waits until it calls `run` again.
const BACK_OFF: Duration = Duration::from_millis(20);

/// How long `run` may take to come back from a stop.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A bus about to be made: what the configuration says of it.
///
/// The engine is a real one, which the test starts, and on which it can do what an engine does: end,
/// refuse, fall behind. The bench is the node's end: it calls what a host calls, keeps what the bus
/// says, and notices what the contract does not allow.
///
/// ```no_run
/// # use kozo_abi::{Bus, BusHost, Error, Publish};
/// # use kozo_abi::bench::BusBench;
/// # use std::time::Duration;
/// # struct Nats;
/// # #[derive(serde::Deserialize)]
/// # struct Options {}
/// # impl Bus for Nats {
/// #     type Options = Options;
/// #     fn init(_: Options, _: &BusHost) -> Result<Self, Error> { Ok(Self) }
/// #     fn run(&self) -> Result<(), Error> { Ok(()) }
/// #     fn publish(&self, _: &str, _: Option<&str>, _: &[u8]) -> Publish { Publish::Down }
/// #     fn subscribe(&self, _: &str, _: bool) {}
/// # }
/// # impl kozo_abi::export::Described for Nats {
/// #     const METADATA: &'static str = "";
/// # }
/// # fn main() -> Result<(), Error> {
/// const LIMIT: Duration = Duration::from_secs(20);
///
/// let start = |node| BusBench::<Nats>::new().node(node).option("servers", ["nats://127.0.0.1:4222"]).start();
/// let (alice, bob) = (start("alice")?, start("bob")?);
/// alice.run_in_background();
/// bob.run_in_background();
/// bob.subscribe("hall.*", true)?;
/// alice.wait_until_up(LIMIT)?;
/// bob.wait_until_up(LIMIT)?;
///
/// alice.publish("hall.light", None, b"on")?;
/// let received = bob.wait_for(1, LIMIT)?;
/// assert_eq!(received[0].data, b"on");
///
/// // All that the contract says about the two.
/// alice.exchange(&bob, LIMIT)?;
/// alice.stop()?;
/// bob.stop()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BusBench<B> {
    node: Option<String>,
    name: Option<String>,
    state_dir: Option<PathBuf>,
    options: Result<Given, String>,
    bus: PhantomData<fn() -> B>,
}

impl<B: Bus + Described> BusBench<B> {
    /// A bus of the node `node`, named like its module, without any option given.
    #[allow(clippy::new_without_default)] // Nobody needs it as a part of something larger.
    pub fn new() -> Self {
        Self {
            node: None,
            name: None,
            state_dir: None,
            options: Ok(Given::default()),
            bus: PhantomData,
        }
    }

    /// The name of the node it is on.
    pub fn node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// The name of the bus.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The folder that [`BusHost::state_dir`](crate::BusHost::state_dir) names. Without it, that is
    /// an error.
    pub fn state_dir(mut self, folder: &Path) -> Self {
        self.state_dir = Some(folder.to_owned());
        self
    }

    /// Gives an option, as the configuration would.
    pub fn option(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(options) = &mut self.options {
            if let Err(error) = options.set(name, &value) {
                self.options = Err(format!("option `{name}`: {error}"));
            }
        }
        self
    }

    /// Checks the options and calls [`Bus::init`].
    ///
    /// # Errors
    /// A fault of `module.yaml`; an option that is missing or unknown, or has a value that a host would refuse;
    /// whatever `init` says.
    pub fn start(self) -> Result<StartedBus, Error> {
        let metadata = description::read(B::METADATA, ModuleKind::Bus)?;
        let node = self.node.as_deref().unwrap_or("node");
        let node = description::name("node", node, NodeName::new)?.to_string();
        let name = self.name.as_deref().unwrap_or(metadata.name.as_str());
        let name = description::name("bus", name, BusName::new)?.to_string();
        let (options, _) = description::options(&metadata, self.options?, &node, &name)?;
        let options = rmp_serde::to_vec_named(&options)?;
        let module = metadata.name.to_string();
        let host = Arc::new(Host::new(node, name, module, self.state_dir)?);
        let create = export::bus_module::<B>().create();
        let parts = outcome(create(host.handle(), RSlice::from_slice(&options)))?;
        let inner = Arc::new(Inner { parts, host });
        Ok(StartedBus {
            inner,
            runner: Mutex::default(),
        })
    }
}

/// The bus itself; the last to hold it drops it.
struct Inner {
    parts: BusParts,
    host: Arc<Host>,
}

impl Inner {
    /// Calls `run`; the bus is down afterwards, whatever it says.
    fn run(&self) -> Result<(), Error> {
        let ended = outcome(self.parts.vtable.run()(self.parts.data));
        match &ended {
            Ok(()) => self.host.is_down("`run` has returned"),
            Err(error) => {
                // First the line: whoever sees that it is down looks for it.
                let line = (Level::Error, format!("`run` has ended: {error}"));
                self.host.tell(|told| told.logged.push(line));
                self.host.is_down(&error.to_string());
            }
        }
        ended
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let result = outcome(self.parts.vtable.drop()(self.parts.data));
        if !std::thread::panicking() {
            result.expect("the bus drops without a panic");
        }
    }
}

struct Runner {
    thread: JoinHandle<()>,
    /// Disconnected when it ends.
    ended: mpsc::Receiver<()>,
}

/// A bus at work on the bench. Dropping it stops and drops the bus.
pub struct StartedBus {
    inner: Arc<Inner>,
    runner: Mutex<Option<Runner>>,
}

impl StartedBus {
    /// Calls [`Bus::run`] once, in this thread. Its error is in [`logged`](Self::logged) as well.
    ///
    /// # Errors
    /// The bus's own, or a panic's text.
    pub fn run(&self) -> Result<(), Error> {
        self.inner.run()
    }

    /// Calls [`Bus::run`] again and again in a thread, as a host does, until [`stop`](Self::stop).
    /// Its errors are in [`downs`](Self::downs) or, where the bus was not up, in
    /// [`logged`](Self::logged).
    ///
    /// # Panics
    /// The system has no thread left.
    pub fn run_in_background(&self) {
        let mut runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner);
        if runner.is_some() {
            return;
        }
        let inner = Arc::clone(&self.inner);
        let (sender, ended) = mpsc::channel();
        let work = move || {
            let _ended: mpsc::Sender<()> = sender;
            let host = Arc::clone(&inner.host);
            while !host.is_stopping() {
                // It is told in the log.
                let _ = inner.run();
                host.wait_for(BACK_OFF, |_| host.is_stopping().then_some(()));
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("bus {}", self.inner.host.node))
            .spawn(work)
            .unwrap_or_else(|error| panic!("no thread for the bus: {error}"));
        *runner = Some(Runner { thread, ended });
    }

    /// Calls [`Bus::publish`].
    ///
    /// # Errors
    /// A panic's text, or that the number of what was accepted is not higher than the last.
    pub fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        data: &[u8],
    ) -> Result<Publish, Error> {
        let Inner { parts, host } = &*self.inner;
        let publish = parts.vtable.publish();
        let reply = reply.map(RStr::from_str).into();
        let (subject, data) = (RStr::from_str(subject), RSlice::from_slice(data));
        let result = outcome(publish(parts.data, subject, reply, data))?;
        match result.outcome {
            published::ACCEPTED => host.tell(|told| match told.accepted {
                Some(last) if result.number <= last => Err(format!(
                    "what it has accepted has the number {}, after {last}: numbers have to rise",
                    result.number
                )
                .into()),
                _ => {
                    told.accepted = Some(result.number);
                    Ok(Publish::Accepted(result.number))
                }
            }),
            published::DOWN => Ok(Publish::Down),
            _ => Ok(Publish::Full),
        }
    }

    /// Calls [`Bus::subscribe`].
    ///
    /// # Errors
    /// A panic's text.
    pub fn subscribe(&self, pattern: &str, on: bool) -> Result<(), Error> {
        let parts = &self.inner.parts;
        outcome(parts.vtable.subscribe()(
            parts.data,
            RStr::from_str(pattern),
            on,
        ))
    }

    /// Waits until the bus is up, and says what its engine can do.
    ///
    /// # Errors
    /// It is not in time; what it has logged meanwhile is told.
    pub fn wait_until_up(&self, timeout: Duration) -> Result<Limits, Error> {
        self.wait("is not up", timeout, |told| told.limits.clone())
    }

    /// Waits until the bus has been down so many times, and says why it is the last time.
    ///
    /// # Errors
    /// It has not in time.
    pub fn wait_until_down(&self, times: usize, timeout: Duration) -> Result<String, Error> {
        let last = |told: &mut Told| match told.downs.len() >= times {
            true => told.downs.last().cloned(),
            false => None,
        };
        self.wait(&format!("has not been down {times} times"), timeout, last)
    }

    /// Waits until so many datagrams have come in, and takes all that have.
    ///
    /// # Errors
    /// There are fewer in time. They stay, and are told.
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<Datagram>, Error> {
        let what = format!("has not handed over {count} datagrams");
        self.wait(&what, timeout, |told| {
            (told.received.len() >= count).then(|| std::mem::take(&mut told.received))
        })
    }

    /// Waits until the bus has confirmed everything up to `number`.
    ///
    /// # Errors
    /// It has not in time.
    pub fn wait_until_confirmed(&self, number: u64, timeout: Duration) -> Result<(), Error> {
        let what = format!("has not confirmed {number}");
        self.wait(&what, timeout, |told| {
            (told.confirmed >= Some(number)).then_some(())
        })
    }

    /// Waits until the bus has said that nobody is subscribed to `subject`.
    ///
    /// # Errors
    /// It has not in time.
    pub fn wait_for_nobody(&self, subject: &str, timeout: Duration) -> Result<(), Error> {
        let what = format!("has not said that nobody is at `{subject}`");
        self.wait(&what, timeout, |told| {
            let at = told.nobody.iter().position(|known| known == subject)?;
            told.nobody.remove(at);
            Some(())
        })
    }

    /// Waits until the bus has said that the engine refuses something, and takes all of that: the
    /// subject or pattern, and why.
    ///
    /// # Errors
    /// It has not in time.
    pub fn wait_for_refused(&self, timeout: Duration) -> Result<Vec<(String, String)>, Error> {
        self.wait("has not said that anything is refused", timeout, |told| {
            (!told.refused.is_empty()).then(|| std::mem::take(&mut told.refused))
        })
    }

    /// How many datagrams are taken until the test takes them out; more find no room. A million
    /// unless this says otherwise.
    pub fn set_room(&self, room: usize) {
        self.inner.host.tell(|told| told.room = room);
    }

    /// What has come in since the last call.
    pub fn received(&self) -> Vec<Datagram> {
        self.inner
            .host
            .tell(|told| std::mem::take(&mut told.received))
    }

    /// What the engine can do; none while it is not connected.
    pub fn limits(&self) -> Option<Limits> {
        self.inner.host.told().limits.clone()
    }

    /// How often the bus was up.
    pub fn ups(&self) -> u64 {
        self.inner.host.told().ups
    }

    /// Why the connection was lost, each time that it was.
    pub fn downs(&self) -> Vec<String> {
        self.inner.host.told().downs.clone()
    }

    /// How many datagrams the bus says were thrown away.
    pub fn dropped(&self) -> u64 {
        self.inner.host.told().dropped
    }

    /// Up to which number the bus has confirmed.
    pub fn confirmed(&self) -> Option<u64> {
        self.inner.host.told().confirmed
    }

    /// How long the engine took to answer, as the bus has said last.
    pub fn round_trip(&self) -> Option<Duration> {
        self.inner.host.told().round_trip
    }

    /// What it is about, as it has said last; empty when it has said nothing.
    pub fn status(&self) -> String {
        self.inner.host.told().status.clone()
    }

    /// The lines that it has written to the host's log since the last call.
    pub fn logged(&self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.inner.host.told().logged)
    }

    /// Stops the bus: [`Bus::run`] has to come back.
    ///
    /// # Errors
    /// It does not; a panic's text; or what the bus has done that the contract does not allow.
    pub fn stop(&self) -> Result<(), Error> {
        let Inner { parts, host } = &*self.inner;
        host.stop();
        outcome(parts.vtable.stop()(parts.data))?;
        let mut runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Runner { thread, ended }) = runner.take() {
            if ended.recv_timeout(STOP_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                let limit = STOP_LIMIT.as_secs();
                return Err(format!("`run` has not come back within {limit} s of a stop").into());
            }
            if thread.join().is_err() {
                return Err("the bench has panicked".into());
            }
        }
        let mut told = host.told();
        if told.confirmed > told.accepted {
            told.breach("it confirms numbers that it has given to nothing".to_owned());
        }
        match told.breaches.as_slice() {
            [] => Ok(()),
            breaches => Err(breaches.join("; ").into()),
        }
    }

    fn wait<T>(
        &self,
        what: &str,
        timeout: Duration,
        ready: impl FnMut(&mut Told) -> Option<T>,
    ) -> Result<T, Error> {
        let host = &self.inner.host;
        if let Some(result) = host.wait_for(timeout, ready) {
            return Ok(result);
        }
        let told = host.told();
        let mut text = format!(
            "the bus `{}` of `{}` {what} within {timeout:?}; up {} times, {} datagrams waiting",
            host.name,
            host.node,
            told.ups,
            told.received.len()
        );
        for down in &told.downs {
            let _ = write!(text, "; down: {down}");
        }
        for (_, line) in &told.logged {
            let _ = write!(text, "; it said: {line}");
        }
        Err(text.into())
    }
}

impl Drop for StartedBus {
    fn drop(&mut self) {
        let stopped = self.stop();
        if !std::thread::panicking() {
            stopped.expect("the bus stops and has kept the contract");
        }
    }
}

impl std::fmt::Debug for StartedBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = &self.inner.host;
        write!(f, "StartedBus({}@{})", host.name, host.node)
    }
}
