//! The figures: each as soon as it is taken, in the end a table for people, JSON for programs.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Failure, supervise};

/// The unit of one figure divided by another one, which says more than either on a machine that does other
/// things, too.
pub(crate) const RATIO: &str = "×";

/// By how much a ratio may differ from the one that it is compared with, before it is told.
const TOLERANCE: f64 = 1.25;

/// What is read of a report that was written earlier.
#[derive(Deserialize)]
struct Earlier {
    figures: Vec<EarlierFigure>,
}

#[derive(Deserialize)]
struct EarlierFigure {
    name: String,
    value: f64,
    unit: String,
}

/// All figures of one run of the program.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    figures: Vec<Figure>,
    /// What could not be measured here, and why.
    skipped: Vec<(String, String)>,
    /// Whether everything is told to the process that supervises this one.
    #[serde(skip)]
    told: bool,
}

/// What a measurement adds to the report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// A figure.
    Figure(Figure),
    /// What a figure that was added before ought to be.
    Aim(String, Aim),
    /// One figure divided by another one, under a name; nothing where one of them is missing.
    Ratio(String, [String; 2]),
    /// What could not be measured here, and why.
    Skipped(String, String),
}

/// What it was measured on.
#[derive(Debug, Serialize)]
struct Machine {
    processors: usize,
    /// Runnable tasks over the last minute before, as the kernel counts them: how idle it was.
    load: f64,
    version: &'static str,
}

/// One figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// How much: the median of all runs.
    pub(crate) value: f64,
    /// In which unit.
    pub(crate) unit: String,
    /// The lowest and the highest of all runs.
    pub(crate) range: (f64, f64),
    /// What it was measured with.
    pub(crate) limits: String,
    /// What it ought to be.
    aim: Option<Aim>,
    /// Whether it is that.
    met: Option<bool>,
}

/// What a figure ought to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Aim {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {}", number(*most)),
            Self::AtLeast(least) => write!(f, "at least {}", number(*least)),
        }
    }
}

impl Figure {
    /// The median of `values`; nothing when there are none.
    fn new(
        name: impl Into<String>,
        mut values: Vec<f64>,
        unit: &str,
        limits: impl Into<String>,
    ) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (first, last) = (values.first()?, values.last()?);
        Some(Self {
            name: name.into(),
            value: median(&values),
            unit: unit.to_owned(),
            range: (*first, *last),
            limits: limits.into(),
            aim: None,
            met: None,
        })
    }

    /// A line for people, with so many columns for the name.
    fn line(&self, width: usize) -> String {
        let (low, high) = self.range;
        let range = format!("({} – {})", number(low), number(high));
        let value = number(self.value);
        let (name, unit, limits) = (&self.name, &self.unit, &self.limits);
        let mut line = format!("{name:<width$} {value:>12} {unit:<4} {range:<26} {limits}");
        match (self.aim, self.met) {
            (Some(aim), Some(true)) => line += &format!("; {aim}: met"),
            (Some(aim), _) => line += &format!("; {aim}: MISSED"),
            (None, _) => {}
        }
        line
    }
}

impl Report {
    /// A report whose entries are told to the process that supervises this one.
    pub(crate) fn told() -> Self {
        Self {
            told: true,
            ..Self::new()
        }
    }

