//! A face, as it is told.

use serde::{Deserialize, Serialize};

use crate::wildcard;
use crate::{Data, FaceKind};

/// What a role is for people and other systems, or one of the things that it is.
///
/// As JSON it is a part of what `kozo status --json` prints; what has no value is left out there. A reader takes
/// one of a later version as well: words that it does not know are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Which of the role's faces it is: letters, digits, `_` and `-`.
    pub face: String,
    /// What kind of thing.
    pub kind: FaceKind,
    /// What it is called, for people.
    pub name: String,
    /// What it is more precisely, in the words of Home Assistant's device classes: `outlet`, `motion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The name of its picture: `mdi:bell`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// `diagnostic` or `config`, where it is nothing that the role is there for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whether it is in use from the start, or only once somebody wants it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The event that says how it is, or for an event that it has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Source>,
    /// The order that changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Target>,
    /// Where in the event's data it stands how it is, as a [`Path`](crate::Path); all of the data without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where in the event's data further facts stand, as a path; nowhere without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<String>,
    /// What stands for on; `true` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Data>,
    /// What stands for off; `false` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off: Option<Data>,
    /// What stands for being at home; `true` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Data>,
    /// What stands for being away; `false` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away: Option<Data>,
    /// What a button sends; nothing without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub press: Option<Data>,
    /// The texts that it can have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// What can happen, of an event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// What its number counts: `°C`, `devices`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How its values may be summed up: `measurement` (what is now), `total` (a count that can fall), `increasing` (a
    /// count that only falls when it begins anew).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<String>,
    /// How many decimals are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u64>,
    /// The smallest number that can be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The largest number that can be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// How far apart the numbers are that can be set; 1 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// How a number is set: `box` or `slider`; whichever fits without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// How many characters a text has at least; 0 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest: Option<u64>,
    /// How many characters a text has at most; 255 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<u64>,
    /// What a text looks like, as a regular expression. Nothing here checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Whether a text is a secret, which is not shown as it is typed.
    #[serde(default, skip_serializing_if = "is_no")]
    pub secret: bool,
    /// By what it is known where something is: `gps`, `router`, `bluetooth`, `bluetooth_le`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// After how many seconds without an event it is not known any more how it is; never without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after_seconds: Option<f64>,
    /// After how many seconds without an event it is off; never without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_after_seconds: Option<f64>,
}

/// The events of the role that a face is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Their type, in which `*` stands for any run of characters.
    pub event: String,
    /// Their channel, likewise; any or none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// The order of the role that a face gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its type.
    pub order: String,
    /// Its channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

impl Face {
    /// A face with nothing but a name, which is in use.
    pub fn new(face: &str, kind: FaceKind) -> Self {
        Self {
            face: face.to_owned(),
            kind,
            name: String::new(),
            class: None,
            icon: None,
            category: None,
            enabled: true,
            state: None,
            command: None,
            value: None,
            attributes: None,
            on: None,
            off: None,
            home: None,
            away: None,
            press: None,
            options: Vec::new(),
            types: Vec::new(),
            unit: None,
            statistics: None,
            precision: None,
            minimum: None,
            maximum: None,
            step: None,
            control: None,
            shortest: None,
            longest: None,
            pattern: None,
            secret: false,
            source: None,
            expire_after_seconds: None,
            off_after_seconds: None,
        }
    }

    /// About how many bytes it takes where it is told.
    pub fn size(&self) -> usize {
        /// All the names and numbers.
        const FRAME: usize = 256;
        let texts = [
            Some(&self.face),
            Some(&self.name),
            self.class.as_ref(),
            self.icon.as_ref(),
            self.category.as_ref(),
            self.state.as_ref().map(|state| &state.event),
            self.state.as_ref().and_then(|state| state.channel.as_ref()),
            self.command.as_ref().map(|command| &command.order),
            self.command
                .as_ref()
                .and_then(|command| command.channel.as_ref()),
            self.value.as_ref(),
            self.attributes.as_ref(),
            self.unit.as_ref(),
            self.statistics.as_ref(),
            self.control.as_ref(),
            self.pattern.as_ref(),
            self.source.as_ref(),
        ];
        let values = [&self.on, &self.off, &self.home, &self.away, &self.press];
        let values = values
            .into_iter()
            .flatten()
            .filter_map(|value| match value {
                Data::Text(text) => Some(text),
                _ => None,
            });
        let lists = self.options.iter().chain(&self.types);
        let all = texts.into_iter().flatten().chain(values).chain(lists);
        FRAME + all.map(String::len).sum::<usize>()
    }
}

impl Source {
    /// Whether an event of this type and channel is one of them.
    pub fn fits(&self, event: &str, channel: Option<&str>) -> bool {
        let of_channel = |pattern: &String| wildcard::fits(pattern, channel.unwrap_or_default());
        wildcard::fits(&self.event, event) && self.channel.as_ref().is_none_or(of_channel)
    }
}

fn yes() -> bool {
    true
}

fn is_no(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_no_value_is_not_told() {
        let told = json!({"face": "lamp", "kind": "switch", "name": "Lamp", "enabled": true});
        let face = Face {
            name: "Lamp".to_owned(),
            ..Face::new("lamp", FaceKind::Switch)
        };
        assert_eq!(serde_json::to_value(&face).unwrap(), told);
        assert_eq!(serde_json::from_value::<Face>(told).unwrap(), face);
        let bytes = rmp_serde::to_vec_named(&face).unwrap();
        assert_eq!(rmp_serde::from_slice::<Face>(&bytes).unwrap(), face);
    }

    #[test]
    fn one_of_a_later_version_is_read_and_told_on() {
        let told = json!({
            "face": "blinds", "kind": "cover", "name": "Blinds", "enabled": false, "category": "hidden",
            "value": "rows[*].x", "position": {"event": "position"},
        });
        let face: Face = serde_json::from_value(told).unwrap();
        assert_eq!(face.kind, FaceKind::Other("cover".to_owned()));
        assert_eq!(serde_json::to_value(&face).unwrap()["kind"], "cover");
    }

    #[test]
    fn an_event_is_recognised_by_its_type_and_channel() {
        let source = |channel: Option<&str>| Source {
            event: "gpio *".to_owned(),
            channel: channel.map(str::to_owned),
        };
        assert!(source(None).fits("gpio state", None));
        assert!(source(None).fits("gpio state", Some("lamp")));
        assert!(!source(None).fits("tick", None));
        assert!(source(Some("lamp")).fits("gpio state", Some("lamp")));
        assert!(!source(Some("lamp")).fits("gpio state", Some("fan")));
        assert!(!source(Some("lamp")).fits("gpio state", None));
    }
}
