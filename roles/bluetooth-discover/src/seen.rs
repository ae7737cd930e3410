//! What is in range, and what has changed since the last time.

use std::collections::BTreeMap;

use kozo_bluetooth::Device;

/// How many devices a line names of each kind of news.
const MAX_NAMED: usize = 8;

/// The devices in range at one time: names by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen(BTreeMap<String, String>);

impl Seen {
    pub(crate) fn of(devices: &[Device]) -> Self {
        let named = |device: &Device| {
            let name = device.name.clone().unwrap_or_default();
            (device.address.to_string(), name)
        };
        Self(devices.iter().map(named).collect())
    }

    /// The names by address; the empty text where a device has not told its own.
    pub(crate) fn names(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// What has changed since `before`, as a line for people. None if nothing has.
    pub(crate) fn news_since(&self, before: &Self) -> Option<String> {
        let new = self
            .0
            .iter()
            .filter(|(address, _)| !before.0.contains_key(*address));
        let gone = before
            .0
            .iter()
            .filter(|(address, _)| !self.0.contains_key(*address));
        let renamed = self.0.iter().filter_map(|(address, name)| {
            let old = before.0.get(address).filter(|old| *old != name)?;
            Some(format!(
                "{} is now {}",
                show(address, old),
                show(address, name)
            ))
        });
        let parts = [
            list(
                "Bluetooth devices in range",
                new.map(|(address, name)| show(address, name)),
            ),
            list("gone", gone.map(|(address, name)| show(address, name))),
            list("renamed", renamed),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn show(address: &str, name: &str) -> String {
    if name.is_empty() {
        address.to_owned()
    } else {
        format!("{name} ({address})")
    }
}

fn list(title: &str, mut items: impl Iterator<Item = String>) -> Option<String> {
    let named: Vec<String> = items.by_ref().take(MAX_NAMED).collect();
    let more = items.count();
    match (named.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("{title}: {}", named.join(", "))),
        (false, _) => Some(format!("{title}: {} and {more} more", named.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(devices: &[(&str, &str)]) -> Seen {
        let owned = |&(address, name): &(&str, &str)| (address.to_owned(), name.to_owned());
        Seen(devices.iter().map(owned).collect())
    }

    #[test]
    fn nothing_new_is_no_line() {
        let devices = seen(&[("A", "phone"), ("B", "")]);
        assert_eq!(devices.news_since(&devices), None);
        assert_eq!(Seen::default().news_since(&Seen::default()), None);
    }

    #[test]
    fn those_that_came_went_and_were_renamed_are_named() {
        let before = seen(&[("A", "phone"), ("B", "tag"), ("C", "")]);
        let now = seen(&[("A", "Anna's phone"), ("C", "watch"), ("D", "")]);
        let news = "Bluetooth devices in range: D; gone: tag (B); \
                    renamed: phone (A) is now Anna's phone (A), C is now watch (C)";
        assert_eq!(now.news_since(&before).as_deref(), Some(news));
    }

    #[test]
    fn a_crowd_is_one_short_line() {
        let addresses: Vec<String> = (0..100).map(|number| format!("{number:02}")).collect();
        let crowd: Vec<_> = addresses
            .iter()
            .map(|address| (address.as_str(), "x"))
            .collect();
        let news = seen(&crowd).news_since(&Seen::default()).unwrap();
        assert!(
            news.starts_with("Bluetooth devices in range: x (00), x (01), "),
            "{news}"
        );
        assert!(news.ends_with(", x (07) and 92 more"), "{news}");
    }
}
