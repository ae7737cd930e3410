//! Samples that differ in their labels alone: what is said of them, and how they are written, as the format
//! 0.0.4 of Prometheus or as OpenMetrics 1.0.

use std::fmt::{self, Write};

use kozo_status::NodeStatus;

use super::process::ProcessStatus;

/// Where the values come from.
pub(super) struct Facts<'f> {
    /// The node.
    pub(super) status: &'f NodeStatus,
    /// The daemon's process.
    pub(super) process: &'f ProcessStatus,
    /// When the daemon started, in seconds since 1970.
    pub(super) started_seconds: f64,
}

/// What a metric's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number that goes up and down.
    Gauge,
    /// A count since the daemon started.
    Counter,
    /// A 1, with what there is to know as labels.
    Info,
}

/// Samples that differ in their labels alone.
pub(super) struct Family {
    /// The name of its samples: with the unit at its end, behind that `_total` for a counter.
    pub(super) name: &'static str,
    /// What its values are.
    pub(super) kind: Kind,
    /// The names of its labels.
    pub(super) labels: &'static [&'static str],
    /// What it means, in a sentence without a line's end.
    pub(super) help: &'static str,
    /// Adds its samples.
    pub(super) samples: AddSamples,
}

type AddSamples = fn(&Facts<'_>, &mut Samples<'_>);

impl Family {
    /// The name without what its kind puts at the end.
    pub(super) fn base_name(&self) -> &'static str {
        let end = match self.kind {
            Kind::Gauge => "",
            Kind::Counter => "_total",
            Kind::Info => "_info",
        };
        self.name.strip_suffix(end).unwrap_or(self.name)
    }

    /// The unit of its values; what is counted is none.
    pub(super) fn unit(&self) -> Option<&'static str> {
        let units = ["seconds", "bytes"];
        let (_, last) = self.base_name().rsplit_once('_')?;
        units.into_iter().find(|unit| *unit == last)
    }
}

pub(super) const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: AddSamples,
) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        labels,
        help,
        samples,
    }
}

pub(super) const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: AddSamples,
) -> Family {
    Family {
        kind: Kind::Counter,
        ..gauge(name, labels, help, samples)
    }
}

pub(super) const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: AddSamples,
) -> Family {
    Family {
        kind: Kind::Info,
        ..gauge(name, labels, help, samples)
    }
}

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The text format 0.0.4, which everybody reads.
    Prometheus,
    /// OpenMetrics 1.0, for those who ask for it.
    OpenMetrics,
}

impl Format {
    /// What HTTP calls it.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A sample's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::Whole(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value}"),
        }
    }
}

/// Where a family's samples go. A family without samples leaves nothing behind.
pub(super) struct Samples<'t> {
    family: &'t Family,
    format: Format,
    text: &'t mut String,
    is_headed: bool,
}

impl<'t> Samples<'t> {
    /// For the samples of a family, behind those of the ones before it.
    pub(super) fn new(family: &'t Family, format: Format, text: &'t mut String) -> Self {
        Self {
            family,
            format,
            text,
            is_headed: false,
        }
    }

    /// Adds one, with the values of the family's labels in their order.
    pub(super) fn add(&mut self, labels: &[&str], value: impl Into<Number>) {
        if !self.is_headed {
            self.is_headed = true;
            self.head();
        }
        self.text.push_str(self.family.name);
        debug_assert_eq!(
            labels.len(),
            self.family.labels.len(),
            "{}",
            self.family.name
        );
        let mut before = '{';
        for (name, value) in self.family.labels.iter().zip(labels) {
            self.text.push(before);
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.escaped(value);
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        // Writing to a text does not fail.
        let _ = writeln!(self.text, " {}", value.into());
    }

    /// Adds one without labels, if there is a value.
    pub(super) fn add_if(&mut self, value: Option<impl Into<Number>>) {
        if let Some(value) = value {
            self.add(&[], value);
        }
    }

    fn head(&mut self) {
        let Family {
            name, kind, help, ..
        } = self.family;
        let (name, kind_name) = match (self.format, kind) {
            (Format::Prometheus, Kind::Counter) => (*name, "counter"),
            (Format::Prometheus, Kind::Gauge | Kind::Info) | (_, Kind::Gauge) => (*name, "gauge"),
            (Format::OpenMetrics, Kind::Counter) => (self.family.base_name(), "counter"),
            (Format::OpenMetrics, Kind::Info) => (self.family.base_name(), "info"),
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind_name}");
        if self.format == Format::OpenMetrics
            && let Some(unit) = self.family.unit()
        {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
    }

    fn escaped(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                c => self.text.push(c),
            }
        }
    }
}
