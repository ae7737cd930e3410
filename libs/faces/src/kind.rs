//! What kinds of face there are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of thing a face is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FaceKind {
    /// It is on or off, and can be switched.
    Switch,
    /// It is on or off.
    BinarySensor,
    /// It has a value.
    Sensor,
    /// Something happens, and is over.
    Event,
    /// It can be pressed.
    Button,
    /// It has a number that can be set.
    Number,
    /// It has one of some texts, and another one can be chosen.
    Select,
    /// It has a text that can be set.
    Text,
    /// It is somewhere: at home, or not.
    DeviceTracker,
    /// One of a later version.
    Other(String),
}

impl FaceKind {
    /// All that are known here.
    pub const ALL: [Self; 9] = [
        Self::Switch,
        Self::BinarySensor,
        Self::Sensor,
        Self::Event,
        Self::Button,
        Self::Number,
        Self::Select,
        Self::Text,
        Self::DeviceTracker,
    ];

    /// The name in metadata.
    pub fn name(&self) -> &str {
        match self {
            Self::Switch => "switch",
            Self::BinarySensor => "binary_sensor",
            Self::Sensor => "sensor",
            Self::Event => "event",
            Self::Button => "button",
            Self::Number => "number",
            Self::Select => "select",
            Self::Text => "text",
            Self::DeviceTracker => "device_tracker",
            Self::Other(name) => name,
        }
    }

    /// The kind of this name; none: it is not known here.
    pub fn known(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for FaceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<String> for FaceKind {
    fn from(name: String) -> Self {
        Self::known(&name).unwrap_or(Self::Other(name))
    }
}

impl From<FaceKind> for String {
    fn from(kind: FaceKind) -> Self {
        kind.name().to_owned()
    }
}
