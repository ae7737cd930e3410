//! Where in the data of an event something stands.
//!
//! ```text
//! path  = "." | "count" | "time" | step *( "." step ) [ ".count" ]
//! step  = name | '"' characters, with \" for " and \\ for \ '"'
//! ```
//!
//! A step is a key of a map, or the place of an item in a list, from 0. One in quotes is a key whatever it
//! is: `"count"`, `"1.5"`.

use std::fmt;

use crate::Data;

/// How many bytes a path has at most.
pub const MAX_PATH_LEN: usize = 255;

/// How many steps a path has at most.
pub const MAX_STEPS: usize = 16;

const WHOLE: &str = ".";
const COUNT: &str = "count";
const TIME: &str = "time";

/// Where in the data of an event something stands. It displays as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// Behind these steps; all of the data when there are none.
    Data(Vec<Step>),
    /// How many items there are behind these steps.
    Count(Vec<Step>),
    /// Not in the data: when the event was sent.
    Time,
}

/// One step into data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    text: String,
    /// In quotes it is no place in a list.
    quoted: bool,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'d> {
    /// A part of the data.
    Data(&'d Data),
    /// So many items.
    Count(usize),
    /// The time at which the event was sent.
    Time,
}

/// Why a text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is longer than [`MAX_PATH_LEN`].
    #[error("it has more than {MAX_PATH_LEN} bytes")]
    TooLong,
    /// It has more steps than [`MAX_STEPS`].
    #[error("it has more than {MAX_STEPS} steps")]
    TooManySteps,
    /// Nothing stands where a step should.
    #[error("a step is missing: write `a.b`, or `.` for all of the data")]
    NoStep,
    /// A quote has no end.
    #[error("a quote is not closed")]
    Unclosed,
    /// Behind a quote, or before one, stands something else than a point.
    #[error("put all of a step in quotes, or nothing")]
    Unquoted,
    /// A character that nobody can read.
    #[error("it has a character that cannot be shown")]
    Unprintable,
    /// A word that means something only in another place.
    #[error("`{0}` stands {1} here: put it in quotes if it is a key")]
    Misplaced(&'static str, &'static str),
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_PATH_LEN {
            return Err(PathError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Unprintable);
        }
        match text {
            WHOLE => return Ok(Self::Data(Vec::new())),
            TIME => return Ok(Self::Time),
            _ => {}
        }
        let mut steps = steps(text)?;
        let is = |step: &Step, word: &str| !step.quoted && step.text == word;
        let counts = steps.last().is_some_and(|step| is(step, COUNT));
        if counts {
            steps.pop();
        }
        if steps.iter().any(|step| is(step, COUNT)) {
            return Err(PathError::Misplaced(COUNT, "only at the end, and not"));
        }
        if steps.len() > MAX_STEPS {
            return Err(PathError::TooManySteps);
        }
        Ok(match counts {
            true => Self::Count(steps),
            false => Self::Data(steps),
        })
    }

    /// What stands there; none: the data is of another shape.
    pub fn find<'d>(&self, data: &'d Data) -> Option<Found<'d>> {
        match self {
            Self::Data(steps) => follow(steps, data).map(Found::Data),
            Self::Count(steps) => follow(steps, data)?.count().map(Found::Count),
            Self::Time => Some(Found::Time),
        }
    }
}

fn follow<'d>(steps: &[Step], data: &'d Data) -> Option<&'d Data> {
    let step = |data: &'d Data, step: &Step| match data {
        Data::List(items) if !step.quoted => items.get(step.text.parse::<usize>().ok()?),
        data => data.entry(&step.text),
    };
    steps.iter().try_fold(data, step)
}

fn steps(text: &str) -> Result<Vec<Step>, PathError> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let step;
        (step, rest) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let (name, behind) = rest.split_at(end);
                if name.contains('"') {
                    return Err(PathError::Unquoted);
                }
                let step = Step {
                    text: name.to_owned(),
                    quoted: false,
                };
                (step, behind)
            }
        };
        if step.text.is_empty() && !step.quoted {
            return Err(PathError::NoStep);
        }
        steps.push(step);
        if rest.is_empty() {
            return Ok(steps);
        }
        rest = rest.strip_prefix('.').ok_or(PathError::Unquoted)?;
    }
}

