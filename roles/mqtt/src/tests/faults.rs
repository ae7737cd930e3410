//! Brokers that are none, or do what no broker should: small ones of the tests' own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::real::{Running, role};

/// A server that does this with each connection; how many there were is counted.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (serve, count) = (Arc::new(serve), Arc::new(AtomicUsize::new(0)));
    let counting = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counting.fetch_add(1, Ordering::SeqCst);
            let (serve, stream) = (Arc::clone(&serve), stream.unwrap());
            thread::spawn(move || serve(stream));
        }
    });
    (url, count)
}

/// Reads what the role says first, and lets it in with these properties.
fn let_in(mut stream: TcpStream, properties: &[u8]) -> TcpStream {
    let mut packet = [0; 1024];
    let _ = stream.read(&mut packet).unwrap();
    let length = u8::try_from(properties.len()).unwrap();
    stream.write_all(&[0x20, 3 + length, 0, 0, length]).unwrap();
    stream.write_all(properties).unwrap();
    stream
}

/// Reads until the other end is gone.
fn drain(mut stream: TcpStream) {
    let mut buffer = [0; 64 * 1024];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn one_that_never_answers_is_given_up_and_said() {
    let (url, _) = server(drain);
    Running::start(role(&[&url])).until_it_says("it does not answer");
    let (url, _) = server(drain);
    Running::start(role(&[&url]).option("protocol", "3.1.1")).until_it_says("it does not answer");
}

#[test]
fn one_that_falls_silent_is_left() {
    for (protocol, answer) in [("5", &[0x20, 3, 0, 0, 0][..]), ("3.1.1", &[0x20, 2, 0, 0])] {
        let (url, _) = server(|mut stream| {
            let mut packet = [0; 1024];
            let _ = stream.read(&mut packet).unwrap();
            stream.write_all(answer).unwrap();
            drain(stream);
        });
        let bench = role(&[&url]).option("protocol", protocol);
        let mut running = Running::start(bench.option("keepAlive", 5));
        running.until("it is left", |bench| {
            let log = bench.logged();
            log.iter()
                .any(|(_, line)| line.contains("it has fallen silent"))
        });
    }
}

#[test]
fn one_that_closes_again_and_again_is_tried_ever_more_rarely_and_said() {
    let (url, count) = server(|stream| drop(let_in(stream, &[])));
    let mut running = Running::start(role(&[&url]));
    running.until_it_says("does another client have the same `clientId`?");
    assert!(count.load(Ordering::SeqCst) < 10);
}

#[test]
fn one_that_speaks_nonsense_or_keeps_nothing_is_said() {
    let (url, _) = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        drain(stream);
    });
    Running::start(role(&[&url])).until_it_says("not connected");
    // Its properties say that nothing is retained.
    let (url, _) = server(|stream| drain(let_in(stream, &[0x25, 0])));
    Running::start(role(&[&url])).until_it_says("keeps no retained messages");
}

#[test]
fn one_that_sends_more_than_may_be_is_left() {
    let (url, _) = server(|stream| {
        let mut stream = let_in(stream, &[]);
        // A publication of 256 MiB.
        let _ = stream.write_all(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, b'a']);
        drain(stream);
    });
    Running::start(role(&[&url])).until("it is left", |bench| {
        let log = bench.logged();
        log.iter()
            .any(|(_, line)| line.contains("was lost") && line.contains("larger"))
    });
}

#[test]
fn one_that_floods_or_never_reads_costs_no_memory() {
    // It lets the role in and reads nothing any more, while it sends as much as it can.
    let (url, _) = server(|stream| {
        let mut stream = let_in(stream, &[]);
        let mut packet = vec![0x30, 0xFF, 0x7F, 0, 6];
        packet.extend_from_slice(b"kozo/x");
        packet.resize(3 + 0x3FFF, 0);
        while stream.write_all(&packet).is_ok() {}
    });
    let mut running = Running::start(role(&[&url]));
    running.until_it_says("connected to");
    let before = resident_kib();
    let text = "x".repeat(2000);
    for number in 0..30_000 {
        running.event("rang", &text);
        running.event("lamp state", &(number % 2 == 0));
        running.0.run().unwrap();
    }
    let after = resident_kib();
    // 60 MB of events were heard; other tests run beside this one.
    assert!(
        after < before + 40 * 1024,
        "{before} KiB, and then {after} KiB"
    );
}
