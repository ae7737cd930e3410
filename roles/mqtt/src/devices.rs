//! The devices of the network, as Home Assistant is told of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::entity::{self, Component};
use crate::options::{Links, Settings};
use crate::picture::{Known, shortened};
use crate::readings::faces_of;
use crate::registry::Device;
use crate::retained::Class;

/// Who makes the devices, for people.
const MAKER: &str = "Kōzō";

/// What stands for a role, or for a node itself, where faces have their names. No name of a role or face has a dot.
const OF_ROLE: &str = "role.problem";
const OF_NODE: &str = "node.same-file";

/// All devices of these nodes, by the topics where they are announced.
pub(crate) fn compose(
    settings: &Settings,
    nodes: &BTreeMap<String, Known>,
) -> BTreeMap<String, Device> {
    let mut devices = BTreeMap::new();
    if nodes.is_empty() {
        return devices;
    }
    let topics = &settings.topics;
    devices.insert(topics.config(&[]), bridge(settings));
    for (name, node) in nodes {
        let device = node_device(settings, name, node, nodes);
        devices.insert(topics.config(&[name]), device);
        for role in node.roles.keys() {
            let device = role_device(settings, name, node, role);
            if !device.components.is_empty() {
                devices.insert(topics.config(&[name, role]), device);
            }
        }
    }
    devices
}

fn origin() -> Value {
    json!({ "name": MAKER, "sw_version": env!("CARGO_PKG_VERSION") })
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The device that all nodes stand behind.
fn bridge(settings: &Settings) -> Device {
    let topics = &settings.topics;
    let name = format!("{MAKER} {}", shortened(&topics.network, 64));
    let count = topics.bridge_count();
    let nodes = Component::new(topics, &["bridge.nodes"], "sensor", "Nodes online")
        .with("state_class", "measurement")
        .with("icon", "mdi:lan")
        .with("entity_category", "diagnostic")
        .with("json_attributes_topic", format!("{count}/attributes"))
        .at(count.clone());
    let announce = Component::new(
        topics,
        &["bridge.announce"],
        "button",
        "Show what was deleted",
    )
    .with("icon", "mdi:eye")
    .with("entity_category", "config")
    .with("payload_press", "PRESS")
    .with("command_topic", topics.bridge_announce());
    let components = [("bridge.nodes", nodes), ("bridge.announce", announce)];
    Device {
        name: name.clone(),
        class: Class::Bridge,
        says: map(json!({
            "device": {
                "identifiers": [topics.identity(&[])],
                "name": name,
                "manufacturer": MAKER,
                "model": "Network",
            },
            "origin": origin(),
            "availability": [{ "topic": topics.bridge_status() }],
        })),
        components: by_id(components),
        topics: vec![format!("{count}/attributes")],
    }
}

fn by_id<const N: usize>(components: [(&str, Component); N]) -> BTreeMap<String, Component> {
    let all = components.into_iter();
    all.map(|(face, component)| (entity::component_id(face), component))
        .collect()
}

/// What is said of everything of a node.
fn of_node(settings: &Settings, name: &str, node: &Known) -> Map<String, Value> {
    let topics = &settings.topics;
    let mut device = map(json!({
        "identifiers": [topics.identity(&[name])],
        "name": name,
        "manufacturer": MAKER,
        "model": "Node",
        "via_device": topics.identity(&[]),
    }));
    if !node.version.is_empty() {
        device.insert("sw_version".to_owned(), node.version.clone().into());
    }
    if let Some(area) = settings.areas.get(name) {
        device.insert("suggested_area".to_owned(), shortened(area, 64).into());
    }
    let mut availability = vec![json!({ "topic": topics.bridge_status() })];
    if !settings.sleeps(name) {
        availability.push(json!({ "topic": topics.node(name, "status") }));
    }
    map(json!({
        "device": device,
        "origin": origin(),
        "availability": availability,
        "availability_mode": "all",
    }))
}

/// A node by itself: how it is, and its links with those that come after it.
fn node_device(
    settings: &Settings,
    name: &str,
    node: &Known,
    nodes: &BTreeMap<String, Known>,
) -> Device {
    let topics = &settings.topics;
    let mut components = BTreeMap::new();
    let mut add = |face: &str, component: Component| {
        components.insert(entity::component_id(face), component);
    };
    if settings.diagnostics {
        let other = Component::new(topics, &[name, OF_NODE], "binary_sensor", "Other file")
            .with("device_class", "problem")
            .with("entity_category", "diagnostic")
            .at(topics.node(name, "same-file"));
        add(OF_NODE, other);
    }
    let links = node.wanted.iter().filter(|_| settings.links != Links::None);
    for peer in links.filter(|peer| nodes.contains_key(*peer)) {
        let part = |what: &str| format!("link.{peer}.{what}");
        let about = |what: &str, platform: &str, label: &str| {
            let parts: [&str; 2] = [name, &part(what)];
            Component::new(topics, &parts, platform, &format!("{label} {peer}"))
                .with("entity_category", "diagnostic")
                .at(topics.link(name, peer, what))
        };
        let connected =
            about("connected", "binary_sensor", "Link with").with("device_class", "connectivity");
        add(&part("connected"), connected);
        if settings.links == Links::All {
            let trip = about("round-trip", "sensor", "Round trip to")
                .with("device_class", "duration")
                .with("unit_of_measurement", "ms")
                .with("state_class", "measurement")
                .with("suggested_display_precision", 1)
                .with("enabled_by_default", false);
            add(&part("round-trip"), trip);
            let transport = about("transport", "sensor", "Transport to")
                .with("icon", "mdi:transit-connection-variant")
                .with("enabled_by_default", false);
            add(&part("transport"), transport);
        }
    }
    Device {
        name: name.to_owned(),
        class: Class::Config,
        says: of_node(settings, name, node),
        components,
        topics: vec![topics.node(name, "status")],
    }
}

/// A role of a node.
fn role_device(settings: &Settings, name: &str, node: &Known, role: &str) -> Device {
    let topics = &settings.topics;
    let mut components = BTreeMap::new();
    let faces = node.roles.get(role).map_or(&[][..], Vec::as_slice);
    for (face, _) in faces_of(role, faces, &settings.track) {
        if let Some(component) = entity::component(topics, (name, role), &face) {
            components.insert(entity::component_id(&face.face), component);
        }
    }
    if settings.diagnostics {
        let problem = format!("{role} has failed");
        let problem = Component::new(topics, &[name, role, OF_ROLE], "binary_sensor", &problem)
            .with("device_class", "problem")
            .with("entity_category", "diagnostic")
            .at(topics.role(name, role, "problem"));
        components.insert(entity::component_id(OF_ROLE), problem);
    }
    Device {
        name: format!("{role}@{name}"),
        class: Class::Config,
        says: of_node(settings, name, node),
        components,
        topics: Vec::new(),
    }
}
