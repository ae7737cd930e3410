//! What Home Assistant is told of a face: a component of a device.

use jiff::Timestamp;
use kozo_faces::{Data, Face, FaceKind, Input, Path, Reading};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::picture::shortened;
use crate::topics::{Topics, id};

/// How long a name is at most, in characters.
const MAX_NAME: usize = 64;

/// How many options or types a face has at most.
const MAX_CHOICES: usize = 64;

/// The longest command that is looked at, in bytes.
pub(crate) const MAX_COMMAND: usize = 4096;

/// The longest further facts, in bytes of JSON.
const MAX_ATTRIBUTES: usize = 16 * 1024;

/// What stands for nobody knows.
const UNKNOWN: &str = "None";

const ON: &str = "ON";
const OFF: &str = "OFF";
const HOME: &str = "home";
const AWAY: &str = "not_home";
const PRESS: &str = "PRESS";

/// A component of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Component {
    /// `switch`, say: all that has to be said when it goes.
    pub(crate) platform: String,
    /// What is said of it; all but `platform`.
    pub(crate) says: Map<String, Value>,
    /// The retained topics that are its own.
    pub(crate) topics: Vec<String>,
}

/// What is remembered of a component that was announced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) platform: String,
    pub(crate) topics: Vec<String>,
}

impl Component {
    /// A component of which nothing is said yet but what it is called, and who is who.
    pub(crate) fn new(topics: &Topics, parts: &[&str], platform: &str, name: &str) -> Self {
        let mut says = Map::new();
        says.insert("unique_id".to_owned(), topics.identity(parts).into());
        says.insert("name".to_owned(), shortened(name, MAX_NAME).into());
        Self {
            platform: platform.to_owned(),
            says,
            topics: Vec::new(),
        }
    }

    /// With this said besides.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.says.insert(key.to_owned(), value.into());
        self
    }

    /// With its state at this topic.
    pub(crate) fn at(mut self, topic: String) -> Self {
        self.topics.push(topic.clone());
        self.with("state_topic", topic)
    }

    pub(crate) fn trace(&self) -> Trace {
        Trace {
            platform: self.platform.clone(),
            topics: self.topics.clone(),
        }
    }
}

/// A face with nothing in it that is longer, or looks otherwise, than a node of one's own would tell it. None: it
/// has no name that could stand in a topic.
pub(crate) fn bounded(face: &Face) -> Option<Face> {
    let is_word = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
        (1..=64).contains(&text.len()) && text.chars().all(fits)
    };
    let is_key = |text: &str| is_word(text) && !text.contains([':', '.']);
    if !is_key(&face.face) {
        return None;
    }
    let word = |text: &Option<String>| text.clone().filter(|text| is_word(text));
    let choices = |texts: &[String]| -> Vec<String> {
        let fits = |text: &&String| (1..=64).contains(&text.chars().count());
        texts
            .iter()
            .filter(fits)
            .take(MAX_CHOICES)
            .cloned()
            .collect()
    };
    let short = |text: &Option<String>, longest| {
        text.as_ref()
            .map(|text| shortened(text, longest))
            .filter(|text| !text.is_empty())
    };
    let small = |data: &Option<Data>| {
        data.clone().filter(|data| match data {
            Data::Text(text) => text.len() <= 1024,
            data => data.is_single(),
        })
    };
    let long = |text: &str| text.len() > 1024;
    let mut bounded = face.clone();
    bounded.name = shortened(&face.name, MAX_NAME);
    bounded.class = word(&face.class);
    bounded.icon = word(&face.icon);
    bounded.category = word(&face.category);
    bounded.unit = short(&face.unit, 32);
    bounded.statistics = word(&face.statistics);
    bounded.control = word(&face.control);
    bounded.source = word(&face.source);
    bounded.pattern = face.pattern.clone().filter(|text| !long(text));
    bounded.options = choices(&face.options);
    bounded.types = choices(&face.types);
    for value in [
        &mut bounded.on,
        &mut bounded.off,
        &mut bounded.home,
        &mut bounded.away,
        &mut bounded.press,
    ] {
        *value = small(value);
    }
    bounded.state = face
        .state
        .clone()
        .filter(|source| !long(&source.event) && !source.channel.as_deref().is_some_and(long));
    bounded.command = face
        .command
        .clone()
        .filter(|target| !long(&target.order) && !target.channel.as_deref().is_some_and(long));
    let path = |text: &Option<String>| text.clone().filter(|text| Path::parse(text).is_ok());
    // Without its path, a value would be something else.
    if face.value.is_some() && path(&face.value).is_none() {
        bounded.state = None;
    }
    bounded.attributes = path(&face.attributes);
    bounded
        .state
        .is_some()
        .then_some(())
        .or(bounded.command.is_some().then_some(()))?;
    Some(bounded)
}

