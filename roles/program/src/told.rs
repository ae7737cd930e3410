//! What the program is told, as lines of JSON.

use std::io::Write;
use std::time::UNIX_EPOCH;

use kozo_abi::{Kind, Message};
use kozo_data::{Packed, Unpacked};
use serde::Serialize;

use crate::options::Settings;
use crate::said::Id;

/// The version of the protocol.
const VERSION: u32 = 1;

/// The first line.
#[derive(Serialize)]
struct Hello<'a> {
    hello: u32,
    node: &'a str,
    role: &'a str,
    options: Unpacked<'a>,
    interests: Unpacked<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'a str>,
    /// A text, unless a role has sent something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Unpacked<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Unpacked<'a>>,
    node: &'a str,
    role: &'a str,
    /// In seconds.
    age: f64,
    /// In seconds since 1970.
    time: f64,
}

/// What the program is, and who it is for.
pub(crate) fn hello(node: &str, role: &str, settings: &Settings) -> Result<Vec<u8>, String> {
    let mut lines = Vec::new();
    let hello = Hello {
        hello: VERSION,
        node,
        role,
        options: Unpacked(settings.options.as_slice()),
        interests: Unpacked(settings.interests.as_slice()),
    };
    line(&hello, &mut lines)?;
    Ok(lines)
}

/// A message that the role got. When it has no form in JSON, `lines` is as it was.
pub(crate) fn message(message: &Message, lines: &mut Vec<u8>) -> Result<(), String> {
    let data = Unpacked(message.data_bytes());
    let type_name = message.type_name();
    let mut told = Told {
        event: None,
        order: None,
        log: None,
        channel: message.channel(),
        data: Some(data),
        node: message.sender_node(),
        role: message.sender_role(),
        age: message.age().as_secs_f64(),
        time: message
            .timestamp()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |time| time.as_secs_f64()),
    };
    match message.kind() {
        Kind::Event => told.event = Some(type_name),
        Kind::Order => told.order = Some(type_name),
        Kind::Log => (told.log, told.data) = (told.data, None),
    }
    line(&told, lines)
}

/// The daemon got a SIGHUP.
pub(crate) fn reopen(lines: &mut Vec<u8>) {
    lines.extend_from_slice(b"{\"reopen\":true}\n");
}

/// It is to end soon.
pub(crate) fn stop(lines: &mut Vec<u8>) {
    lines.extend_from_slice(b"{\"stop\":true}\n");
}

/// What came of a line with this id.
pub(crate) fn answer(id: &Id, outcome: &Result<Outcome, String>) -> Vec<u8> {
    let mut lines = Vec::new();
    let written = match outcome {
        Ok(Outcome::Bool(taken)) => write_answer(&mut lines, id, "value", taken),
        Ok(Outcome::Value(value)) => {
            write_answer(&mut lines, id, "value", &Unpacked(value.as_slice()))
        }
        Err(reason) => write_answer(&mut lines, id, "error", reason),
    };
    if let Err(reason) = written {
        lines.clear();
        // A text always has a form.
        let _ = write_answer(&mut lines, id, "error", &reason);
    }
    lines
}

/// What an answer says when all went well.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Bool(bool),
    Value(Packed),
}

impl Outcome {
    pub(crate) fn nothing() -> Self {
        Self::Value(Packed::default())
    }
}

fn write_answer<T: Serialize + ?Sized>(
    lines: &mut Vec<u8>,
    id: &Id,
    key: &str,
    value: &T,
) -> Result<(), String> {
    // Writing into memory cannot fail.
    let _ = write!(lines, "{{\"answer\":{},\"{key}\":", id.as_json());
    serde_json::to_writer(&mut *lines, value).map_err(|error| error.to_string())?;
    lines.extend_from_slice(b"}\n");
    Ok(())
}

fn line(value: &impl Serialize, lines: &mut Vec<u8>) -> Result<(), String> {
    let before = lines.len();
    if let Err(error) = serde_json::to_writer(&mut *lines, value) {
        lines.truncate(before);
        return Err(error.to_string());
    }
    lines.push(b'\n');
    Ok(())
}
