//! Lines of the programs that the role `program` runs.

use kozo_data::to_value;
use serde_json::Value;

use crate::said::{Id, Line, Said, Unusable, beginning, first_id, read};

/// What the lines are made of.
pub(crate) const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "1.5",
    "-1",
    "1e999",
    "\"event\":",
    "\"order\":",
    "\"log\":",
    "\"print\":",
    "\"load\":",
    "\"store\":",
    "\"ask\":",
    "\"wait\":",
    "\"level\":",
    "\"id\":",
    "\"data\":",
    "{\"base64\":\"AAA=\"}",
];

/// The most characters of a line that are shown, and an ellipsis.
const MAX_SHOWN: usize = 81;

/// A line that a program writes, whole or cut off. What it carries can be told to others, and under its id it can be
/// answered.
pub fn program_line(bytes: &[u8]) {
    assert!(beginning(bytes).chars().count() <= MAX_SHOWN);
    check_id(first_id(bytes));
    let id = match read(bytes) {
        Ok(Line { said, id }) => {
            let (Said::Send { data, .. } | Said::Store(data) | Said::Ask { question: data, .. }) =
                said
            else {
                return check_id(id);
            };
            to_value(data.as_slice()).expect("what was said can be told");
            id
        }
        Err(Unusable { id, reason }) => {
            assert!(!reason.is_empty());
            id
        }
    };
    check_id(id);
}

fn check_id(id: Option<Id>) {
    if let Some(id) = id {
        let id: Value = serde_json::from_str(id.as_json()).expect("an id is JSON");
        assert!(id.is_string() || id.is_u64() || id.is_i64(), "{id}");
    }
}
