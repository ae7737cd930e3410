//! The last messages, pure: a ring that all browsers read, each with a filter and a place of its own. So one that
//! does not read costs nothing, and is told how many it missed.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::told::Passed;

/// How many messages are held.
const MAX_MESSAGES: usize = 1000;

/// How many bytes they have together.
const MAX_BYTES: usize = 1024 * 1024;

/// How many messages one piece for a browser has.
const MAX_BATCH: usize = 250;

/// How many bytes one piece for a browser has, or a single message if that is larger.
const MAX_BATCH_BYTES: usize = 128 * 1024;

/// How long a pattern of a filter may be, in bytes.
const LONGEST_PATTERN: usize = 200;

/// A ring of messages.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    messages: VecDeque<Held>,
    bytes: usize,
    /// The number of the next one.
    next: u64,
    /// How many the node left out, since too many passed.
    left_out: u64,
}

#[derive(Debug)]
struct Held {
    subject: Subject,
    json: Bytes,
}

/// What filters look at.
#[derive(Debug, Clone)]
struct Subject {
    kind: String,
    type_name: String,
    channel: String,
    role: String,
    node: String,
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    next: u64,
    left_out: u64,
}

impl Place {
    /// The place of somebody who comes now, and is shown what is still there.
    pub(crate) fn new(feed: &Feed) -> Self {
        Self {
            next: feed.next - feed.messages.len() as u64,
            left_out: feed.left_out,
        }
    }

    /// The place behind the message with this number. One that there has not been yet is of an earlier life of the
    /// role: whoever names it has seen nothing of this one.
    pub(crate) fn behind(number: u64, feed: &Feed) -> Self {
        if number >= feed.next {
            return Self::new(feed);
        }
        Self {
            next: number + 1,
            left_out: feed.left_out,
        }
    }
}

/// What somebody gets to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// `{"messages":[…],"left_out":N,"last":N}`
    pub(crate) json: String,
    /// The number of the last message that was looked at.
    pub(crate) last: u64,
}

impl Feed {
    /// Takes a message, which pushes out old ones.
    pub(crate) fn push(&mut self, message: &Passed) {
        let Ok(json) = serde_json::to_vec(&Numbered {
            number: self.next,
            message,
        }) else {
            return;
        };
        self.next += 1;
        self.bytes += json.len();
        self.messages.push_back(Held {
            subject: Subject {
                kind: message.kind.clone(),
                type_name: message.type_name.clone(),
                channel: message.channel.clone().unwrap_or_default(),
                role: message.role.clone(),
                node: message.node.clone(),
            },
            json: json.into(),
        });
        while self.messages.len() > MAX_MESSAGES
            || (self.bytes > MAX_BYTES && self.messages.len() > 1)
        {
            if let Some(old) = self.messages.pop_front() {
                self.bytes -= old.json.len();
            }
        }
    }

    /// Takes note of messages that the node did not show.
    pub(crate) fn miss(&mut self, count: u64) {
        self.left_out = self.left_out.saturating_add(count);
    }

    /// Forgets everything; numbers go on.
    pub(crate) fn clear(&mut self) {
        self.messages = VecDeque::new();
        self.bytes = 0;
    }

    /// What is there for somebody since `place`, which moves on; none when there is nothing.
    pub(crate) fn read(&self, place: &mut Place, filter: &Filter) -> Option<Batch> {
        let oldest = self.next - self.messages.len() as u64;
        let gone = oldest.saturating_sub(place.next);
        let left_out = (self.left_out - place.left_out.min(self.left_out)).saturating_add(gone);
        let start = place.next.max(oldest);
        let mut json = String::from("{\"messages\":[");
        let mut found = 0;
        let mut next = start;
        for held in self.messages.iter().skip((start - oldest) as usize) {
            if filter.fits(&held.subject) {
                let full = found >= MAX_BATCH || json.len() + held.json.len() > MAX_BATCH_BYTES;
                if found > 0 && full {
                    break;
                }
                if found > 0 {
                    json.push(',');
                }
                // It was written as JSON here.
                json.push_str(&String::from_utf8_lossy(&held.json));
                found += 1;
            }
            next += 1;
        }
        *place = Place {
            next,
            left_out: self.left_out,
        };
        if found == 0 && left_out == 0 {
            return None;
        }
        let last = next.saturating_sub(1);
        json.push_str(&format!("],\"left_out\":{left_out},\"last\":{last}}}"));
        Some(Batch { json, last })
    }
}

#[derive(serde::Serialize)]
struct Numbered<'a> {
    number: u64,
    #[serde(flatten)]
    message: &'a Passed,
}

/// Which messages somebody wants to see. What is not given fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Any of these; all when empty.
    kinds: Vec<String>,
    type_name: Option<String>,
    channel: Option<String>,
    role: Option<String>,
    node: Option<String>,
}

