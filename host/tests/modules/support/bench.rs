//! The host's side of roles, transports and buses, which only takes notes.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use abi_stable::std_types::{ROption, RSlice};
use kozo::modules::{
    BusIdentity, BusInstance, BusModule, BusServices, CallError, OutgoingMessage, Received,
    RoleInstance, RoleModule, RoleServices, ServiceError, TransportIdentity, TransportInstance,
    TransportModule, TransportServices,
};
use kozo_abi::ffi::MessageView;
use kozo_abi::{Delivered, Level, Limits, Readiness};
use kozo_ground::interest::Kind;
use kozo_ground::names::{BusName, ModuleName, NodeName, TransportName};
use kozo_ground::queue::QueueLimits;
use serde::Serialize;

/// What was sent: kind, type, channel, data, time to wait.
pub(crate) type Sent = (Kind, String, Option<String>, Vec<u8>, Duration);

#[derive(Default)]
pub(crate) struct Notes {
    /// Types of messages that wait.
    pub(crate) inbox: VecDeque<&'static str>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) stored: Option<Vec<u8>>,
    pub(crate) log: Vec<(Level, String)>,
    pub(crate) slept: Vec<Duration>,
    pub(crate) status: String,
    /// What a bus has said, in order.
    pub(crate) heard: Vec<String>,
}

/// A host that takes notes.
#[derive(Default)]
pub(crate) struct Bench {
    notes: Mutex<Notes>,
    /// The service that panics.
    broken: &'static str,
    stopping: bool,
}

impl Bench {
    /// A host in which one service panics.
    pub(crate) fn broken(service: &'static str) -> Arc<Self> {
        Arc::new(Self {
            broken: service,
            ..Self::default()
        })
    }

    /// A host that is about to stop.
    pub(crate) fn stopping() -> Arc<Self> {
        Arc::new(Self {
            stopping: true,
            ..Self::default()
        })
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }

    fn may_panic(&self, service: &str) {
        assert!(self.broken != service, "no {service} today");
    }

    fn hear(&self, what: String) {
        self.notes().heard.push(what);
    }

    fn note(&self, level: Level, text: &str) {
        self.notes().log.push((level, text.to_owned()));
    }

    /// The data of the last message that was sent.
    pub(crate) fn last<T: serde::de::DeserializeOwned>(&self) -> T {
        let notes = self.notes();
        rmp_serde::from_slice(&notes.sent.last().expect("nothing was sent").3).unwrap()
    }
}

impl RoleServices for Bench {
    fn node(&self) -> &str {
        "here"
    }

    fn name(&self) -> &str {
        "probe1"
    }