/// A step behind its opening quote, and what stands behind its closing one.
fn quoted(inside: &str) -> Result<(Step, &str), PathError> {
    let mut text = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let step = Step { text, quoted: true };
                return Ok((step, &inside[at + 1..]));
            }
            '\\' => text.push(characters.next().ok_or(PathError::Unclosed)?.1),
            _ => text.push(character),
        }
    }
    Err(PathError::Unclosed)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, end) = match self {
            Self::Time => return f.write_str(TIME),
            Self::Data(steps) if steps.is_empty() => return f.write_str(WHOLE),
            Self::Data(steps) => (steps, None),
            Self::Count(steps) => (steps, Some(COUNT.to_owned())),
        };
        let written = steps.iter().map(|step| match step.quoted {
            false => step.text.clone(),
            true => {
                let text = step.text.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{text}\"")
            }
        });
        let written: Vec<_> = written.chain(end).collect();
        f.write_str(&written.join("."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str) -> Option<String> {
        let data = json!({
            "devices": [{"rssi": -60, "name": "a"}, {"rssi": -70}],
            "count": 7, "a.b": 1, "say \"hi\"": 2, "0": "zero", "": "none", "time": {"zone": "x"},
        });
        let data: Data = serde_json::from_value(data).unwrap();
        let path = Path::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(Path::parse(&path.to_string()), Ok(path.clone()), "{path}");
        path.find(&data).map(|found| match found {
            Found::Data(data) => serde_json::to_string(data).unwrap(),
            Found::Count(count) => format!("{count} items"),
            Found::Time => "time".to_owned(),
        })
    }

    #[test]
    fn a_path_leads_to_a_part_of_the_data() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found("devices.0.rssi"), some("-60"));
        assert_eq!(found("devices.1"), some(r#"{"rssi":-70}"#));
        assert_eq!(found("count"), some("7 items"));
        assert_eq!(found("\"count\""), some("7"));
        assert_eq!(found("devices.count"), some("2 items"));
        assert_eq!(found("devices.0.count"), some("2 items"));
        assert_eq!(found("\"a.b\""), some("1"));
        assert_eq!(found(r#""say \"hi\"""#), some("2"));
        assert_eq!(found("0"), some("\"zero\""));
        assert_eq!(found("\"\""), some("\"none\""));
        assert_eq!(found("time"), some("time"));
        assert_eq!(found("time.zone"), some("\"x\""));
        assert_eq!(
            Path::parse(".").unwrap().find(&Data::Nothing),
            Some(Found::Data(&Data::Nothing))
        );
        assert_eq!(Path::parse(".").unwrap().to_string(), ".");
    }

    #[test]
    fn data_of_another_shape_has_nothing_there() {
        for path in [
            "devices.2",
            "devices.rssi",
            "devices.-1",
            "devices.\"0\"",
            "nobody",
            "devices.0.rssi.x",
            "devices.0.rssi.count",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_told_with_the_reason() {
        let long = "a".repeat(MAX_PATH_LEN + 1);
        let deep = vec!["a"; MAX_STEPS + 1].join(".");
        for (text, expected) in [
            ("", PathError::NoStep),
            ("a.", PathError::NoStep),
            (".a", PathError::NoStep),
            ("a..b", PathError::NoStep),
            ("\"a", PathError::Unclosed),
            ("\"a\\\"", PathError::Unclosed),
            ("\"a\"b", PathError::Unquoted),
            ("a\"b\"", PathError::Unquoted),
            ("a\nb", PathError::Unprintable),
            (
                "count.a",
                PathError::Misplaced(COUNT, "only at the end, and not"),
            ),
            (&long, PathError::TooLong),
            (&deep, PathError::TooManySteps),
        ] {
            assert_eq!(Path::parse(text), Err(expected), "{text}");
        }
        assert!(Path::parse(&format!("{}.count", vec!["a"; MAX_STEPS].join("."))).is_ok());
    }
}