/// What Home Assistant is told of a face; none where it has no such kind.
pub(crate) fn component(
    topics: &Topics,
    (node, role): (&str, &str),
    face: &Face,
) -> Option<Component> {
    let platform = match &face.kind {
        FaceKind::Other(_) => return None,
        kind => kind.name(),
    };
    let topic = |what: &str| topics.face(node, role, &face.face, what);
    let name = match face.name.is_empty() {
        true => role,
        false => &face.name,
    };
    let mut it = Component::new(topics, &[node, role, &face.face], platform, name);
    let is_event = face.kind == FaceKind::Event;
    if face.state.is_some() {
        it = match is_event {
            true => it.with("state_topic", topic("event")),
            false => it.at(topic("state")),
        };
    } else if face.kind != FaceKind::Button && face.command.is_none() {
        return None;
    }
    if face.attributes.is_some() && !is_event {
        let attributes = topic("attributes");
        it.topics.push(attributes.clone());
        it = it.with("json_attributes_topic", attributes);
    }
    let takes = matches!(
        face.kind,
        FaceKind::Switch | FaceKind::Button | FaceKind::Number | FaceKind::Select | FaceKind::Text
    );
    if takes {
        face.command.as_ref()?;
        it = it.with("command_topic", topic("set")).with("qos", 1);
    }
    for (key, value) in [("device_class", &face.class), ("icon", &face.icon)] {
        if let Some(value) = value {
            it = it.with(key, value.as_str());
        }
    }
    match face.category.as_deref() {
        // Only what can be set is part of a configuration, for Home Assistant.
        Some("config") if !takes => it = it.with("entity_category", "diagnostic"),
        Some(category @ ("config" | "diagnostic")) => it = it.with("entity_category", category),
        _ => {}
    }
    if !face.enabled {
        it = it.with("enabled_by_default", false);
    }
    let mut optional = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            it.says.insert(key.to_owned(), value);
        }
    };
    let number = |value: Option<f64>| value.filter(|value| value.is_finite()).map(Value::from);
    match face.kind {
        FaceKind::Switch | FaceKind::BinarySensor => {
            optional("payload_on", Some(ON.into()));
            optional("payload_off", Some(OFF.into()));
        }
        FaceKind::Sensor => {
            optional("unit_of_measurement", face.unit.clone().map(Value::from));
            let statistics = match face.statistics.as_deref() {
                Some("measurement") => Some("measurement"),
                Some("total") => Some("total"),
                Some("increasing") => Some("total_increasing"),
                _ => None,
            };
            optional("state_class", statistics.map(Value::from));
            optional(
                "suggested_display_precision",
                face.precision.map(Value::from),
            );
            if !face.options.is_empty() {
                optional("device_class", Some("enum".into()));
                optional("options", Some(face.options.clone().into()));
            }
        }
        FaceKind::Event => {
            if face.types.is_empty() {
                return None;
            }
            optional("event_types", Some(face.types.clone().into()));
        }
        FaceKind::Button => optional("payload_press", Some(PRESS.into())),
        FaceKind::Number => {
            optional("min", number(face.minimum));
            optional("max", number(face.maximum));
            optional("step", number(face.step));
            optional("mode", face.control.clone().map(Value::from));
            optional("unit_of_measurement", face.unit.clone().map(Value::from));
        }
        FaceKind::Select => {
            if face.options.is_empty() {
                return None;
            }
            optional("options", Some(face.options.clone().into()));
        }
        FaceKind::Text => {
            optional("min", face.shortest.map(Value::from));
            optional("max", face.longest.map(|longest| longest.min(255).into()));
            optional("pattern", face.pattern.clone().map(Value::from));
            optional("mode", face.secret.then(|| "password".into()));
        }
        FaceKind::DeviceTracker => {
            optional("payload_home", Some(HOME.into()));
            optional("payload_not_home", Some(AWAY.into()));
            optional("source_type", face.source.clone().map(Value::from));
        }
        FaceKind::Other(_) => {}
    }
    Some(it)
}

