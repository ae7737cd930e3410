//! What it costs, on a network whose relays are all on this machine.

use std::path::Path;
use std::time::{Duration, Instant};

use kozo_abi::bench::reserve_port;

use crate::Stage;
use crate::daemon::{Daemon, program};
use crate::delay::LongWay;
use crate::scene::Scene;
use crate::wait::{DEADLINE, wait_until};

/// Each line of the bulk.
const LINE: usize = 50_000;

/// So many of them fit into a queue.
const LINES: usize = 60;

/// How many times each is measured.
const TIMES: usize = 5;

/// How long everything takes on a long way.
const DELAY: Duration = Duration::from_millis(300);

/// Alice waits, and Bob connects.
fn pair(stage: &Stage, name: &str) -> Scene {
    println!("of {}", program().display());
    let mut scene = Scene::new(stage.folder(name), &["alice", "bob"]);
    let network = stage.network.description();
    scene.onion("alice", &network, ", incomingOnly: true");
    scene.transport("bob", "onion", &dials_only(&network));
    scene
}

fn dials_only(network: &Path) -> String {
    format!("outgoingOnly: true, network: {}", network.display())
}

pub(super) fn figures_of_nodes_on_one_machine(stage: &Stage) {
    let mut scene = pair(stage, "figures");
    let start = Instant::now();
    let alice = scene.start("alice");
    let elapsed = || format!("{:.2} s after her start", start.elapsed().as_secs_f32());
    alice.wait("it is on the network", |status| {
        let text = status["transports"][0]["status"].as_str()?;
        (!text.starts_with("connecting")).then_some(())
    });
    println!("alice is on the network {}", elapsed());
    alice.wait_for_status("reachable at");
    println!("alice is reachable {}", elapsed());
    for _ in 0..TIMES {
        let start = Instant::now();
        let bob = scene.start("bob");
        bob.wait_for_link("alice");
        println!("bob linked {} after his start", seconds(start));
        let trip = bob.wait("a round trip is known", |status| {
            status["peers"][0]["links"][0]["round_trip_seconds"].as_f64()
        });
        println!("round trip {:.1} ms", trip * 1000.0);
        bob.end();
        alice.wait_for_no_link("bob");
    }
    let bob = scene.start("bob");
    bob.wait_for_link("alice");
    for _ in 0..TIMES {
        println!("{:.2} MiB/s", rate(&bob));
    }
    println!("{} MB of memory", alice.memory() / 1_000_000);
    drop((alice, bob));
    // The same without Tor, for comparison.
    over_tcp(&mut scene, 9, reserve_port().unwrap());
    let plain = scene.start("alice");
    plain.wait("it runs", |status| status["transports"].get(0).map(drop));
    println!(
        "{} MB of memory without this transport",
        plain.memory() / 1_000_000
    );
    drop(plain);
    let port = reserve_port().unwrap();
    over_tcp(&mut scene, port, port);
    let (alice, bob) = (scene.start("alice"), scene.start("bob"));
    bob.wait_for_link("alice");
    println!("{:.2} MiB/s without Tor", rate(&bob));
    drop(alice);
}

/// How fast a bulk of messages gets from Bob to Alice, until she has acknowledged it, in MiB a second.
/// (When it is in a file does not count: that is written once a second.)
fn rate(bob: &Daemon) -> f32 {
    let bulk: Vec<_> = (0..LINES).map(|_| "x".repeat(LINE)).collect();
    let start = Instant::now();
    bob.send_all(&bulk);
    bob.wait_for_acknowledgements("alice");
    (LINES * LINE) as f32 / start.elapsed().as_secs_f32() / 1_048_576.0
}

pub(super) fn figures_of_a_long_way(stage: &Stage) {
    let mut scene = pair(stage, "long-way");
    // Without Tor: what a link takes by itself.
    let port = reserve_port().unwrap();
    let way = LongWay::to(port, DELAY);
    over_tcp(&mut scene, way.port, port);
    let alice = scene.start("alice");
    alice.wait("it listens", |status| {
        (status["transports"][0]["state"] == "listening").then_some(())
    });
    for time in 0..TIMES {
        let bob = scene.start("bob");
        let start = way.next_connection(DEADLINE);
        bob.wait_for_link("alice");
        println!("TCP: bob linked {} after his connection", seconds(start));
        message(&bob, &alice, time);
        bob.end();
        alice.wait_for_no_link("bob");
    }
    alice.end();

    // Everything that Bob and the Tor network exchange takes so long.
    let bridge = stage.network.start_bridge(stage.folder("long-way-tor"));
    let (address, fingerprint) = bridge.line.split_once(' ').unwrap();
    let (_, port) = address.split_once(':').unwrap();
    let way = LongWay::to(port.parse().unwrap(), DELAY);
    let network = stage.network.description();
    scene.onion("alice", &network, ", incomingOnly: true");
    let line = format!("127.0.0.1:{} {fingerprint}", way.port);
    let options = format!("{}, bridges: ['{line}']", dials_only(&network));
    scene.transport("bob", "onion", &options);
    let alice = scene.start("alice");
    alice.wait_for_status("reachable at");
    for time in 0..TIMES {
        let start = Instant::now();
        let bob = scene.start("bob");
        bob.wait_for_link("alice");
        println!("Tor: bob linked {} after his start", seconds(start));
        message(&bob, &alice, TIMES + time);
        bob.end();
        alice.wait_for_no_link("bob");
    }
}

/// Gives both nodes TCP in the place of Tor. Alice listens, and Bob finds her at `address`; nobody
/// finds Bob.
fn over_tcp(scene: &mut Scene, address: u16, port: u16) {
    let tcp = |address: u16, port: u16| {
        format!("type: tcp, address: '127.0.0.1:{address}', bindAddress: 127.0.0.1, port: {port}")
    };
    scene.transport("alice", "onion", &tcp(address, port));
    scene.transport("bob", "onion", &tcp(9, reserve_port().unwrap()));
}

/// Says how long a message takes from Bob to Alice, of whom she has this many.
fn message(bob: &Daemon, alice: &Daemon, before: usize) {
    let start = Instant::now();
    bob.send("hello");
    wait_until("the message has come", DEADLINE, || {
        (alice.lines(bob).len() > before).then_some(())
    });
    println!("a message took {}", seconds(start));
}

fn seconds(start: Instant) -> String {
    format!("{:.2} s", start.elapsed().as_secs_f32())
}
