//! What the role's block in the file says, and what of it only this module can check.

use std::collections::BTreeMap;
use std::time::Duration;

use kozo_data::Packed;
use serde::Deserialize;
use serde_json::Value;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    command: Vec<String>,
    directory: String,
    environment: Packed,
    interests: Packed,
    options: Packed,
    max_line: usize,
    max_rate: f64,
    stop_limit: f64,
    max_memory: Option<u64>,
}

/// The options, all of them valid.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) directory: String,
    pub(crate) environment: BTreeMap<String, String>,
    /// The patterns of what it gets, for the program.
    pub(crate) interests: Packed,
    /// A map, for the program.
    pub(crate) options: Packed,
    /// In bytes.
    pub(crate) max_line: usize,
    /// Lines a second; zero: no limit.
    pub(crate) max_rate: f64,
    pub(crate) stop_limit: Duration,
    /// In bytes.
    pub(crate) max_memory: Option<u64>,
}

impl Options {
    /// Checks what the host cannot.
    pub(crate) fn checked(self) -> Result<Settings, String> {
        let mut words = self.command.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or("the option `command` is empty: name a program")?;
        let options = kozo_data::to_value(self.options.as_slice()).map_err(|e| e.to_string())?;
        if !options.is_object() {
            return Err("the option `options` has to be a map, such as `{colour: red}`".to_owned());
        }
        Ok(Settings {
            program,
            arguments: words.collect(),
            directory: self.directory,
            environment: environment(&self.environment)?,
            interests: self.interests,
            options: self.options,
            max_line: self.max_line,
            max_rate: self.max_rate,
            stop_limit: Duration::try_from_secs_f64(self.stop_limit)
                .map_err(|_| "the option `stopLimit` is no time")?,
            max_memory: self.max_memory,
        })
    }
}

fn environment(given: &Packed) -> Result<BTreeMap<String, String>, String> {
    let given = kozo_data::to_value(given.as_slice()).map_err(|error| error.to_string())?;
    let Value::Object(variables) = given else {
        return Err("the option `environment` has to be a map, such as `{COLOUR: red}`".to_owned());
    };
    let variables = variables.into_iter().map(|(name, value)| {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!(
                "the option `environment` has the variable `{name}`, which is no name of one"
            ));
        }
        match value {
            Value::String(value) => Ok((name, value)),
            // What `on` or `012` are depends on who reads them.
            other => Err(format!(
                "the option `environment` has `{other}` for `{name}`, which is no text: put it in quotes"
            )),
        }
    });
    variables.collect()
}
