//! What is announced, shown and obeyed.

use serde_json::{Value, json};

use super::world::{Broker, World, face, node, peer, role, seconds, settings};
use crate::bridge::{Bridge, Deed};
use crate::options::{MessagePattern, Settings};
use crate::picture::Report;
use kozo_mqtt::Welcome;

const LAMP: &str = "homeassistant/device/kozo__home__hall__lamp/config";
const STATE: &str = "kozo/node/hall/lamp/lamp/state";
const SET: &str = "kozo/node/hall/lamp/lamp/set";

fn components(broker: &Broker, topic: &str) -> Value {
    let told: Value = serde_json::from_str(broker.at(topic).unwrap()).unwrap();
    told["components"].clone()
}

fn position(broker: &Broker, topic: &str) -> usize {
    broker.log.iter().position(|(at, _)| at == topic).unwrap()
}

#[test]
fn a_role_is_announced_as_home_assistant_wants_it() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    let told: Value = serde_json::from_str(world.broker.at(LAMP).unwrap()).unwrap();
    let expected = json!({
        "device": {
            "identifiers": ["kozo__home__hall"], "name": "hall", "manufacturer": "Kōzō", "model": "Node",
            "sw_version": "1.0", "via_device": "kozo__home",
        },
        "origin": {"name": "Kōzō", "sw_version": env!("CARGO_PKG_VERSION")},
        "availability": [{"topic": "kozo/bridge/hub/status"}, {"topic": "kozo/node/hall/status"}],
        "availability_mode": "all",
        "components": {"lamp": {
            "platform": "switch", "unique_id": "kozo__home__hall__lamp__lamp", "name": "lamp",
            "state_topic": STATE, "command_topic": SET, "payload_on": "ON", "payload_off": "OFF", "qos": 1,
        }},
    });
    assert_eq!(told, expected);
    assert_eq!(world.broker.at("kozo/bridge/hub/status"), Some("online"));
    assert_eq!(world.broker.at("kozo/node/hall/status"), Some("online"));
    // A state is there before the announcement, on the next connection too, and availability comes last.
    world.event("lamp", "lamp state", &true);
    world.disconnect();
    assert_eq!(world.broker.at("kozo/bridge/hub/status"), Some("offline"));
    world.broker.log.clear();
    world.connect();
    world.pass(3.0);
    let order = [
        STATE,
        "homeassistant/device/kozo__home/config",
        LAMP,
        "kozo/bridge/hub/status",
        "kozo/node/hall/status",
    ];
    let order = order.map(|topic| position(&world.broker, topic));
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn nothing_is_published_that_nobody_has_said_and_nothing_twice() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp", "bell"])]);
    assert_eq!(world.broker.at(STATE), None);
    for data in [true, true, false, false] {
        world.event("lamp", "lamp state", &data);
    }
    assert_eq!(world.broker.said(STATE), ["ON", "OFF"]);
    world.event("lamp", "lamp state", "dim");
    world.event("lamp", "other state", &true);
    assert_eq!(world.broker.said(STATE), ["ON", "OFF"]);
    world.event("lamp", "bell state", &5);
    assert_eq!(
        world.broker.said("kozo/node/hall/lamp/bell/event"),
        [r#"{"event_type":"rang"}"#]
    );
    // A new life of the bridge leaves what the broker has, until it hears of something.
    world.end();
    world.broker.log.clear();
    world.start();
    world.connect();
    world.pass(5.0);
    assert_eq!(world.broker.at(STATE), Some("OFF"));
    assert!(world.broker.said(STATE).is_empty());
    assert!(
        world
            .broker
            .said("kozo/node/hall/lamp/bell/event")
            .is_empty()
    );
}

