//! The keys of a face, by its kind.

use kozo_faces::FaceKind;

use super::super::{Keys, optional};
use crate::{DefaultValue, OptionSpec, ValueKind};

/// How many characters a regular expression, and a text that stands for on or off, has at most.
pub(super) const MAX_TEXT: usize = 255;

const MAX_PRECISION: f64 = 20.0;
const MAX_SECONDS: f64 = 31_536_000.0;

/// The words that stand for something in the data of messages.
pub(super) const SINGLE_VALUES: [&str; 5] = ["on", "off", "home", "away", "press"];

/// What takes a face away.
pub(in super::super) const HIDDEN: &str = "hidden";

/// What may stand in any face.
const OF_ALL: [&str; 6] = ["kind", "name", "class", "icon", "category", "enabled"];

/// The keys of a face of this kind.
pub(super) fn of_face(kind: &FaceKind) -> Keys {
    let names = OF_ALL.iter().chain(of_kind(kind));
    let table = names.map(|&name| {
        let mut spec = key(name);
        if is_required(kind, name) {
            spec.default = DefaultValue::Required;
        }
        spec
    });
    Keys {
        table: table.collect(),
        new: &[],
    }
}

/// The keys of what overrules a face of this kind.
pub(in super::super) fn of_overrule(kind: &FaceKind) -> Keys {
    let with_unit = of_kind(kind).contains(&"unit").then_some("unit");
    let names = OF_ALL.iter().copied().filter(|name| *name != "kind");
    let table = names.chain(with_unit).map(key);
    let hidden = optional(HIDDEN, ValueKind::Boolean);
    Keys {
        table: table.chain([hidden]).collect(),
        new: &[],
    }
}

/// What may stand in a face of this kind besides.
fn of_kind(kind: &FaceKind) -> &'static [&'static str] {
    match kind {
        FaceKind::Switch => &["state", "command", "value", "attributes", "on", "off"],
        FaceKind::BinarySensor => &[
            "state",
            "value",
            "attributes",
            "on",
            "off",
            "offAfter",
            "expireAfter",
        ],
        FaceKind::Sensor => &[
            "state",
            "value",
            "attributes",
            "unit",
            "statistics",
            "precision",
            "options",
            "expireAfter",
        ],
        FaceKind::Event => &["state", "types", "value", "attributes"],
        FaceKind::Button => &["command", "press"],
        FaceKind::Number => &[
            "state",
            "command",
            "value",
            "attributes",
            "minimum",
            "maximum",
            "step",
            "unit",
            "control",
        ],
        FaceKind::Select => &["state", "command", "value", "attributes", "options"],
        FaceKind::Text => &[
            "state",
            "command",
            "value",
            "attributes",
            "shortest",
            "longest",
            "pattern",
            "secret",
        ],
        FaceKind::DeviceTracker => &["state", "value", "attributes", "source", "home", "away"],
        FaceKind::Other(_) => &[],
    }
}

/// What has to stand in a face of this kind.
fn is_required(kind: &FaceKind, key: &str) -> bool {
    let takes = matches!(
        kind,
        FaceKind::Switch | FaceKind::Button | FaceKind::Number | FaceKind::Select | FaceKind::Text
    );
    match key {
        "kind" => true,
        "command" => takes,
        "state" => !takes,
        "types" => true,
        "minimum" | "maximum" => *kind == FaceKind::Number,
        "options" => *kind == FaceKind::Select,
        _ => false,
    }
}

/// What stands at a key.
fn key(name: &'static str) -> OptionSpec {
    let seconds = |spec: OptionSpec| spec.measured("seconds", 1.0, MAX_SECONDS);
    let described =
        |kind, description| OptionSpec::new(name, kind, DefaultValue::None, description);
    match name {
        "kind" => described(ValueKind::Text, "What kind of thing it is."),
        "state" => described(
            ValueKind::Block,
            "Write `{event: TYPE}`, the event that says how it is.",
        ),
        "command" => described(
            ValueKind::Block,
            "Write `{order: TYPE}`, the order that changes it.",
        ),
        "types" => described(ValueKind::Texts, "A list of what can happen."),
        "options" => described(ValueKind::Texts, "A list of the texts that can be chosen."),
        "minimum" => described(ValueKind::Number, "The smallest number that can be set."),
        "maximum" => described(ValueKind::Number, "The largest number that can be set."),
        "category" => optional(name, ValueKind::Text).one_of(&["diagnostic", "config"]),
        "statistics" => {
            optional(name, ValueKind::Text).one_of(&["measurement", "total", "increasing"])
        }
        "control" => optional(name, ValueKind::Text).one_of(&["box", "slider"]),
        "source" => {
            optional(name, ValueKind::Text).one_of(&["gps", "router", "bluetooth", "bluetooth_le"])
        }
        "enabled" | "secret" => optional(name, ValueKind::Boolean),
        "step" => optional(name, ValueKind::Number),
        "offAfter" | "expireAfter" => seconds(optional(name, ValueKind::Number)),
        "precision" => optional(name, ValueKind::Integer).measured("decimals", 0.0, MAX_PRECISION),
        "shortest" | "longest" => {
            optional(name, ValueKind::Integer).measured("characters", 0.0, MAX_TEXT as f64)
        }
        _ if SINGLE_VALUES.contains(&name) => optional(name, ValueKind::Any),
        _ => optional(name, ValueKind::Text),
    }
}