    fn receive(&self, _wait: Option<Duration>, take: &mut dyn FnMut(&MessageView<'_>)) -> Received {
        self.may_panic("receive");
        let Some(type_name) = self.notes().inbox.pop_front() else {
            return Received::Timeout;
        };
        take(&MessageView {
            kind: 0,
            sender_node: "there".into(),
            sender_role: "timer1".into(),
            type_name: type_name.into(),
            channel: ROption::RSome("hall".into()),
            timestamp: 0.0,
            age_nanos: 2_000_000_000,
            // MessagePack of "hi".
            data: RSlice::from_slice(b"\xa2hi"),
            extra: RSlice::EMPTY,
        });
        Received::Message
    }

    fn send(&self, message: OutgoingMessage<'_>, wait: Duration) -> Result<bool, ServiceError> {
        self.may_panic("send");
        self.notes().sent.push((
            message.kind,
            message.type_name.to_owned(),
            message.channel.map(str::to_owned),
            message.data.to_owned(),
            wait,
        ));
        Ok(true)
    }

    fn receive_many(
        &self,
        wait: Option<Duration>,
        _most: usize,
        take: &mut dyn FnMut(&MessageView<'_>),
    ) -> Received {
        self.may_panic("receive_many");
        self.receive(wait, take)
    }

    fn send_many(
        &self,
        messages: &[OutgoingMessage<'_>],
        wait: Duration,
    ) -> Result<usize, ServiceError> {
        self.may_panic("send_many");
        for message in messages {
            RoleServices::send(self, *message, wait)?;
        }
        Ok(messages.len())
    }

    fn sleep(&self, time: Duration) -> bool {
        self.notes().slept.push(time);
        true
    }

    fn stopping(&self) -> bool {
        self.stopping
    }

    fn log(&self, level: Level, text: &str) {
        self.may_panic("log");
        self.note(level, text);
    }

    fn load(&self) -> Result<Option<Vec<u8>>, ServiceError> {
        self.may_panic("load");
        Ok(self.notes().stored.clone())
    }

    fn store(&self, value: &[u8]) -> Result<(), ServiceError> {
        if self.broken == "disk" {
            return Err("the disk is full".into());
        }
        self.notes().stored = Some(value.to_owned());
        Ok(())
    }

    fn ask(&self, question: &[u8], _wait: Duration) -> Result<Vec<u8>, ServiceError> {
        self.may_panic("ask");
        Ok(question.to_owned())
    }

    fn set_status(&self, text: &str) {
        self.may_panic("set_status");
        text.clone_into(&mut self.notes().status);
    }
}

impl TransportServices for Bench {
    fn identity(&self) -> &TransportIdentity {
        static IDENTITY: LazyLock<TransportIdentity> = LazyLock::new(|| TransportIdentity {
            node: NodeName::new("there").unwrap(),
            name: TransportName::new("probe1").unwrap(),
            module: ModuleName::new("probe").unwrap(),
            is_local: true,
        });
        &IDENTITY
    }

    fn stopping(&self) -> bool {
        self.stopping
    }

    fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        _timeout: Option<Duration>,
    ) -> Result<Readiness, ServiceError> {
        self.may_panic("wait_readable");
        if self.stopping {
            return Ok(Readiness::Stopping);
        }
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(
            fd,
            rustix::event::PollFlags::IN,
        )];
        let limit = rustix::time::Timespec {
            tv_sec: 20,
            tv_nsec: 0,
        };
        match rustix::event::poll(&mut fds, Some(&limit)) {
            Ok(0) => Ok(Readiness::TimedOut),
            Ok(_) => Ok(Readiness::Ready),
            Err(error) => Err(error.into()),
        }
    }

    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, ServiceError> {
        self.may_panic("sign");
        Ok(data.to_vec())
    }

    fn verify(&self, _node: &str, data: &[u8], signature: &[u8]) -> Result<(), ServiceError> {
        self.may_panic("verify");
        match data == signature {
            true => Ok(()),
            false => Err("not signed".into()),
        }
    }

    fn state_dir(&self) -> Result<std::path::PathBuf, ServiceError> {
        self.may_panic("state_dir");
        Ok("/state/there.probe1".into())
    }

    fn set_status(&self, text: &str) {
        self.may_panic("set_status");
        self.note(Level::Debug, &format!("status: {text}"));
    }

    fn log(&self, level: Level, text: &str) {
        self.note(level, text);
    }
}

/// A bus is told that there is no room for what has no content.
impl BusServices for Bench {
    fn identity(&self) -> &BusIdentity {
        static IDENTITY: LazyLock<BusIdentity> = LazyLock::new(|| BusIdentity {
            node: NodeName::new("here").unwrap(),
            name: BusName::new("fleet").unwrap(),
            module: ModuleName::new("probe").unwrap(),
        });
        &IDENTITY
    }

    fn stopping(&self) -> bool {
        self.stopping
    }

    fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        timeout: Option<Duration>,
    ) -> Result<Readiness, ServiceError> {
        TransportServices::wait_readable(self, fd, timeout)
    }

    fn up(&self, limits: Limits) {
        self.may_panic("up");
        self.hear(format!("up {limits:?}"));
    }

    fn down(&self, reason: &str) {
        self.hear(format!("down {reason}"));
    }

    fn deliver(&self, subject: &str, reply: Option<&str>, data: &[u8]) -> Delivered {
        self.may_panic("deliver");
        self.hear(format!("deliver {subject} {reply:?} {data:?}"));
        match data {
            [] => Delivered::Full,
            _ => Delivered::Taken,
        }
    }