#[test]
fn what_goes_is_taken_out_of_home_assistant_with_all_that_is_retained() {
    let mut world = World::new(
        settings(),
        vec![role("lamp", &["lamp", "level"]), role("door", &["bell"])],
    );
    world.event("lamp", "level state", &3);
    let level = "kozo/node/hall/lamp/level/state";
    assert_eq!(world.broker.at(level), Some("3"));
    assert_eq!(world.broker.home.entities().len(), 5);
    // A face of a role that stays: its platform alone, and then nothing.
    world.hall_has(vec![role("lamp", &["lamp"]), role("door", &["bell"])]);
    assert_eq!(world.broker.at(level), Some("3"), "it is collected");
    world.pass(2.0);
    assert_eq!(
        components(&world.broker, LAMP)["level"],
        json!({"platform": "number"})
    );
    assert_eq!(world.broker.home.entities().len(), 4);
    // What nothing shows any more goes last: an empty state is none that Home Assistant would take.
    assert_eq!(world.broker.at(level), Some("3"));
    world.pass(16.0);
    assert_eq!(world.broker.at(level), None);
    assert!(components(&world.broker, LAMP).get("level").is_none());
    // A role, and then the whole node.
    world.hall_has(vec![role("lamp", &["lamp"])]);
    world.pass(2.0);
    assert_eq!(world.broker.home.entities().len(), 3);
    world.here.peers.clear();
    world.others.clear();
    world.look();
    world.pass(18.0);
    let left: Vec<_> = world
        .broker
        .retained
        .keys()
        .filter(|topic| topic.contains("hall"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_left_while_the_bridge_was_away_is_taken_away_too() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp", "level"])]);
    world.event("lamp", "level state", &3);
    world.end();
    world.others[0].status = Some(node("hall", vec![role("lamp", &["lamp"])], Vec::new()));
    world.start();
    world.connect();
    world.pass(30.0);
    assert_eq!(world.broker.home.entities().len(), 3);
    assert_eq!(world.broker.at("kozo/node/hall/lamp/level/state"), None);
    // Also when nothing is remembered: the broker has the announcement.
    world.end();
    world.memory = Default::default();
    world.others[0].status = Some(node("hall", vec![role("other", &["bell"])], Vec::new()));
    world.start();
    world.connect();
    world.pass(30.0);
    assert_eq!(world.broker.at(LAMP), None);
    let entities = world.broker.home.entities();
    assert!(
        entities.contains("kozo__home__hall__other__bell") && entities.len() == 3,
        "{entities:?}"
    );
    // Without any nodes nothing is left.
    world.end();
    world.settings.nodes.clear();
    world.start();
    world.connect();
    world.pass(60.0);
    assert_eq!(world.broker.retained, Default::default());
}

#[test]
fn a_node_that_is_away_is_announced_with_what_is_remembered_of_it() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    world.end();
    world.broker = Broker::default();
    world.broker.home_starts();
    world.others[0].status = None;
    world.here.peers = vec![super::world::peer("hall", false)];
    world.start();
    world.connect();
    world.pass(9.0);
    assert!(
        world
            .broker
            .home
            .entities()
            .contains("kozo__home__hall__lamp__lamp")
    );
    assert_eq!(world.broker.at("kozo/node/hall/status"), Some("offline"));
    assert_eq!(world.broker.at("kozo/bridge/hub/nodes"), Some("1"));
}

#[test]
fn home_assistant_gets_everything_again_when_it_comes_up() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    world.broker.log.clear();
    world.publish("homeassistant/status", b"offline", false);
    world.publish("homeassistant/status", b"online", false);
    world.pass(2.1);
    assert_eq!(world.broker.said(LAMP).len(), 1);
    world.pass(60.0);
    assert_eq!(world.broker.said(LAMP).len(), 1);
}

#[test]
fn a_component_goes_only_once_home_assistant_is_there_to_take_it_away() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp", "level"])]);
    world.publish("homeassistant/status", b"offline", false);
    world.broker.home.is_up = false;
    world.hall_has(vec![role("lamp", &["lamp"])]);
    world.pass(60.0);
    assert_eq!(
        components(&world.broker, LAMP)["level"],
        json!({"platform": "number"})
    );
    world.broker.home_starts();
    world.publish("homeassistant/status", b"online", false);
    world.pass(9.0);
    assert!(components(&world.broker, LAMP).get("level").is_none());
    assert_eq!(world.broker.home.entities().len(), 3);
}