impl Filter {
    /// Sets what an address of the page says; other words mean nothing here.
    pub(crate) fn set(&mut self, word: &str, value: &str) {
        if value.is_empty() || value.len() > LONGEST_PATTERN {
            return;
        }
        let value = value.to_owned();
        match word {
            "kind" => self.kinds = value.split(',').map(str::to_owned).collect(),
            "type" => self.type_name = Some(value),
            "channel" => self.channel = Some(value),
            "role" => self.role = Some(value),
            "node" => self.node = Some(value),
            _ => {}
        }
    }

    fn fits(&self, subject: &Subject) -> bool {
        let any = |pattern: &Option<String>, text: &str| {
            pattern
                .as_deref()
                .is_none_or(|pattern| matches(pattern, text))
        };
        (self.kinds.is_empty() || self.kinds.contains(&subject.kind))
            && any(&self.type_name, &subject.type_name)
            && any(&self.channel, &subject.channel)
            && any(&self.role, &subject.role)
            && any(&self.node, &subject.node)
    }
}

/// Whether a text is as a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(type_name: &str) -> Passed {
        Passed {
            kind: "event".to_owned(),
            node: "clock".to_owned(),
            role: "timer1".to_owned(),
            type_name: type_name.to_owned(),
            data: json!("<script>"),
            ..Passed::default()
        }
    }

    fn types(batch: Option<Batch>) -> Vec<String> {
        let Some(batch) = batch else {
            return Vec::new();
        };
        let value: Value = serde_json::from_str(&batch.json).unwrap();
        let messages = value["messages"].as_array().unwrap().clone();
        let types = messages.iter().map(|it| it["type"].as_str().unwrap());
        types.map(str::to_owned).collect()
    }

    #[test]
    fn each_reads_from_its_own_place_what_its_filter_lets_through() {
        let mut feed = Feed::default();
        feed.push(&message("tick"));
        feed.push(&message("tock"));
        let (mut all, mut some) = (Place::new(&feed), Place::new(&feed));
        let mut filter = Filter::default();
        filter.set("type", "to*");
        assert_eq!(
            types(feed.read(&mut all, &Filter::default())),
            ["tick", "tock"]
        );
        assert_eq!(types(feed.read(&mut some, &filter)), ["tock"]);
        assert_eq!(feed.read(&mut all, &Filter::default()), None);
        feed.push(&message("tick"));
        assert_eq!(types(feed.read(&mut all, &Filter::default())), ["tick"]);
        assert_eq!(feed.read(&mut some, &filter), None);
    }

    #[test]
    fn whoever_does_not_read_misses_what_has_no_room_and_is_told_how_much() {
        let mut feed = Feed::default();
        let mut place = Place::new(&feed);
        for _ in 0..MAX_MESSAGES + 500 {
            feed.push(&message("tick"));
        }
        feed.miss(7);
        assert_eq!(feed.messages.len(), MAX_MESSAGES);
        let batch = feed.read(&mut place, &Filter::default()).unwrap();
        let value: Value = serde_json::from_str(&batch.json).unwrap();
        assert_eq!(value["left_out"], 507);
        assert_eq!(value["messages"].as_array().unwrap().len(), MAX_BATCH);
        let mut rest = 0;
        while let Some(batch) = feed.read(&mut place, &Filter::default()) {
            rest += types(Some(batch)).len();
        }
        assert_eq!(rest, MAX_MESSAGES - MAX_BATCH);
        // Whoever comes later has missed nothing.
        let batch = feed
            .read(&mut Place::new(&feed), &Filter::default())
            .unwrap();
        assert!(batch.json.contains("\"left_out\":0"), "{}", batch.json);
    }

    #[test]
    fn who_read_in_an_earlier_life_of_the_role_has_seen_nothing_of_this_one() {
        let mut feed = Feed::default();
        feed.push(&message("tick"));
        feed.push(&message("tock"));
        let all = Filter::default();
        let mut place = Place::behind(0, &feed);
        assert_eq!(types(feed.read(&mut place, &all)), ["tock"]);
        let mut place = Place::behind(1, &feed);
        assert_eq!(feed.read(&mut place, &all), None);
        let mut place = Place::behind(500, &feed);
        assert_eq!(types(feed.read(&mut place, &all)), ["tick", "tock"]);
    }

    #[test]
    fn large_messages_are_fewer() {
        let mut feed = Feed::default();
        for _ in 0..100 {
            feed.push(&Passed {
                data: json!("x".repeat(60_000)),
                ..message("large")
            });
        }
        assert!(feed.bytes <= MAX_BYTES && feed.messages.len() > 10);
        let batch = feed.read(&mut Place::new(&feed), &Filter::default());
        assert!(types(batch).len() <= 2);
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("tick", "tick", true),
            ("tick", "ticks", false),
            ("t*k", "tick", true),
            ("*i*k", "tick", true),
            ("*x*", "tick", false),
            ("tick*tick", "tick", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
