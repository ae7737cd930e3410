//! What the lines of the program mean.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use kozo_abi::{Kind, Level};
use kozo_data::Packed;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};

/// The longest that a paced send or a question may wait.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// How long a question waits that says nothing of it.
const ASK_WAIT: Duration = Duration::from_secs(5);

/// How much of a line that means nothing is shown, in characters.
const MAX_SHOWN: usize = 80;

/// Something that the program says.
#[derive(Debug, PartialEq)]
pub(crate) struct Line<'l> {
    pub(crate) said: Said<'l>,
    /// Under what it is answered; none: it is not.
    pub(crate) id: Option<Id>,
}

/// What it says.
#[derive(Debug, PartialEq)]
pub(crate) enum Said<'l> {
    /// An event or an order to send; with a wait above zero it waits for room.
    Send {
        kind: Kind,
        type_name: Cow<'l, str>,
        channel: Option<Cow<'l, str>>,
        data: Packed,
        wait: Duration,
    },
    /// A line for the log of the network.
    Log(Cow<'l, str>),
    /// A line for the daemon's own log.
    Print { text: Cow<'l, str>, level: Level },
    /// What it is about at present, for people.
    Status(Cow<'l, str>),
    /// Wants what it stored last.
    Load,
    /// Wants this to be stored.
    Store(Packed),
    /// Asks about the node.
    Ask { question: Packed, wait: Duration },
}

/// A line that is none of the protocol.
#[derive(Debug, PartialEq)]
pub(crate) struct Unusable {
    /// Under what it is answered, as far as that can be read.
    pub(crate) id: Option<Id>,
    pub(crate) reason: String,
}

/// By what the program knows an answer again: a text or a whole number, as JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Id(String);

impl Id {
    pub(crate) fn as_json(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number as the id")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Id, E> {
                Ok(Id(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Id, E> {
                Ok(Id(value.to_string()))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Id, E> {
                serde_json::to_string(value).map(Id).map_err(E::custom)
            }
        }

        source.deserialize_any(IdVisitor)
    }
}

/// A text that stays where it is, if it can.
#[derive(serde::Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

/// All keys of the protocol; others are ignored.
#[derive(serde::Deserialize)]
struct Keys<'l> {
    #[serde(borrow)]
    event: Option<Text<'l>>,
    #[serde(borrow)]
    order: Option<Text<'l>>,
    #[serde(borrow)]
    log: Option<Text<'l>>,
    #[serde(borrow)]
    print: Option<Text<'l>>,
    #[serde(borrow)]
    status: Option<Text<'l>>,
    load: Option<IgnoredAny>,
    /// `null` is a value as well.
    #[serde(default, deserialize_with = "some")]
    store: Option<Packed>,
    ask: Option<Packed>,

    #[serde(borrow)]
    channel: Option<Text<'l>>,
    #[serde(default)]
    data: Packed,
    wait: Option<f64>,
    #[serde(borrow)]
    level: Option<Text<'l>>,
    id: Option<Id>,
}

fn some<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Packed>, D::Error> {
    Packed::deserialize(source).map(Some)
}

/// What the words are, for people.
const WORDS: &str = "`event`, `order`, `log`, `print`, `status`, `load`, `store` or `ask`";

/// Reads a line, without its end.
pub(crate) fn read(line: &[u8]) -> Result<Line<'_>, Unusable> {
    // Lists stand for structs as well, where serde reads them.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(Unusable {
            id: None,
            reason: "it is no JSON object".to_owned(),
        });
    }
    let mut keys: Keys<'_> =
        serde_json::from_slice(line).map_err(|error| unusable(line, &error))?;
    let id = keys.id.take();
    match said(keys) {
        Ok(said) => Ok(Line { said, id }),
        Err(reason) => Err(Unusable { id, reason }),
    }
}

/// The id of a line of which only the beginning is there: it has to come before all else in it.
pub(crate) fn first_id(beginning: &[u8]) -> Option<Id> {
    let inside = beginning.trim_ascii_start().strip_prefix(b"{")?;
    let mut keys = serde_json::Deserializer::from_slice(inside).into_iter::<Cow<'_, str>>();
    if keys.next()?.ok()? != "id" {
        return None;
    }
    let behind = inside.get(keys.byte_offset()..)?;
    let value = behind.trim_ascii_start().strip_prefix(b":")?;
    let mut ids = serde_json::Deserializer::from_slice(value).into_iter();
    ids.next()?.ok()
}

