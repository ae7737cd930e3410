//! What is announced: devices with their components, from one set of them to the next.
//!
//! ```text
//!                     ┌─ left the set ──▶ all retained topics under it are emptied ─ Home Assistant is there ──▶ its own, too
//!  announced ─────────┤
//!                     └─ lost a component ──▶ announced with that one's `platform` alone
//!                                                └─ Home Assistant was there for 5 s ──▶ announced without it
//! ```
//! What goes while Home Assistant is away would stay there for good: nobody tells it then. So that waits for it.
//! A component that is merely left out stays in Home Assistant for good. What was announced is remembered over
//! restarts, so that this holds for what goes while the bridge is away, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::entity::{Component, Trace};
use crate::retained::{Class, Retained};

/// How long Home Assistant has to take a component away.
const LEAVING: Duration = Duration::from_secs(5);

/// How long what a component or a device showed stays after Home Assistant was told that it goes. It takes an empty
/// state for a broken one as long as it listens, and when it is busy, it does so for a while.
pub(crate) const STATES_STAY: Duration = Duration::from_secs(15);

/// How long it is not known, on a new connection, whether Home Assistant is there: after a restart of the broker it
/// takes its time, and who connects is not told of it.
const UNKNOWN: Duration = Duration::from_secs(20);

/// How many announcements that nobody wants are remembered until they are taken away.
const MAX_UNWANTED: usize = 4096;

/// How many components are remembered of an announcement that the broker had.
const MAX_LEARNT: usize = 256;

/// A device as it is to be announced, or the part of one that is a role.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Device {
    /// In words, for people.
    pub(crate) name: String,
    pub(crate) class: Class,
    /// What is said besides its components.
    pub(crate) says: Map<String, Value>,
    pub(crate) components: BTreeMap<String, Component>,
    /// Retained topics that are the device's own.
    pub(crate) topics: Vec<String>,
}

/// What is remembered of a device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Announced {
    name: String,
    components: BTreeMap<String, Trace>,
    topics: Vec<String>,
    /// Components that go, with their platforms.
    leaving: BTreeMap<String, String>,
    /// Whether Home Assistant is told of it.
    #[serde(default)]
    told: bool,
    /// What it was like when the user took it out of Home Assistant.
    hidden: Option<u64>,
    /// All of it goes.
    #[serde(default)]
    leaves: bool,
    /// When those that go are gone.
    #[serde(skip)]
    gone_at: Option<Duration>,
}

impl Announced {
    /// All topics that say how it is.
    fn states(&self) -> impl Iterator<Item = &String> {
        let of_components = self.components.values().flat_map(|trace| &trace.topics);
        of_components.chain(&self.topics)
    }
}

/// Whether Home Assistant is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Home {
    /// Nobody has said so. From then on it counts as there.
    Unknown(Duration),
    #[default]
    There,
    Away,
}

/// All that is announced, by topic.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    announced: BTreeMap<String, Announced>,
    devices: BTreeMap<String, Device>,
    /// Whether Home Assistant is told of any.
    tells: bool,
    home: Home,
}

impl Registry {
    /// With what was announced in an earlier life.
    pub(crate) fn remembering(announced: BTreeMap<String, Announced>, tells: bool) -> Self {
        Self {
            announced,
            tells,
            ..Self::default()
        }
    }

    /// What has to be remembered.
    pub(crate) fn memory(&self) -> &BTreeMap<String, Announced> {
        &self.announced
    }

