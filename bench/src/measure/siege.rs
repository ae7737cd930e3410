//! A node whose port strangers besiege: how long it takes another node to be linked with it, and
//! what the strangers cost.
//!
//! One machine opens a thousand connections a second and talks nonsense over each; sixty others
//! open two a second each, say nothing or half of an opening, and hold them for as long as they can.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::SocketFlags;

use super::Settings;
use crate::Failure;
use crate::network::Network;
use crate::proxy::{Proxy, connect_from};
use crate::report::{Aim, Report};

/// How many connections a second talk nonsense, and how many of them are open at a time.
const NONSENSE: u64 = 1000;
const NONSENSE_OPEN: usize = 60;

/// How many connections a second say nothing, or half of it; how many are held, and from how many
/// addresses.
const SILENT: u64 = 120;
const SILENT_HELD: usize = 300;
const SILENT_ADDRESSES: u64 = 60;

/// For how long strangers come before the node that dials is started: until all places are taken.
const FILLS: Duration = Duration::from_secs(4);

/// How long the node that dials is away between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// The address that the nonsense comes from, and the other one of the node that dials.
const FLOOD: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 1);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 3, 1);

/// The longest time to a link, in milliseconds.
const LINK_AIM: f64 = 2000.0;

/// The most that the log may grow in a minute, in KiB, and the memory at all, in MiB.
const LOG_BOUND: f64 = 1024.0;
const MEMORY_BOUND: f64 = 64.0;

/// What came of one siege.
#[derive(Default)]
struct Siege {
    /// How long each link took, in milliseconds, from the first try to dial: the first link, when
    /// nobody knows the node's machine, and those after it.
    first: Vec<f64>,
    again: Vec<f64>,
    /// The same from the start of the process.
    start: Vec<f64>,
    strangers: Vec<f64>,
    lost: usize,
    log: Vec<f64>,
    memory: Vec<f64>,
    processor: Vec<f64>,
}

pub(super) fn run(settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let mut all = Siege::default();
    for (from, name, other) in [
        (ELSEWHERE, "from elsewhere", "an address of its own"),
        (FLOOD, "from among them", "the address of the nonsense"),
    ] {
        let mut taken = Siege::default();
        settings.repeat(name, || besieged(settings, from, &mut taken))?;
        let limits = format!("from the first try, from {other}");
        let names = [
            "first link",
            "next links",
            "slowest link",
            "link from start",
        ]
        .map(|what| format!("siege, {what}, {name}"));
        let slowest = taken.first.iter().chain(&taken.again).copied();
        let slowest = vec![slowest.fold(0.0, f64::max)];
        report.add(&names[0], taken.first.clone(), "ms", &limits);
        report.add(&names[1], taken.again.clone(), "ms", &limits);
        report.add(&names[2], slowest, "ms", &limits);
        report.aim(&names[2], Aim::AtMost(LINK_AIM));
        let limits = format!("from the start of the process, from {other}");
        report.add(&names[3], taken.start, "ms", limits);
        all.strangers.extend(taken.strangers);
        all.lost += taken.lost;
        all.log.extend(taken.log);
        all.memory.extend(taken.memory);
        all.processor.extend(taken.processor);
    }
    let limits = format!("{NONSENSE} a second from one address, {SILENT} from {SILENT_ADDRESSES}");
    report.add(
        "siege, connections of strangers",
        all.strangers,
        "/s",
        &limits,
    );
    report.add(
        "siege, processor",
        all.processor,
        "%",
        "of one, of the besieged daemon",
    );
    let (lost, log, memory) = (
        "siege, links lost",
        "siege, log in a minute",
        "siege, memory",
    );
    report.add(
        lost,
        vec![all.lost as f64],
        "",
        "of those that stood before",
    );
    report.add(log, all.log, "KiB", "all that the daemon writes");
    report.add(
        memory,
        all.memory,
        "MiB",
        "the most that the daemon had, RSS",
    );
    report.bound(lost, Aim::AtMost(0.0))?;
    report.bound(log, Aim::AtMost(LOG_BOUND))?;
    report.bound(memory, Aim::AtMost(MEMORY_BOUND))
}

