//! The options, as the file has them and as the role uses them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kozo_abi::{Error, RoleHost};
use kozo_faces::Path as DataPath;
use kozo_mqtt::{Broker, Protocol};
use kozo_tls::Identity;
use serde::Deserialize;

use crate::topics::{self, Topics};

/// How many entries a list may have.
const MAX_ENTRIES: usize = 256;

/// The options that `module.yaml` describes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    broker: Vec<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_id: String,
    protocol: String,
    keep_alive: u64,
    prefix: String,
    network: String,
    home_assistant: bool,
    discovery_prefix: String,
    nodes: Vec<String>,
    sleeping: Vec<String>,
    areas: Option<BTreeMap<String, String>>,
    track: Vec<String>,
    diagnostics: bool,
    links: Links,
    messages: Vec<MessagePattern>,
    orders: Vec<OrderPattern>,
    follow: Vec<Followed>,
    event_max_age: f64,
}

/// What is told of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Links {
    None,
    State,
    All,
}

/// Which messages are published.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct MessagePattern {
    pub(crate) kind: Option<String>,
    #[serde(rename = "type")]
    type_name: Option<Vec<String>>,
    channel: Option<Vec<String>>,
    role: Option<Vec<String>>,
    node: Option<Vec<String>>,
}

/// Which orders may come.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderPattern {
    #[serde(rename = "type")]
    type_name: Texts,
    channel: Option<Texts>,
}

/// One text, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

/// What comes in as events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Followed {
    pub(crate) topic: String,
    pub(crate) event: String,
    pub(crate) channel: Option<String>,
    value: Option<String>,
    #[serde(default)]
    pub(crate) retained: RetainedOnes,
    #[serde(skip)]
    pub(crate) path: Option<DataPath>,
}

/// What becomes of what was published before the bridge asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RetainedOnes {
    #[default]
    Ignore,
    Take,
}

/// What decides what the bridge does.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) topics: Topics,
    /// This role, which its own messages are from.
    pub(crate) role: String,
    pub(crate) home_assistant: bool,
    pub(crate) nodes: Vec<String>,
    pub(crate) sleeping: Vec<String>,
    pub(crate) areas: BTreeMap<String, String>,
    pub(crate) track: Vec<String>,
    pub(crate) diagnostics: bool,
    pub(crate) links: Links,
    pub(crate) messages: Vec<MessagePattern>,
    pub(crate) orders: Vec<OrderPattern>,
    pub(crate) follow: Vec<Followed>,
    pub(crate) event_age: Duration,
}

/// What a connection needs.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) brokers: Vec<Broker>,
    pub(crate) user: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) identity: Identity,
    pub(crate) client_id: String,
    pub(crate) protocol: Protocol,
    pub(crate) keep_alive: Duration,
}

impl Options {
    /// What follows of them for this role.
    ///
    /// # Errors
    /// What the host could not find wrong with them.
    pub(crate) fn apply(self, host: &RoleHost) -> Result<(Settings, Reach), Error> {
        for (name, prefix) in [
            ("prefix", &self.prefix),
            ("discoveryPrefix", &self.discovery_prefix),
        ] {
            topics::check_prefix(prefix)
                .map_err(|reason| format!("`{name}`, `{prefix}`, {reason}"))?;
        }
        if self.home_assistant
            && topics::overlaps(&format!("{}/#", self.prefix), &self.discovery_prefix)
        {
            let reason = "`prefix` and `discoveryPrefix` overlap: choose another `prefix`";
            return Err(reason.into());
        }
        if self.network.is_empty() || self.network.len() > 64 {
            return Err("`network` has to have 1 to 64 bytes".into());
        }
        if self.client_id.is_empty() || self.client_id.len() > 255 {
            return Err("`clientId` has to have 1 to 255 bytes".into());
        }
        let lists = [
            ("broker", self.broker.len()),
            ("track", self.track.len()),
            ("orders", self.orders.len()),
            ("follow", self.follow.len()),
        ];
        for (name, length) in lists {
            if length > MAX_ENTRIES {
                return Err(format!("`{name}` may have {MAX_ENTRIES} entries at most").into());
            }
        }
        let mut follow = self.follow;
        for followed in &mut follow {
            followed.check(&self.prefix, &self.discovery_prefix)?;
        }
        let brokers = self.broker.iter().map(|text| Broker::parse(text));
        let brokers = brokers.collect::<Result<Vec<_>, _>>()?;
        let settings = Settings {
            topics: Topics {
                prefix: self.prefix,
                discovery: self.discovery_prefix,
                network: self.network,
                bridge: host.node().to_owned(),
            },
            role: host.name().to_owned(),
            home_assistant: self.home_assistant,
            nodes: self.nodes,
            sleeping: self.sleeping,
            areas: self.areas.unwrap_or_default(),
            track: self.track,
            diagnostics: self.diagnostics,
            links: self.links,
            messages: self.messages,
            orders: self.orders,
            follow,
            event_age: Duration::try_from_secs_f64(self.event_max_age)?,
        };
        let reach = Reach {
            brokers,
            user: self.user,
            password_file: self.password_file,
            identity: Identity {
                authorities: self.ca_file,
                certificate: self.certificate_file.zip(self.key_file),
            },
            client_id: self.client_id,
            protocol: match self.protocol.as_str() {
                "3.1.1" => Protocol::V311,
                _ => Protocol::V5,
            },
            keep_alive: Duration::from_secs(self.keep_alive),
        };
        Ok((settings, reach))
    }
}

