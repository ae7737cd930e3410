//! Server and client over the loopback, also with bytes that no client sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::Fault;
use crate::document::{MAX_DOCUMENT, MethodCall, read_answer, read_call, write_answer, write_call};
use crate::methods::{Host, Prepared, Table};
use crate::page::Page;
use crate::value::{Struct, Value};

const DEADLINE: Duration = Duration::from_secs(60);

/// Answers what a table can answer.
struct Echo {
    table: Table,
    lines: Mutex<Vec<String>>,
}

impl Service for Echo {
    async fn call(&self, call: MethodCall, client: SocketAddr) -> Result<Value, Fault> {
        if call.method == "wait" {
            // Long enough for whoever has gone to be noticed.
            tokio::time::sleep(Duration::from_millis(5)).await;
            return Ok(Value::String("OK".to_owned()));
        }
        match self.table.prepare(call, client)? {
            Prepared::Answer(value) => Ok(value),
            Prepared::Call(_) => Err(Fault::registry("nothing is behind this")),
        }
    }

    fn page(&self, path: &str) -> Option<Page> {
        (path == "/").then(|| Page::new("<here>"))
    }

    fn log(&self, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }

    fn warn(&self, text: &str) {
        self.lines.lock().unwrap().push(text.to_owned());
    }
}

