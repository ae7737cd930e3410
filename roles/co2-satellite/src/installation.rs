//! The `config.py` of an installation of CO2, as options.

use std::path::Path;

use kozo_co2::{Struct, Value};

use crate::options::Options;

/// What came of a `config.py`, by the names that it has for things.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Adopted {
    /// What was taken, and as what.
    pub(crate) taken: Vec<String>,
    /// What the block gives already.
    pub(crate) given: Vec<String>,
    /// What is of no use, and why, where that can be told.
    pub(crate) ignored: Vec<String>,
}

impl Options {
    /// Fills in what is not given by what an installation in `home` has.
    pub(crate) fn adopt(&mut self, values: &Struct, home: &Path) -> Adopted {
        let mut adopted = Adopted::default();
        for (name, value) in values {
            let fits = match name.as_str() {
                "host" => self.adopt_host(value, &mut adopted),
                "port" => match value {
                    Value::Integer(port) => u16::try_from(*port)
                        .is_ok_and(|port| take(&mut self.port, port, name, "port", &mut adopted)),
                    _ => false,
                },
                "relay" | "relay_url" => text(value, &mut self.relay, name, "relay", &mut adopted),
                "nick" => text(value, &mut self.nick, name, "nick", &mut adopted),
                "maintainer" => text(
                    value,
                    &mut self.maintainer,
                    name,
                    "maintainer",
                    &mut adopted,
                ),
                "maintainer_email" => text(
                    value,
                    &mut self.maintainer_email,
                    name,
                    "maintainerEmail",
                    &mut adopted,
                ),
                "plugin_path" | "plugin_dir" => match value {
                    Value::String(path) => take(
                        &mut self.plugin_path,
                        home.join(path),
                        name,
                        "pluginPath",
                        &mut adopted,
                    ),
                    _ => false,
                },
                "plugin_list" => match texts(value) {
                    Some(list) => take(&mut self.plugins, list, name, "plugins", &mut adopted),
                    None => false,
                },
                // Also what is the daemon's affair here, or a relay's.
                _ => {
                    adopted.ignored.push(format!("`{name}`"));
                    true
                }
            };
            if !fits {
                let shown = kozo_co2::log::python(value);
                adopted.ignored.push(format!("`{name}` (it is {shown})"));
            }
        }
        // Where the original looks for them.
        let folder = home.join("plugin");
        if self.plugin_path.is_none() && folder.is_dir() {
            self.plugin_path = Some(folder);
            adopted
                .taken
                .push("its folder `plugin` as `pluginPath`".to_owned());
        }
        adopted
    }

    /// `host` is `address:port`, or an address alone.
    fn adopt_host(&mut self, value: &Value, adopted: &mut Adopted) -> bool {
        let Value::String(host) = value else {
            return false;
        };
        let (address, port) = match host.rsplit_once(':') {
            Some((address, port)) if !address.ends_with(':') => match port.parse() {
                Ok(port) => (address, Some(port)),
                Err(_) => return false,
            },
            _ => (host.as_str(), None),
        };
        let address = address.trim_matches(['[', ']']).to_owned();
        if !address.is_empty() {
            take(
                &mut self.bind_address,
                address,
                "host",
                "bindAddress",
                adopted,
            );
        }
        if let Some(port) = port {
            take(&mut self.port, port, "host", "port", adopted);
        }
        true
    }
}

fn text(
    value: &Value,
    option: &mut Option<String>,
    name: &str,
    as_option: &str,
    adopted: &mut Adopted,
) -> bool {
    match value {
        Value::String(text) => take(option, text.clone(), name, as_option, adopted),
        _ => false,
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let Value::Array(items) = value else {
        return None;
    };
    let text = |item: &Value| match item {
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    items.iter().map(text).collect()
}

/// Puts a value into an option that has none; true, whether it has or not.
fn take<T: std::fmt::Debug>(
    option: &mut Option<T>,
    value: T,
    name: &str,
    as_option: &str,
    adopted: &mut Adopted,
) -> bool {
    if option.is_some() {
        adopted.given.push(format!("`{as_option}`"));
    } else {
        adopted
            .taken
            .push(format!("`{name}` as `{as_option}` ({value:?})"));
        *option = Some(value);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::nothing_given;

    fn values(list: &[(&str, Value)]) -> Struct {
        let owned = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
        list.iter().map(owned).collect()
    }

    fn value(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn what_is_given_wins_and_the_rest_is_taken() {
        let mut options = nothing_given();
        options.port = Some(7);
        let list = Value::Array(vec![value("example"), value("pd")]);
        let adopted = options.adopt(
            &values(&[
                ("host", value("my.domain:2003")),
                ("plugin_list", list),
                ("max_sats", Value::Integer(3)),
                ("plugin_path", value("mine")),
                ("colour", value("red")),
                ("nick", Value::Integer(1)),
            ]),
            Path::new("/co2"),
        );
        assert_eq!(options.bind_address.as_deref(), Some("my.domain"));
        assert_eq!(options.port, Some(7));
        let plugins = options.plugins.unwrap_or_default();
        assert_eq!(plugins, ["example", "pd"]);
        assert_eq!(options.plugin_path, Some("/co2/mine".into()));
        assert_eq!(adopted.given, ["`port`"]);
        assert_eq!(adopted.taken.len(), 3);
        assert_eq!(
            adopted.ignored,
            ["`colour`", "`max_sats`", "`nick` (it is 1)"]
        );
    }

    #[test]
    fn the_folder_of_plugins_is_beside_the_file_unless_another_is_named() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("plugin")).unwrap();
        let mut options = nothing_given();
        let adopted = options.adopt(&values(&[]), home.path());
        assert_eq!(options.plugin_path, Some(home.path().join("plugin")));
        assert_eq!(adopted.taken, ["its folder `plugin` as `pluginPath`"]);
        let adopted = options.adopt(&values(&[]), home.path());
        assert_eq!(adopted, Adopted::default());
    }

    #[test]
    fn an_address_may_stand_alone_and_may_be_of_version_6() {
        for (host, address, port) in [
            ("studio", Some("studio"), None),
            ("[::1]:2003", Some("::1"), Some(2003)),
            (":2003", None, Some(2003)),
        ] {
            let mut options = nothing_given();
            options.adopt(&values(&[("host", value(host))]), Path::new("/co2"));
            assert_eq!(
                (options.bind_address.as_deref(), options.port),
                (address, port)
            );
        }
        let mut options = nothing_given();
        let adopted = options.adopt(&values(&[("host", value("a:b"))]), Path::new("/co2"));
        assert_eq!(adopted.ignored, ["`host` (it is 'a:b')"]);
    }
}
