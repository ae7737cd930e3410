//! What a host says of itself: the struct of `system.get_properties`.

use crate::time::date_time;
use crate::value::{Struct, Value};

/// The version of CO2 whose methods are spoken here, and that of this crate.
pub const CO2_VERSION: &str = concat!("0.5.11-kozo-", env!("CARGO_PKG_VERSION"));

/// What does not change while a host runs.
#[derive(Debug, Clone)]
pub struct Properties {
    /// Who runs it.
    pub maintainer: String,
    /// How to reach them.
    pub maintainer_email: String,
    /// When it was started, in seconds since 1970.
    pub started: f64,
    machine: Machine,
}

/// What the system says of itself.
#[derive(Debug, Clone)]
struct Machine {
    kernel: String,
    operating_system: String,
    hardware: String,
    processor: String,
}

impl Properties {
    /// The properties of a host that is started now. Asks the system for its own.
    pub fn new(maintainer: &str, maintainer_email: &str, started: f64) -> Self {
        let words = rustix::system::uname();
        let text = |word: &std::ffi::CStr| word.to_string_lossy().into_owned();
        let hardware = text(words.machine());
        let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            maintainer: maintainer.to_owned(),
            maintainer_email: maintainer_email.to_owned(),
            started,
            machine: Machine {
                kernel: format!("{} {}", text(words.sysname()), text(words.release())),
                operating_system: field(&release, "PRETTY_NAME", '=')
                    .unwrap_or_else(|| text(words.sysname())),
                processor: field(&processors, "model name", ':')
                    .unwrap_or_else(|| hardware.clone()),
                hardware,
            },
        }
    }

    /// The struct, at a time in seconds since 1970.
    pub fn members(&self, plugins: &[String], now: f64) -> Struct {
        let machine = &self.machine;
        #[allow(clippy::cast_possible_truncation, reason = "it saturates")]
        let uptime = (now - self.started).max(0.0) as i32;
        let texts = [
            ("co2_author", "The Kōzō developers"),
            ("co2_version", CO2_VERSION),
            ("sw_platform", "kozo"),
            ("maintainer", &self.maintainer),
            ("maintainer_email", &self.maintainer_email),
            ("kernel", &machine.kernel),
            ("operating_system", &machine.operating_system),
            ("hw_platform", &machine.hardware),
            ("hardware", &machine.hardware),
            ("processor", &machine.processor),
        ];
        let texts = texts.map(|(key, text)| (key, Value::String(text.to_owned())));
        let plugins = plugins.iter().cloned().map(Value::String).collect();
        let rest = [
            ("uptime", Value::Integer(uptime)),
            ("start_time", date_time(self.started)),
            ("server_time", date_time(now)),
            ("plugins", Value::Array(plugins)),
        ];
        let all = texts.into_iter().chain(rest);
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// A field of a file that has one in each line, without quotes. What XML cannot carry is left out.
fn field(file: &str, name: &str, separator: char) -> Option<String> {
    let value = file.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then_some(value)
    })?;
    let value = value.trim().trim_matches('"');
    Some(value.chars().filter(|c| !c.is_control()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_properties_of_the_original_are_there() {
        let properties = Properties::new("me", "me@example.org", 100.0).members(&[], 160.5);
        let texts = "co2_author kernel operating_system maintainer maintainer_email sw_platform hw_platform \
                     co2_version hardware processor";
        for key in texts.split_whitespace() {
            assert!(
                matches!(properties.get(key), Some(Value::String(_))),
                "{key}"
            );
        }
        assert_eq!(properties.get("uptime"), Some(&Value::Integer(60)));
        assert!(matches!(
            properties.get("start_time"),
            Some(Value::DateTime(_))
        ));
        assert!(matches!(
            properties.get("server_time"),
            Some(Value::DateTime(_))
        ));
        assert_eq!(properties.get("plugins"), Some(&Value::Array(vec![])));
        assert_eq!(properties.len(), 14);
    }
}
