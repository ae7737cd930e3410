//! What the process of the plug-ins tells.

use kozo_co2::{Struct, Value};

use super::frame::Frame;

/// What is told by a frame.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// It loads this now.
    Loading { name: String },
    /// A plug-in works.
    Plugin { title: String },
    /// A method can be called.
    Method {
        name: String,
        help: String,
        signature: Value,
    },
    /// This is not loaded, or not completely.
    Skipped { name: String, reason: String },
    /// All is loaded.
    Ready,
    /// A plug-in sends.
    Send { plugin: String, data: Value },
    /// A plug-in says something to the log.
    Log {
        plugin: String,
        text: String,
        debug: bool,
    },
    /// What came of a call.
    Result {
        id: String,
        result: Result<Value, String>,
    },
    /// A plug-in takes its time.
    Slow { plugin: String, what: String },
    /// It has taken so long.
    Late {
        plugin: String,
        what: String,
        seconds: f64,
    },
    /// A plug-in has raised an exception.
    Failed {
        plugin: String,
        what: String,
        reason: String,
    },
    /// A plug-in was too slow for so many messages.
    Dropped { plugin: String, count: i32 },
    /// A configuration has these values, and these that are no plain ones.
    Configured {
        values: Struct,
        left_out: Vec<String>,
    },
    /// A configuration cannot be run.
    Unconfigured { reason: String },
}

impl Told {
    /// Reads a frame; none when it is of no kind that is known.
    pub(super) fn of(frame: Frame) -> Option<Self> {
        let Frame { name, fields } = frame;
        let mut fields = Fields(fields);
        Some(match name.as_str() {
            "loading" => Self::Loading {
                name: fields.text("name")?,
            },
            "plugin" => Self::Plugin {
                title: fields.text("title")?,
            },
            "method" => Self::Method {
                name: fields.text("name")?,
                help: fields.text("help")?,
                signature: signature(fields.0.remove("signature")?),
            },
            "skipped" => Self::Skipped {
                name: fields.text("name")?,
                reason: fields.text("reason")?,
            },
            "ready" => Self::Ready,
            "send" => Self::Send {
                plugin: fields.text("plugin")?,
                data: fields.0.remove("data")?,
            },
            "log" => Self::Log {
                plugin: fields.text("plugin")?,
                text: fields.text("text")?,
                debug: fields.0.remove("debug")? == Value::Boolean(true),
            },
            "result" => {
                let id = fields.text("id")?;
                let result = match fields.0.remove("value") {
                    Some(value) => Ok(value),
                    None => Err(fields.text("fault")?),
                };
                Self::Result { id, result }
            }
            "slow" => Self::Slow {
                plugin: fields.text("plugin")?,
                what: fields.text("what")?,
            },
            "late" => Self::Late {
                plugin: fields.text("plugin")?,
                what: fields.text("what")?,
                seconds: match fields.0.remove("seconds")? {
                    Value::Double(seconds) => seconds,
                    _ => return None,
                },
            },
            "failed" => Self::Failed {
                plugin: fields.text("plugin")?,
                what: fields.text("what")?,
                reason: fields.text("reason")?,
            },
            "dropped" => Self::Dropped {
                plugin: fields.text("plugin")?,
                count: match fields.0.remove("count")? {
                    Value::Integer(count) => count,
                    _ => return None,
                },
            },
            "configured" => Self::Configured {
                values: match fields.0.remove("values")? {
                    Value::Struct(values) => values,
                    _ => return None,
                },
                left_out: match fields.0.remove("left_out")? {
                    Value::Array(names) => names.into_iter().filter_map(into_text).collect(),
                    _ => return None,
                },
            },
            "unconfigured" => Self::Unconfigured {
                reason: fields.text("reason")?,
            },
            _ => return None,
        })
    }
}

struct Fields(Struct);

impl Fields {
    fn text(&mut self, key: &str) -> Option<String> {
        into_text(self.0.remove(key)?)
    }
}

fn into_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// With the two lists that XML-RPC has no use for, as all signatures have them.
fn signature(mut told: Value) -> Value {
    if let Value::Struct(members) = &mut told {
        for unused in ["args_v", "args_kw"] {
            members.insert(unused.to_owned(), Value::Array(Vec::new()));
        }
    }
    told
}
