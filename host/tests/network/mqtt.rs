//! The role `mqtt` of a running daemon, with a real broker: what one node says of the others is there.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::inside::Daemon;
use super::process::{skipped, wait_until};
use super::scene::Scene;

/// A lamp: what it is ordered to be, it is.
const LAMP: &str = r#"
read -r hello
while read -r line; do
    case $line in
    *'"order":"lamp set"'*'"data":true'*) echo '{"event":"lamp state","data":true}' ;;
    *'"order":"lamp set"'*'"data":false'*) echo '{"event":"lamp state","data":false}' ;;
    *'"event":"door"'*'"data":"open"'*) echo '{"event":"lamp state","data":true}' ;;
    esac
done
"#;

/// A process that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A broker, and somebody who writes down what it says.
struct Broker {
    port: u16,
    heard: PathBuf,
    _processes: [Killed; 2],
}

impl Broker {
    /// None where there is no Mosquitto.
    fn start(folder: &Path) -> Option<Self> {
        let port = kozo_abi::bench::reserve_port().unwrap();
        let settings = folder.join("mosquitto.conf");
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
        std::fs::write(&settings, text).unwrap();
        let programs = ["/usr/sbin/mosquitto", "mosquitto"];
        let server = programs.iter().find_map(|program| {
            let mut command = Command::new(program);
            command.arg("-c").arg(&settings);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().ok()
        })?;
        let server = Killed(server);
        wait_until("the broker listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let heard = folder.join("heard");
        let watcher = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-t", "#", "-F", "%t\t%p"])
            .stdout(File::create(&heard).unwrap())
            .spawn()
            .ok()?;
        Some(Self {
            port,
            heard,
            _processes: [server, Killed(watcher)],
        })
    }

    fn publish(&self, topic: &str, payload: &str) {
        let status = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-t", topic, "-m", payload])
            .status();
        assert!(status.unwrap().success());
    }

    /// The last that was said on a topic.
    fn last(&self, topic: &str) -> Option<String> {
        let text = std::fs::read_to_string(&self.heard).unwrap();
        let mut lines = text.lines().rev().filter_map(|line| line.split_once('\t'));
        let found = lines.find(|(at, _)| *at == topic);
        found.map(|(_, payload)| payload.to_owned())
    }

    /// Waits until that is the last that was said on a topic.
    fn wait_for(&self, topic: &str, payload: &str) {
        wait_until(&format!("{payload} on {topic}"), || {
            (self.last(topic)? == payload).then_some(())
        });
    }
}

#[test]
fn the_roles_of_all_nodes_are_on_the_broker_and_are_obeyed() {
    let mut scene = Scene::new(&["hub", "hall"]);
    std::fs::write(scene.folder().join("lamp"), LAMP).unwrap();
    let Some(broker) = Broker::start(scene.folder()) else {
        return skipped("there is no `mosquitto`, or no `mosquitto_sub`");
    };
    let bridge = format!(
        "{{broker: 'mqtt://127.0.0.1:{}', grant: [status], network: home, links: state, \
         follow: [{{topic: zigbee2mqtt/door, event: door, value: state}}], \
         messages: [{{type: lamp state}}], orders: [{{type: lamp set}}]}}",
        broker.port
    );
    scene.role("hub", "mqtt", &bridge).role(
        "hall",
        "lamp",
        "{type: program, command: [/bin/sh, ./lamp], acceptOrdersFrom: [mqtt@hub], \
         interests: [{type: lamp set}, {type: door}], \
         face: {lamp: {kind: switch, state: {event: lamp state}, command: {order: lamp set}}}}",
    );
    let (hub, hall) = (Daemon::start(&scene, "hub"), Daemon::start(&scene, "hall"));
    broker.wait_for("kozo/node/hall/status", "online");
    broker.wait_for("kozo/link/hall/hub/connected", "ON");
    let config = "homeassistant/device/kozo__home__hall__lamp/config";
    let told = wait_until("the lamp is announced", || broker.last(config));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["components"]["lamp"]["platform"], "switch");
    let state = "kozo/node/hall/lamp/lamp/state";
    for (topic, payload, shown) in [
        ("kozo/node/hall/lamp/lamp/set", "ON", "ON"),
        ("kozo/order/lamp set", "false", "OFF"),
        ("zigbee2mqtt/door", r#"{"state":"open"}"#, "ON"),
        ("kozo/node/hall/lamp/lamp/set", "OFF", "OFF"),
    ] {
        broker.publish(topic, payload);
        broker.wait_for(state, shown);
    }
    let message = broker.last("kozo/message/event/hall/lamp/lamp state");
    let message: Value = serde_json::from_str(&message.unwrap()).unwrap();
    assert_eq!(message["data"], false);
    hall.stop();
    broker.wait_for("kozo/node/hall/status", "offline");
    broker.wait_for("kozo/link/hall/hub/connected", "OFF");
    hub.stop();
    broker.wait_for("kozo/bridge/hub/status", "offline");
}