    /// Announces these devices from now on, and takes away what is not among them. True: something has changed.
    pub(crate) fn apply(
        &mut self,
        devices: BTreeMap<String, Device>,
        retained: &mut Retained,
        now: Duration,
    ) -> bool {
        let before = self.announced.clone();
        let kept: BTreeSet<&String> = devices.values().flat_map(Device::retained_topics).collect();
        self.announced.retain(|topic, announced| {
            if devices.contains_key(topic) {
                return true;
            }
            announced.leaves = true;
            for topic in announced.states().filter(|topic| !kept.contains(topic)) {
                match announced.told {
                    true => retained.forget(topic),
                    false => retained.clear(topic),
                }
            }
            announced.told
        });
        for (topic, device) in &devices {
            let announced = self.announced.entry(topic.clone()).or_default();
            announced.name.clone_from(&device.name);
            if std::mem::take(&mut announced.leaves) {
                // It is back before all of it was gone, and how it was then nobody knows to be true.
                for topic in announced.states() {
                    if retained.payload(topic).is_none() {
                        retained.clear(topic);
                    }
                }
            }
            for (id, trace) in &announced.components {
                let is_same = |component: &Component| component.platform == trace.platform;
                if device.components.get(id).is_some_and(is_same) {
                    continue;
                }
                announced.leaving.insert(id.clone(), trace.platform.clone());
                announced.gone_at = Some(now + LEAVING);
                for topic in trace.topics.iter().filter(|topic| !kept.contains(topic)) {
                    retained.clear_later(topic, now + STATES_STAY);
                }
            }
            for topic in announced
                .topics
                .iter()
                .filter(|topic| !kept.contains(topic))
            {
                retained.clear_later(topic, now + STATES_STAY);
            }
            // One that came back while it went.
            announced.leaving.retain(|id, platform| {
                device
                    .components
                    .get(id)
                    .is_none_or(|component| component.platform != *platform)
            });
            let traces = device.components.iter();
            announced.components = traces.map(|(id, it)| (id.clone(), it.trace())).collect();
            announced.topics.clone_from(&device.topics);
            if announced
                .hidden
                .is_some_and(|hidden| hidden != device.digest())
            {
                announced.hidden = None;
            }
        }
        self.devices = devices;
        let topics: Vec<String> = self.devices.keys().cloned().collect();
        for topic in topics {
            self.announce(&topic, retained);
        }
        before != self.announced
    }

    /// Publishes a device as it is now.
    fn announce(&mut self, topic: &str, retained: &mut Retained) {
        let (Some(device), Some(announced)) =
            (self.devices.get(topic), self.announced.get_mut(topic))
        else {
            return;
        };
        let is_something = !device.components.is_empty() || !announced.leaving.is_empty();
        match self.tells && is_something {
            true if announced.hidden.is_some() => {}
            true => {
                announced.told = true;
                retained.set(topic, device.payload(&announced.leaving), device.class);
            }
            false => {
                if std::mem::take(&mut announced.told) {
                    retained.clear(topic);
                }
            }
        }
    }

    /// Sends all announcements again. What goes has its time from now on.
    pub(crate) fn announce_again(&mut self, retained: &mut Retained, now: Duration) {
        for (topic, announced) in &mut self.announced {
            if !announced.leaving.is_empty() {
                announced.gone_at = Some(now + LEAVING);
            }
            retained.repeat(topic);
        }
    }

    /// Takes note of an announcement of this network that the broker had. True: nobody wants it any more, and it
    /// is taken away.
    pub(crate) fn learn(
        &mut self,
        topic: &str,
        payload: &[u8],
        retained: &mut Retained,
        now: Duration,
    ) -> bool {
        let Some(device) = self.devices.get(topic) else {
            let is_news = !self.announced.contains_key(topic)
                && !retained.is_cleared(topic)
                && self.announced.len() < MAX_UNWANTED;
            if is_news {
                let unwanted = Announced {
                    name: topic.to_owned(),
                    told: true,
                    leaves: true,
                    ..Announced::default()
                };
                self.announced.insert(topic.to_owned(), unwanted);
            }
            return is_news;
        };
        let Some(announced) = self.announced.get_mut(topic) else {
            return false;
        };
        let told: Value = serde_json::from_slice(payload).unwrap_or_default();
        let components = told.get("components").and_then(Value::as_object);
        for (id, says) in components.into_iter().flatten().take(MAX_LEARNT) {
            let Some(platform) = says.get("platform").and_then(Value::as_str) else {
                continue;
            };
            let short = id.len() <= 255 && platform.len() <= 64;
            let ours = device.components.get(id);
            if short && ours.is_none_or(|component| component.platform != platform) {
                announced.leaving.insert(id.clone(), platform.to_owned());
                announced.gone_at = Some(now + LEAVING);
            }
        }
        // It is no longer what it was: somebody else may have changed it as well.
        if announced.hidden.is_none() {
            self.announce(topic, retained);
            retained.repeat(topic);
        }
        false
    }

    /// Somebody else has emptied this topic: the user has taken the device out of Home Assistant. True: that is
    /// news.
    pub(crate) fn hide(&mut self, topic: &str, retained: &mut Retained) -> bool {
        let (Some(device), Some(announced)) =
            (self.devices.get(topic), self.announced.get_mut(topic))
        else {
            return false;
        };
        if announced.hidden.is_some() || retained.payload(topic).is_none() {
            return false;
        }
        announced.hidden = Some(device.digest());
        retained.forget(topic);
        true
    }

