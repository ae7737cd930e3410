//! The names of topics.
//!
//! ```text
//! PREFIX/bridge/NODE/status              online | offline, the will of the connection
//! PREFIX/node/NODE/status                online | offline
//! PREFIX/node/NODE/same-file             ON where the node has another file
//! PREFIX/node/NODE/ROLE/problem          ON where the role waits for a restart
//! PREFIX/node/NODE/ROLE/FACE/state       how it is
//! PREFIX/node/NODE/ROLE/FACE/attributes  further facts
//! PREFIX/node/NODE/ROLE/FACE/event       it has happened
//! PREFIX/node/NODE/ROLE/FACE/set         what somebody wants of it
//! PREFIX/link/NODE/PEER/…                connected, round-trip, transport
//! PREFIX/message/KIND/NODE/ROLE[/TYPE[/CHANNEL]]
//! PREFIX/order/TYPE[/CHANNEL]
//! ```
//! Names of nodes, roles and faces have no character that means something in a topic. Types and channels are
//! any text, so what does in them is escaped.

use std::fmt::Write;

/// How long a topic is at most, in bytes. MQTT would have room for 65,535.
pub(crate) const MAX_TOPIC: usize = 1024;

/// A name of which several can be joined by `__` and taken apart again: each byte but letters, digits and `-` is
/// `_` and two hexadecimal digits.
pub(crate) fn id(name: &str) -> String {
    let mut id = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => id.push(char::from(byte)),
            // Writing into a text cannot fail.
            other => drop(write!(id, "_{other:02x}")),
        }
    }
    id
}

/// Any text as one level of a topic: `%`, what means something there, and what nobody can see are `%` and two
/// hexadecimal digits for each byte. An empty one is `%`.
pub(crate) fn level(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut level = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '/' | '+' | '#' | '%' | '$' => drop(write!(level, "%{:02X}", u32::from(c))),
            c if c.is_control() || is_unwelcome(c) => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(level, "%{byte:02X}");
                }
            }
            c => level.push(c),
        }
    }
    level
}

