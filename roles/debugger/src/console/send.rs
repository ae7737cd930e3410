//! Sends messages.

use kozo_abi::Kind;
use serde_json::Value;

use super::Console;
use crate::node::Sending;
use crate::output::Output;

impl Console {
    /// Sends an event, an order or a log.
    pub(super) fn send(&self, arguments: &str, output: &Output) -> Result<(), String> {
        let message = parse(arguments)?;
        self.note(&format!("send {arguments}"));
        self.node.send(&message)?;
        output.line("sent");
        Ok(())
    }
}

/// Reads what to send.
fn parse(arguments: &str) -> Result<Sending, String> {
    const USAGE: &str = "`send event|order TYPE [channel=CHANNEL] [DATA]` or `send log TEXT`";
    let (kind, rest) = word(arguments)?;
    let kind = match kind.as_str() {
        "event" => Kind::Event,
        "order" => Kind::Order,
        "log" if !rest.is_empty() => {
            return Ok(Sending {
                kind: Kind::Log,
                type_name: String::new(),
                channel: None,
                data: Value::String(rest.to_owned()),
            });
        }
        _ => return Err(format!("what to send is {USAGE}")),
    };
    let (type_name, mut rest) = word(rest)?;
    if type_name.is_empty() {
        return Err(format!("there is no type: {USAGE}"));
    }
    let channel = match rest.strip_prefix("channel=") {
        Some(behind) => {
            let (channel, more) = word(behind)?;
            rest = more;
            Some(channel)
        }
        None => None,
    };
    Ok(Sending {
        kind,
        type_name,
        channel,
        data: data(rest)?,
    })
}

/// The first word, which may have quotes, and what is behind it.
fn word(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_start();
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return Ok((word.to_owned(), rest.trim()));
    };
    let (word, rest) = text[1..]
        .split_once(quote)
        .ok_or_else(|| format!("a quote is missing behind {text}"))?;
    Ok((word.to_owned(), rest.trim()))
}

/// JSON, or YAML where that is none.
fn data(text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).or_else(|_| {
        yaml_serde::from_str(text).map_err(|error| format!("the data is no JSON or YAML: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sending(kind: Kind, type_name: &str, channel: Option<&str>, data: Value) -> Sending {
        Sending {
            kind,
            type_name: type_name.to_owned(),
            channel: channel.map(str::to_owned),
            data,
        }
    }

    #[test]
    fn what_to_send_is_read() {
        use Kind::{Event, Log, Order};
        for (text, expected) in [
            ("event tick", sending(Event, "tick", None, Value::Null)),
            (
                "order \"gpio set\" channel='back door'  {on: true, for: [1, 2.5]}",
                sending(
                    Order,
                    "gpio set",
                    Some("back door"),
                    json!({"on": true, "for": [1, 2.5]}),
                ),
            ),
            (
                r#"event x {"channel": "\ud83d\ude00"}"#,
                sending(Event, "x", None, json!({"channel": "😀"})),
            ),
            (
                "event x some text",
                sending(Event, "x", None, json!("some text")),
            ),
            ("log it's well", sending(Log, "", None, json!("it's well"))),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (text, part) in [
            ("", "what to send"),
            ("shout x", "what to send"),
            ("log", "what to send"),
            ("event", "no type"),
            ("event '' 1", "no type"),
            ("order \"gpio set", "a quote is missing"),
            ("event x [1, 2", "no JSON or YAML"),
            ("event x {? [1]: 2}", "no JSON or YAML"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let bomb: String = ('b'..='z')
            .zip('a'..)
            .map(|(letter, before)| {
                format!(", &{letter} [{}*{before}]", format!("*{before},").repeat(7))
            })
            .collect();
        parse(&format!("event x [&a [x,x,x,x,x,x,x,x]{bomb}]")).unwrap_err();
    }
}