#[test]
fn what_the_user_deletes_stays_hidden_until_its_faces_change() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    world.publish(LAMP, b"", true);
    assert_eq!(world.bridge().hidden(), ["lamp@hall"]);
    world.publish("homeassistant/status", b"online", false);
    world.pass(5.0);
    world.end();
    world.start();
    world.connect();
    world.pass(9.0);
    assert_eq!(world.broker.at(LAMP), None);
    assert_eq!(world.bridge().hidden(), ["lamp@hall"]);
    // What it shows is there all the same.
    world.event("lamp", "lamp state", &true);
    assert_eq!(world.broker.at(STATE), Some("ON"));
    world.hall_has(vec![role("lamp", &["lamp", "bell"])]);
    world.pass(2.0);
    assert!(world.broker.at(LAMP).is_some() && world.bridge().hidden().is_empty());
    // Or until somebody asks for it.
    world.publish(LAMP, b"", true);
    world.pass(2.0);
    assert_eq!(world.broker.at(LAMP), None);
    world.publish("kozo/bridge/hub/announce", b"PRESS", false);
    assert!(world.broker.at(LAMP).is_some());
}

#[test]
fn what_the_user_deletes_is_told_from_what_a_broker_of_mqtt_3_1_1_hands_back() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    world.disconnect();
    let (later, now) = (seconds(100.0), seconds(200.0));
    let welcome = Welcome {
        hands_back: true,
        ..Welcome::default()
    };
    let mut others = world.others.clone();
    let bridge = world.bridge();
    bridge.connected(welcome, later);
    bridge.tick(seconds(110.0));
    while bridge.take(seconds(110.0)).is_some() {}
    bridge.message("homeassistant/status", b"online", false, later);
    others[0].status = Some(node("hall", Vec::new(), vec![peer("hub", true)]));
    bridge.see_network(&others, later);
    bridge.tick(now);
    // What takes the lamp away finds no room, and is taken once more.
    let next = |bridge: &mut Bridge| loop {
        let publication = bridge.take(now).unwrap();
        if publication.topic == LAMP {
            return publication;
        }
    };
    let empty = next(bridge);
    assert!(empty.payload.is_empty());
    bridge.put_back(empty);
    assert!(next(bridge).payload.is_empty());
    // The lamp is there again, before the broker has handed back its end; this finds no room either.
    others[0].status = Some(node("hall", vec![role("lamp", &["lamp"])], Vec::new()));
    bridge.see_network(&others, now);
    bridge.tick(seconds(210.0));
    let full = next(bridge);
    assert!(!full.payload.is_empty());
    bridge.put_back(full);
    bridge.message(LAMP, b"", false, now);
    assert_eq!(bridge.hidden(), [""; 0]);
    bridge.message(LAMP, b"", false, now);
    assert_eq!(bridge.hidden(), ["lamp@hall"]);
}

#[test]
fn a_command_that_fits_is_an_order_and_any_other_is_answered_with_the_state() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp", "level", "motion"])]);
    world.event("lamp", "lamp state", &false);
    world.publish(SET, b"ON", false);
    assert_eq!(
        world.orders(),
        [("lamp set".to_owned(), Some("one".to_owned()), json!(true))]
    );
    assert_eq!(world.broker.said(STATE), ["OFF"]);
    // The answer of the role counts, even if it is what was known.
    world.event("lamp", "lamp state", &false);
    assert_eq!(world.broker.said(STATE), ["OFF", "OFF"]);
    world.publish(SET, b"dim", false);
    assert_eq!(world.broker.said(STATE), ["OFF", "OFF", "OFF"]);
    let level = "kozo/node/hall/lamp/level/set";
    for wrong in ["11", "-1", "many", "NaN", ""] {
        world.publish(level, wrong.as_bytes(), false);
    }
    world.publish("kozo/node/hall/lamp/motion/set", b"ON", false);
    world.publish(SET, &[0xFF], false);
    world.publish(SET, &vec![b'x'; 1 << 20], false);
    assert!(world.orders().is_empty());
    assert_eq!(world.bridge().counts().commands_refused, 9);
    world.publish(level, b"7", false);
    assert_eq!(
        world.orders(),
        [("level set".to_owned(), Some("one".to_owned()), json!(7))]
    );
}

