//! A satellite of CO2 in real daemons: Kōzō's roles on one node, the satellite on another, and beyond the relay those of
//! other people.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::co2::{Peer, call, clients_understand, pythons, relay};
use super::control::said;
use super::injector::Injector;
use super::process::Process;
use super::scene::Scene;

/// A role in Python that tells the log what comes from CO2, and answers a method.
const GATE: &str = r#"
import json, sys

for line in sys.stdin:
    said = json.loads(line)
    if said.get("event") == "notify":
        print(json.dumps({"print": "heard " + json.dumps(said["data"]["data"])}), flush=True)
    if said.get("event") == "result":
        print(json.dumps({"print": "result " + json.dumps(said["data"]["value"])}), flush=True)
    if said.get("order") == "open":
        answer = {"call": said["data"]["call"], "value": {"opened": said["data"]["argument"]["wide"]}}
        print(json.dumps({"event": "answer", "channel": "call", "data": answer}), flush=True)
"#;

/// A plug-in of a CO2 installation, for Python 2 and 3.
const PLUGIN: &str = r#"
import os, plugin

class X_Spam(plugin.Co2Plugin):
    def receive(self, data_dict):
        if data_dict["data"] == "nih!":
            self.send({"data": [self.name, data_dict["data"]]})

    def x_process(self, param_dict):
        return os.getpid()

    def __exit__(self):
        self.send({"data": "goodbye"})
"#;

/// A network of two nodes: `hall` has the satellite, `gate` the relay and what makes use of both.
struct Network {
    scene: Scene,
    relay: u16,
    satellite: u16,
    injector: u16,
}

impl Network {
    fn new(python: &str, options: &str) -> Self {
        // The relay is still there when the satellite stops.
        let (mut scene, relay) = relay(&["gate", "hall"], "");
        let folder = scene.folder().to_owned();
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write("gate.py", GATE);
        write("plugin/ham/__init__.py", "__all__ = ['spam']\n");
        write("plugin/ham/spam.py", PLUGIN);
        let satellite = kozo_abi::bench::reserve_port().unwrap();
        scene.role(
            "hall",
            "studio",
            &format!(
                "{{type: co2-satellite, relay: 'http://127.0.0.1:{relay}/RPC2', port: {satellite}, \
                 methods: [garage.gate.open], forward: [weather], python: '{python}', \
                 pluginPath: plugin, plugins: [ham], {options}}}"
            ),
        );
        scene.role(
            "gate",
            "opener",
            "{type: program, command: [python3, gate.py], interests: \
             [{kind: event, type: [notify, result]}, {kind: order, type: open, channel: garage.gate}]}",
        );
        let injector = Injector::on(&mut scene, "gate");
        Self {
            scene,
            relay,
            satellite,
            injector,
        }
    }

    fn start(&self) -> (Process, Process) {
        let mut gate = self.scene.start("gate");
        let mut hall = self.scene.start("hall");
        gate.wait_for_link("hall");
        hall.wait_for_text("role", "registered as");
        (hall, gate)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/RPC2", self.satellite)
    }

    fn process(&self, python: &str) -> Option<i64> {
        call(python, &self.url(), "ham.spam.process", &json!({}))?.as_i64()
    }
}

#[test]
fn a_role_on_one_node_speaks_with_a_foreign_satellite_through_co2_and_back() {
    let network = Network::new("python3", "");
    let (mut hall, mut gate) = network.start();
    let mut foreign = Peer::satellite("python3", network.relay, &[]);
    let mut injector = Injector::connect(network.injector);

    injector.send("('order', 'send', 'studio', [1, 'shrubbery', {'a': 0.5}])");
    let notify = foreign.next();
    assert_eq!(
        notify["notify"]["data"],
        json!([1, "shrubbery", {"a": 0.5}])
    );
    injector.send("('event', 'weather', 'roof', 'rain')");
    let forwarded = json!({"type": "weather", "channel": "roof", "node": "gate", "role": "message_injector", "data": "rain"});
    assert_eq!(foreign.next()["notify"]["data"], forwarded);

    foreign.send(&json!("hello, gate"));
    gate.wait_for_text("role", r#"heard "hello, gate""#);
    // The plug-in hears it as well, and what it says is heard by all satellites but its own.
    foreign.send(&json!("nih!"));
    gate.wait_for_text("role", r#"heard "nih!""#);
    assert_eq!(
        foreign.next()["notify"]["data"],
        json!(["ham.spam", "nih!"])
    );

    // Methods: one of a role, called from elsewhere, and one of elsewhere, called by a role.
    for python in pythons() {
        let result = call(
            &python,
            &network.url(),
            "garage.gate.open",
            &json!({"wide": true}),
        );
        assert_eq!(result, Some(json!({"opened": true})));
    }
    if let Some(result) = opened_by_ruby(network.satellite) {
        assert_eq!(result, json!({"opened": true}));
    }
    injector.send("('order', 'call', 'studio', {'method': 'ping'})");
    gate.wait_for_text("role", r#"result "OK""#);

    // All plug-ins say goodbye, and then the satellite does.
    hall.signal(rustix::process::Signal::TERM);
    assert!(hall.end().success());
    hall.wait_for_any_text("deregistered");
    assert!(!hall.has_said("panicked") && !gate.has_said("panicked"));
}

/// What the method of the role `opener` gives to Ruby; none where there is no Ruby that can call it.
fn opened_by_ruby(port: u16) -> Option<Value> {
    const CALL: &str = r#"
client = XMLRPC::Client.new("127.0.0.1", "/RPC2", ARGV[0].to_i)
puts JSON.generate(client.call("garage.gate.open", {"wide" => true}))"#;
    let ruby = |words: &[&str]| {
        Command::new("ruby")
            .args(["-rxmlrpc/client", "-rjson", "-e"])
            .args(words)
            .stderr(Stdio::null())
            .output()
    };
    if !ruby(&[""]).is_ok_and(|tried| tried.status.success()) {
        eprintln!("skipped: a call from Ruby, for there is no Ruby with its package xmlrpc");
        return None;
    }
    let output = ruby(&[CALL, &port.to_string()]).unwrap();
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_process_of_plugins_that_is_killed_comes_back_and_a_stop_says_goodbye() {
    for python in pythons() {
        // In a process of the role's own as well: then the plug-ins' process is its child.
        for options in ["", "isolate: true"] {
            let network = Network::new(&python, options);
            let (mut hall, _gate) = network.start();
            let foreign = Peer::satellite(&python, network.relay, &[]);
            let first = network.process(&python).unwrap();
            let pid = rustix::process::Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            hall.wait_for_text("role", "the process of the plug-ins");
            hall.wait_for_text("role", "ham.spam.X_Spam is loaded");
            let second = network.process(&python);
            assert!(second.is_some_and(|second| second != first), "{second:?}");
            let restarted = said(&network.scene, "hall", &["roles", "restart", "studio"]);
            assert!(restarted.is_some(), "it is not restarted");
            let goodbye = foreign.next();
            assert_eq!(goodbye["notify"]["data"], json!("goodbye"));
            hall.wait_for_any_text("deregistered");
            let gone = || !Path::new(&format!("/proc/{}", second.unwrap_or_default())).exists();
            assert!(gone(), "the plug-ins are still there");
        }
    }
}

#[test]
#[ignore = "a leg of its own: make test-co2"]
fn the_clients_of_other_libraries_understand_a_satellite() {
    let network = Network::new("python3", "");
    let _nodes = network.start();
    clients_understand(network.satellite);
}