/// One siege.
fn besieged(settings: &Settings, from: Ipv4Addr, taken: &mut Siege) -> Result<(), Failure> {
    let lasts = Duration::from_secs(settings.choose(20, 8));
    let mut network = Network::new(&["dialler", "hub", "neighbour"])?;
    network.node_option(0, "othersToSelfConnectPolicy: never");
    network.node_option(2, "selfToOthersConnectPolicy: never");
    let proxy = Proxy::start_from(from, network.port(1))?;
    network.set_address(1, proxy.address().to_string());
    let _neighbour = network.start(2)?;
    let hub = network.start(1)?;
    hub.wait_for_link()?;
    let port = network.port(1);
    let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let (begin, said, cost) = (Instant::now(), hub.said_bytes(), hub.processor_time()?);
    thread::scope(|scope| {
        let (stop, count) = (&stop, &count);
        scope.spawn(move || talk_nonsense(port, stop, count));
        scope.spawn(move || say_nothing(port, stop, count));
        let links = dial_in(&network, &proxy, begin + lasts, taken);
        stop.store(true, Ordering::Relaxed);
        links
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    taken.strangers.push(count.into_inner() as f64 / seconds);
    let cost = (hub.processor_time()? - cost).as_secs_f64();
    taken.processor.push(100.0 * cost / seconds);
    let log = (hub.said_bytes() - said) as f64 / 1024.0;
    taken.log.push(log * 60.0 / seconds);
    taken.memory.push(hub.peak_memory()? / 1024.0);
    let lost = hub.said_of_links().into_iter();
    let lost =
        lost.filter(|line| line["message"] == "down" && line["fields"]["peer"] == "neighbour");
    taken.lost += lost.count();
    Ok(())
}

/// Starts the node that dials again and again, until it is over.
fn dial_in(
    network: &Network,
    proxy: &Proxy,
    end: Instant,
    taken: &mut Siege,
) -> Result<(), Failure> {
    thread::sleep(FILLS);
    let mut list = &mut taken.first;
    loop {
        let start = Instant::now();
        let dialler = network.start(0)?;
        // Its own word: the other daemon sums up what a node says that comes so often.
        let up = dialler.wait_for("the link", |line| {
            line["message"] == "up" && line["fields"]["peer"] == "hub"
        })?;
        let tried = proxy.first_connection().ok_or("nobody dialled")?;
        list.push((up - tried).as_secs_f64() * 1000.0);
        taken.start.push((up - start).as_secs_f64() * 1000.0);
        if Instant::now() > end {
            return Ok(());
        }
        drop(dialler);
        thread::sleep(PAUSE);
        list = &mut taken.again;
    }
}

/// Calls `call` so many times a second, however long each time takes.
fn paced(a_second: u64, stop: &AtomicBool, mut call: impl FnMut(u64)) {
    let (begin, mut called) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        if u128::from(called) * 1000 < u128::from(a_second) * begin.elapsed().as_millis() {
            call(called);
            called += 1;
        } else {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn talk_nonsense(port: u16, stop: &AtomicBool, count: &AtomicU64) {
    let mut open: VecDeque<TcpStream> = VecDeque::new();
    let words = [
        [0xff; 300].to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        [b"SSH-2.0-x\r\n", &[0xff; 64][..]].concat(),
        [b"\x16\x03\x01", &[0; 200][..]].concat(),
    ];
    paced(NONSENSE, stop, |number| {
        if let Ok(stream) = connect_from(FLOOD, port, SocketFlags::NONBLOCK) {
            open.push_back(stream);
            count.fetch_add(1, Ordering::Relaxed);
        }
        if open.len() > NONSENSE_OPEN
            && let Some(mut stream) = open.pop_front()
        {
            // It may have been cut off.
            let _ = stream.write(&words[number as usize % words.len()]);
        }
    });
}

fn say_nothing(port: u16, stop: &AtomicBool, count: &AtomicU64) {
    let mut held: VecDeque<TcpStream> = VecDeque::new();
    let words = [&b""[..], b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n\0\0\0\x14"];
    paced(SILENT, stop, |number| {
        let host = (number % SILENT_ADDRESSES) as u8 + 1;
        let source = Ipv4Addr::new(127, 0, 1, host);
        if let Ok(stream) = connect_from(source, port, SocketFlags::NONBLOCK) {
            held.push_back(stream);
            count.fetch_add(1, Ordering::Relaxed);
        }
        // By then it is connected, unless the node does not keep up.
        if let Some(stream) = held.iter_mut().rev().nth(10) {
            let _ = stream.write(words[(number / SILENT_ADDRESSES) as usize % words.len()]);
        }
        if held.len() > SILENT_HELD {
            held.pop_front();
        }
    });
}
