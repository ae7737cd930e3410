//! The options that `module.yaml` describes, and what becomes of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_abi::Error;
use kozo_co2::http::Endpoint;
use kozo_co2::{Allowed, Wide};
use serde::Deserialize;

use crate::core::Method;

/// Where a satellite listens unless it is told otherwise: where only this machine's programs call.
const BIND_ADDRESS: &str = "127.0.0.1";

/// The port that a satellite listens on unless it is told otherwise: the one beside the relay's.
const PORT: u16 = 2004;

/// The options as they are given. Those that a `config.py` may fill in are none when they are not.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    pub(crate) relay: Option<String>,
    pub(crate) bind_address: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) nick: Option<String>,
    pub(crate) channel: String,
    pub(crate) forward: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) answers: bool,
    pub(crate) answer_time: f64,
    pub(crate) queue_time: f64,
    pub(crate) wide: Wide,
    pub(crate) nil: bool,
    pub(crate) plugin_path: Option<PathBuf>,
    pub(crate) plugins: Option<Vec<String>>,
    pub(crate) python: String,
    pub(crate) config: Option<PathBuf>,
    pub(crate) maintainer: Option<String>,
    pub(crate) maintainer_email: Option<String>,
}

/// What the satellite works by.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) relay: Option<Endpoint>,
    pub(crate) bind_address: String,
    pub(crate) port: u16,
    pub(crate) nick: String,
    pub(crate) channel: String,
    pub(crate) methods: Vec<Method>,
    pub(crate) answers: bool,
    pub(crate) answer_time: Duration,
    pub(crate) queue_time: Duration,
    pub(crate) allowed: Allowed,
    pub(crate) maintainer: String,
    pub(crate) maintainer_email: String,
    /// None when there are no plug-ins.
    pub(crate) plugins: Option<Plugins>,
}

/// Which plug-ins there are, and what runs them.
#[derive(Debug, Clone)]
pub(crate) struct Plugins {
    pub(crate) python: String,
    pub(crate) folder: PathBuf,
    /// Where they run.
    pub(crate) home: PathBuf,
    pub(crate) packages: Vec<String>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) allowed: Allowed,
}

/// A mistake in the options.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    #[error("`pluginPath` is missing: `plugins` are packages in a folder that nothing names")]
    NoFolder,
    #[error("`pluginPath`: `{}` is no folder: correct it", .0.display())]
    NoDirectory(PathBuf),
    #[error(
        "`pluginPath`: `{}`: {reason}: correct it, or let the daemon's user reach it (the unit of the package \
         hides `/home`)",
        .folder.display()
    )]
    NotThere {
        folder: PathBuf,
        reason: std::io::Error,
    },
    #[error("`plugins`: `{0}` is no name of a package of Python: take letters, digits and `_`")]
    NoPackage(String),
}

impl Options {
    /// The folder of the installation whose `config.py` is given.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let config = std::path::absolute(self.config.as_deref()?).ok()?;
        config.parent().map(Path::to_owned)
    }

    /// What the satellite works by, on this node in this role.
    ///
    /// # Errors
    /// What about the options cannot be.
    pub(crate) fn settle(self, node: &str, role: &str) -> Result<Settings, Error> {
        let allowed = Allowed {
            wide: self.wide,
            nil: self.nil,
        };
        let plugins = self.settle_plugins(allowed)?;
        let relay = self.relay.as_deref().map(str::parse::<Endpoint>);
        let methods = self.methods.iter().map(|name| name.parse());
        Ok(Settings {
            relay: relay
                .transpose()
                .map_err(|error| format!("`relay`: {error}"))?,
            bind_address: self.bind_address.unwrap_or_else(|| BIND_ADDRESS.to_owned()),
            port: self.port.unwrap_or(PORT),
            nick: self.nick.unwrap_or_else(|| format!("{role}@{node}")),
            channel: self.channel,
            methods: methods.collect::<Result<_, _>>()?,
            answers: self.answers,
            answer_time: Duration::try_from_secs_f64(self.answer_time)?,
            queue_time: Duration::try_from_secs_f64(self.queue_time)?,
            allowed,
            maintainer: self.maintainer.unwrap_or_default(),
            maintainer_email: self.maintainer_email.unwrap_or_default(),
            plugins,
        })
    }

    fn settle_plugins(&self, allowed: Allowed) -> Result<Option<Plugins>, Error> {
        let mut packages: Vec<String> = Vec::new();
        for package in self.plugins.iter().flatten() {
            let is_letter = |c: char| c.is_alphanumeric() || c == '_';
            if package.is_empty() || !package.chars().all(is_letter) {
                return Err(Mistake::NoPackage(package.clone()).into());
            }
            if !packages.contains(package) {
                packages.push(package.clone());
            }
        }
        if packages.is_empty() {
            return Ok(None);
        }
        let folder = self.plugin_path.as_ref().ok_or(Mistake::NoFolder)?;
        let folder = std::path::absolute(folder)?;
        match std::fs::metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(Mistake::NoDirectory(folder).into()),
            Err(reason) => return Err(Mistake::NotThere { folder, reason }.into()),
        }
        let config = self.config.as_ref().map(std::path::absolute);
        Ok(Some(Plugins {
            python: self.python.clone(),
            home: self.home().unwrap_or_else(|| folder.clone()),
            folder,
            packages,
            config: config.transpose()?,
            allowed,
        }))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn nothing_given() -> Options {
        Options {
            relay: None,
            bind_address: None,
            port: None,
            nick: None,
            channel: "studio".to_owned(),
            forward: Vec::new(),
            methods: Vec::new(),
            answers: true,
            answer_time: 10.0,
            queue_time: 60.0,
            wide: Wide::Error,
            nil: false,
            plugin_path: None,
            plugins: None,
            python: "python3".to_owned(),
            config: None,
            maintainer: None,
            maintainer_email: None,
        }
    }

    #[test]
    fn nobody_but_this_machine_is_let_in_unless_it_is_asked_for() {
        let settings = nothing_given().settle("hall", "studio").unwrap();
        assert_eq!(
            (settings.bind_address.as_str(), settings.port),
            ("127.0.0.1", 2004)
        );
        assert_eq!(settings.nick, "studio@hall");
        assert!(settings.plugins.is_none() && settings.relay.is_none());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let refused = |change: &dyn Fn(&mut Options)| {
            let mut options = nothing_given();
            change(&mut options);
            options.settle("n", "r").unwrap_err().to_string()
        };
        let text = refused(&|options| options.relay = Some("https://a".to_owned()));
        assert!(text.starts_with("`relay`: `https://a`"), "{text}");
        let text = refused(&|options| options.methods = vec!["open".to_owned()]);
        assert!(text.contains("`methods`"), "{text}");
        let text = refused(&|options| options.plugins = Some(vec!["../a".to_owned()]));
        assert!(text.contains("`../a`"), "{text}");
        let text = refused(&|options| options.plugins = Some(vec!["a".to_owned()]));
        assert!(text.contains("`pluginPath` is missing"), "{text}");
        let text = refused(&|options| {
            options.plugins = Some(vec!["a".to_owned()]);
            options.plugin_path = Some("/nowhere/at/all".into());
        });
        assert!(text.contains("`/nowhere/at/all`: No such file"), "{text}");
        let text = refused(&|options| {
            options.plugins = Some(vec!["a".to_owned()]);
            options.plugin_path = Some("/dev/null".into());
        });
        assert!(text.contains("`/dev/null` is no folder"), "{text}");
    }
}
