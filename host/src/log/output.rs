//! The way from events to lines.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use kozo_ground::lock::ReadWriteAnyway;
use kozo_ground::text::bounded;
use kozo_ground::text::error_text;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::limit::{BOUNDED, Cause};
use super::line::{Fields, Line};
use super::spool::Spool;
use super::timestamp::utc;

/// The field that holds the text of an event.
const MESSAGE: &str = "message";

/// The longest message, in bytes. What a role says is shorter already.
const MAX_MESSAGE: usize = 16 * 1024;

/// The longest value of a field, in bytes: reasons may hold what strangers sent.
const MAX_FIELD: usize = 1024;

/// The fields that tell whom a line is about. Their values are names out of this node's file; an
/// address or a reason is what strangers choose.
const ABOUT: [&str; 5] = ["peer", "node", "role", "transport", "module"];

/// How much of such a name counts, in characters. No valid one is longer.
const MAX_NAME: usize = 64;

/// Turns what the host's own parts report into lines, and gives them to `W`, with what limits
/// their number, if anything does.
pub(super) struct LogLayer<W> {
    write: W,
}

impl<W: Fn(Line, Option<Cause>)> LogLayer<W> {
    pub(super) fn new(write: W) -> Self {
        Self { write }
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn(Line, Option<Cause>) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut Collector(&mut fields));
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(&mut Collector(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let line = line(event, &context);
        let cause = cause(event.metadata(), &line.fields);
        (self.write)(line, cause);
    }
}

/// What limits the number of such lines. Nothing does where it is bounded anyway, and for whoever
/// asks for details.
fn cause(metadata: &Metadata<'static>, fields: &Fields) -> Option<Cause> {
    if metadata.name() == BOUNDED || *metadata.level() > tracing::Level::INFO {
        return None;
    }
    let mut about = String::new();
    for (name, value) in &fields.0 {
        if ABOUT.contains(&name.as_str())
            && let Some(value) = value.as_str()
        {
            about.push_str(name);
            about.push('=');
            about.extend(value.chars().take(MAX_NAME));
            about.push(' ');
        }
    }
    Some(Cause {
        place: (
            metadata.file().unwrap_or(metadata.target()),
            metadata.line().unwrap_or_default(),
        ),
        about,
    })
}

/// The line of an event: its own fields first, then those of the spans that it is in, the
/// innermost first, as far as they have other names.
fn line<S>(event: &Event<'_>, context: &Context<'_, S>) -> Line
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let mut fields = Fields::default();
    event.record(&mut Collector(&mut fields));
    let place = fields.0.iter().position(|(name, _)| name == MESSAGE);
    let message = match place.map(|place| fields.0.remove(place).1) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    for span in context.event_scope(event).into_iter().flatten() {
        if let Some(of_span) = span.extensions().get::<Fields>() {
            for (name, value) in &of_span.0 {
                if !fields.0.iter().any(|(known, _)| known == name) {
                    fields.0.push((name.clone(), value.clone()));
                }
            }
        }
    }
    Line {
        time: utc(SystemTime::now()),
        level: event.metadata().level().to_string(),
        target: Line::shown_target(event.metadata().target()).to_owned(),
        message,
        fields,
        more: None,
    }
}

/// Takes the fields of an event or a span.
struct Collector<'f>(&'f mut Fields);

/// The text, unless it is too long: what is kept of it is escaped then.
fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.len() <= most {
        true => Cow::Borrowed(text),
        false => bounded(text, most),
    }
}

impl Collector<'_> {
    fn text(&mut self, field: &Field, value: &str) {
        let most = match field.name() {
            MESSAGE => MAX_MESSAGE,
            _ => MAX_FIELD,
        };
        self.0.set(field.name(), shortened(value, most).into());
    }
}

impl Visit for Collector<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and the like.
        let value = match serde_json::Number::from_f64(value) {
            Some(number) => Value::Number(number),
            None => Value::String(value.to_string()),
        };
        self.0.set(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        self.text(field, &error_text(error));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}

/// Writes what libraries report through the crate `log`.
pub(super) struct Libraries {
    filter: Arc<RwLock<Targets>>,
    spool: Arc<Spool>,
}

impl Libraries {
    pub(super) fn new(filter: Arc<RwLock<Targets>>, spool: Arc<Spool>) -> Self {
        Self { filter, spool }
    }
}

impl ::log::Log for Libraries {
    fn enabled(&self, metadata: &::log::Metadata<'_>) -> bool {
        let level = match metadata.level() {
            ::log::Level::Error => tracing::Level::ERROR,
            ::log::Level::Warn => tracing::Level::WARN,
            ::log::Level::Info => tracing::Level::INFO,
            ::log::Level::Debug => tracing::Level::DEBUG,
            ::log::Level::Trace => tracing::Level::TRACE,
        };
        let filter = self.filter.read_anyway();
        filter.would_enable(metadata.target(), &level)
    }

    fn log(&self, record: &::log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line {
            time: utc(SystemTime::now()),
            level: record.level().to_string(),
            target: record.target().to_owned(),
            message: shortened(&record.args().to_string(), MAX_MESSAGE).into_owned(),
            fields: Fields::default(),
            more: None,
        };
        let is_detail = record.level() > ::log::Level::Info;
        let cause = (!is_detail).then(|| Cause {
            place: (
                record.file_static().unwrap_or_default(),
                record.line().unwrap_or_default(),
            ),
            about: line.target.chars().take(MAX_NAME).collect(),
        });
        self.spool.line(line, cause);
    }

    fn flush(&self) {}
}
