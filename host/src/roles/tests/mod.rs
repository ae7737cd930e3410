//! Roles on real threads. Each is a [`Script`]: closures for what it does in each call.

mod lives;
mod pacing;
mod services;
mod setup;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use kozo_abi::{Error, InboxLimits as WantedLimits, Pace, Role, RoleHost};
use kozo_ground::clock;
use kozo_ground::interest::Kind;
use kozo_ground::names::{ModuleName, NodeName, RoleName};
use kozo_wire::Message;

use super::code::RoleCode;
use super::error::RoleError;
use super::restart::RestartPolicy;
use super::source::CodeSource;
use super::{AnswerDesk, Dispatcher, HostedRole, Inbox, IncomingMessage, RoleQuestions, RoleSetup};
use crate::config::InboxLimits;
use crate::modules::{CallError, RoleModule};

/// Longer than any test takes.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// How long a test waits for what must come.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until the condition holds.
#[track_caller]
pub(super) fn eventually(condition: impl FnMut() -> bool) {
    assert!(holds_in_time(condition), "it never came to that");
}

/// Waits until the condition holds; false when it does not for too long.
pub(super) fn holds_in_time(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

type Call = Box<dyn Fn(&RoleHost) -> Result<(), Error> + Send + Sync>;

/// What a role does.
struct Script {
    on_new: Call,
    on_run: Call,
    on_reopen: Call,
    on_stop: Call,
    on_drop: Box<dyn Fn() + Send + Sync>,
    pace: Pace,
    inbox: Option<WantedLimits>,
}

impl Script {
    /// A role that waits for messages and does nothing else, unless told otherwise.
    fn new() -> Self {
        Self {
            on_new: Box::new(|_| Ok(())),
            on_run: Box::new(|host| {
                host.receive();
                Ok(())
            }),
            on_reopen: Box::new(|_| Ok(())),
            on_stop: Box::new(|_| Ok(())),
            on_drop: Box::new(|| ()),
            pace: Pace::AtOnce,
            inbox: None,
        }
    }

    fn on_new(
        mut self,
        call: impl Fn(&RoleHost) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.on_new = Box::new(call);
        self
    }

    fn on_run(
        mut self,
        call: impl Fn(&RoleHost) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        self.on_run = Box::new(call);
        self
    }

    fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Tells of everything but `run`.
    fn told_to(mut self, told: &Told) -> Self {
        let new = told.clone();
        self.on_new = Box::new(move |_| new.say("new"));
        let reopen = told.clone();
        self.on_reopen = Box::new(move |_| reopen.say("reopen"));
        let stop = told.clone();
        self.on_stop = Box::new(move |_| stop.say("stop"));
        let drop = told.clone();
        self.on_drop = Box::new(move || {
            let _ = drop.say("drop");
        });
        self
    }

    fn start(self) -> Stage {
        self.start_with(|_| ())
    }

    fn start_with(self, change: impl FnOnce(&mut RoleSetup)) -> Stage {
        let module = module();
        self.start_from(change, move || Ok(Arc::clone(&module)))
    }

    fn start_from(
        self,
        change: impl FnOnce(&mut RoleSetup),
        source: impl Fn() -> Result<Arc<RoleModule>, String> + Send + Sync + 'static,
    ) -> Stage {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let script = NEXT.fetch_add(1, Ordering::Relaxed);
        SCRIPTS.lock().unwrap().insert(script, Arc::new(self));
        let mut setup = RoleSetup {
            node: NodeName::new("clock").unwrap(),
            name: RoleName::new("scripted1").unwrap(),
            module: ModuleName::new("scripted").unwrap(),
            options: rmp_serde::to_vec_named(&Options { script }).unwrap(),
            inbox: InboxLimits {
                length: 100,
                size: 1024 * 1024,
            },
            longest_wait: LONG,
            storage: None,
            restart: RestartPolicy {
                first: Duration::from_millis(1),
                ceiling: Duration::from_millis(1),
                steady: LONG,
            },
            stop_limit: DEADLINE,
            faces: Arc::new([]),
        };
        change(&mut setup);
        let dispatcher = Arc::new(Router::default());
        let inbox = Inbox::new(setup.inbox);
        let role = HostedRole::start(
            setup,
            Arc::clone(&inbox),
            Arc::clone(&dispatcher) as Arc<dyn Dispatcher>,
            Arc::new(NothingToTell),
            Arc::new(Source(source)),
        );
        Stage {
            role: role.unwrap(),
            inbox,
            dispatcher,
        }
    }
}

/// What a test says where a role's code comes from.
struct Source<F>(F);

impl<F> CodeSource for Source<F>
where
    F: Fn() -> Result<Arc<RoleModule>, String> + Send + Sync + 'static,
{
    fn code(&self) -> Result<RoleCode, RoleError> {
        let module = (self.0)().map_err(CallError::Said)?;
        Ok(module.into())
    }
}

static SCRIPTS: LazyLock<Mutex<BTreeMap<u64, Arc<Script>>>> = LazyLock::new(Mutex::default);

fn module() -> Arc<RoleModule> {
    let name = ModuleName::new("scripted").unwrap();
    let root = kozo_abi::export::role_module::<Scripted>();
    Arc::new(RoleModule::for_tests(&name, root))
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Options {
    script: u64,
}

struct Scripted(Arc<Script>);

impl Role for Scripted {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let script = Arc::clone(&SCRIPTS.lock().unwrap()[&options.script]);
        (script.on_new)(host)?;
        Ok(Self(script))
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        (self.0.on_run)(host)
    }

    fn pace(&self) -> Pace {
        self.0.pace
    }

    fn inbox(&self, configured: WantedLimits) -> WantedLimits {
        self.0.inbox.unwrap_or(configured)
    }

    fn reopen(&mut self, host: &RoleHost) -> Result<(), Error> {
        (self.0.on_reopen)(host)
    }

    fn stop(&mut self, host: &RoleHost) -> Result<(), Error> {
        (self.0.on_stop)(host)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        (self.0.on_drop)();
    }
}

/// A hosted role with what it sends.
struct Stage {
    inbox: Arc<Inbox>,
    role: HostedRole,
    dispatcher: Arc<Router>,
}

impl Stage {
    fn push(&self, text: &str) {
        self.inbox.push(incoming(text));
    }

    #[track_caller]
    fn stop(&self) {
        self.role.stop();
        assert!(self.role.join(clock::now()), "the role did not stop");
    }

    fn status(&self) -> kozo_status::RoleStatus {
        self.role.status(clock::now())
    }
}

fn incoming(text: &str) -> IncomingMessage {
    let role = RoleName::new("timer1").unwrap();
    let data = rmp_serde::to_vec(text).unwrap();
    IncomingMessage {
        sender: NodeName::new("cottage").unwrap(),
        message: Message::new(Kind::Event, &role, "tick", None, 1.5, &data).unwrap(),
        arrived: clock::now(),
        age: Duration::ZERO,
        expires: clock::now() + LONG,
    }
}

/// What a role tells its test.
#[derive(Clone)]
struct Told(Sender<String>);

impl Told {
    fn new() -> (Self, Heard) {
        let (sender, receiver) = channel();
        (Self(sender), Heard(receiver))
    }

    /// Never fails, but is handy as the end of a call.
    fn say(&self, text: impl Into<String>) -> Result<(), Error> {
        // The test may be over.
        let _ = self.0.send(text.into());
        Ok(())
    }
}

struct Heard(Receiver<String>);

impl Heard {
    #[track_caller]
    fn next(&self) -> String {
        self.0.recv_timeout(DEADLINE).expect("nothing was told")
    }

    #[track_caller]
    fn expect<const N: usize>(&self, expected: [&str; N]) {
        for text in expected {
            assert_eq!(self.next(), text);
        }
    }

    #[track_caller]
    fn expect_silence(&self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

/// A gate that a role waits at, whatever the host asks it to do.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn wait(&self) {
        eventually(|| self.0.load(Ordering::Acquire));
    }
}

impl Drop for Gate {
    /// A test that fails leaves nobody waiting.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.open();
        }
    }
}

/// Keeps what roles send.
#[derive(Default)]
struct Router {
    sent: Mutex<Vec<Message>>,
    is_full: AtomicBool,
}

impl Dispatcher for Router {
    fn send(&self, from: &RoleName, messages: &[Message], wait: Duration) -> usize {
        if !wait.is_zero() && self.is_full.load(Ordering::Relaxed) {
            return 0;
        }
        for message in messages {
            assert_eq!(from.as_str(), message.role());
        }
        self.sent.lock().unwrap().extend_from_slice(messages);
        messages.len()
    }
}

/// A node that answers every question with the question itself, and none that is `null`.
struct NothingToTell;

impl AnswerDesk for NothingToTell {
    fn open(&self, _role: &RoleName) -> Box<dyn RoleQuestions> {
        Box::new(Self)
    }
}

impl RoleQuestions for NothingToTell {
    fn ask(
        &self,
        question: &[u8],
        _wait: Duration,
    ) -> std::sync::mpsc::Receiver<Result<Vec<u8>, String>> {
        let (sender, receiver) = std::sync::mpsc::channel();
        if question != [0xc0] {
            sender.send(Ok(question.to_vec())).unwrap();
        }
        receiver
    }
}
