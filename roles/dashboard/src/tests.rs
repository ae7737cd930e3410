//! The role with real sockets, on a node that answers what the test says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kozo_abi::bench::{Incoming, RoleBench, StartedRole, reserve_port};
use kozo_abi::{Error, Kind};
use serde_json::{Value, json};

use crate::Dashboard;

/// How long anything may take. Machines that test are busy.
const DEADLINE: Duration = Duration::from_secs(60);

struct Scene {
    bench: StartedRole,
    port: u16,
}

fn status(state: &str) -> Value {
    json!({
        "node": "hub", "version": "1.2.3", "pid": std::process::id(), "running_seconds": 5.0,
        "roles": [], "transports": [],
        "peers": [{"peer": "shed", "state": state, "links": [], "wanted": true}],
    })
}

fn started(options: &[(&str, Value)]) -> Result<Scene, Error> {
    let port = reserve_port()?;
    let mut bench = RoleBench::<Dashboard>::new()
        .option("port", port)
        .answer(
            "changed",
            &json!({"version": 1, "status": status("waiting")}),
        )
        .answer("network", &json!({"nodes": []}))
        .answer("modules", &json!([{"name": "timer"}]))
        .answer(
            "role",
            &json!({"options": {"a": 1}, "stored": {"something": "hidden"}, "stored_bytes": 9}),
        );
    for (name, value) in options {
        bench = bench.option(name, value);
    }
    Ok(Scene {
        bench: bench.start()?,
        port,
    })
}

impl Scene {
    /// What comes back for these lines and this body, until the end.
    fn asked(&self, lines: &[&str], body: &str) -> Result<String, Error> {
        let mut stream = self.sent(lines, body)?;
        let mut answer = Vec::new();
        // A server that has answered may cut off what it does not read.
        let _ = stream.read_to_end(&mut answer);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn sent(&self, lines: &[&str], body: &str) -> Result<TcpStream, Error> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut head = lines.join("\r\n");
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            head += &format!("\r\nHost: 127.0.0.1:{}", self.port);
        }
        head += &format!(
            "\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        Ok(stream)
    }

    /// Asks with JSON, as the page does.
    fn posted(&self, path: &str, more: &[&str], body: &Value) -> Result<String, Error> {
        let first = format!("POST {path} HTTP/1.1");
        let mut lines = vec![first.as_str(), "Content-Type: application/json"];
        lines.extend(more);
        self.asked(&lines, &body.to_string())
    }
}

/// What comes until this has come.
fn until(stream: &mut TcpStream, text: &str) -> Result<String, Error> {
    let mut told = String::new();
    while !told.contains(text) {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        assert!(length > 0, "{told}");
        told += &String::from_utf8_lossy(&piece[..length]);
    }
    Ok(told)
}