    /// A report without figures.
    pub(crate) fn new() -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
        Self {
            machine: Machine {
                processors: std::thread::available_parallelism().map_or(1, usize::from),
                load: load.unwrap_or(0.0),
                version: env!("CARGO_PKG_VERSION"),
            },
            figures: Vec::new(),
            skipped: Vec::new(),
            told: false,
        }
    }

    /// Adds an entry, and shows it.
    pub(crate) fn take(&mut self, entry: Entry) {
        if self.told {
            supervise::tell(&entry);
        }
        let shown = match entry {
            Entry::Figure(figure) => {
                let name = figure.name.clone();
                self.figures.push(figure);
                name
            }
            Entry::Aim(name, aim) => {
                let mut figures = self.figures.iter_mut();
                if let Some(figure) = figures.find(|figure| figure.name == name) {
                    figure.met = Some(aim.is_met_by(figure.value));
                    figure.aim = Some(aim);
                }
                name
            }
            Entry::Ratio(name, [figure, by]) => {
                let (Some(figure), Some(by)) = (self.value(&figure), self.value(&by)) else {
                    return;
                };
                let value = figure / by;
                let figure = Figure::new(&name, vec![value], RATIO, "medians of this run");
                self.figures.extend(figure);
                name
            }
            Entry::Skipped(name, reason) => {
                self.show(&format!("{name}: skipped: {reason}"));
                self.skipped.push((name, reason));
                return;
            }
        };
        if let Some(figure) = self.figures.iter().find(|figure| figure.name == shown) {
            self.show(&figure.line(0));
        }
    }

    /// Shows a line at once: what is taken already shall be seen, whatever comes later.
    fn show(&self, line: &str) {
        if !self.told {
            eprintln!("  {line}");
        }
    }

    /// Adds the median of `values`; nothing when there are none.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        values: Vec<f64>,
        unit: &str,
        limits: impl Into<String>,
    ) {
        if let Some(figure) = Figure::new(name, values, unit, limits) {
            self.take(Entry::Figure(figure));
        }
    }

    /// Says what a figure that is there ought to be, and whether it is that.
    pub(crate) fn aim(&mut self, name: &str, aim: Aim) -> bool {
        self.take(Entry::Aim(name.to_owned(), aim));
        self.value(name).is_some_and(|value| aim.is_met_by(value))
    }

    /// As [`aim`](Self::aim), but a figure that is something else is a failure.
    pub(crate) fn bound(&mut self, name: &str, aim: Aim) -> Result<(), Failure> {
        if self.aim(name, aim) {
            return Ok(());
        }
        let value = self.value(name).map_or("nothing".to_owned(), number);
        Err(format!("{name}: {value}, and it has to be {aim}").into())
    }

    /// Adds one figure divided by another one, if both are there.
    pub(crate) fn ratio(&mut self, name: impl Into<String>, figure: &str, by: &str) {
        let of = [figure.to_owned(), by.to_owned()];
        self.take(Entry::Ratio(name.into(), of));
    }

    /// Says why something was not measured.
    pub(crate) fn skip(&mut self, name: &str, reason: impl fmt::Display) {
        self.take(Entry::Skipped(name.to_owned(), reason.to_string()));
    }

    /// The median of a figure that is there already.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        let figure = self.figures.iter().find(|figure| figure.name == name)?;
        Some(figure.value)
    }

    /// What of the ratios is not as in a report that [`write_json`](Self::write_json) wrote, a sentence each.
    /// Other figures say little of another day, or another machine.
    pub(crate) fn differences(&self, path: &Path) -> Result<Vec<String>, Failure> {
        let earlier: Earlier = serde_json::from_slice(&std::fs::read(path)?)?;
        let ratios = earlier.figures.iter().filter(|figure| figure.unit == RATIO);
        let told = ratios.filter_map(|earlier| {
            let (before, name) = (earlier.value, &earlier.name);
            let now = self.value(name)?;
            let differs = now > before * TOLERANCE || now * TOLERANCE < before;
            differs.then(|| {
                let (now, before) = (number(now), number(before));
                format!("{name}: {now}, and it was {before}")
            })
        });
        Ok(told.collect())
    }

    /// Writes all figures as JSON.
    pub(crate) fn write_json(&self, path: &Path) -> Result<(), Failure> {
        Ok(std::fs::write(
            path,
            serde_json::to_string_pretty(self)? + "\n",
        )?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            processors,
            load,
            version,
        } = &self.machine;
        writeln!(
            f,
            "kozo {version}, {processors} processors, load before {load}\n"
        )?;
        let width = self
            .figures
            .iter()
            .map(|figure| figure.name.chars().count());
        let width = width.max().unwrap_or(0);
        for figure in &self.figures {
            writeln!(f, "{}", figure.line(width))?;
        }
        for (name, reason) in &self.skipped {
            writeln!(f, "{name:<width$} {:>12}      {reason}", "skipped")?;
        }
        Ok(())
    }
}

/// The middle of sorted values; of an even number, the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let upper = values[values.len() / 2];
    let lower = values[(values.len() - 1) / 2];
    (lower + upper) / 2.0
}

/// A number with as many digits as mean something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_of_its_runs() {
        let mut report = Report::new();
        report.add("delay", vec![300.0, 1.25, 20.0], "µs", "limits");
        report.add("nothing", Vec::new(), "µs", "");
        assert_eq!(report.value("delay"), Some(20.0));
        report.add("two runs", vec![2.0, 1.0], "µs", "limits");
        assert_eq!(report.value("two runs"), Some(1.5));
        assert_eq!(report.value("nothing"), None);
        let text = report.to_string();
        assert!(text.contains("20.0 µs   (1.2 – 300)"), "{text}");
    }

    #[test]
    fn ratios_that_are_not_what_they_were_are_told_and_nothing_else() {
        let report = |floor: f64, zenoh: f64| {
            let mut report = Report::new();
            report.add("delay", vec![floor], "µs", "");
            report.add("times the floor", vec![floor], RATIO, "");
            report.add("times zenoh's", vec![zenoh], RATIO, "");
            report
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("earlier.json");
        report(2.0, 1.0).write_json(&file).unwrap();
        assert!(report(2.4, 0.9).differences(&file).unwrap().is_empty());
        assert_eq!(
            report(2.6, 0.7).differences(&file).unwrap(),
            [
                "times the floor: 2.6, and it was 2.0",
                "times zenoh's: 0.700, and it was 1.0"
            ]
        );
        assert!(Report::new().differences(&file).unwrap().is_empty());
        assert!(Report::new().differences(folder.path()).is_err());
    }

    #[test]
    fn a_missed_aim_is_shown_and_a_missed_bound_is_a_failure() {
        let mut report = Report::new();
        report.add("delay", vec![20.0], "ms", "limits");
        assert!(report.aim("delay", Aim::AtMost(20.0)));
        assert!(report.bound("delay", Aim::AtLeast(20.0)).is_ok());
        let failure = report.bound("delay", Aim::AtMost(19.5)).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "delay: 20.0, and it has to be at most 19.5"
        );
        assert!(report.to_string().contains("limits; at most 19.5: MISSED"));
        assert!(report.bound("nothing", Aim::AtMost(1.0)).is_err());
    }
}
