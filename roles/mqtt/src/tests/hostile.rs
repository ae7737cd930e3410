//! Whatever others publish, and whatever roles send: nothing panics, and nothing leaves the bridge's own topics.

use proptest::prelude::*;
use serde_json::json;

use super::world::{World, face, role, settings};
use crate::options::Settings;

/// Topics that the bridge listens to, and some that are nearly such.
fn topic() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "homeassistant/device/kozo__home__hall__lamp/config",
        "homeassistant/device/kozo__home__gone/config",
        "homeassistant/device/kozo__home/config",
        "homeassistant/status",
        "kozo/node/hall/lamp/lamp/set",
        "kozo/node/hall/lamp/level/set",
        "kozo/bridge/hub/announce",
        "kozo/order/gpio set/lamp",
        "zigbee2mqtt/door",
    ]);
    let made = ("(kozo|homeassistant|zigbee2mqtt)(/[a-z%0-9é$ ]{0,5}){0,6}").prop_map(String::from);
    prop_oneof![known.prop_map(str::to_owned), made]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "",
        "ON",
        "OFF",
        "online",
        "offline",
        "1e999",
        "-0",
        "null",
        "{",
        "[[[[",
        "{\"components\":{\"a\":{\"platform\":\"x\"}}}",
        "{\"components\":[1]}",
        "{\"base64\":\"?\"}",
        "PRESS",
    ]);
    prop_oneof![
        words.prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_others_publish_and_say_is_only_ever_data(
        published in prop::collection::vec((topic(), payload(), any::<bool>()), 0..30),
        said in prop::collection::vec(("(lamp|level|motion|bell) state", prop::collection::vec(any::<u8>(), 0..20)), 0..30),
    ) {
        let open = Settings {
            orders: serde_json::from_value(json!([{"type": "*"}])).unwrap(),
            follow: serde_json::from_value(json!([{"topic": "zigbee2mqtt/#", "event": "any", "retained": "take"}])).unwrap(),
            messages: vec![Default::default()],
            ..settings()
        };
        let mut sensor = face("lamp");
        sensor.attributes = Some(".".to_owned());
        let mut lamp = role("lamp", &["lamp", "level", "motion", "bell"]);
        lamp.faces[0] = sensor;
        let mut world = World::new(open, vec![lamp]);
        for (topic, payload, retained) in &published {
            world.publish(topic, payload, *retained);
            let now = world.now;
            // As one that was there before.
            world.bridge().message(topic, payload, true, now);
            world.pass(0.3);
        }
        for (type_name, data) in &said {
            world.raw_event("lamp", type_name, data);
        }
        world.pass(30.0);
        let others: Vec<&String> = published.iter().map(|(topic, ..)| topic).collect();
        for (topic, payload) in &world.broker.log {
            let own = topic.starts_with("kozo/") || topic.starts_with("homeassistant/device/kozo__home");
            prop_assert!(own || others.contains(&topic), "{}", topic);
            prop_assert!(payload.len() < 64 * 1024);
        }
    }
}
