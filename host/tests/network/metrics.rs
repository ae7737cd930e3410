//! Daemons whose metrics are collected.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use super::control::status;
use super::inside::Daemon;
use super::process::{DEADLINE, wait_until};
use super::scene::Scene;

const GOOD: &str = "GET /metrics HTTP/1.1\r\nHost: clock\r\n\r\n";

/// How many clients of each kind come that do no good.
const OTHERS: usize = 20;

/// A port of this machine for a node's metrics.
fn metrics_of(scene: &mut Scene, node: &str) -> SocketAddr {
    let port = kozo_abi::bench::reserve_port().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    scene.node_option(node, &format!("metrics: {address}"));
    address
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let client = TcpStream::connect(address).ok()?;
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.set_write_timeout(Some(DEADLINE)).unwrap();
    Some(client)
}

/// What comes back when this is sent, until the daemon ends the connection.
fn said(address: SocketAddr, request: &[u8]) -> Option<String> {
    let mut client = connect(address)?;
    // It may be refused before all is sent.
    let _ = client.write_all(request);
    let mut bytes = Vec::new();
    match client.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no end within {DEADLINE:?}"),
        _ => {}
    }
    Some(String::from_utf8(bytes).unwrap())
}

/// The samples by their names and labels.
fn scrape(address: SocketAddr) -> Option<HashMap<String, f64>> {
    let answer = said(address, GOOD.as_bytes())?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{head}"
    );
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    Some(samples.collect())
}

#[test]
fn the_metrics_of_a_pair_are_those_of_its_status() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.option("heartbeat", "1");
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("scribe", "cuckoo", "{}");
    let address = metrics_of(&mut scene, "clock");
    let [clock, scribe] = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    let samples = wait_until("messages are acknowledged", || {
        let samples = scrape(address)?;
        let acknowledged = samples["kozo_messages_acknowledged_total{peer=\"scribe\"}"];
        let is_measured = samples.contains_key("kozo_link_round_trip_seconds{peer=\"scribe\"}");
        (acknowledged > 2.0 && is_measured).then_some(samples)
    });
    for (name, value) in [
        ("kozo_build_info{node=\"clock\",version=\"0.1.0\"}", 1.0),
        ("kozo_link_up{peer=\"scribe\",transport=\"tcp\"}", 1.0),
        ("kozo_link_wanted{peer=\"scribe\"}", 1.0),
        ("kozo_role_up{role=\"timer1\",module=\"timer\"}", 1.0),
        ("kozo_transport_up{transport=\"tcp\",module=\"tcp\"}", 1.0),
        ("kozo_config_peers_differing", 0.0),
        (
            "kozo_messages_dropped_total{peer=\"scribe\",reason=\"age\"}",
            0.0,
        ),
    ] {
        let told = samples.get(name);
        assert!(
            told.is_some_and(|told| (told - value).abs() < 1e-9),
            "{name}: {told:?}"
        );
    }
    for name in [
        "kozo_start_time_seconds",
        "kozo_link_established_total{peer=\"scribe\"}",
        "kozo_link_bytes_total{peer=\"scribe\",direction=\"received\"}",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(samples.get(name).is_some_and(|told| *told > 0.0), "{name}");
    }
    let digest = status(&scene, "clock").unwrap()["file_digest"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(samples.contains_key(&format!("kozo_config_info{{digest=\"{digest}\"}}")));
    // The link goes, and a missing one takes its place.
    scribe.stop();
    wait_until("the link is gone", || {
        let samples = scrape(address)?;
        assert!(samples["kozo_link_established_total{peer=\"scribe\"}"] > 0.0);
        let down = samples.get("kozo_link_up{peer=\"scribe\",transport=\"\"}")?;
        (*down < 1.0).then_some(())
    });
    clock.stop();
}

#[test]
fn whatever_comes_there_the_node_works_and_is_told_of() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    scene.role("scribe", "cuckoo", "{}");
    let address = metrics_of(&mut scene, "clock");
    let [clock, scribe] = ["clock", "scribe"].map(|node| Daemon::start(&scene, node));
    let sent = || Some(*scrape(address)?.get("kozo_messages_sent_total{peer=\"scribe\"}")?);
    let before = wait_until("messages are sent", || sent().filter(|sent| *sent > 0.0));
    let open_metrics = format!(
        "{}Accept: application/openmetrics-text\r\n\r\n",
        &GOOD[..GOOD.len() - 2]
    );
    let endless = format!("GET /metrics HTTP/1.1\r\nA: {}", "x".repeat(1 << 20));
    let garbage: Vec<u8> = (0..=255)
        .cycle()
        .take(1 << 16)
        .chain(*b"\r\n\r\n")
        .collect();
    for (request, expected) in [
        (GOOD.replace("/metrics", "/").as_bytes(), "HTTP/1.1 404 "),
        (GOOD.replace("GET", "PUT").as_bytes(), "HTTP/1.1 405 "),
        (GOOD.replace("GET", "HEAD").as_bytes(), "HTTP/1.1 200 "),
        (open_metrics.as_bytes(), "HTTP/1.1 200 "),
        (b"no HTTP\r\n\r\n", "HTTP/1.1 400 "),
    ] {
        let answer = said(address, request).unwrap();
        assert!(answer.starts_with(expected), "{answer}");
    }
    let answer = said(address, open_metrics.as_bytes()).unwrap();
    assert!(answer.ends_with("\n# EOF\n"), "{answer}");
    let mut kept = Vec::new();
    for number in 0..OTHERS {
        // Some send too much, some stop in the middle, and some read nothing.
        let mut client = connect(address).unwrap();
        let request = match number % 4 {
            0 => endless.as_bytes(),
            1 => garbage.as_slice(),
            2 => &GOOD.as_bytes()[..20],
            _ => GOOD.as_bytes(),
        };
        let _ = client.write_all(request);
        if number % 3 == 0 {
            let _ = client.shutdown(Shutdown::Write);
        }
        kept.push(client);
    }
    wait_until("messages are sent and told of", || {
        sent().filter(|sent| *sent > before)
    });
    drop(kept);
    clock.stop();
    scribe.stop();
}

#[test]
fn a_node_whose_port_for_metrics_is_taken_says_so_and_has_it_when_it_is_free() {
    let mut scene = Scene::new(&["clock"]);
    let address = metrics_of(&mut scene, "clock");
    let taken = TcpListener::bind(address).unwrap();
    let mut clock = scene.start("clock");
    clock.wait_for_text(
        "metrics",
        "nobody can collect metrics from this daemon, which runs on",
    );
    wait_until("the daemon is there", || status(&scene, "clock"));
    drop(taken);
    clock.wait_for_text("metrics", "listening");
    assert!(scrape(address).is_some());
}
