//! Servers that are none, are too old, or do what no server should: small ones of the tests' own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use kozo_testnet::Nats;

use super::kit::{bus, newest, reason};

/// A server that does this with each connection.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    url
}

/// One that says this first, and then reads.
fn says(text: &'static str) -> String {
    server(move |mut stream| {
        stream.write_all(text.as_bytes()).unwrap();
        thread::spawn(move || drain(stream));
    })
}

/// Reads until the other end is gone.
fn drain(mut stream: TcpStream) {
    let mut buffer = [0; 64 * 1024];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

/// One that lets everybody in and then says this.
fn lets_in_and(says: Vec<u8>) -> String {
    server(move |mut stream| {
        let info = "INFO {\"version\":\"2.10.0\",\"headers\":true,\"max_payload\":1048576}\r\n";
        stream.write_all(info.as_bytes()).unwrap();
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).unwrap();
        stream.write_all(b"PONG\r\nPONG\r\n").unwrap();
        // The other end leaves in the middle of it.
        let _ = stream.write_all(&says);
        thread::spawn(move || drain(stream));
    })
}

#[test]
fn what_is_no_server_or_none_that_will_do_is_told() {
    let old = "INFO {\"server_id\":\"4b2e\",\"host\":\"0.0.0.0\",\"port\":4222,\"version\":\"0.3.1\",\
        \"auth_required\":false,\"ssl_required\":false,\"max_payload\":1048576}\r\n";
    let nobody = format!("nats://127.0.0.1:{}", kozo_testnet::free_port());
    for (url, words) in [
        (nobody, "nothing listens there"),
        (
            says("HTTP/1.1 400 Bad Request\r\n\r\n"),
            "it does not speak NATS: it says `HTTP/1.1 400",
        ),
        (says("SSH-2.0-OpenSSH_9.2p1\r\n"), "it does not speak NATS"),
        (says(""), "it said nothing: is this a NATS server?"),
        (server(drop), "it said nothing"),
        (
            says(old),
            "version 0.3.1 is too old: it has to be 2.2 or later",
        ),
        (
            says("INFO {\"version\":\"2.0.4\",\"proto\":1,\"max_payload\":1048576}\r\n"),
            "version 2.0.4 is too old",
        ),
        (
            says("INFO {\"version\":\"2.10.0\",\"headers\":true,\"max_payload\":1024}\r\n"),
            "it takes 1024 bytes at once at most, and has to take 4096",
        ),
        (says("INFO {\"version\":7}\r\n"), "of no use"),
        (
            says("INFO {\"version\":\"2.10.0\",\"headers\":true,\"max_payload\":4096}\r\n"),
            "took too long to log in",
        ),
        (
            says(
                "INFO {\"version\":\"2.10.0\",\"headers\":true,\"max_payload\":4096,\"tls_required\":true}\r\nPING\r\n",
            ),
            "more than it may before the encryption",
        ),
        (
            says("-ERR 'maximum connections exceeded'\r\n"),
            "as many connections as it",
        ),
        (
            says("-ERR 'Attempted To Connect To Route Port'\r\n"),
            "this is its port for other servers",
        ),
    ] {
        let text = reason(bus("alice", &[&url]).option("connectTimeout", 1));
        assert!(text.contains(words), "{text}");
        assert!(text.starts_with(&url), "{text}");
    }
    let text = reason(bus("alice", &["nats://no-such-host.invalid"]));
    assert!(text.contains("there is no such host"), "{text}");
}

#[test]
fn all_servers_are_tried_and_the_reasons_told() {
    let Some(program) = newest() else { return };
    let good = Nats::start(&program, "");
    let bad = format!("nats://127.0.0.1:{}", kozo_testnet::free_port());
    let worse = says("HTTP/1.1 400\r\n");
    let text = reason(bus("alice", &[&bad, &worse]));
    assert!(
        text.contains("nothing listens") && text.contains("does not speak NATS"),
        "{text}"
    );
    let alice = super::kit::up(bus("alice", &[&bad, &worse, &good.url()]));
    assert!(alice.limits().unwrap().server.contains(&good.url()));
}

#[test]
fn what_breaks_the_protocol_or_is_too_large_ends_the_connection_and_no_memory() {
    for (bytes, words) in [
        (
            b"MSG a 1 9999999999\r\n".to_vec(),
            "it sent a message of 9999999999 bytes",
        ),
        (vec![b'x'; 1 << 20], "a line of more than"),
        (b"NONSENSE\r\n".to_vec(), "an unknown operation"),
        (b"-ERR 'Stale Connection'\r\n".to_vec(), "stale connection"),
        (
            b"-ERR 'User Authentication Revoked'\r\n".to_vec(),
            "the login was revoked",
        ),
        (b"INFO nonsense\r\n".to_vec(), "of no use"),
    ] {
        let url = lets_in_and(bytes);
        let alice = bus("alice", &[&url]).start().unwrap();
        let text = alice.run().unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    }
}