/// Characters that MQTT tells nobody to use in a topic.
fn is_unwelcome(c: char) -> bool {
    let code = u32::from(c);
    (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

/// The text that a level stands for; none: it is no such.
pub(crate) fn text(level: &str) -> Option<String> {
    if level == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(level.len());
    let mut rest = level.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether a text can be a topic, or the beginning of one: the levels of a prefix.
///
/// # Errors
/// Why not.
pub(crate) fn check_prefix(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > 128 {
        return Err("has to have 1 to 128 bytes");
    }
    if text.contains(['+', '#']) || text.chars().any(|c| c.is_control() || is_unwelcome(c)) {
        return Err("must not have `+`, `#` or control characters");
    }
    if text.starts_with(['/', '$']) || text.ends_with('/') {
        return Err("must not begin with `/` or `$`, nor end with `/`");
    }
    Ok(())
}

/// Whether some topic fits both a filter and the topics that begin with `prefix` and `/`.
pub(crate) fn overlaps(filter: &str, prefix: &str) -> bool {
    let mut levels = filter.split('/');
    for of_prefix in prefix.split('/') {
        match levels.next() {
            Some("#") => return true,
            Some("+") => {}
            Some(level) if level == of_prefix => {}
            _ => return false,
        }
    }
    true
}

/// Whether a text is a filter of topics.
pub(crate) fn is_filter(text: &str) -> bool {
    let levels: Vec<_> = text.split('/').collect();
    let fits = |(at, level): (usize, &&str)| match *level {
        "#" => at + 1 == levels.len(),
        "+" => true,
        level => !level.contains(['#', '+']),
    };
    !text.is_empty()
        && text.len() <= MAX_TOPIC
        && !text.chars().any(char::is_control)
        && levels.iter().enumerate().all(fits)
}

/// Whether a topic fits a filter.
pub(crate) fn fits(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for of_filter in filter.split('/') {
        match (of_filter, levels.next()) {
            ("#", _) => return true,
            (_, None) => return false,
            ("+", Some(_)) => {}
            (of_filter, Some(level)) if of_filter == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Where everything of one bridge is.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    pub(crate) prefix: String,
    pub(crate) discovery: String,
    /// The name of the network, for identifiers.
    pub(crate) network: String,
    /// The node of the bridge.
    pub(crate) bridge: String,
}

impl Topics {
    pub(crate) fn bridge_status(&self) -> String {
        format!("{}/bridge/{}/status", self.prefix, self.bridge)
    }

    pub(crate) fn bridge_count(&self) -> String {
        format!("{}/bridge/{}/nodes", self.prefix, self.bridge)
    }

    pub(crate) fn bridge_announce(&self) -> String {
        format!("{}/bridge/{}/announce", self.prefix, self.bridge)
    }

    pub(crate) fn node(&self, node: &str, what: &str) -> String {
        format!("{}/node/{node}/{what}", self.prefix)
    }

    pub(crate) fn role(&self, node: &str, role: &str, what: &str) -> String {
        format!("{}/node/{node}/{role}/{what}", self.prefix)
    }

    pub(crate) fn face(&self, node: &str, role: &str, face: &str, what: &str) -> String {
        format!("{}/node/{node}/{role}/{face}/{what}", self.prefix)
    }

    pub(crate) fn link(&self, node: &str, peer: &str, what: &str) -> String {
        format!("{}/link/{node}/{peer}/{what}", self.prefix)
    }

    /// A message, by its parts: a kind, a node, a role, and what it has of type and channel.
    pub(crate) fn message(
        &self,
        (kind, node, role): (&str, &str, &str),
        type_name: &str,
        channel: Option<&str>,
    ) -> String {
        let mut topic = format!("{}/message/{kind}/{node}/{role}", self.prefix);
        if !type_name.is_empty() || channel.is_some() {
            let _ = write!(topic, "/{}", level(type_name));
        }
        if let Some(channel) = channel {
            let _ = write!(topic, "/{}", level(channel));
        }
        topic
    }

    pub(crate) fn command_filter(&self) -> String {
        format!("{}/node/+/+/+/set", self.prefix)
    }

    /// The node, the role and the face that a command is for.
    pub(crate) fn commanded<'t>(&self, topic: &'t str) -> Option<(&'t str, &'t str, &'t str)> {
        let rest = topic.strip_prefix(&*self.prefix)?.strip_prefix("/node/")?;
        let parts: Vec<_> = rest.split('/').collect();
        match parts.as_slice() {
            [node, role, face, "set"] => Some((node, role, face)),
            _ => None,
        }
    }

    pub(crate) fn order_filter(&self) -> String {
        format!("{}/order/#", self.prefix)
    }

    /// The type and the channel that an order is to have.
    pub(crate) fn ordered(&self, topic: &str) -> Option<(String, Option<String>)> {
        let rest = topic.strip_prefix(&*self.prefix)?.strip_prefix("/order/")?;
        match rest.split('/').collect::<Vec<_>>().as_slice() {
            [type_name] => Some((text(type_name)?, None)),
            [type_name, channel] => Some((text(type_name)?, Some(text(channel)?))),
            _ => None,
        }
    }

    pub(crate) fn home_assistant_status(&self) -> String {
        format!("{}/status", self.discovery)
    }

    pub(crate) fn device_filter(&self) -> String {
        format!("{}/device/+/config", self.discovery)
    }

    /// What the identifiers of everything of this network begin with.
    pub(crate) fn identity(&self, parts: &[&str]) -> String {
        let mut identity = format!("kozo__{}", id(&self.network));
        for part in parts {
            identity.push_str("__");
            identity.push_str(&id(part));
        }
        identity
    }

    /// Where a device is announced, or a part of one.
    pub(crate) fn config(&self, parts: &[&str]) -> String {
        format!("{}/device/{}/config", self.discovery, self.identity(parts))
    }

    /// Whether this is where something of this network is announced.
    pub(crate) fn is_config(&self, topic: &str) -> bool {
        let identity = topic
            .strip_prefix(&*self.discovery)
            .and_then(|rest| rest.strip_prefix("/device/"))
            .and_then(|rest| rest.strip_suffix("/config"));
        let own = self.identity(&[]);
        let behind = identity.and_then(|identity| identity.strip_prefix(&*own));
        behind.is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics() -> Topics {
        Topics {
            prefix: "kozo".to_owned(),
            discovery: "homeassistant".to_owned(),
            network: "home.1".to_owned(),
            bridge: "hub".to_owned(),
        }
    }

    #[test]
    fn topics_are_where_others_look_for_them() {
        let topics = topics();
        assert_eq!(
            topics.config(&["hall.east", "motion_1"]),
            "homeassistant/device/kozo__home_2e1__hall_2eeast__motion_5f1/config"
        );
        assert_eq!(
            topics.config(&[]),
            "homeassistant/device/kozo__home_2e1/config"
        );
        assert!(topics.is_config(&topics.config(&[])) && topics.is_config(&topics.config(&["a"])));
        assert!(!topics.is_config("homeassistant/device/kozo__home_2e11/config"));
        assert!(!topics.is_config("homeassistant/device/zigbee__home_2e1/config"));
        let set = topics.face("hall.east", "lamp", "output", "set");
        assert_eq!(set, "kozo/node/hall.east/lamp/output/set");
        assert_eq!(
            topics.commanded(&set),
            Some(("hall.east", "lamp", "output"))
        );
        assert_eq!(topics.commanded("kozo/node/a/b/set"), None);
        assert!(fits(&topics.command_filter(), &set));
    }

    #[test]
    fn messages_and_orders_have_their_type_and_channel_in_the_topic() {
        let topics = topics();
        let message = |type_name, channel| topics.message(("event", "a", "b"), type_name, channel);
        assert_eq!(
            message("gpio state", Some("lamp/1")),
            "kozo/message/event/a/b/gpio state/lamp%2F1"
        );
        assert_eq!(message("tick", None), "kozo/message/event/a/b/tick");
        assert_eq!(message("", None), "kozo/message/event/a/b");
        assert_eq!(message("", Some("")), "kozo/message/event/a/b/%/%");
        let ordered = topics.ordered("kozo/order/gpio set/lamp%2F1");
        assert_eq!(
            ordered,
            Some(("gpio set".to_owned(), Some("lamp/1".to_owned())))
        );
        for wrong in [
            "kozo/order/a/b/c",
            "kozo/order/a%2",
            "kozo/order/%zz",
            "kozo/order/%FF",
            "x/order/a",
        ] {
            assert_eq!(topics.ordered(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn filters_are_checked_and_found_to_overlap_with_a_prefix() {
        for filter in ["#", "+/#", "kozo/#", "+/node", "kozo", "kozo/a"] {
            assert!(overlaps(filter, "kozo"), "{filter}");
        }
        for filter in ["zigbee2mqtt/#", "kozo1/#", "+"] {
            assert_eq!(overlaps(filter, "kozo"), filter == "+", "{filter}");
        }
        assert!(overlaps("a/+/c", "a/b") && !overlaps("a", "a/b"));
        for wrong in ["", "a#", "#/a", "a/+b", "a\n"] {
            assert!(!is_filter(wrong), "{wrong}");
        }
        assert!(is_filter("a/+/#"));
        assert!(fits("a/#", "a") && fits("a/+", "a/b") && !fits("a/+", "a") && !fits("a", "a/b"));
    }

    proptest! {
        #[test]
        fn joined_identifiers_never_clash(one in prop::collection::vec(".{0,6}", 1..4), other in prop::collection::vec(".{0,6}", 1..4)) {
            let join = |parts: &[String]| parts.iter().map(|part| id(part)).collect::<Vec<_>>().join("__");
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            prop_assert!(join(&one).chars().all(fits));
            prop_assert_eq!(one == other, join(&one) == join(&other));
        }

        #[test]
        fn any_text_is_one_level_and_comes_back(any in ".{0,20}") {
            let level = level(&any);
            prop_assert!(!level.is_empty() && !level.contains(['/', '+', '#', '\0']));
            prop_assert_eq!(text(&level), Some(any));
        }
    }
}