/// The beginning of a line, to show what is meant.
pub(crate) fn beginning(line: &[u8]) -> String {
    // A character has four bytes at most.
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * (MAX_SHOWN + 1))]);
    let mut shown: String = text.chars().take(MAX_SHOWN).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn unusable(line: &[u8], error: &serde_json::Error) -> Unusable {
    #[derive(serde::Deserialize)]
    struct OnlyId {
        id: Option<Id>,
    }
    let reason = match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        _ => format!("it is no JSON object: {error}"),
    };
    // What is wrong may well be something else than the id.
    let id = serde_json::from_slice(line).ok();
    let id = id.and_then(|OnlyId { id }| id);
    Unusable { id, reason }
}

fn said(keys: Keys<'_>) -> Result<Said<'_>, String> {
    let words = [
        keys.event.is_some(),
        keys.order.is_some(),
        keys.log.is_some(),
        keys.print.is_some(),
        keys.status.is_some(),
        keys.load.is_some(),
        keys.store.is_some(),
        keys.ask.is_some(),
    ];
    match words.into_iter().filter(|is_there| *is_there).count() {
        0 => return Err(format!("it has none of the keys {WORDS}")),
        1 => {}
        _ => return Err(format!("it has more than one of the keys {WORDS}")),
    }
    let wait = wait(keys.wait)?;
    let send = |kind, Text(type_name)| Said::Send {
        kind,
        type_name,
        channel: keys.channel.map(|Text(channel)| channel),
        data: keys.data,
        wait: wait.unwrap_or_default(),
    };
    if let Some(type_name) = keys.event {
        return Ok(send(Kind::Event, type_name));
    }
    if let Some(type_name) = keys.order {
        return Ok(send(Kind::Order, type_name));
    }
    if let Some(Text(text)) = keys.log {
        return Ok(Said::Log(text));
    }
    if let Some(Text(text)) = keys.print {
        let level = keys.level.as_ref().map_or("info", |Text(level)| level);
        let level = self::level(level)?;
        return Ok(Said::Print { text, level });
    }
    if let Some(Text(text)) = keys.status {
        return Ok(Said::Status(text));
    }
    if let Some(value) = keys.store {
        return Ok(Said::Store(value));
    }
    Ok(match keys.ask {
        None => Said::Load,
        Some(question) => Said::Ask {
            question,
            wait: wait.unwrap_or(ASK_WAIT),
        },
    })
}

fn wait(seconds: Option<f64>) -> Result<Option<Duration>, String> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let wait = Duration::try_from_secs_f64(seconds).ok();
    let wait = wait.filter(|wait| *wait <= MAX_WAIT).ok_or_else(|| {
        let most = MAX_WAIT.as_secs();
        format!("`wait` is {seconds}, and has to be from 0 to {most} seconds")
    });
    wait.map(Some)
}