struct Running {
    address: SocketAddr,
    echo: Arc<Echo>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn running(limits: Limits) -> Running {
    let server = Listener::bind("127.0.0.1", 0).await.unwrap();
    let address = server.address();
    let echo = Arc::new(Echo {
        table: Table::new(Host::Relay),
        lines: Mutex::default(),
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let service = Arc::clone(&echo);
    let served = tokio::spawn(serve(server, service, limits, async {
        let _ = stopped.await;
    }));
    Running {
        address,
        echo,
        stop,
        served,
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { timeout(DEADLINE, test).await.unwrap() });
}

/// Sends bytes, and reads until the server closes.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(body: &str) -> Vec<u8> {
    post_with("", body.as_bytes())
}

fn post_with(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST /RPC2 HTTP/1.0\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn fault_in(answer: &str) -> String {
    assert!(answer.starts_with("HTTP/1."), "{answer}");
    assert!(answer.contains(" 200 OK\r\n"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    read_answer(body.as_bytes(), None)
        .unwrap()
        .unwrap_err()
        .text
}

fn ping() -> Bytes {
    Bytes::from(write_call("ping", vec![]).unwrap())
}

#[test]
fn a_client_calls_a_server_and_keeps_the_connection() {
    run(async {
        let running = running(Limits::default()).await;
        let mut client = Client::new(running.address.into(), DEADLINE);
        let argument = Struct::from([("data".to_owned(), Value::String("ü<&>".to_owned()))]);
        let call = write_call("test", vec![Value::Struct(argument)]).unwrap();
        let mut addresses = Vec::new();
        for _ in 0..3 {
            let answer = client.call([Bytes::from(call.clone())]).await.unwrap();
            let Value::Struct(members) = answer else {
                panic!("no struct")
            };
            assert_eq!(members["data"], Value::String("ü<&>".to_owned()));
            addresses.push(members["client_address"].clone());
        }
        // The port is that of one connection.
        assert_eq!(addresses[0], addresses[2]);
        let fault = client
            .call([Bytes::from(write_call("no", vec![]).unwrap())])
            .await;
        assert!(matches!(fault, Err(CallError::Fault(_))), "{fault:?}");
        running.stop.send(()).unwrap();
        running.served.await.unwrap();
        let fault = client.call([ping()]).await.unwrap_err();
        assert!(matches!(fault, CallError::Connect { .. }), "{fault}");
    });
}

#[test]
fn requests_of_http_1_0_and_1_1_are_answered_and_logged() {
    run(async {
        let running = running(Limits::default()).await;
        let body = "<methodCall><methodName>ping</methodName></methodCall>";
        let answer = raw(running.address, &post(body)).await;
        assert!(
            answer.contains("\r\ncontent-type: text/xml\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\ncontent-length: "), "{answer}");
        assert!(answer.contains("OK</string>"), "{answer}");
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        assert!(
            raw(running.address, request.as_bytes())
                .await
                .contains("OK</string>")
        );
        let chunked = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        );
        assert!(
            raw(running.address, chunked.as_bytes())
                .await
                .contains("OK</string>")
        );
        let page = raw(running.address, b"GET / HTTP/1.0\r\n\r\n").await;
        assert!(
            page.contains("&lt;here&gt;") && page.contains("default-src 'none'"),
            "{page}"
        );
        assert!(
            raw(running.address, b"GET /no HTTP/1.0\r\n\r\n")
                .await
                .contains(" 404 ")
        );
        assert!(
            raw(running.address, b"PUT / HTTP/1.0\r\n\r\n")
                .await
                .contains(" 405 ")
        );
        assert!(
            raw(running.address, b"POST /x HTTP/1.0\r\n\r\n")
                .await
                .contains(" 404 ")
        );
        let lines = running.echo.lines.lock().unwrap().clone();
        assert!(
            lines[0].ends_with("\"POST /RPC2 HTTP/1.0\" 200 -"),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("\"GET /no HTTP/1.0\" 404 -")),
            "{lines:?}"
        );
    });
}

#[test]
fn what_is_no_call_is_a_fault() {
    run(async {
        let running = running(Limits::default()).await;
        for (body, says) in [
            ("", "document"),
            ("hello", "line 1, column 1"),
            ("<methodCall><methodName>ping", "document"),
            ("<!DOCTYPE x><methodCall/>", "DOCTYPE"),
            (
                "<?xml version='1.0' encoding='klingon'?><methodCall/>",
                "klingon",
            ),
        ] {
            let fault = fault_in(&raw(running.address, &post(body)).await);
            assert!(fault.contains(says), "{body}: {fault}");
            assert!(fault.starts_with("exceptions.ValueError:"), "{fault}");
        }
        let latin = b"<?xml version='1.0' encoding='iso-8859-1'?><methodCall><methodName>test</methodName><params><param><value><struct><member><name>a</name><value>\xfc</value></member></struct></value></param></params></methodCall>";
        assert!(
            raw(running.address, &post_with("", latin))
                .await
                .contains('ü')
        );
        let charset = b"<methodCall><methodName>\xfc</methodName></methodCall>";
        let headers = "Content-Type: text/xml; charset=\"ISO-8859-1\"\r\n";
        assert!(fault_in(&raw(running.address, &post_with(headers, charset)).await).contains('ü'));
    });
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    run(async {
        let running = running(Limits::default()).await;
        let gigabyte = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n<";
        assert!(raw(running.address, gigabyte).await.contains(" 413 "));
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let head = b"POST /RPC2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        // The server closes at some point of this.
        for _ in 0..32 {
            if stream.write_all(chunk.as_bytes()).await.is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.contains(" 413 "), "{answer}");
        let long = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(100_000));
        let answer = raw(running.address, long.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.contains(" 431 ") || answer.contains(" 414 "),
            "{answer}"
        );
        let largest = " ".repeat(MAX_DOCUMENT);
        assert!(fault_in(&raw(running.address, &post(&largest)).await).contains("document"));
        assert!(raw(running.address, &post("x")).await.contains("fault"));
    });
}

#[test]
fn slow_requests_are_ended_and_do_not_keep_others_out() {
    run(async {
        let limits = Limits {
            connections: 4,
            connections_of_one: 4,
            head_time: Duration::from_millis(200),
            body_time: Duration::from_millis(200),
            ..Limits::default()
        };
        let running = running(limits).await;
        let mut slow = Vec::new();
        for begun in [
            &b"POST /RPC2 HT"[..],
            b"POST /RPC2 HTTP/1.0\r\nContent-Length: 9\r\n\r\n<",
            b"",
            b"GET",
        ] {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            stream.write_all(begun).await.unwrap();
            slow.push(stream);
        }
        let answer = raw(
            running.address,
            &post("<methodCall><methodName>ping</methodName></methodCall>"),
        )
        .await;
        assert!(answer.contains("OK</string>"), "{answer}");
        for mut stream in slow {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    });
}

#[test]
fn one_that_ends_its_side_is_answered() {
    run(async {
        let running = running(Limits::default()).await;
        for _ in 0..20 {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            let call = post("<methodCall><methodName>wait</methodName></methodCall>");
            stream.write_all(&call).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.contains("OK</string>"), "{answer}");
        }
    });
}

#[test]
fn no_browser_calls_for_a_page() {
    run(async {
        let running = running(Limits::default()).await;
        let body = b"<methodCall><methodName>ping</methodName></methodCall>";
        // The second is of a server whose name leads to this one by now.
        for origin in ["http://evil.example", "http://a:1", "null"] {
            let of_a_page = post_with(&format!("Host: a:1\r\nOrigin: {origin}\r\n"), body);
            assert!(raw(running.address, &of_a_page).await.contains(" 403 "));
        }
        let of_a_program = post_with("Host: a:1\r\n", body);
        assert!(raw(running.address, &of_a_program).await.contains(" 200 "));
        let packed = post_with("Content-Encoding: gzip\r\n", body);
        assert!(raw(running.address, &packed).await.contains(" 415 "));
    });
}

/// A peer that answers so many calls on each connection, and says how it does.
struct Peer {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

async fn peer(calls_of_one: usize, version: &'static str, answers: bool) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let peer = Peer {
        address,
        calls: Arc::default(),
        connections: Arc::default(),
    };
    let (calls, connections) = (Arc::clone(&peer.calls), Arc::clone(&peer.connections));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            for _ in 0..calls_of_one {
                let mut head = Vec::new();
                while !head.ends_with(b"</methodCall>") {
                    let mut byte = [0];
                    if stream.read_exact(&mut byte).await.is_err() {
                        break;
                    }
                    head.push(byte[0]);
                }
                if head.is_empty() {
                    break;
                }
                assert!(
                    read_call(
                        &head[head.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4..],
                        None
                    )
                    .is_ok()
                );
                calls.fetch_add(1, Ordering::SeqCst);
                if !answers {
                    break;
                }
                let body = write_answer(Ok(Value::String("OK".to_owned())));
                let answer = format!(
                    "{version} 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    peer
}

#[test]
fn a_connection_that_the_peer_closed_is_opened_anew() {
    run(async {
        let peer = peer(2, "HTTP/1.1", true).await;
        let mut client = Client::new(peer.address.into(), DEADLINE);
        for _ in 0..6 {
            client.call([ping()]).await.unwrap();
            // Lets what the peer does after its answer arrive.
            while peer.calls.load(Ordering::SeqCst) % 2 == 0 && client.is_connected() {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(peer.calls.load(Ordering::SeqCst), 6);
        assert_eq!(peer.connections.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn one_that_speaks_http_1_0_is_connected_to_for_each_call() {
    run(async {
        let peer = peer(1, "HTTP/1.0", true).await;
        let mut client = Client::new(peer.address.into(), DEADLINE);
        for _ in 0..3 {
            client.call([ping()]).await.unwrap();
        }
        assert_eq!(peer.connections.load(Ordering::SeqCst), 3);
        assert_eq!(peer.calls.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn what_was_written_is_not_sent_again() {
    run(async {
        let peer = peer(1, "HTTP/1.1", false).await;
        let mut client = Client::new(peer.address.into(), DEADLINE);
        let error = client.call([ping()]).await.unwrap_err();
        assert!(matches!(error, CallError::Broken { .. }), "{error}");
        assert_eq!(peer.calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_peer_that_says_nothing_is_given_up() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = listener.local_addr().unwrap().into();
        let mut client = Client::new(endpoint, Duration::from_millis(50));
        let error = client.call([ping()]).await.unwrap_err();
        assert!(matches!(error, CallError::Late { .. }), "{error}");
        assert!(!client.is_connected());
    });
}

#[test]
fn calls_come_from_the_address_that_was_asked_for() {
    run(async {
        let running = running(Limits::default()).await;
        let source = Some("127.0.0.2".parse().unwrap());
        let mut client = Client::new(running.address.into(), DEADLINE).from_address(source);
        let call = write_call("test", vec![]).unwrap();
        let Value::Struct(members) = client.call([Bytes::from(call)]).await.unwrap() else {
            panic!("no struct");
        };
        let Value::Array(address) = &members["client_address"] else {
            panic!("no address")
        };
        assert_eq!(address[0], Value::String("127.0.0.2".to_owned()));
    });
}

#[test]
fn an_address_that_is_taken_says_so() {
    run(async {
        let running = running(Limits::default()).await;
        let error = Listener::bind("127.0.0.1", running.address.port())
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("already does") && text.contains(&running.address.to_string()),
            "{text}"
        );
        let error = Listener::bind("192.0.2.1", 0)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("no such address"), "{error}");
    });
}

#[test]
fn ten_thousand_malformed_bodies_leave_the_server_as_it_was() {
    let mut random = fastrand::Rng::with_seed(2003);
    run(async {
        let running = running(Limits::default()).await;
        let seeds: [&[u8]; 4] = [
            b"<?xml version='1.0' encoding='iso-8859-1'?><methodCall><methodName>test</methodName><params><param><value><struct><member><name>data</name><value><array><data><value><i4>1</i4></value><value>x &amp; &#252;</value><value><double>1e+20</double></value></data></array></value></member></struct></value></param></params></methodCall>",
            b"<methodCall><methodName>test</methodName><params><param><value><struct><member><name>a</name><value><base64>AP8=</base64></value></member><member><name>b</name><value><dateTime.iso8601>20031016T20:33:02</dateTime.iso8601></value></member><member><name>c</name><value><![CDATA[<]]></value></member></struct></value></param></params></methodCall>",
            b"<methodCall><!-- c --><methodName>system.methodHelp</methodName><params><param><value>ping</value></param></params></methodCall>",
            b"\xff\xfe<\0m\0e\0t\0h\0o\0d\0C\0a\0l\0l\0/\0>\0",
        ];
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let mut faults = 0;
        for _ in 0..10_000 {
            let mut body = seeds[random.usize(..seeds.len())].to_vec();
            for _ in 0..=random.usize(..4) {
                let place = random.usize(..=body.len());
                let other = random.usize(..=body.len());
                let (from, to) = (
                    place.min(other),
                    place.max(other).min(place.min(other) + 40),
                );
                match random.u8(..5) {
                    0 if place < body.len() => body[place] = random.u8(..),
                    1 => {
                        body.drain(from..to);
                    }
                    2 => {
                        let part = body[from..to].to_vec();
                        body.splice(place..place, part);
                    }
                    3 => body.truncate(place),
                    _ => body.insert(place, b"<>&;/\0\x01]!?"[random.usize(..10)]),
                }
            }
            let head = format!(
                "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream
                .write_all(&[head.as_bytes(), &body].concat())
                .await
                .unwrap();
            let (status, answer) = next_answer(&mut stream).await;
            assert_eq!(
                status,
                "HTTP/1.1 200 OK",
                "{}",
                String::from_utf8_lossy(&body)
            );
            faults += usize::from(read_answer(&answer, None).unwrap().is_err());
        }
        assert!(faults > 5_000, "{faults}");
        let answer = raw(
            running.address,
            &post("<methodCall><methodName>ping</methodName></methodCall>"),
        )
        .await;
        assert!(answer.contains("OK</string>"));
    });
}

async fn next_answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head.lines().next().unwrap().to_owned(), body)
}