    /// Shows again what the user has taken out of Home Assistant.
    pub(crate) fn show_all(&mut self, retained: &mut Retained) {
        for announced in self.announced.values_mut() {
            announced.hidden = None;
        }
        let topics: Vec<String> = self.devices.keys().cloned().collect();
        for topic in topics {
            self.announce(&topic, retained);
        }
    }

    /// The names of what the user has taken out of Home Assistant.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = &str> {
        let hidden = self
            .announced
            .values()
            .filter(|announced| announced.hidden.is_some());
        hidden.map(|announced| announced.name.as_str())
    }

    /// The name of a device.
    pub(crate) fn name(&self, topic: &str) -> &str {
        self.announced
            .get(topic)
            .map_or("", |announced| &announced.name)
    }

    /// There is a new connection, and Home Assistant may have one or not.
    pub(crate) fn connected(&mut self, now: Duration) {
        self.home = Home::Unknown(now + UNKNOWN);
    }

    /// Home Assistant has said that it is there, or that it goes.
    pub(crate) fn home_is(&mut self, there: bool) {
        self.home = match there {
            true => Home::There,
            false => Home::Away,
        };
    }

    /// Takes away what goes, once Home Assistant can hear of it. True: there was something.
    pub(crate) fn settle(&mut self, retained: &mut Retained, now: Duration) -> bool {
        match self.home {
            Home::Away => return false,
            Home::Unknown(until) if now < until => return false,
            Home::Unknown(_) | Home::There => {}
        }
        let all = self.devices.values();
        let kept: BTreeSet<&String> = all.flat_map(Device::retained_topics).collect();
        let mut settled = Vec::new();
        self.announced.retain(|topic, announced| {
            if announced.leaves {
                retained.clear(topic);
                for topic in announced.states().filter(|topic| !kept.contains(topic)) {
                    retained.clear_later(topic, now + STATES_STAY);
                }
                settled.push(topic.clone());
                return false;
            }
            if announced.gone_at.is_some_and(|gone_at| gone_at <= now) {
                announced.gone_at = None;
                announced.leaving.clear();
                settled.push(topic.clone());
            }
            true
        });
        for topic in &settled {
            self.announce(topic, retained);
        }
        !settled.is_empty()
    }

    /// When there is something to do next.
    pub(crate) fn due(&self) -> Option<Duration> {
        let all = self.announced.values();
        let due = all.filter_map(|announced| match announced.leaves {
            true => Some(Duration::ZERO),
            false => announced.gone_at,
        });
        let due = due.min()?;
        match self.home {
            Home::Away => None,
            Home::Unknown(until) => Some(due.max(until)),
            Home::There => Some(due),
        }
    }
}

impl Device {
    fn retained_topics(&self) -> impl Iterator<Item = &String> {
        let components = self
            .components
            .values()
            .flat_map(|component| &component.topics);
        components.chain(&self.topics)
    }

    /// As Home Assistant reads it. Those that go are named by their platforms alone.
    fn payload(&self, leaving: &BTreeMap<String, String>) -> Vec<u8> {
        let mut components = Map::new();
        for (id, component) in &self.components {
            let mut says = component.says.clone();
            says.insert("platform".to_owned(), component.platform.clone().into());
            components.insert(id.clone(), says.into());
        }
        for (id, platform) in leaving {
            components.insert(id.clone(), json!({ "platform": platform }));
        }
        let mut all = self.says.clone();
        all.insert("components".to_owned(), components.into());
        crate::entity::json(&Value::Object(all))
    }

    /// A number that is another one where something else is announced: of the components, since a node of a
    /// newer version is none that the user would want to see again.
    fn digest(&self) -> u64 {
        let mut sum = Sum(0xcbf2_9ce4_8422_2325);
        for (id, component) in &self.components {
            sum.add(id);
            sum.add(&component.platform);
            sum.add(&Value::Object(component.says.clone()).to_string());
        }
        sum.0
    }
}

/// FNV-1a: it is remembered, so it has to be the same whatever this module is built with.
struct Sum(u64);

impl Sum {
    fn add(&mut self, text: &str) {
        // 0xFF stands in no text, so it ends each.
        for byte in text.bytes().chain([0xFF]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