#[test]
fn a_command_that_comes_too_late_is_dropped_and_counted() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    // Nobody listens; it is retained, and comes with the next connection.
    world.disconnect();
    world.publish(SET, b"ON", true);
    world.connect();
    world.pass(3.0);
    // Of a node that is away, of a role that is none, of a face that is none.
    world.hall_is(false);
    world.pass(6.0);
    world.publish(SET, b"ON", false);
    world.publish("kozo/node/hall/lamp/other/set", b"ON", false);
    world.publish("kozo/node/cellar/lamp/lamp/set", b"ON", false);
    let warnings = world
        .deeds
        .iter()
        .filter(|deed| matches!(deed, Deed::Warn(_)))
        .count();
    assert_eq!((warnings, world.bridge().counts().commands_dropped), (4, 4));
    assert!(world.orders().is_empty());
}

#[test]
fn a_node_is_offline_after_its_grace_and_a_short_cut_is_no_news() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    let status = "kozo/node/hall/status";
    world.broker.log.clear();
    world.hall_is(false);
    world.pass(4.0);
    world.hall_is(true);
    world.pass(9.0);
    assert!(world.broker.said(status).is_empty());
    world.hall_is(false);
    world.pass(4.9);
    assert!(world.broker.said(status).is_empty());
    world.pass(0.3);
    assert_eq!(world.broker.said(status), ["offline"]);
    world.hall_is(true);
    assert_eq!(world.broker.said(status), ["offline", "online"]);
}

#[test]
fn a_sleeping_node_is_available_for_as_long_as_the_bridge_is() {
    let sleeping = Settings {
        sleeping: vec!["ha*".to_owned()],
        ..settings()
    };
    let world = World::new(sleeping, vec![role("lamp", &["lamp"])]);
    let told: Value = serde_json::from_str(world.broker.at(LAMP).unwrap()).unwrap();
    assert_eq!(
        told["availability"],
        json!([{"topic": "kozo/bridge/hub/status"}])
    );
}

#[test]
fn while_the_broker_is_away_only_the_newest_states_and_some_events_are_kept() {
    let mut world = World::new(settings(), vec![role("lamp", &["level", "bell"])]);
    world.disconnect();
    world.broker.log.clear();
    for number in 0..1000 {
        world.event("lamp", "level state", &(number % 7));
        world.event("lamp", "bell state", &number);
        world.pass(0.1);
    }
    world.connect();
    world.pass(3.0);
    assert_eq!(world.broker.said("kozo/node/hall/lamp/level/state"), ["5"]);
    assert_eq!(
        world.broker.said("kozo/node/hall/lamp/bell/event").len(),
        64
    );
    assert_eq!(world.bridge().events_dropped(), 1000 - 64);
    // After so long they mean nothing any more.
    world.disconnect();
    world.event("lamp", "bell state", &1);
    world.pass(301.0);
    world.broker.log.clear();
    world.connect();
    world.pass(3.0);
    assert!(
        world
            .broker
            .said("kozo/node/hall/lamp/bell/event")
            .is_empty()
    );
    assert_eq!(world.bridge().events_dropped(), 1000 - 63);
}

#[test]
fn what_only_says_that_something_is_goes_off_by_itself() {
    let mut motion = role("eye", &["motion"]);
    motion.faces[0].off_after_seconds = Some(30.0);
    let mut level = role("tank", &["level"]);
    level.faces[0].expire_after_seconds = Some(60.0);
    let mut world = World::new(settings(), vec![motion, level]);
    let (eye, tank) = (
        "kozo/node/hall/eye/motion/state",
        "kozo/node/hall/tank/level/state",
    );
    world.event("eye", "motion state", &true);
    world.event("tank", "level state", &4);
    world.pass(20.0);
    world.event("eye", "motion state", &true);
    world.pass(29.0);
    assert_eq!(
        (world.broker.at(eye), world.broker.at(tank)),
        (Some("ON"), Some("4"))
    );
    world.pass(2.0);
    assert_eq!(world.broker.at(eye), Some("OFF"));
    world.pass(10.0);
    assert_eq!(world.broker.at(tank), Some("None"));
}

#[test]
fn devices_that_are_tracked_are_at_home_where_they_are_in_range() {
    let track = Settings {
        track: vec!["00:1A:7D:DA:71:13".to_owned()],
        ..settings()
    };
    let mut finder = role("finder", &["motion"]);
    let source = finder.faces[0].state.as_mut().unwrap();
    source.event = "bluetooth devices in range".to_owned();
    let mut world = World::new(track, vec![finder]);
    let state = "kozo/node/hall/finder/track-001A7DDA7113/state";
    world.event(
        "finder",
        "bluetooth devices in range",
        &json!({"00:1a:7d:da:71:13": "Phone"}),
    );
    assert_eq!(world.broker.at(state), Some("home"));
    world.event("finder", "bluetooth devices in range", &json!({}));
    assert_eq!(world.broker.at(state), Some("not_home"));
    assert!(
        world
            .broker
            .home
            .entities()
            .contains("kozo__home__hall__finder__track-001A7DDA7113")
    );
}