/// The name of a component within its device: it has no space, since Home Assistant could not remove it then.
pub(crate) fn component_id(face: &str) -> String {
    id(face)
}

/// What a face shows, as the payload of its state. None for what happens.
pub(crate) fn state(reading: &Reading, sent: f64) -> Option<String> {
    Some(match reading {
        Reading::Unknown => UNKNOWN.to_owned(),
        Reading::On => ON.to_owned(),
        Reading::Off => OFF.to_owned(),
        Reading::Home => HOME.to_owned(),
        Reading::Away => AWAY.to_owned(),
        Reading::Value(Data::Nothing) => UNKNOWN.to_owned(),
        // Nothing at all would take the retained message away.
        Reading::Value(Data::Text(text)) if text.is_empty() => " ".to_owned(),
        Reading::Value(value) => value.to_string(),
        Reading::Sent => time(sent)?,
        Reading::Happened(_) => return None,
    })
}

/// What has happened, as the payload of an event.
pub(crate) fn event(happened: &str, facts: Option<&Data>) -> Vec<u8> {
    let mut payload = Map::new();
    if let Some(Value::Object(facts)) = facts.and_then(|facts| serde_json::to_value(facts).ok()) {
        payload = facts;
    }
    payload.insert("event_type".to_owned(), happened.into());
    let written = json(&Value::Object(payload));
    match written.len() {
        0..=MAX_ATTRIBUTES => written,
        _ => json(&json!({ "event_type": happened })),
    }
}

/// Further facts as JSON; none where there are too many.
pub(crate) fn attributes(facts: &Data) -> Option<Vec<u8>> {
    let written = serde_json::to_vec(facts).ok()?;
    (written.len() <= MAX_ATTRIBUTES).then_some(written)
}

/// A value as JSON.
pub(crate) fn json(value: &Value) -> Vec<u8> {
    // A value of JSON can always be written.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Seconds since 1970 as Home Assistant reads times.
pub(crate) fn time(seconds: f64) -> Option<String> {
    let milliseconds = (seconds * 1000.0).round();
    let fits = milliseconds.is_finite() && milliseconds.abs() < 1e15;
    let time = Timestamp::from_millisecond(fits.then_some(milliseconds as i64)?).ok()?;
    Some(time.to_string())
}

/// What a command wants of a face of this kind.
///
/// # Errors
/// Why it is none.
pub(crate) fn input<'p>(kind: &FaceKind, payload: &'p [u8]) -> Result<Input<'p>, String> {
    if payload.len() > MAX_COMMAND {
        return Err(format!("it has more than {MAX_COMMAND} bytes"));
    }
    let text = std::str::from_utf8(payload).map_err(|_| "it is no text".to_owned())?;
    match kind {
        FaceKind::Switch => match text.trim() {
            ON => Ok(Input::On),
            OFF => Ok(Input::Off),
            _ => Err(format!("a switch takes `{ON}` and `{OFF}`")),
        },
        FaceKind::Button => match text.trim() {
            PRESS => Ok(Input::Press),
            _ => Err(format!("a button takes `{PRESS}`")),
        },
        FaceKind::Number => match text.trim().parse() {
            Ok(number) => Ok(Input::Number(number)),
            Err(_) => Err("it is no number".to_owned()),
        },
        _ => Ok(Input::Text(text)),
    }
}