impl Followed {
    fn check(&mut self, prefix: &str, discovery: &str) -> Result<(), Error> {
        let Self { topic, event, .. } = self;
        if !topics::is_filter(topic) {
            return Err(format!("`follow` has `{topic}`, which is no filter of topics").into());
        }
        if topic.starts_with("$share/") {
            return Err(format!(
                "`follow` has `{topic}`, a shared subscription, of which each message goes to one of several: give \
                 the topics alone"
            )
            .into());
        }
        for (name, own) in [("prefix", prefix), ("discoveryPrefix", discovery)] {
            if topics::overlaps(topic, own) {
                return Err(format!(
                    "`follow` has `{topic}`, which fits topics below `{own}` (`{name}`): what is published there \
                     would come back. Follow topics of others"
                )
                .into());
            }
        }
        if event.is_empty() {
            return Err(format!("`follow` has `{topic}` without a type in `event`").into());
        }
        self.path = match &self.value {
            None => None,
            Some(text) => match DataPath::parse(text) {
                Ok(DataPath::Time) => {
                    return Err("`follow` has the `value` `time`, which MQTT does not tell".into());
                }
                Ok(path) => Some(path),
                Err(error) => {
                    return Err(format!("`follow` has the `value` `{text}`: {error}").into());
                }
            },
        };
        Ok(())
    }
}

impl Settings {
    /// Whether the roles of a node are there.
    pub(crate) fn bridges(&self, node: &str) -> bool {
        fits_any(&self.nodes, node)
    }

    /// Whether it is away without anything being wrong.
    pub(crate) fn sleeps(&self, node: &str) -> bool {
        fits_any(&self.sleeping, node)
    }
}

impl MessagePattern {
    /// Whether it fits a message.
    pub(crate) fn fits(
        &self,
        (kind, node, role): (&str, &str, &str),
        type_name: &str,
        channel: Option<&str>,
    ) -> bool {
        let field = |patterns: &Option<Vec<String>>, text: &str| {
            patterns
                .as_ref()
                .is_none_or(|patterns| fits_any(patterns, text))
        };
        self.kind.as_deref().is_none_or(|wanted| wanted == kind)
            && field(&self.node, node)
            && field(&self.role, role)
            && field(&self.type_name, type_name)
            && field(&self.channel, channel.unwrap_or_default())
    }
}

impl OrderPattern {
    /// Whether it fits an order.
    pub(crate) fn fits(&self, type_name: &str, channel: Option<&str>) -> bool {
        let fits = |texts: &Texts, text: &str| match texts {
            Texts::One(pattern) => kozo_faces::fits(pattern, text),
            Texts::Several(patterns) => fits_any(patterns, text),
        };
        let of_channel = |texts: &Texts| fits(texts, channel.unwrap_or_default());
        fits(&self.type_name, type_name) && self.channel.as_ref().is_none_or(of_channel)
    }
}

fn fits_any(patterns: &[String], text: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| kozo_faces::fits(pattern, text))
}
