//! Messages as they pass.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Console;
use crate::output::Output;
use crate::text::{bytes, shortened, span};

/// How long is waited for messages at a time, in milliseconds: so soon a key ends it.
const WAIT_MS: u64 = 250;

/// How many characters of a message's data are shown.
const DATA_CHARACTERS: usize = 300;

#[derive(Deserialize)]
struct TapNumber {
    tap: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tapped {
    messages: Vec<Message>,
    left_out: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    kind: String,
    node: String,
    role: String,
    #[serde(rename = "type")]
    type_name: String,
    channel: Option<String>,
    age_seconds: f64,
    roles: u64,
    nodes: u64,
    data: Value,
    data_bytes: u64,
    data_left_out: bool,
}

impl Console {
    /// Shows messages until a key is pressed.
    pub(super) fn messages(&self, filter: &str, output: &Output) -> Result<(), String> {
        let interest = interest(filter)?;
        self.note(&format!("messages {filter}"));
        let question = json!({"request": "open-tap", "interests": [interest]});
        let TapNumber { tap } = self.ask(&question)?;
        let watched = self.watch(tap, output);
        // It also ends with this role, and a node that stops answers nothing any more.
        let _ = self.node.ask(&json!({"request": "close-tap", "tap": tap}));
        watched
    }

    fn watch(&self, tap: u64, output: &Output) -> Result<(), String> {
        let question = json!({"request": "tapped", "tap": tap, "wait_ms": WAIT_MS});
        while !output.is_ended() {
            let Tapped { messages, left_out } = self.ask(&question)?;
            for message in messages {
                if output.is_ended() {
                    return Ok(());
                }
                output.line(&line(&message));
            }
            if left_out > 0 {
                output.line(&format!("({left_out} more passed that are not shown)"));
            }
        }
        Ok(())
    }
}

/// A message in a line.
fn line(message: &Message) -> String {
    let channel = message.channel.as_ref();
    let channel = channel.map(|channel| format!(" channel={channel:?}"));
    let data = match message.data_left_out {
        true => format!("({} of data)", bytes(message.data_bytes)),
        false => message.data.to_string(),
    };
    let type_name = match message.type_name.as_str() {
        "" => String::new(),
        name => format!(" {name:?}"),
    };
    shortened(
        &format!(
            "{} {}@{}{type_name}{} {data}",
            message.kind,
            message.role,
            message.node,
            channel.unwrap_or_default(),
        ),
        DATA_CHARACTERS,
    ) + &format!(
        "  [{} old, to {} roles here and {} nodes]",
        span(message.age_seconds),
        message.roles,
        message.nodes
    )
}

/// What to watch, by words like `type=tick`.
fn interest(filter: &str) -> Result<Value, String> {
    let mut interest = Map::new();
    for word in filter.split_whitespace() {
        let (field, value) = word.split_once('=').unwrap_or((word, ""));
        let value = match field {
            "kind" if matches!(value, "event" | "order" | "log") => json!(value),
            "type" | "channel" | "role" | "node" => json!([value]),
            _ => {
                return Err(format!(
                    "`{word}` is no filter: `kind=event`, `order` or `log`; `type=`, `channel=`, `role=` \
                     or `node=` with a text"
                ));
            }
        };
        interest.insert(field.to_owned(), value);
    }
    Ok(interest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_interests() {
        assert_eq!(interest(""), Ok(json!({})));
        assert_eq!(
            interest("kind=order  type=gpio* node=hall"),
            Ok(json!({"kind": "order", "type": ["gpio*"], "node": ["hall"]}))
        );
        for bad in ["tick", "kind=tick", "data=1"] {
            assert!(interest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_message_is_a_line_whatever_is_in_it() {
        let message = json!({
            "kind": "event", "node": "hall", "role": "timer", "type": "ti\nck", "channel": "\u{1b}",
            "data": {"a": "\u{202e}"}, "age_seconds": 0.5, "roles": 1, "nodes": 2,
        });
        let message: Message = serde_json::from_value(message).unwrap();
        assert_eq!(
            line(&message),
            "event timer@hall \"ti\\nck\" channel=\"\\u{1b}\" {\"a\":\"\\u{202e}\"}  \
             [0.5s old, to 1 roles here and 2 nodes]"
        );
        let long = Message {
            data: "x".repeat(10_000).into(),
            ..Message::default()
        };
        assert!(line(&long).chars().count() < 400);
    }
}