fn code(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[test]
fn the_page_is_served_compressed_and_only_when_it_is_another_one() -> Result<(), Error> {
    let scene = started(&[])?;
    let page = scene.asked(&["GET / HTTP/1.1"], "")?;
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("<title>K"),
        "{page}"
    );
    assert!(
        page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    let packed = scene.asked(&["GET /app.js HTTP/1.1", "Accept-Encoding: gzip"], "")?;
    assert!(packed.contains("content-encoding: gzip"), "{packed}");
    let tag = packed.lines().find_map(|line| line.strip_prefix("etag: "));
    let known = format!("If-None-Match: {}", tag.ok_or("no tag")?);
    let again = scene.asked(&["GET /app.js HTTP/1.1", &known], "")?;
    assert_eq!(code(&again), "304");
    for path in ["/nothing", "/../Cargo.toml", "/api/nothing", "/app.test.js"] {
        let answer = scene.asked(&[&format!("GET {path} HTTP/1.1")], "")?;
        assert_eq!(code(&answer), "404", "{path}");
    }
    Ok(())
}

#[test]
fn what_the_node_tells_is_told_as_it_happens() -> Result<(), Error> {
    let mut scene = started(&[])?;
    let mut stream = scene.sent(&["GET /api/live HTTP/1.1"], "")?;
    let told = until(&mut stream, "\"state\":\"down\"")?;
    assert!(told.contains("event: state"), "{told}");
    assert!(told.contains("\"a\":\"hub\",\"b\":\"shed\""), "{told}");
    scene
        .bench
        .deliver(Incoming::log("Ping! <b>").from("clock", "hub"));
    scene.bench.run()?;
    assert!(
        scene.bench.inbox().length >= 1000,
        "a network says much at once"
    );
    let mut logs = scene.sent(&["GET /api/logs?role=cl* HTTP/1.1"], "")?;
    until(&mut logs, "Ping! <b>")?;
    // What is not granted is told as well.
    let mut messages = scene.sent(&["GET /api/messages HTTP/1.1"], "")?;
    until(&mut messages, "event: trouble")?;
    let role = scene.asked(&["GET /api/role?role=pub HTTP/1.1"], "")?;
    assert!(
        role.contains("{\"a\":1}") && !role.contains("hidden"),
        "{role}"
    );
    let modules = scene.asked(&["GET /api/modules HTTP/1.1"], "")?;
    assert!(modules.contains(r#"[{"name":"timer"}]"#), "{modules}");
    // Whatever is told as it happens ends with the role.
    drop(scene);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    Ok(())
}

#[test]
fn whoever_has_not_logged_in_is_told_nothing() -> Result<(), Error> {
    let hash = kozo_password::hash("correct horse")?;
    let scene = started(&[("password", json!(hash))])?;
    for path in [
        "live", "messages", "logs", "history", "modules", "why", "role",
    ] {
        let answer = scene.asked(&[&format!("GET /api/{path} HTTP/1.1")], "")?;
        assert_eq!(code(&answer), "401", "{path}");
    }
    let wrong = scene.posted("/api/login", &[], &json!({"password": "wrong"}))?;
    assert_eq!(code(&wrong), "403");
    let entered = scene.posted("/api/login", &[], &json!({"password": "correct horse"}))?;
    assert_eq!(code(&entered), "204", "{entered}");
    let cookie = entered
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie
        .and_then(|cookie| cookie.split_once(';'))
        .ok_or("no cookie")?;
    let cookie = format!("Cookie: {}", cookie.0);
    let seen = scene.asked(&["GET /api/modules HTTP/1.1", &cookie], "")?;
    assert_eq!(code(&seen), "200");
    let left = scene.posted("/api/logout", &[&cookie], &json!({}))?;
    assert_eq!(code(&left), "204");
    let seen = scene.asked(&["GET /api/modules HTTP/1.1", &cookie], "")?;
    assert_eq!(code(&seen), "401");
    Ok(())
}

#[test]
fn nothing_is_sent_unless_the_file_says_so_and_by_no_other_page() -> Result<(), Error> {
    let order = json!({"kind": "order", "type": "open", "channel": "door", "data": {"by": 1}});
    let silent = started(&[])?;
    let refused = silent.posted("/api/send", &[], &order)?;
    assert!(
        code(&refused) == "403" && refused.contains("send: true"),
        "{refused}"
    );

    let mut scene = started(&[("send", json!(true))])?;
    let foreign = ["Origin: http://evil.example"];
    assert_eq!(code(&scene.posted("/api/send", &foreign, &order)?), "403");
    let form = ["POST /api/send HTTP/1.1", "Content-Type: text/plain"];
    assert_eq!(code(&scene.asked(&form, &order.to_string())?), "415");
    let rebound = ["Host: evil.example"];
    assert_eq!(code(&scene.posted("/api/send", &rebound, &order)?), "421");
    let large = json!({"kind": "order", "type": "x".repeat(100_000)});
    assert_eq!(code(&scene.posted("/api/send", &[], &large)?), "413");
    assert_eq!(code(&scene.posted("/api/send", &[], &json!([1]))?), "400");
    assert!(scene.bench.sent().is_empty());
    assert_eq!(code(&scene.posted("/api/send", &[], &order)?), "200");
    let sent = scene.bench.sent();
    assert_eq!(
        (sent[0].kind(), sent[0].type_name(), sent[0].channel()),
        (Kind::Order, "open", Some("door"))
    );
    Ok(())
}

#[test]
fn what_would_be_open_to_everybody_does_not_start() -> Result<(), Error> {
    for (options, said) in [
        (
            vec![("bindAddress", json!("0.0.0.0"))],
            // As `kozo check` says it, of the metadata.
            "others reach the page there: give `password` (`kozo password` makes it)",
        ),
        (
            vec![("password", json!("plain text"))],
            "no hash of a password",
        ),
        (vec![("certificate", json!("/a.pem"))], "needs its key"),
    ] {
        let error = started(&options).err().ok_or("it started")?.to_string();
        assert!(error.contains(said), "{error}");
    }
    Ok(())
}
