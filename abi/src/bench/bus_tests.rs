//! The bench for buses, with an engine in the test's own process: one that keeps the contract, and one
//! that breaks it in each way that the bench can see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::{BusBench, StartedBus};
use crate::export::Described;
use crate::{Bus, BusHost, Delivered, Error, Level, Limits, Publish, Readiness, subject_matches};

/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

/// For what does not happen, beside things that do.
const SHORT: Duration = Duration::from_secs(3);

/// All buses of an engine, by their names.
#[derive(Default)]
struct Engine {
    wanted: BTreeMap<String, BTreeSet<String>>,
    hosts: BTreeMap<String, BusHost>,
}

/// The engine of this name.
fn engine(name: &str) -> Arc<Mutex<Engine>> {
    static ENGINES: Mutex<BTreeMap<String, Arc<Mutex<Engine>>>> = Mutex::new(BTreeMap::new());
    let mut engines = ENGINES.lock().unwrap();
    Arc::clone(engines.entry(name.to_owned()).or_default())
}

#[derive(serde::Deserialize)]
struct Options {
    engine: String,
    fault: String,
}

/// Carries datagrams within the process, in the thread that publishes.
struct Inside {
    host: BusHost,
    engine: Arc<Mutex<Engine>>,
    fault: String,
    state: Mutex<State>,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    published: u64,
    cut: bool,
    stopping: bool,
    /// What waits for the next.
    late: Option<(String, Option<String>, Vec<u8>)>,
}

impl Described for Inside {
    const METADATA: &'static str = "
format: '1.1'
kind: bus
name: inside
version: '1.0'
author: Somebody
description: Within the process.
options:
  engine: {type: text, description: Its name.}
  fault: {type: text, default: '', description: What it does wrong.}
";
}

impl Inside {
    fn has(&self, fault: &str) -> bool {
        self.fault == fault
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn carry(&self, engine: &Engine, subject: &str, reply: Option<&str>, data: &[u8]) {
        let mut nobody = true;
        for (node, patterns) in &engine.wanted {
            let fits = |pattern: &String| match self.has("patterns") {
                // As if `*` were any text.
                true => pattern
                    .split_once('*')
                    .map_or(pattern == subject, |(start, _)| subject.starts_with(start)),
                false => subject_matches(pattern, subject),
            };
            let Some(host) = engine.hosts.get(node) else {
                continue;
            };
            if patterns.iter().any(fits) {
                nobody = false;
                while host.deliver(subject, reply, data) == Delivered::Full {
                    host.wait_for_room(LIMIT);
                }
            }
        }
        if nobody && reply.is_some() && !self.has("nobody") {
            self.host.nobody(subject);
        }
    }
}

impl Bus for Inside {
    type Options = Options;

    fn init(options: Options, host: &BusHost) -> Result<Self, Error> {
        assert!(options.fault != "init", "no good");
        Ok(Self {
            host: host.clone(),
            engine: engine(&options.engine),
            fault: options.fault,
            state: Mutex::default(),
            stopped: Condvar::new(),
        })
    }

    fn run(&self) -> Result<(), Error> {
        let node = self.host.node().to_owned();
        self.state().cut = false;
        if self.has("early") {
            self.host.deliver("early", None, b"");
        }
        self.host.set_status("up");
        let limits = Limits::new(10_000, "this process").no_responders(true);
        // Held, so that whoever waits until it is up can publish then.
        let mut engine = self.engine.lock().unwrap();
        self.host.up(&limits);
        if self.has("twice") {
            self.host.up(&limits);
        }
        engine.hosts.insert(node.clone(), self.host.clone());
        drop(engine);
        let ended = |state: &mut State| !state.cut && !state.stopping;
        let state = self.stopped.wait_while(self.state(), ended).unwrap();
        let cut = state.cut;
        drop(state);
        self.engine.lock().unwrap().hosts.remove(&node);
        match cut {
            true => Err("the engine was cut".into()),
            false => Ok(()),
        }
    }

