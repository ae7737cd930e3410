//! What it costs, on a network whose relays are all on this machine.

use std::time::Instant;

use kozo_abi::bench::reserve_port;

use crate::Stage;
use crate::daemon::MODULES;
use crate::scene::Scene;
use crate::wait::{DEADLINE, wait_until};

/// Each line of the bulk.
const LINE: usize = 50_000;

/// So many of them fit into a queue.
const LINES: usize = 60;

/// How many times each is measured.
const TIMES: usize = 5;

pub(super) fn figures(stage: &Stage) {
    println!(
        "modules of {:?}",
        std::env::var_os(MODULES).unwrap_or_else(|| "this build".into())
    );
    let mut scene = Scene::new(stage.folder("figures"), &["alice", "bob"]);
    let network = stage.network.description();
    scene.onion("alice", &network, ", incomingOnly: true");
    scene.transport(
        "bob",
        "onion",
        &format!("outgoingOnly: true, network: {}", network.display()),
    );
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
    for time in 0..TIMES {
        let start = Instant::now();
        let bob = scene.start("bob");
        bob.wait_for_link("alice");
        println!(
            "bob linked {:.2} s after his start",
            start.elapsed().as_secs_f32()
        );
        if time == 0 {
            let bulk: Vec<_> = (0..LINES).map(|_| "x".repeat(LINE)).collect();
            let start = Instant::now();
            bob.send_all(&bulk);
            wait_until("all of it has come", DEADLINE, || {
                (alice.lines(&bob).len() == LINES).then_some(())
            });
            let rate = (LINES * LINE) as f32 / start.elapsed().as_secs_f32() / 1_048_576.0;
            println!("{rate:.2} MiB/s");
            println!("{} MB of memory", alice.memory() / 1_000_000);
        }
        let trip = bob.wait("a round trip is known", |status| {
            status["peers"][0]["links"][0]["round_trip_seconds"].as_f64()
        });
        println!("round trip {:.1} ms", trip * 1000.0);
        bob.end();
        alice.wait_for_no_link("bob");
    }
    drop(alice);
    // The same without Tor, for comparison.
    scene.transport(
        "alice",
        "onion",
        "type: tcp, address: 127.0.0.1, bindAddress: 127.0.0.1",
    );
    let tcp = format!(
        "type: tcp, address: 127.0.0.1, port: {}",
        reserve_port().unwrap()
    );
    scene.transport("bob", "onion", &tcp);
    let plain = scene.start("alice");
    plain.wait("it runs", |status| status["transports"].get(0).map(drop));
    println!(
        "{} MB of memory without this transport",
        plain.memory() / 1_000_000
    );
}
