//! `kozo send`: a message by hand.

use std::io::Read;

use clap::error::ErrorKind;
use kozo_description::{Problems, Value as YamlValue, parse_yaml};
use kozo_ground::text::span;
use kozo_status::{MessageFate, SentMessage, SentTo, SentToBus};
use serde_json::{Number, Value};

use super::arguments::{KindWord, SendArguments};
use super::failure::Failure;
use super::output;
use super::reach::reach;
use crate::control::MAX_REQUEST;
use crate::introspection::Request;

/// The word for data that comes over the standard input.
const STANDARD_INPUT: &str = "-";

pub(super) fn send(arguments: SendArguments) -> Result<(), Failure> {
    let data = match arguments.data.as_deref() {
        None => Value::Null,
        Some(STANDARD_INPUT) => parse_data("standard input", &read_input()?)?,
        Some(text) => parse_data("DATA", text.as_bytes())?,
    };
    let asking = &arguments.asking;
    let daemon = reach(&asking.daemon, asking.on.as_ref())?;
    let (type_name, data) = match (arguments.kind, &arguments.data) {
        // As roles send their logs.
        (KindWord::Log, None) => (String::new(), arguments.type_name.into()),
        (KindWord::Log, Some(_)) => {
            return Err(usage(
                "a log has a text and no data: put all into the text".to_owned(),
            ));
        }
        _ => (arguments.type_name, data),
    };
    let wait = match arguments.wait {
        true => arguments.timeout.as_millis(),
        false => 0,
    };
    let request = Request::Send {
        kind: arguments.kind.into(),
        type_name,
        channel: arguments.channel,
        data,
        wait_ms: u64::try_from(wait).unwrap_or(u64::MAX),
    };
    let sent: SentMessage = daemon.ask(&request).map_err(Failure::other)?;
    match asking.json {
        true => output::print_json(&sent)?,
        false => output::print(&sentences(&sent))?,
    }
    if !arguments.wait {
        return Ok(());
    }
    let nodes = sent.nodes.iter().map(|to| (to.fate, to.node.as_str()));
    let buses = sent.buses.iter().map(|to| (to.fate, to.bus.as_str()));
    let missing: Vec<_> = nodes
        .chain(buses)
        .filter(|(fate, _)| *fate != MessageFate::Acknowledged)
        .map(|(_, name)| name)
        .collect();
    if !missing.is_empty() {
        let limit = span(arguments.timeout.as_secs_f64());
        let missing = missing.join(", ");
        let text = format!("not acknowledged within {limit}: {missing}");
        return Err(Failure::NothingCame(text));
    }
    if goes_nowhere(&sent) {
        return Err(Failure::NothingCame("nobody took it".to_owned()));
    }
    Ok(())
}

fn usage(text: String) -> Failure {
    Failure::Usage(clap::Error::raw(ErrorKind::ValueValidation, text + "\n"))
}

/// What comes over the standard input; no more than could be sent.
fn read_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut limited = std::io::stdin().lock().take(MAX_REQUEST as u64 + 1);
    let read = limited.read_to_end(&mut bytes);
    read.map_err(|error| Failure::other(format!("cannot read the standard input: {error}")))?;
    if bytes.len() > MAX_REQUEST {
        return Err(usage(format!(
            "the standard input has more than {MAX_REQUEST} bytes, which is the limit for a message \
             that is sent by hand"
        )));
    }
    Ok(bytes)
}

/// JSON, or else YAML.
fn parse_data(name: &str, text: &[u8]) -> Result<Value, Failure> {
    if let Ok(value) = serde_json::from_slice(text) {
        return Ok(value);
    }
    if text.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    let mut problems = Problems::new(name);
    let value = parse_yaml(text, &mut problems)
        .and_then(|tree| tree.any_value("", &mut problems))
        .filter(|_| !problems.has_errors());
    value
        .map(json)
        .ok_or_else(|| usage(format!("this is no YAML and no JSON\n{problems}")))
}

fn json(value: YamlValue) -> Value {
    match value {
        YamlValue::Null => Value::Null,
        YamlValue::Boolean(boolean) => boolean.into(),
        YamlValue::Integer(integer) => integer.into(),
        YamlValue::Number(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        YamlValue::Text(text) => text.into(),
        YamlValue::List(items) => items.into_iter().map(json).collect(),
        YamlValue::Map(entries) => entries
            .into_iter()
            .map(|(key, value)| (key, json(value)))
            .collect(),
    }
}

fn goes_nowhere(sent: &SentMessage) -> bool {
    sent.roles.is_empty() && sent.nodes.is_empty() && sent.buses.is_empty()
}

fn sentences(sent: &SentMessage) -> String {
    if goes_nowhere(sent) {
        return "nobody in the network wants it, as far as this node knows\n".to_owned();
    }
    let mut lines = Vec::new();
    if !sent.roles.is_empty() {
        let roles: Vec<_> = sent.roles.iter().map(|role| role.as_str()).collect();
        lines.push(format!("here: {}", roles.join(", ")));
    }
    lines.extend(sent.nodes.iter().map(to_node));
    lines.extend(sent.buses.iter().map(to_bus));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn to_node(to: &SentTo) -> String {
    let fate = match to.fate {
        MessageFate::Waiting => "not acknowledged yet",
        MessageFate::Acknowledged => "acknowledged",
        MessageFate::Refused => "refused",
        MessageFate::Dropped => "dropped, too old or pushed out by newer ones",
        MessageFate::Unknown => "sent, and not watched any further",
    };
    format!("{}: {} ({fate})", to.node, to.roles.join(", "))
}

fn to_bus(to: &SentToBus) -> String {
    let fate = match to.fate {
        MessageFate::Waiting => "not confirmed yet",
        MessageFate::Acknowledged => "its engine has it, for whoever there wants it",
        MessageFate::Refused => {
            "its engine has refused something that this node has just published: `kozo status` says what"
        }
        MessageFate::Dropped => "dropped, too old or pushed out by newer ones",
        MessageFate::Unknown => "sent, or pushed out by newer ones: not all of them could be kept",
    };
    format!("bus {}: {fate}", to.bus)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_json_or_yaml() {
        let data = |text: &str| parse_data("DATA", text.as_bytes()).unwrap();
        assert_eq!(data(r#"{"a": [1, 2.5, "x"]}"#), json!({"a": [1, 2.5, "x"]}));
        assert_eq!(
            data("{a: [1, 2.5, x], b: off}"),
            json!({"a": [1, 2.5, "x"], "b": "off"})
        );
        assert_eq!(data("some text"), json!("some text"));
        assert_eq!(data("12"), json!(12));
        assert_eq!(data("18446744073709551615"), json!(u64::MAX));
        assert_eq!(data("a: true\nb:\n"), json!({"a": true, "b": null}));
        assert_eq!(data(" "), Value::Null);
    }

    #[test]
    fn what_is_neither_is_refused_with_its_place() {
        for text in ["{a: [1", "a: 1\na: 2", "012", "*none", "- a\nb: c"] {
            let failure = parse_data("DATA", text.as_bytes()).unwrap_err();
            let Failure::Usage(error) = failure else {
                panic!("{failure:?}");
            };
            let error = error.to_string();
            assert!(
                error.contains("DATA:1:") || error.contains("DATA:2:"),
                "{text}: {error}"
            );
        }
    }
}