    fn publish(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Publish {
        if subject == "cut" {
            self.state().cut = true;
            self.stopped.notify_all();
            return Publish::Full;
        }
        let engine = self.engine.lock().unwrap();
        if !engine.hosts.contains_key(self.host.node()) {
            return Publish::Down;
        }
        let mut state = self.state();
        state.published += u64::from(!self.has("numbers"));
        let number = state.published;
        let now = (subject.to_owned(), reply.map(str::to_owned), data.to_vec());
        if self.has("order") && subject.ends_with("run") && number % 10 == 0 {
            state.late = Some(now);
        } else {
            let late = state.late.take();
            drop(state);
            let mut data = now.2;
            if self.has("cut off") {
                data.truncate(200);
            }
            self.carry(&engine, subject, reply, &data);
            if let Some((subject, reply, data)) = late {
                self.carry(&engine, &subject, reply.as_deref(), &data);
            }
        }
        match self.fault.as_str() {
            "silent" => {}
            "ahead" => self.host.confirmed(number + 1),
            "backwards" if number == 3 => self.host.confirmed(1),
            _ => self.host.confirmed(number),
        }
        if self.has("subject") {
            self.host.deliver("no subject", None, b"");
        }
        Publish::Accepted(number)
    }

    fn subscribe(&self, pattern: &str, on: bool) {
        let mut engine = self.engine.lock().unwrap();
        let patterns = engine
            .wanted
            .entry(self.host.node().to_owned())
            .or_default();
        match on {
            true => {
                patterns.insert(pattern.to_owned());
            }
            false if self.has("for ever") => {}
            false => {
                patterns.remove(pattern);
            }
        }
    }

    fn stop(&self) {
        assert!(!self.has("stop"), "no good");
        self.state().stopping = true;
        self.stopped.notify_all();
    }
}

fn start(engine: &str, node: &str, fault: &str) -> StartedBus {
    let bench = BusBench::<Inside>::new().node(node).name("fleet");
    let bus = bench.option("engine", engine).option("fault", fault);
    let bus = bus.start().unwrap();
    bus.run_in_background();
    bus.wait_until_up(LIMIT).unwrap();
    bus
}

#[test]
fn two_that_keep_the_contract_say_so() {
    let (alice, bob) = (start("good", "alice", ""), start("good", "bob", ""));
    alice.exchange(&bob, LIMIT).unwrap();
    bob.exchange(&alice, LIMIT).unwrap();
    assert_eq!(alice.limits().unwrap().server, "this process");
    assert_eq!((alice.ups(), alice.status().as_str()), (1, "up"));
    assert_eq!(format!("{alice:?}"), "StartedBus(fleet@alice)");
    alice.stop().unwrap();
    bob.stop().unwrap();
}

/// Two of which the first is wrong: this is what an exchange says.
fn assert_found(fault: &str, limit: Duration, expected: &str) {
    let (alice, bob) = (start(fault, "alice", fault), start(fault, "bob", ""));
    let error = alice.exchange(&bob, limit).unwrap_err().to_string();
    assert!(error.contains(expected), "{fault}: {error}");
}

#[test]
fn an_exchange_tells_what_is_wrong() {
    for (fault, expected) in [
        ("numbers", "has the number 0, after 0: numbers have to rise"),
        (
            "order",
            "what was published in a row does not come in that order",
        ),
        (
            "cut off",
            "256 bytes to `exchange.A-b_9`, with the reply None, have become 200 bytes",
        ),
        ("patterns", "`exchange.p.*` lets `exchange.p.a.b` in"),
    ] {
        assert_found(fault, LIMIT, expected);
    }
}

#[test]
fn an_exchange_tells_that_nothing_is_confirmed() {
    let expected = "the bus `fleet` of `alice` has not confirmed ";
    assert_found("silent", SHORT, expected);
}

#[test]
fn an_exchange_tells_that_nobody_is_not_told() {
    let expected = "has not said that nobody is at `exchange.nobody`";
    assert_found("nobody", SHORT, expected);
}

#[test]
fn an_exchange_tells_that_what_is_not_wanted_still_comes() {
    let (alice, bob) = (start("ever", "alice", ""), start("ever", "bob", "for ever"));
    let error = alice.exchange(&bob, SHORT).unwrap_err().to_string();
    assert_eq!(error, "what is not wanted any more still comes");
}

#[test]
fn what_breaks_the_contract_is_told_at_the_end() {
    for (fault, expected) in [
        ("early", "it delivers while it is not `up`"),
        ("twice", "it says `up` twice without a `down` between"),
        ("backwards", "it confirms a lower number than before"),
        ("ahead", "it confirms numbers that it has given to nothing"),
        ("subject", "it delivers `no subject`, which is no subject"),
    ] {
        let bus = start(fault, "alice", fault);
        for _ in 0..3 {
            bus.publish("a.b", None, b"").unwrap();
        }
        let error = bus.stop().unwrap_err().to_string();
        assert_eq!(error, expected, "{fault}");
        std::mem::forget(bus);
    }
}

#[test]
fn a_bus_that_is_cut_runs_again_and_the_test_sees_why() {
    let (alice, bob) = (start("cut", "alice", ""), start("cut", "bob", ""));
    bob.subscribe("a.*", true).unwrap();
    assert_eq!(bob.publish("cut", None, b"").unwrap(), Publish::Full);
    assert_eq!(bob.wait_until_down(1, LIMIT).unwrap(), "the engine was cut");
    assert_eq!(bob.downs(), ["the engine was cut"]);
    let (level, line) = bob.logged().pop().unwrap();
    assert_eq!(level, Level::Error);
    assert_eq!(line, "`run` has ended: the engine was cut");
    bob.wait_until_up(LIMIT).unwrap();
    while alice.publish("a.b", None, b"1").unwrap() == Publish::Down || bob.received().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(bob.ups(), 2);
}

#[test]
fn a_test_decides_how_much_room_there_is() {
    let (alice, bob) = (start("room", "alice", ""), start("room", "bob", ""));
    bob.subscribe("a", true).unwrap();
    bob.set_room(1);
    std::thread::scope(|scope| {
        // It waits in `deliver` until the test takes something out.
        scope.spawn(|| {
            for data in [b"1", b"2", b"3"] {
                alice.publish("a", None, data).unwrap();
            }
        });
        for data in [b"1", b"2", b"3"] {
            assert_eq!(bob.wait_for(1, LIMIT).unwrap()[0].data, data);
        }
    });
}

#[test]
fn what_does_not_come_is_told_with_what_did() {
    let bus = start("nothing", "alice", "");
    let error = bus.wait_for(1, Duration::ZERO).unwrap_err().to_string();
    assert_eq!(
        error,
        "the bus `fleet` of `alice` has not handed over 1 datagrams within 0ns; up 1 times, \
         0 datagrams waiting"
    );
}

#[test]
fn panics_and_wrong_options_are_errors() {
    let bench = BusBench::<Inside>::new().option("engine", "x");
    let error = bench.option("fault", "init").start().unwrap_err();
    assert!(error.to_string().ends_with("no good"), "{error}");
    let error = BusBench::<Inside>::new().start().unwrap_err().to_string();
    assert!(error.contains("`engine`"), "{error}");
    let bus = start("stop", "alice", "stop");
    assert!(bus.stop().unwrap_err().to_string().ends_with("no good"));
    std::mem::forget(bus);
}

/// A bus waits for descriptors as a transport does.
struct Waiting(BusHost);

impl Described for Waiting {
    const METADATA: &'static str = "{format: '1.1', kind: bus, name: waiting, version: '1.0', \
        author: Somebody, description: Waits.}";
}

#[derive(serde::Deserialize)]
struct NoOptions {}

impl Bus for Waiting {
    type Options = NoOptions;