    fn wait_for_room(&self, timeout: Duration) -> bool {
        self.may_panic("wait_for_room");
        self.hear(format!("wait_for_room {timeout:?}"));
        true
    }

    fn dropped(&self, count: u64) {
        self.hear(format!("dropped {count}"));
    }

    fn confirmed(&self, number: u64) {
        self.hear(format!("confirmed {number}"));
    }

    fn window(&self) -> QueueLimits {
        QueueLimits {
            length: 128,
            size: 4 << 20,
        }
    }

    fn nobody(&self, subject: &str) {
        self.hear(format!("nobody {subject}"));
    }

    fn refused(&self, subject: &str, reason: &str) {
        self.hear(format!("refused {subject} {reason}"));
    }

    fn round_trip(&self, time: Duration) {
        self.hear(format!("round_trip {time:?}"));
    }

    fn state_dir(&self) -> Result<std::path::PathBuf, ServiceError> {
        TransportServices::state_dir(self)
    }

    fn set_status(&self, text: &str) {
        RoleServices::set_status(self, text);
    }

    fn log(&self, level: Level, text: &str) {
        self.note(level, text);
    }
}

#[derive(Serialize)]
struct ProbeOptions<'a> {
    fault: &'a str,
    panics: bool,
}

/// Makes the probe, with the call in which it panics.
pub(crate) fn make(
    module: &RoleModule,
    fault: &str,
) -> (Arc<Bench>, Result<RoleInstance, CallError>) {
    let bench = Arc::new(Bench::default());
    let made = make_on(module, &bench, fault, true);
    (bench, made)
}

pub(crate) fn make_on(
    module: &RoleModule,
    bench: &Arc<Bench>,
    fault: &str,
    panics: bool,
) -> Result<RoleInstance, CallError> {
    let options = rmp_serde::to_vec_named(&ProbeOptions { fault, panics }).unwrap();
    module.create(Arc::clone(bench) as Arc<dyn RoleServices>, &options)
}

/// What the probe reports when it runs: its mark, how often it ran, what a newer host offers,
/// whether it is being stopped, what it was answered when it asked for 7.
pub(crate) type Report = (String, u32, Option<u64>, bool, Option<u32>);

pub(crate) fn report(module: &RoleModule) -> Report {
    let (bench, role) = make(module, "");
    role.unwrap().run().unwrap();
    let report: Report = bench.last();
    // A module of the first version has no way to say it.
    let said = bench.notes().status.clone();
    let expected = if report.4.is_some() {
        "run 1 times"
    } else {
        ""
    };
    assert_eq!(said, expected);
    report
}

/// The options of the transport probe.
pub(crate) fn transport_options(address: &str, fault: &str) -> Vec<u8> {
    let options = BTreeMap::from([("address", address), ("fault", fault)]);
    rmp_serde::to_vec_named(&options).unwrap()
}

pub(crate) fn make_transport(
    module: &TransportModule,
    bench: &Arc<Bench>,
    fault: &str,
) -> Result<TransportInstance, CallError> {
    let options = transport_options("127.0.0.1:0", fault);
    module.create(Arc::clone(bench) as Arc<dyn TransportServices>, &options)
}

/// Everything that was written to the program's log so far.
pub(crate) fn program_log() -> String {
    String::from_utf8_lossy(&log_buffer().lock().unwrap()).into_owned()
}

/// Begins to keep the program's log.
pub(crate) fn keep_program_log() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(|| LogWriter)
            .init();
    });
}

fn log_buffer() -> &'static Mutex<Vec<u8>> {
    static BUFFER: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    &BUFFER
}

struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        log_buffer().lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bus probe, with the call in which it panics.
pub(crate) fn make_bus(
    module: &BusModule,
    bench: &Arc<Bench>,
    fault: &str,
) -> Result<BusInstance, CallError> {
    let options = transport_options("nats.example:4222", fault);
    module.create(Arc::clone(bench) as Arc<dyn BusServices>, &options)
}
