//! The relay of CO2 in a real daemon, with satellites and clients that are other people's libraries.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::process::{DEADLINE, Process};
use super::scene::Scene;

/// The folder with hosts and clients of CO2.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../libs/co2/peers")
}

/// The interpreters of Python that are there, 3 first.
pub(super) fn pythons() -> Vec<String> {
    let named = |variable: &str, otherwise: &str| {
        std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned())
    };
    let all = [named("PYTHON3", "python3"), named("PYTHON2", "python2.7")];
    all.into_iter()
        .filter(|python| {
            let tried = Command::new(python)
                .args(["-c", ""])
                .stderr(Stdio::null())
                .status();
            let works = tried.is_ok_and(|status| status.success());
            if !works {
                eprintln!("skipped: what needs {python}, which is not there");
            }
            works
        })
        .collect()
}

/// A host of CO2 in Python, killed when dropped.
pub(super) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    id: String,
}

impl Peer {
    /// A satellite that has registered.
    pub(super) fn satellite(python: &str, port: u16, options: &[&str]) -> Self {
        let url = format!("http://127.0.0.1:{port}/RPC2");
        let mut child = Command::new(python)
            .arg(peers().join("peer.py"))
            .args(options)
            .args(["satellite", &url, "0", &format!("a satellite on {python}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut peer = Self {
            input: child.stdin.take(),
            child,
            lines,
            id: String::new(),
        };
        let first = peer.next();
        first["host_id"].as_str().unwrap().clone_into(&mut peer.id);
        peer
    }

    /// The next line that it says.
    #[track_caller]
    pub(super) fn next(&self) -> Value {
        self.lines.recv_timeout(DEADLINE).unwrap()
    }

    /// The data of the next message.
    #[track_caller]
    fn hears(&self, from: &Self) -> Value {
        let mut line = self.next();
        let notify = &mut line["notify"];
        assert_eq!(notify["host_id"], *from.id, "{notify}");
        notify["data"].take()
    }

    pub(super) fn send(&mut self, data: &Value) {
        self.write(&data.to_string());
    }

    fn write(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    /// Lets it deregister and end.
    fn leave(mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a method of a host answers to a client in Python; none when it is a fault.
pub(super) fn call(python: &str, url: &str, method: &str, argument: &Value) -> Option<Value> {
    let output = Command::new(python)
        .arg(peers().join("peer.py"))
        .args(["call", url, method, &argument.to_string()])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

/// A network of these nodes, the first of which has a relay, and the relay's port.
pub(super) fn relay(nodes: &[&str], options: &str) -> (Scene, u16) {
    let port = kozo_abi::bench::reserve_port().unwrap();
    let mut scene = Scene::new(nodes);
    let block = format!("{{type: co2-relay, port: {port}, {options}}}");
    scene.role(nodes[0], "relay", &block);
    (scene, port)
}

fn start(scene: &Scene) -> Process {
    let hall = scene.start("hall");
    hall.wait_for_any_text(":listening...");
    hall
}

#[test]
fn satellites_go_on_when_the_relay_was_killed_and_started_again() {
    let pythons = pythons();
    let (scene, port) = relay(&["hall"], "dump: relay.xml");
    let mut hall = start(&scene);
    let satellites = pythons.iter().chain(&pythons);
    let mut satellites: Vec<Peer> = satellites
        .map(|python| Peer::satellite(python, port, &[]))
        .collect();
    let data = json!([1, -2, 0.5, true, "a <&> ü", {}, []]);
    for round in 0..2 {
        if round == 1 {
            hall.kill();
            hall = start(&scene);
        }
        for sender in 0..satellites.len() {
            satellites[sender].send(&data);
            for other in 0..satellites.len() {
                if other != sender {
                    assert_eq!(satellites[other].hears(&satellites[sender]), data);
                }
            }
        }
    }
    // A relative path starts at the folder of the network's file.
    assert!(scene.folder().join("relay.xml").exists());
    for satellite in satellites {
        satellite.leave();
    }
    let deregistered = pythons.len() * 2;
    super::process::wait_until("all have deregistered", || {
        (hall.count("has deregistered") == deregistered).then_some(())
    });
}

#[test]
fn a_satellite_that_stalls_holds_up_no_other() {
    let pythons = pythons();
    let python = pythons.last().unwrap();
    let (scene, port) = relay(&["hall"], "");
    let _hall = start(&scene);
    let mut sender = Peer::satellite(python, port, &[]);
    let mut stalled = Peer::satellite(python, port, &["--stall"]);
    let other = Peer::satellite(python, port, &[]);
    sender.send(&json!(0));
    assert_eq!(stalled.hears(&sender), 0);
    for number in 1..=20 {
        sender.send(&json!(number));
    }
    for number in 0..=20 {
        assert_eq!(other.hears(&sender), number);
    }
    // All of that while its first one did not return: it is this that lets it.
    stalled.write("go on");
}

/// What `make test-co2` is for: it needs libraries that the other tests do without.
#[test]
#[ignore = "a leg of its own: make test-co2"]
fn the_clients_of_other_libraries_are_understood() {
    let (scene, port) = relay(&["hall"], "");
    let _hall = start(&scene);
    clients_understand(port);
}

/// Lets the clients of all libraries call a host.
pub(super) fn clients_understand(port: u16) {
    let status = Command::new(peers().join("clients"))
        .args(["127.0.0.1", &port.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