    fn init(_: NoOptions, host: &BusHost) -> Result<Self, Error> {
        Ok(Self(host.clone()))
    }

    fn run(&self) -> Result<(), Error> {
        use std::os::fd::AsFd;
        let (near, _far) = std::os::unix::net::UnixStream::pair()?;
        let waited = self.0.wait_readable(near.as_fd(), Some(Duration::ZERO))?;
        self.0
            .info(&format!("{waited:?} {}", self.0.state_dir()?.display()));
        self.0.up(&Limits::new(1, "nobody"));
        match self.0.wait_readable(near.as_fd(), None)? {
            Readiness::Stopping => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    }

    fn publish(&self, _: &str, _: Option<&str>, _: &[u8]) -> Publish {
        Publish::Full
    }

    fn subscribe(&self, _: &str, _: bool) {}
}

#[test]
fn a_bus_waits_until_it_is_stopped_and_has_a_folder() {
    let bus = BusBench::<Waiting>::new().state_dir("/state".as_ref());
    let bus = bus.start().unwrap();
    bus.run_in_background();
    bus.wait_until_up(LIMIT).unwrap();
    assert_eq!(bus.logged(), [(Level::Info, "TimedOut /state".to_owned())]);
    bus.stop().unwrap();
    assert_eq!(bus.downs(), ["`run` has returned"]);
    let without = BusBench::<Waiting>::new().start().unwrap();
    let error = without.run().unwrap_err().to_string();
    assert_eq!(error, "the bench was given no state folder");
}