fn level(name: &str) -> Result<Level, String> {
    Ok(match name {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "info" => Level::Info,
        "debug" | "trace" => Level::Debug,
        _ => {
            return Err(format!(
                "`level` is `{name}`, and has to be `error`, `warn`, `info`, `debug` or `trace`"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(json: &str) -> Packed {
        kozo_data::from_json(json.as_bytes()).unwrap()
    }

    fn reason(line: &str) -> String {
        read(line.as_bytes()).unwrap_err().reason
    }

    #[test]
    fn messages_have_a_type_and_whatever_else_is_given() {
        let line = read(
            br#" {"event":"tick","channel":"x","data":{"a":[1]},"wait":1.5,"id":"q","new":{}}"#,
        );
        assert_eq!(
            line.unwrap(),
            Line {
                said: Said::Send {
                    kind: Kind::Event,
                    type_name: "tick".into(),
                    channel: Some("x".into()),
                    data: data(r#"{"a":[1]}"#),
                    wait: Duration::from_millis(1500),
                },
                id: Some(Id("\"q\"".to_owned())),
            }
        );
        let Line { said, id } = read(br#"{"order":"r\u00fcng"}"#).unwrap();
        let Said::Send {
            kind: Kind::Order,
            type_name,
            channel: None,
            data,
            wait: Duration::ZERO,
        } = said
        else {
            panic!("{said:?}");
        };
        assert_eq!((&*type_name, data, id), ("rüng", Packed::default(), None));
    }

    #[test]
    fn plain_texts_are_not_copied() {
        let line = read(br#"{"event":"tick","channel":"x"}"#).unwrap();
        let Said::Send {
            type_name: Cow::Borrowed("tick"),
            channel: Some(Cow::Borrowed("x")),
            ..
        } = line.said
        else {
            panic!("{line:?}");
        };
    }

    #[test]
    fn everything_else_can_be_said() {
        let said = |line: &'static str| read(line.as_bytes()).unwrap().said;
        assert_eq!(said(r#"{"log":"here"}"#), Said::Log("here".into()));
        let print = |level| Said::Print {
            text: "p".into(),
            level,
        };
        assert_eq!(said(r#"{"print":"p"}"#), print(Level::Info));
        assert_eq!(
            said(r#"{"print":"p","level":"error"}"#),
            print(Level::Error)
        );
        assert_eq!(
            said(r#"{"print":"p","level":"trace"}"#),
            print(Level::Debug)
        );
        assert_eq!(said(r#"{"status":"s"}"#), Said::Status("s".into()));
        assert_eq!(said(r#"{"load":true,"id":1}"#), Said::Load);
        assert_eq!(said(r#"{"store":null}"#), Said::Store(Packed::default()));
        assert_eq!(said(r#"{"store":[1]}"#), Said::Store(data("[1]")));
        let question = data(r#"{"request":"status"}"#);
        let ask = |wait| Said::Ask {
            question: question.clone(),
            wait,
        };
        assert_eq!(said(r#"{"ask":{"request":"status"}}"#), ask(ASK_WAIT));
        assert_eq!(
            said(r#"{"ask":{"request":"status"},"wait":0}"#),
            ask(Duration::ZERO)
        );
    }

    #[test]
    fn ids_are_texts_or_whole_numbers() {
        let id = |line: &str| read(line.as_bytes()).unwrap().id.map(|id| id.0);
        assert_eq!(id(r#"{"load":1,"id":-7}"#).unwrap(), "-7");
        assert_eq!(
            id(r#"{"load":1,"id":18446744073709551615}"#).unwrap(),
            "18446744073709551615"
        );
        assert_eq!(id(r#"{"load":1,"id":"a\"b"}"#).unwrap(), r#""a\"b""#);
        assert_eq!(id(r#"{"load":1,"id":null}"#), None);
        for odd in ["1.5", "true", "[1]", "{}"] {
            let reason = reason(&format!(r#"{{"load":1,"id":{odd}}}"#));
            assert!(
                reason.contains("a text or a whole number as the id"),
                "{reason}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_under_its_id() {
        let unusable = read(br#"{"event":5,"id":3}"#).unwrap_err();
        assert_eq!(unusable.id, Some(Id("3".to_owned())));
        assert!(
            unusable.reason.contains("invalid type: integer `5`"),
            "{}",
            unusable.reason
        );
        let unusable = read(br#"{"event":"e","wait":-1,"id":3}"#).unwrap_err();
        assert_eq!(unusable.id, Some(Id("3".to_owned())));
        assert_eq!(
            unusable.reason,
            "`wait` is -1, and has to be from 0 to 3600 seconds"
        );
        assert!(reason(r#"{"event":"e","wait":1e300}"#).contains("from 0 to 3600"));
        assert!(reason(r#"{"print":"p","level":"loud"}"#).starts_with("`level` is `loud`"));
        assert!(reason(r#"{"evnt":"e"}"#).starts_with("it has none of the keys `event`, "));
        assert!(reason(r#"{"event":"e","order":"o"}"#).starts_with("it has more than one"));
        assert!(reason(r#"{"event":"e","event":"e"}"#).contains("duplicate"));
        for garbage in ["hello", "[\"tick\"]", "5", "null", ""] {
            assert_eq!(reason(garbage), "it is no JSON object");
        }
        assert!(reason("{\"event\":").starts_with("it is no JSON object: EOF"));
        assert!(reason(r#"{"event":"e"} {}"#).starts_with("it is no JSON object: trailing"));
        assert!(read(b"{\"event\":\"\xff\"}").is_err());
        let deep = format!(
            r#"{{"event":"e","data":{}1{}}}"#,
            "[".repeat(9999),
            "]".repeat(9999)
        );
        assert!(read(deep.as_bytes()).is_err());
    }

    #[test]
    fn of_a_beginning_the_id_is_read_when_it_is_the_first_key() {
        let id = |beginning: &str| first_id(beginning.as_bytes()).map(|id| id.0);
        assert_eq!(id(r#"{"id":12,"event":"e","data":"xx"#).unwrap(), "12");
        assert_eq!(
            id(r#" { "id" : "a,\"b" , "store":["#).unwrap(),
            r#""a,\"b""#
        );
        for none in [
            "",
            "{",
            r#"{"id""#,
            r#"{"id":"#,
            r#"{"id":"cut"#,
            r#"{"id":1.5,"event":"e"#,
            r#"{"event":"e","id":12,"data":"x"#,
            "xxxx",
        ] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn of_a_line_that_means_nothing_the_beginning_is_shown() {
        assert_eq!(beginning(b"short"), "short");
        let shown = beginning("ö".repeat(500).as_bytes());
        assert_eq!(shown, format!("{}…", "ö".repeat(MAX_SHOWN)));
        assert!(beginning(&[0xff; 1000]).chars().count() <= MAX_SHOWN + 1);
    }
}
