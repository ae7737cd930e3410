//! What a line asks for.

use crate::literal;
use crate::value::{Value, ValueSeed};

/// A message to send.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Something happened.
    Event(Content),
    /// Somebody is asked to do something.
    Order(Content),
    /// A line for the log.
    Log(String),
}

/// What an event or order consists of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    pub(crate) type_name: String,
    pub(crate) channel: Option<String>,
    pub(crate) data: Value,
}

/// The forms that a line can have, for error texts.
const FORMS: &str =
    "`(kind, type, data)`, `(kind, type, channel, data)` or `('log', text)`, or a list of the same";

impl Command {
    /// Reads a line: a Python tuple, or a list in JSON or YAML.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let value = match line.as_bytes().first() {
            Some(b'(') => literal::parse(line).map_err(|error| error.to_string())?,
            Some(b'[') => json_or_yaml(line)?,
            _ => return Err(format!("expected {FORMS}")),
        };
        match value {
            Value::List(items) => Self::from_items(items),
            _ => Err(format!("expected {FORMS}")),
        }
    }

    fn from_items(items: Vec<Value>) -> Result<Self, String> {
        let mut items = items.into_iter();
        let kind = match items.next() {
            Some(Value::Text(kind)) => kind,
            _ => return Err("the first item has to be `event`, `order` or `log`".to_owned()),
        };
        let items: Vec<Value> = items.collect();
        match kind.as_str() {
            "event" => Content::from_items(items).map(Self::Event),
            "order" => Content::from_items(items).map(Self::Order),
            "log" => match <[Value; 1]>::try_from(items) {
                Ok([Value::Text(text)]) => Ok(Self::Log(text)),
                _ => Err("a log has one text: `('log', text)`".to_owned()),
            },
            other => Err(format!(
                "the kind is {other:?}, but it has to be `event`, `order` or `log`"
            )),
        }
    }
}

impl Content {
    fn from_items(mut items: Vec<Value>) -> Result<Self, String> {
        let data = match items.len() {
            2 | 3 => items.pop().unwrap_or(Value::Null),
            count => return Err(format!("{} items, but expected {FORMS}", count + 1)),
        };
        let channel = match items.get(1) {
            None | Some(Value::Null) => None,
            Some(Value::Text(channel)) => Some(channel.clone()),
            Some(_) => return Err("the channel has to be a text, or nothing".to_owned()),
        };
        match items.into_iter().next() {
            Some(Value::Text(type_name)) if !type_name.is_empty() => Ok(Self {
                type_name,
                channel,
                data,
            }),
            _ => Err("the type has to be a text that is not empty".to_owned()),
        }
    }
}

/// JSON is nearly a part of YAML, but its `\ud83d\ude00` is not; so it is tried first.
fn json_or_yaml(line: &str) -> Result<Value, String> {
    let mut json = serde_json::Deserializer::from_str(line);
    if let Ok(value) = ValueSeed::read(&mut json) {
        if json.end().is_ok() {
            return Ok(value);
        }
    }
    ValueSeed::read(yaml_serde::Deserializer::from_str(line)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(type_name: &str, channel: Option<&str>, data: Value) -> Content {
        Content {
            type_name: type_name.to_owned(),
            channel: channel.map(str::to_owned),
            data,
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn the_three_notations_mean_the_same() {
        let lists = Value::List(vec![Value::Integer(1), Value::Float(-0.5), Value::Null]);
        let expected = Command::Event(content("tick", Some("x"), lists));
        for line in [
            "('event', 'tick', 'x', [1, -.5, None])",
            r#"["event", "tick", "x", [1, -0.5, null]]"#,
            "[event, tick, x, [1, -0.5, ~]]",
            "  ['event', \"tick\", x, [1, -0.5, null]] ",
        ] {
            assert_eq!(Command::parse(line).as_ref(), Ok(&expected), "{line}");
        }
    }

    #[test]
    fn a_channel_may_be_left_out() {
        let open = |channel| Ok(Command::Order(content("open", channel, text("now"))));
        assert_eq!(Command::parse("('order', 'open', 'now')"), open(None));
        assert_eq!(Command::parse("('order', 'open', None, 'now')"), open(None));
        assert_eq!(
            Command::parse("('order', 'open', '', 'now')"),
            open(Some(""))
        );
    }

    #[test]
    fn a_log_is_one_text() {
        let hello = Ok(Command::Log("hello".to_owned()));
        assert_eq!(Command::parse("('log', 'hello')"), hello);
        assert_eq!(Command::parse("[log, hello]"), hello);
        for bad in ["('log',)", "('log', 5)", "('log', 'a', 'b')"] {
            assert!(Command::parse(bad).unwrap_err().contains("('log', text)"));
        }
    }

    #[test]
    fn what_json_has_and_yaml_lacks_is_read() {
        let smile = Ok(Command::Log("😀/".to_owned()));
        assert_eq!(Command::parse(r#"["log", "\ud83d\ude00\/"]"#), smile);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, part) in [
            ("", "expected `(kind, type, data)`"),
            ("hello", "expected `(kind, type, data)`"),
            ("('log')", "expected `(kind, type, data)`"),
            ("()", "the first item has to be"),
            ("(1, 2, 3)", "the first item has to be"),
            ("('evnt', 'tick', 1)", "the kind is \"evnt\""),
            ("('event', 'tick')", "2 items"),
            ("('event', 'tick', 'a', 'b', 'c')", "5 items"),
            ("('event', '', 1)", "the type has to be a text"),
            ("('event', 5, 1)", "the type has to be a text"),
            ("('event', 'tick', 5, 1)", "the channel has to be a text"),
            ("[event, tick, 1", "while parsing"),
            ("[event, tick, 1] x", ""),
            ("[event, tick, !tag 1]", ""),
            (
                "__import__('os').system('true')",
                "expected `(kind, type, data)`",
            ),
            ("('log', open('/etc/passwd'))", "character 9"),
        ] {
            let error = Command::parse(line).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn aliases_and_depth_are_bounded() {
        let mut bomb = "[log, &a [x,x,x,x,x,x,x,x]".to_owned();
        for (letter, before) in ('b'..='z').zip('a'..) {
            bomb += &format!(", &{letter} [{}*{before}]", format!("*{before},").repeat(7));
        }
        bomb.push(']');
        Command::parse(&bomb).unwrap_err();

        let nested = |depth| format!("[event, x, {}{}]", "[".repeat(depth), "]".repeat(depth));
        assert!(Command::parse(&nested(60)).is_ok());
        for depth in [64, 100, 30_000] {
            Command::parse(&nested(depth)).unwrap_err();
        }
    }

    /// A line in each notation, with everything that may stand in it.
    const GOOD: [&str; 4] = [
        r"('event', 'tick', 'x', [1, -.5e3, None, True, {'a': b'\x00', u'b': r'\d'}, 0xf_f, ()])",
        r#"["order", "open", null, {"a": [1, -0.5e-3, true, "\ud83d\ude00"]}]"#,
        r#"[order, open, ~, {a: [1, .5, true, 'it''s', "\x41"], "b": !!str 5}]"#,
        r#"('log', 'it' "\"s" '''a text''')"#,
    ];

    #[test]
    fn lines_with_everything_that_may_stand_in_them_are_read() {
        for line in GOOD {
            Command::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
