//! Lines of the log in the form that CO2 wrote them.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::time::log_time;
use crate::value::{Struct, Value};

/// The longest value that is shown, in bytes.
const MAX_SHOWN: usize = 1_000;

/// How deep a value is shown.
const MAX_LEVELS: usize = 8;

/// A request that was answered: `192.0.2.1 - - [16/Oct/2003 20:33:02] "POST /RPC2 HTTP/1.0" 200 -`.
pub fn request(client: IpAddr, seconds: f64, line: &str, status: u16) -> String {
    let time = log_time(seconds);
    format!("{client} - - [{time}] \"{line}\" {status} -")
}

/// A message that came, as a satellite tells it.
pub fn notify(seconds: f64, argument: &Struct) -> String {
    let argument = python(&Value::Struct(argument.clone()));
    format!(
        "{} Co2SatelliteRegistry: notify [{argument}]",
        log_time(seconds)
    )
}

/// The last line of the start.
pub fn listening(seconds: f64, address: SocketAddr) -> String {
    format!("{} Co2Server [{address}]:listening...", log_time(seconds))
}

/// A value in the way of Python, for people. Long ones are cut off.
pub fn python(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    if text.len() > MAX_SHOWN {
        text.truncate(text.floor_char_boundary(MAX_SHOWN));
        text.push('…');
    }
    text
}

fn write(text: &mut String, value: &Value, level: usize) {
    // What would be cut off anyway is not written.
    if text.len() > MAX_SHOWN || level > MAX_LEVELS {
        text.push('…');
        return;
    }
    let _ = match value {
        Value::Integer(number) => write!(text, "{number}"),
        Value::Long(number) => write!(text, "{number}"),
        Value::Double(number) => write!(text, "{number:?}"),
        Value::Boolean(true) => write!(text, "True"),
        Value::Boolean(false) => write!(text, "False"),
        Value::String(string) => {
            let shown = string.chars().take(MAX_SHOWN).collect::<String>();
            write!(text, "'{}'", shown.escape_debug())
        }
        Value::DateTime(time) => write!(text, "<DateTime '{time}'>"),
        Value::Base64(bytes) => write!(text, "<{} bytes>", bytes.len()),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write_bounded(text, item, level);
                if text.len() > MAX_SHOWN {
                    break;
                }
            }
            write!(text, "]")
        }
        Value::Struct(members) => {
            text.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                let shown = key.chars().take(MAX_SHOWN).collect::<String>();
                let _ = write!(text, "'{}': ", shown.escape_debug());
                write_bounded(text, member, level);
                if text.len() > MAX_SHOWN {
                    break;
                }
            }
            write!(text, "}}")
        }
        _ => write!(text, "None"),
    };
}

fn write_bounded(text: &mut String, value: &Value, level: usize) {
    write(text, value, level + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_form_of_the_original() {
        let line = request([192, 0, 2, 1].into(), 0.0, "POST /RPC2 HTTP/1.0", 200);
        assert!(line.starts_with("192.0.2.1 - - ["), "{line}");
        assert!(line.ends_with("] \"POST /RPC2 HTTP/1.0\" 200 -"), "{line}");
        let argument = Struct::from([
            (
                "data".to_owned(),
                Value::Array(vec![Value::Integer(1), Value::Boolean(true)]),
            ),
            ("host_id".to_owned(), Value::String("1@a:2".to_owned())),
        ]);
        let line = notify(0.0, &argument);
        assert!(
            line.ends_with(
                "Co2SatelliteRegistry: notify [{'data': [1, True], 'host_id': '1@a:2'}]"
            ),
            "{line}"
        );
    }

    #[test]
    fn whatever_is_sent_makes_no_long_line() {
        let deep = (0..64).fold(Value::Nil, |value, _| Value::Array(vec![Value::Nil, value]));
        assert!(python(&Value::String("ü".repeat(100_000))).len() <= MAX_SHOWN + 3);
        assert!(python(&deep).len() <= MAX_SHOWN + 3);
    }
}