#[test]
fn what_a_hostile_node_says_is_bounded_and_stays_on_its_topics() {
    let mut bad = role("lamp", &["lamp", "bell"]);
    bad.faces[0].name = format!("\u{1b}[31m{}\n", "x".repeat(100_000));
    bad.faces[0].class = Some("outlet\", \"x\": \"".to_owned());
    bad.faces[0].unit = Some("y".repeat(1 << 20));
    bad.faces[1].face = "../#/+".to_owned();
    let mut many = role("many", &[]);
    many.faces = (0..1000)
        .map(|number| {
            let mut face = face("lamp");
            face.face = format!("f{number}");
            face
        })
        .collect();
    let mut evil = role("x", &["lamp"]);
    evil.name = "+/#".to_owned();
    let mut world = World::new(settings(), vec![bad, many, evil]);
    assert_eq!(world.broker.home.entities().len(), 2 + 1 + 32);
    let lamp = &components(&world.broker, LAMP)["lamp"];
    assert_eq!(lamp["name"].as_str().unwrap().chars().count(), 64);
    assert!(lamp.get("device_class").is_none() && lamp.get("unit_of_measurement").is_none());
    assert!(
        world
            .broker
            .log
            .iter()
            .all(|(topic, payload)| topic.len() < 200 && payload.len() < 32 * 1024)
    );
    // A state is no longer than anybody would read, and facts have a limit.
    let mut sensor = role("s", &["lamp"]);
    sensor.faces[0].kind = kozo_faces::FaceKind::Sensor;
    sensor.faces[0].attributes = Some(".".to_owned());
    sensor.faces[0].value = Some("v".to_owned());
    world.hall_has(vec![sensor]);
    world.event(
        "s",
        "lamp state",
        &json!({"v": "z".repeat(5000), "w": "w".repeat(50_000)}),
    );
    assert_eq!(
        world
            .broker
            .at("kozo/node/hall/s/lamp/state")
            .unwrap()
            .len(),
        255
    );
    assert_eq!(world.broker.at("kozo/node/hall/s/lamp/attributes"), None);
}

