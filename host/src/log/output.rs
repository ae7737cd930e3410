//! From events to lines on the standard error output.

use std::fmt;
use std::io::Write;
use std::time::SystemTime;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::error_text;
use super::line::{Fields, Line};
use super::style::Style;
use super::timestamp::utc;

/// The field that holds the text of an event.
const MESSAGE: &str = "message";

/// Turns what the host's own parts report into lines, and gives them to `W`.
pub(super) struct Output<W> {
    write: W,
}

impl<W: Fn(&Line)> Output<W> {
    pub(super) fn new(write: W) -> Self {
        Self { write }
    }
}

impl<S, W> Layer<S> for Output<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn(&Line) + 'static,
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
        (self.write)(&line(event, &context));
    }
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
    }
}

/// A line that cannot be written is lost: there is nowhere to say so.
pub(super) fn write(line: &Line, style: Style) {
    let _ = std::io::stderr()
        .lock()
        .write_all(line.rendered(style).as_bytes());
}

/// Takes the fields of an event or a span.
struct Collector<'f>(&'f mut Fields);

impl Visit for Collector<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.set(field.name(), value.into());
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
        let text = error_text(error);
        self.0.set(field.name(), text.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.set(field.name(), format!("{value:?}").into());
    }
}

/// Writes what libraries report through the crate `log`.
pub(super) struct Libraries {
    filter: Targets,
    style: Style,
}

impl Libraries {
    pub(super) fn new(filter: Targets, style: Style) -> Self {
        Self { filter, style }
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
        self.filter.would_enable(metadata.target(), &level)
    }

    fn log(&self, record: &::log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = Line {
            time: utc(SystemTime::now()),
            level: record.level().to_string(),
            target: record.target().to_owned(),
            message: record.args().to_string(),
            fields: Fields::default(),
        };
        write(&line, self.style);
    }

    fn flush(&self) {}
}
