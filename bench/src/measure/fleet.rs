//! Thousands of nodes on a bus: three NATS servers, some real daemons, and all other nodes of the file simulated by this
//! process, with the real protocol.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kozo_bench_payload::Figures;
use kozo_ground::names::RoleName;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Settings;
use crate::daemon::{Daemon, processor_time_of, program, wait_for_file};
use crate::fleet::crowd::{Crowd, Sending};
use crate::fleet::file::FleetFile;
use crate::fleet::plain;
use crate::fleet::servers::Servers;
use crate::network::reserve_port;
use crate::report::{Aim, Report};
use crate::{Failure, supervise};

/// How many members there are; `KOZO_FLEET_NODES` says otherwise.
const MEMBERS: usize = 10_000;

/// How many one daemon hears whose memory is looked at.
const HEARD: usize = 100;

/// The data of a broadcast and of what members send, in bytes.
const SIZE: usize = 200;

/// How often a broadcast is sent, and how many seconds apart.
const BROADCASTS: u64 = 5;
const APART: u64 = 3;

/// What a member sends as single messages, and as batches of so many.
const SINGLES: u64 = 10;
const BATCH: u64 = 16;
const BATCHES: u64 = 3;

/// How many datagrams may be on the way to the daemon that all send to: nobody else would hold them up, and what a
/// receiver is behind with for seconds is lost in part.
const WINDOW: u64 = 2000;

/// How often it is looked what that daemon has: where it hears thousands, that costs it some milliseconds.
const LOOK: Duration = Duration::from_millis(50);

/// What it says of that.
const RECEIVED: &str = "kozo_bus_messages_received_total{bus=\"fleet\"} ";

/// The pause between events whose delay is taken.
const INTERVAL: Duration = Duration::from_millis(1);

/// The longest that one of the steps may take, with thousands of members on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// For how long asks are counted after the servers' restart.
const AFTER: Duration = Duration::from_secs(60);

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let Some(program) = Servers::program() else {
        let reason = "there is no `nats-server`: install Debian's package `nats-server`, or name another one in KOZO_NATS_SERVER";
        report.skip("fleet", reason);
        return Ok(());
    };
    let members = match std::env::var("KOZO_FLEET_NODES") {
        Ok(text) => text.parse()?,
        Err(_) => settings.choose(MEMBERS, 300),
    };
    // Those of the servers, too, which inherit it.
    allow_open_files(members as u64 + 1000)?;
    supervise::tell_begin("the start of the servers");
    let servers = Servers::start(program)?;
    Fleet::new(settings, servers, members)?.measure(settings, report)
}

/// The delay that a part of the events did not exceed, in nanoseconds.
type Share = fn(&Figures) -> u64;

/// All that runs.
struct Fleet {
    file: FleetFile,
    servers: Servers,
    members: usize,
    rounds: u64,
    events: u64,
    /// Where the daemon that all send to gives its metrics.
    metrics: SocketAddr,
}

impl Fleet {
    fn new(settings: &Settings, servers: Servers, members: usize) -> Result<Self, Failure> {
        let rounds = u64::from(settings.repeat);
        let events = settings.choose(5000, 500);
        let mut file = FleetFile::new(&servers.addresses)?;
        let source = |file: &FleetFile, name: &str, rest: &str| {
            let go = file.path(&format!("go-{name}"));
            let go = go.display();
            format!("{name}: {{type: bench-source, go: '{go}', {rest}}}")
        };
        let sink = |file: &FleetFile, name: &str, count: u64| {
            let report = file.path(&format!("report-{name}"));
            let report = report.display();
            format!(
                "{name}: {{type: bench-sink, from: {name}, count: {count}, quiet: 600, report: '{report}'}}"
            )
        };
        let seconds = INTERVAL.as_secs_f64();
        let mut sources = vec![
            source(&file, "first", &format!("count: 1, size: {SIZE}")),
            source(
                &file,
                "broadcast",
                &format!("count: {BROADCASTS}, size: {SIZE}, interval: {APART}"),
            ),
            source(&file, "again", &format!("count: 1, size: {SIZE}")),
        ];
        let ahead = source(&file, "ahead", &format!("count: 1, size: {SIZE}"));
        let all = members as u64;
        let mut sinks = vec![
            // Else the first events whose delay is taken would wait for the sender's key.
            sink(&file, "first", 1),
            sink(&file, "warm", all),
            sink(&file, "single", all * SINGLES),
            sink(&file, "batch", all * BATCH * BATCHES),
        ];
        for round in 0..rounds {
            let name = format!("pace{round}");
            let rest = format!("count: {events}, size: {SIZE}, interval: {seconds}");
            sources.push(source(&file, &name, &rest));
            sinks.push(sink(&file, &name, events));
        }
        let few = sink(&file, "few", HEARD.min(members) as u64);
        let [one, two, three] = servers.addresses[..] else {
            return Err("there are not three servers".into());
        };
        let port = || reserve_port().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let metrics = port()?;
        file.add_daemon("source", one, port()?, &sources)?;
        file.add_daemon("ahead", one, port()?, &[ahead])?;
        file.add_daemon("sink", two, metrics, &sinks)?;
        file.add_daemon("few", three, port()?, &[few])?;
        let heard = [
            "ahead: {type: bench-sink, from: ahead}",
            "first: {type: bench-sink, from: first}",
            "broadcast: {type: bench-sink, from: broadcast}",
            "again: {type: bench-sink, from: again}",
        ];
        file.write(members, &heard)?;
        Ok(Self {
            file,
            servers,
            members,
            rounds,
            events,
            metrics,
        })
    }