#[test]
fn chosen_messages_are_published_as_json_and_chosen_orders_come_in() {
    let wanted: MessagePattern =
        serde_json::from_value(json!({"kind": "event", "type": ["gpio *"]})).unwrap();
    let orders =
        serde_json::from_value(json!([{"type": "gpio set", "channel": ["lamp*", "fan"]}])).unwrap();
    let plain = Settings {
        messages: vec![wanted],
        orders,
        ..settings()
    };
    let mut world = World::new(plain, Vec::new());
    world.event("lamp", "gpio state", &json!({"on": true}));
    world.event("lamp", "tick", &1);
    let said = world.broker.said("kozo/message/event/hall/lamp/gpio state");
    assert_eq!(
        said,
        [r#"{"data":{"on":true},"age":0.0,"timestamp":1700000000.5}"#]
    );
    assert!(
        world
            .broker
            .said("kozo/message/event/hall/lamp/tick")
            .is_empty()
    );
    world.publish(
        "kozo/order/gpio set/lamp%2F1",
        b"{\"base64\":\"AQI=\"}",
        false,
    );
    world.publish("kozo/order/gpio set/fan", b"", false);
    for (topic, payload) in [
        ("kozo/order/gpio set/garage", "true"),
        ("kozo/order/gpio set", "true"),
        ("kozo/order/gpio set/fan", "tru"),
        ("kozo/order/gpio set/fan/x", "true"),
    ] {
        world.publish(topic, payload.as_bytes(), false);
    }
    let order = |channel: &str, data| ("gpio set".to_owned(), Some(channel.to_owned()), data);
    assert_eq!(
        world.orders(),
        [
            order("lamp/1", json!({"base64": "AQI="})),
            order("fan", json!(null))
        ]
    );
    assert_eq!(world.bridge().counts().orders_refused, 4);
}

#[test]
fn followed_topics_are_events_and_too_many_are_dropped() {
    let follow = serde_json::from_value(json!([
        {"topic": "zigbee2mqtt/door", "event": "door", "channel": "front"},
        {"topic": "zigbee2mqtt/+", "event": "any", "retained": "take"},
    ]));
    let follow = Settings {
        follow: follow.unwrap(),
        ..settings()
    };
    let mut world = World::still(follow, Vec::new());
    world.publish("zigbee2mqtt/door", b"{\"contact\":true}", true);
    world.start();
    world.connect();
    world.pass(3.0);
    let events = |world: &mut World| -> Vec<(String, Option<String>, Value)> {
        let events = world.deeds.drain(..).filter_map(|deed| match deed {
            Deed::Event {
                type_name,
                channel,
                data,
            } => Some((type_name, channel, kozo_data::to_value(&data).unwrap())),
            _ => None,
        });
        events.collect()
    };
    let contact = json!({"contact": true});
    assert_eq!(
        events(&mut world),
        [("any".to_owned(), None, contact.clone())]
    );
    world.publish("zigbee2mqtt/door", b"{\"contact\":true}", false);
    let door = ("door".to_owned(), Some("front".to_owned()), contact.clone());
    assert_eq!(
        events(&mut world),
        [door, ("any".to_owned(), None, contact)]
    );
    world.publish("zigbee2mqtt/bulb", b"plain", false);
    assert_eq!(
        events(&mut world),
        [("any".to_owned(), None, json!("plain"))]
    );
    world.publish("zigbee2mqtt/bulb", &[0xFF, 0xFE], false);
    for _ in 0..500 {
        world.publish("zigbee2mqtt/bulb", b"1", false);
    }
    assert!(events(&mut world).len() <= 100);
    assert!(world.bridge().counts().followed_dropped >= 401);
}

#[test]
fn without_home_assistant_states_are_there_and_nothing_is_announced() {
    let mut world = World::new(settings(), vec![role("lamp", &["lamp"])]);
    world.end();
    world.settings.home_assistant = false;
    world.start();
    world.connect();
    world.pass(9.0);
    world.event("lamp", "lamp state", &true);
    let announced: Vec<_> = world
        .broker
        .retained
        .keys()
        .filter(|topic| topic.starts_with("homeassistant"))
        .collect();
    assert!(announced.is_empty(), "{announced:?}");
    assert_eq!(world.broker.at(STATE), Some("ON"));
    world.publish(SET, b"OFF", false);
    assert_eq!(world.orders().len(), 1);
}

#[test]
fn diagnostics_say_how_roles_nodes_and_links_are() {
    let all = Settings {
        diagnostics: true,
        links: crate::options::Links::All,
        ..settings()
    };
    let mut failed = role("lamp", &["lamp"]);
    failed.state = "waiting".to_owned();
    let mut world = World::new(all, vec![failed]);
    assert_eq!(world.broker.at("kozo/node/hall/lamp/problem"), Some("ON"));
    assert_eq!(world.broker.at("kozo/node/hall/same-file"), Some("OFF"));
    assert_eq!(world.broker.at("kozo/link/hall/hub/connected"), Some("ON"));
    assert_eq!(
        world.broker.at("kozo/link/hall/hub/transport"),
        Some("None")
    );
    let entities = world.broker.home.entities();
    for expected in [
        "kozo__home__hall__lamp__role_2eproblem",
        "kozo__home__hall__node_2esame-file",
        "kozo__home__hall__link_2ehub_2econnected",
        "kozo__home__bridge_2enodes",
    ] {
        assert!(entities.contains(expected), "{expected}");
    }
    // The hall is away, and says nothing of it.
    world.others[0].status = None;
    world.hall_is(false);
    assert_eq!(world.broker.at("kozo/link/hall/hub/connected"), Some("OFF"));
    world.others.push(Report {
        node: "stranger".to_owned(),
        status: Some(node("stranger", Vec::new(), Vec::new())),
        other_file: true,
    });
    world.look();
    world.now += seconds(2.0);
    world.work();
    assert!(
        !world
            .broker
            .retained
            .keys()
            .any(|topic| topic.contains("stranger"))
    );
}
