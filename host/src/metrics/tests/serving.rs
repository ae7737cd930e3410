//! The server with clients that are slow, many, or no clients at all. Real daemons are asked in
//! `tests/network/metrics.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::metrics::http::MAX_HEAD;
use crate::metrics::server::{CLIENT_LIMIT, MAX_CLIENTS, serve};

const GOOD: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: clock\r\n\r\n";

/// Serves a text of two lines; comes back with a way to connect to it.
async fn served() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = |format| match format {
        Format::Prometheus => "a 1\n".to_owned(),
        Format::OpenMetrics => "a 1\n# EOF\n".to_owned(),
    };
    tokio::spawn(async move { serve(&listener, Arc::new(answer)).await });
    address
}

/// What comes back when this is sent; the connection has to end by itself.
async fn said(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request).await.unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    text
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[tokio::test]
async fn requests_are_answered_and_bad_ones_are_told_why_not() {
    let address = served().await;
    let answer = said(address, GOOD).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\na 1\n"), "{answer}");
    let long = format!(
        "GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n",
        "b".repeat(MAX_HEAD)
    );
    let body = format!(
        "POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    for (request, expected) in [
        ("GET /else HTTP/1.1\r\n\r\n", "404"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
        (body.as_str(), "405"),
        (long.as_str(), "431"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        ("\u{16}\u{3}\u{1}garbage\r\n\r\n", "400"),
        ("\r\n\r\n", "400"),
    ] {
        let answer = said(address, request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_told_that_its_time_is_over() {
    let address = served().await;
    let start = tokio::time::Instant::now();
    let answer = said(address, &GOOD[..20]).await;
    assert_eq!(status(&answer), "408", "{answer}");
    assert!(start.elapsed() >= CLIENT_LIMIT, "{:?}", start.elapsed());
}

#[tokio::test]
async fn clients_that_say_nothing_keep_nobody_out() {
    let address = served().await;
    let mut silent = Vec::new();
    for _ in 0..MAX_CLIENTS * 2 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let answer = tokio::time::timeout(Duration::from_secs(30), said(address, GOOD)).await;
    assert_eq!(status(&answer.unwrap()), "200");
    // The oldest had to go.
    let mut nothing = Vec::new();
    let _ = silent[0].read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_request_may_come_in_pieces() {
    let address = served().await;
    let mut client = TcpStream::connect(address).await.unwrap();
    for byte in b"HEAD /metrics HTTP/1.0\nAccept: application/openmetrics-text\n\n" {
        client.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), "200");
    assert!(
        answer.contains("\r\nContent-Type: application/openmetrics-text; version=1.0.0"),
        "{answer}"
    );
    assert!(answer.contains("\r\nContent-Length: 10\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}