    fn limits(&self) -> String {
        let (members, version) = (self.members, &self.servers.version);
        format!("{members} members, three servers (NATS {version})")
    }

    fn measure(mut self, settings: &Settings, report: &mut Report) -> Result<(), Failure> {
        self.check(settings, report)?;
        supervise::tell_begin("the start of the daemons");
        let source = self.file.start("source")?;
        let ahead = self.file.start("ahead")?;
        let sink = self.file.start("sink")?;
        let few = self.file.start("few")?;
        for daemon in [&source, &ahead, &sink, &few] {
            daemon.wait_for_bus()?;
        }
        let crowd = self.connect(report)?;
        self.expected(&crowd, report)?;
        self.broadcast(&crowd, &source, report)?;
        self.hear_few(&crowd, &few, report)?;
        self.gather(&crowd, &sink, report)?;
        self.latency(report)?;
        self.restart(settings, &crowd, report)
    }

    fn check(&self, settings: &Settings, report: &mut Report) -> Result<(), Failure> {
        let times = settings.repeat("checking the file", || {
            let start = Instant::now();
            let mut command = std::process::Command::new(program()?);
            let output = command.arg("check").arg(self.file.file()).output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
            }
            Ok(start.elapsed().as_secs_f64())
        })?;
        let name = "fleet, checking the file";
        let limits = format!("`kozo check`, {} members", self.members);
        report.add(name, times, "s", limits);
        report.aim(name, Aim::AtMost(0.5));
        Ok(())
    }

    fn connect(&self, report: &mut Report) -> Result<Crowd, Failure> {
        supervise::tell_begin("connecting the members");
        let heard = ["ahead", "first", "broadcast", "again"];
        let before = self.servers.memory()?;
        let roll = self.file.roll();
        let crowd = Crowd::new(&roll, &self.servers.addresses, &heard, &["ahead"])?;
        crowd.allow(u64::MAX);
        let time = crowd.connect(LIMIT)?.as_secs_f64();
        let limits = self.limits();
        report.add("fleet, connecting all", vec![time], "s", &limits);
        let each = (self.servers.memory()? - before) / self.members as f64;
        let limits = format!("{limits}, RSS of these, for a member");
        report.add("fleet, memory of the servers", vec![each], "KiB", limits);
        Ok(crowd)
    }

    /// The first message of a sender whose key the members have asked for ahead of need.
    fn expected(&self, crowd: &Crowd, report: &mut Report) -> Result<(), Failure> {
        supervise::tell_begin("the keys of one that is expected to send");
        let time = crowd
            .wait_for_keys(self.members as u64, LIMIT)?
            .as_secs_f64();
        let limits = format!(
            "from the moment on that all are connected, {}",
            self.limits()
        );
        report.add("fleet, keys ahead of need", vec![time], "s", limits);
        supervise::tell_begin("the first broadcast of one that is expected");
        self.go("ahead")?;
        let arrival = crowd.wait_for("ahead", 1, LIMIT)?;
        let took = arrival.last.saturating_sub(arrival.sent) as f64 / 1e6;
        let name = "fleet, first broadcast of one that is expected";
        let limits = format!("{SIZE} B until all have it, {}", self.limits());
        report.add(name, vec![took], "ms", limits);
        report.aim(name, Aim::AtMost(1000.0));
        Ok(())
    }

    fn broadcast(
        &self,
        crowd: &Crowd,
        source: &Daemon,
        report: &mut Report,
    ) -> Result<(), Failure> {
        supervise::tell_begin("the first broadcast");
        let before = source.processor_time()?;
        let took = |role: &str, sequence| -> Result<f64, Failure> {
            let arrival = crowd.wait_for(role, sequence, LIMIT)?;
            Ok(arrival.last.saturating_sub(arrival.sent) as f64 / 1e6)
        };
        self.go("first")?;
        let first = took("first", 1)? / 1000.0;
        let limits = format!("{SIZE} B until all have it, {}", self.limits());
        let keys = format!("{limits}; each asks for the sender's key");
        report.add("fleet, first broadcast", vec![first], "s", keys);
        let cost = (source.processor_time()? - before).as_secs_f64();
        let each = cost * 1e6 / self.members as f64;
        let limits_of_cost = format!("the daemon's, for a key that it gives, {}", self.limits());
        report.add("fleet, processor, a key", vec![each], "µs", limits_of_cost);
        supervise::tell_begin("broadcasts");
        self.go("broadcast")?;
        let times = (1..=BROADCASTS).map(|sequence| took("broadcast", sequence));
        let times = times.collect::<Result<Vec<_>, _>>()?;
        let name = "fleet, broadcast";
        report.add(name, times, "ms", limits);
        report.aim(name, Aim::AtMost(1000.0));
        Ok(())
    }

    fn hear_few(&self, crowd: &Crowd, few: &Daemon, report: &mut Report) -> Result<(), Failure> {
        supervise::tell_begin("a hundred that one daemon hears");
        let heard = HEARD.min(self.members);
        self.send(crowd, "few", 1, 1, heard)?;
        wait_for_file(&self.file.path("report-few"), LIMIT)?;
        let name = "fleet, memory of a daemon";
        let limits = format!("{heard} heard of, {}; PSS", self.limits());
        report.add(name, vec![few.memory()? / 1024.0], "MiB", limits);
        report.aim(name, Aim::AtMost(25.0));
        Ok(())
    }

    fn gather(&self, crowd: &Crowd, sink: &Daemon, report: &mut Report) -> Result<(), Failure> {
        let all = self.members;
        let from_all = |what: &str| format!("{what}, {SIZE} B, to one daemon, {}", self.limits());
        supervise::tell_begin("the first message of each member");
        self.send(crowd, "warm", 1, 1, all)?;
        let figures = self.figures("warm")?;
        let seconds = figures.duration as f64 / 1e9;
        let limits = from_all("the first one of each, with its key");
        report.add("fleet, hearing all", vec![seconds], "s", limits);
        let kinds = [
            ("single", 1, SINGLES, "one a datagram", 12_000.0),
            ("batch", BATCH, BATCHES, "16 a datagram", 50_000.0),
        ];
        for (role, batch, rounds, what, aim) in kinds {
            supervise::tell_begin(&format!("the messages of `{role}`"));
            let before = self.costs(sink)?;
            let (sent, received) = (crowd.sent(), self.received()?);
            crowd.allow(sent + WINDOW * batch);
            self.send(crowd, role, batch, rounds, all)?;
            let start = Instant::now();
            while !self.file.path(&format!("report-{role}")).exists() && start.elapsed() < LIMIT {
                std::thread::sleep(LOOK);
                crowd.allow(sent + self.received()? - received + WINDOW * batch);
            }
            crowd.allow(u64::MAX);
            let figures = self.counted(role)?;
            let costs = self.costs(sink)?;
            let rate = figures.received as f64 / (figures.duration as f64 / 1e9);
            let name = format!("fleet, from all, {what}");
            report.add(&name, vec![rate], "/s", from_all("what came"));
            report.aim(&name, Aim::AtLeast(aim));
            // No failure: on a machine that is too busy, the daemon is behind for seconds all the same.
            let name = format!("fleet, missed, {what}");
            report.add(&name, vec![figures.missing as f64], "", from_all("counted"));
            report.aim(&name, Aim::AtMost(0.0));
            let whose = [
                ("processor", "the daemon's"),
                (
                    "processor of the members",
                    "that of the process that is all members",
                ),
                ("processor of the servers", "the servers'"),
            ];
            for ((name, whose), (cost, before)) in
                whose.into_iter().zip(costs.into_iter().zip(before))
            {
                let each = (cost - before).as_secs_f64() * 1e6 / figures.received as f64;
                let name = format!("fleet, {name}, {what}");
                let limits = from_all(&format!("{whose}, for a message"));
                report.add(name, vec![each], "µs", limits);
            }
        }
        let limits = format!("{all} heard of; PSS");
        let used = vec![sink.memory()? / 1024.0];
        report.add("fleet, memory of one that hears all", used, "MiB", limits);
        Ok(())
    }

    /// The processor time that was used by a daemon, by all members, and by the servers.
    fn costs(&self, daemon: &Daemon) -> Result<[Duration; 3], Failure> {
        let members = processor_time_of(std::process::id())?;
        Ok([
            daemon.processor_time()?,
            members,
            self.servers.processor_time()?,
        ])
    }

    /// In turns with clients without Kōzō, so that what else the machine does is the same for both.
    fn latency(&self, report: &mut Report) -> Result<(), Failure> {
        let [one, two, _] = self.servers.addresses[..] else {
            return Err("there are not three servers".into());
        };
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for round in 0..self.rounds {
            supervise::tell_begin(&format!(
                "the delay of run {} of {}",
                round + 1,
                self.rounds
            ));
            let name = format!("pace{round}");
            self.go(&name)?;
            own.push(self.figures(&name)?);
            others.push(plain::latency(one, two, self.events, SIZE, INTERVAL)?);
        }
        let limits = format!(
            "{} events of {SIZE} B, one each ms, over two of the servers, {} members connected",
            self.events, self.members
        );
        let shares: [(&str, Share, f64); 2] = [
            ("median", |figures| figures.p50, 150.0),
            ("99 %", |figures| figures.p99, 500.0),
        ];
        for (share, of, aim) in shares {
            let times = |all: &[Figures]| all.iter().map(|one| of(one) as f64 / 1e3).collect();
            let plain = format!("fleet, plain NATS, {share}");
            report.add(&plain, times(&others), "µs", &limits);
            report.add(
                format!("fleet, latency, {share}"),
                times(&own),
                "µs",
                &limits,
            );
            let pairs = own.iter().zip(&others);
            let later = pairs.map(|(own, other)| (of(own) as f64 - of(other) as f64) / 1e3);
            let name = format!("fleet, later than plain, {share}");
            report.add(&name, later.collect(), "µs", "of each pair of runs");
            report.aim(&name, Aim::AtMost(aim));
        }
        Ok(())
    }

    fn restart(
        &mut self,
        settings: &Settings,
        crowd: &Crowd,
        report: &mut Report,
    ) -> Result<(), Failure> {
        supervise::tell_begin("the restart of the servers");
        let before = crowd.asked();
        self.servers.restart()?;
        let start = Instant::now();
        crowd.wait_until_connected(LIMIT)?;
        let back = start.elapsed();
        supervise::tell_begin("a broadcast after the restart");
        self.go("again")?;
        crowd.wait_for("again", 1, LIMIT)?;
        let whole = start.elapsed();
        let limits = format!("all servers killed and started anew, {}", self.limits());
        let times = [("connected", back), ("a broadcast reaches all", whole)];
        for (what, time) in times {
            let name = format!("fleet, after a restart, {what}");
            report.add(&name, vec![time.as_secs_f64()], "s", &limits);
            report.aim(&name, Aim::AtMost(60.0));
        }
        let rest = settings.choose(AFTER, Duration::ZERO);
        std::thread::sleep(rest.saturating_sub(start.elapsed()));
        let (after, minutes) = (
            crowd.asked(),
            start.elapsed().as_secs_f64().max(60.0) / 60.0,
        );
        let rate = |count: u64| vec![count as f64 / self.members as f64 / minutes];
        let name = "fleet, keys asked for, after a restart";
        report.add(
            name,
            rate(after.keys - before.keys),
            "",
            "for a node and minute",
        );
        report.aim(name, Aim::AtMost(2.0));
        let name = "fleet, asks of all kinds, after a restart";
        report.add(
            name,
            rate(after.asks - before.asks),
            "",
            "for a node and minute",
        );
        Ok(())
    }

    /// How many messages the daemon that all send to has received.
    fn received(&self) -> Result<u64, Failure> {
        let mut stream = TcpStream::connect(self.metrics)?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let number = text.lines().find_map(|line| line.strip_prefix(RECEIVED));
        Ok(number
            .ok_or("the daemon does not say what it has received")?
            .parse()?)
    }

    /// Lets a role of `source` send.
    fn go(&self, role: &str) -> Result<(), Failure> {
        Ok(std::fs::write(self.file.path(&format!("go-{role}")), "")?)
    }

    fn send(
        &self,
        crowd: &Crowd,
        role: &str,
        batch: u64,
        rounds: u64,
        members: usize,
    ) -> Result<(), Failure> {
        crowd.send(&Sending {
            role: RoleName::new(role)?,
            batch,
            rounds,
            size: SIZE,
            members,
        })
    }

    /// What a role of a sink has counted, once all is there; an error if anything was lost, repeated or out of order.
    fn figures(&self, role: &str) -> Result<Figures, Failure> {
        let figures = self.counted(role)?;
        match figures.missing {
            0 => Ok(figures),
            _ => Err(format!("not every event came: {figures:?}").into()),
        }
    }

    /// The same, where some may be missing; an error if any was repeated or out of order.
    fn counted(&self, role: &str) -> Result<Figures, Failure> {
        let text = wait_for_file(&self.file.path(&format!("report-{role}")), LIMIT)?;
        let figures: Figures = serde_json::from_str(&text)?;
        match figures.late {
            0 => Ok(figures),
            _ => Err(format!("events came again, or out of order: {figures:?}").into()),
        }
    }
}

/// Lets this process, and those that it starts, have so many files open.
fn allow_open_files(count: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(count));
    let raised = Rlimit {
        current: Some(count),
        maximum,
    };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("{count} open files are necessary (`ulimit -n`): {error}").into())
}
