//! Real daemons over paths that are slow, or become slow: links stay, and what is sent comes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use kozo_ground::interest::Kind;

use super::guest::Guest;
use super::injector::Injector;
use super::process::Process;
use super::scene::{Scene, start};

/// A rate that is none, in bytes a second.
const FAST: u64 = 1_000_000_000;

/// A path to a port of this machine that carries so many bytes a second each way.
struct Path {
    port: u16,
    rate: Arc<AtomicU64>,
}

impl Path {
    fn to(target: u16, rate: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let path = Self {
            port: listener.local_addr().unwrap().port(),
            rate: Arc::new(AtomicU64::new(rate)),
        };
        let rate = Arc::clone(&path.rate);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Nobody listens there yet, or any more.
                if let Ok(far) = TcpStream::connect(("127.0.0.1", target)) {
                    carry(&near, &far, &rate);
                    carry(&far, &near, &rate);
                }
            }
        });
        path
    }

    fn set_rate(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }
}

/// Carries what comes from one socket to the other, as fast as the path allows.
fn carry(from: &TcpStream, to: &TcpStream, rate: &Arc<AtomicU64>) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let rate = Arc::clone(rate);
    thread::spawn(move || {
        let mut piece = [0; 1400];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            let bytes = u32::try_from(count).unwrap();
            let rate = rate.load(Ordering::Relaxed);
            thread::sleep(Duration::from_secs(1) * bytes / u32::try_from(rate).unwrap());
            if to.write_all(&piece[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// Two nodes; what one's injector is told the other logs, and it crosses the path.
struct Net {
    scribe: Process,
    clock: Process,
    injector: Injector,
    path: Path,
}

impl Net {
    fn new(rate: u64) -> Self {
        let mut scene = Scene::new(&["clock", "scribe"]);
        let port = Injector::on(&mut scene, "clock");
        let file = scene.folder().join("scribe.log");
        scene.role("scribe", "logger", &format!("{{file: {}}}", file.display()));
        // Only who dials goes over the path.
        scene.node_option("scribe", "selfToOthersConnectPolicy: never");
        scene.option("heartbeat", "1");
        let path = Path::to(scene.port("scribe"), rate);
        let scribe = scene.start("scribe");
        let own = format!("port: {}}}", scene.port("scribe"));
        let text = scene
            .text()
            .replace(&own, &format!("port: {}}}", path.port));
        let mut clock = start(&scene.write_as("far.yml", &text), "clock");
        clock.wait_for_link("scribe");
        Self {
            scribe,
            clock,
            injector: Injector::connect(port),
            path,
        }
    }

    /// Sends so many lines, each of which fills a packet of SSH: it takes longer than a peer with this
    /// heartbeat may be silent.
    fn send(&mut self, lines: usize) {
        let line = format!("('log', '{}')", "x".repeat(60_000));
        for _ in 0..lines {
            self.injector.send(&line);
        }
    }

    /// The last line comes, and no link was lost meanwhile.
    fn arrives_over_the_same_link(&mut self) {
        self.injector.send("('log', 'that is all')");
        self.scribe.wait_for_text("role", "that is all");
        for daemon in [&self.clock, &self.scribe] {
            assert!(!daemon.has_line(|line| line["message"] == "down"));
        }
    }
}

#[test]
fn a_path_that_becomes_slow_keeps_its_link_and_what_is_sent_comes() {
    let mut net = Net::new(FAST);
    net.send(20);
    net.path.set_rate(16_000);
    net.send(4);
    net.arrives_over_the_same_link();
}

#[test]
fn a_heartbeat_of_a_second_needs_no_fast_path() {
    let mut net = Net::new(12_000);
    net.send(3);
    net.arrives_over_the_same_link();
}

#[test]
fn a_long_message_comes_although_what_is_read_at_a_time_may_be_longer() {
    let mut scene = Scene::new(&["clock", "guest"]);
    let file = scene.folder().join("clock.log");
    scene.role("clock", "logger", &format!("{{file: {}}}", file.display()));
    scene.option("maxBufferReadSize", "16777216");
    let mut clock = scene.start("clock");
    clock.wait_for_text("transport", "listening");
    let path = Path::to(scene.port("clock"), 1_000_000);
    let mut guest = Guest::connect_at(&scene, "guest", "clock", path.port).unwrap();
    let mut hello = guest.hello();
    // It may be silent for three seconds.
    hello.heartbeat = 1000;
    guest.say(|frames| frames.hello(&hello));
    let text = "that is all".to_owned() + &"x".repeat(10 << 20);
    guest.send_message(1, Kind::Log, "", &text);
    clock.wait_for_text("role", "that is all");
    assert!(!clock.has_line(|line| line["message"] == "down"));
}
