//! What a role wants to hear of, as data: patterns over a message's kind, type, channel and sender.
//!
//! Interests come from a module's metadata (with the role's own options filled in) or from a
//! peer's hello; either way any node can evaluate them without the module.

use serde::{Deserialize, Serialize};

/// The three kinds of message that roles exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    /// Something happened.
    Event = 0,
    /// Somebody is asked to do something.
    Order = 1,
    /// A line for the log.
    Log = 2,
}

impl Kind {
    /// The kind with this number on the wire and at the module interface.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Event),
            1 => Some(Self::Order),
            2 => Some(Self::Log),
            _ => None,
        }
    }

    /// The kind with this name in an interest.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "event" => Some(Self::Event),
            "order" => Some(Self::Order),
            "log" => Some(Self::Log),
            _ => None,
        }
    }
}

/// What a message is matched by.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Event, order or log.
    pub kind: Kind,
    /// The message's type, `tick` say.
    pub type_name: &'a str,
    /// The channel, if the sender named one.
    pub channel: Option<&'a str>,
    /// The role that sent it.
    pub role: &'a str,
    /// The node of that role.
    pub node: &'a str,
}

/// A text in which `*` stands for any run of characters, the empty one included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Every text is a pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether some text fits both patterns. Takes time and room proportional to the two lengths' product.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (one, other) = (self.0.as_bytes(), other.0.as_bytes());
        // Whether what is left of one, from here on, and what is left of the other can be the same text; from the
        // ends to the beginnings, a row of `other` for each byte of `one`.
        let only_stars = |rest: &[u8]| rest.iter().all(|byte| *byte == b'*');
        let mut below: Vec<bool> = (0..=other.len())
            .map(|at| only_stars(&other[at..]))
            .collect();
        for from in (0..one.len()).rev() {
            let mut row = vec![false; other.len() + 1];
            row[other.len()] = only_stars(&one[from..]);
            for at in (0..other.len()).rev() {
                row[at] = if one[from] == b'*' || other[at] == b'*' {
                    below[at] || row[at + 1]
                } else {
                    one[from] == other[at] && below[at + 1]
                };
            }
            below = row;
        }
        below[0]
    }

    /// Whether `text` as a whole fits the pattern. Takes time proportional to the two lengths'
    /// product at worst, so a peer's pattern cannot stall the host.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go back to when a literal does not fit: behind the last `*`, one further on.
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            if p < pattern.len() && pattern[p] == b'*' {
                retry = Some((p + 1, t));
                p += 1;
            } else if p < pattern.len() && pattern[p] == text[t] {
                p += 1;
                t += 1;
            } else if let Some((after_star, from)) = retry {
                retry = Some((after_star, from + 1));
                p = after_star;
                t = from + 1;
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|&c| c == b'*')
    }
}

/// One thing that a role wants to hear of. A field left out (`None`) fits everything; a field
/// with several patterns fits what any of them fits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Interest {
    /// Event, order or log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The message's type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<Vec<Pattern>>,
    /// The channel; a message without one fits only a pattern that fits the empty text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Vec<Pattern>>,
    /// The sending role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Vec<Pattern>>,
    /// The sending node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Vec<Pattern>>,
}

impl Interest {
    /// Whether a message with this subject is wanted.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == subject.kind)
            && fits(&self.type_name, subject.type_name)
            && fits(&self.channel, subject.channel.unwrap_or(""))
            && fits(&self.role, subject.role)
            && fits(&self.node, subject.node)
    }

    /// Whether messages of this node and of this role may be wanted, as far as either is known.
    pub fn may_be_of(&self, node: Option<&str>, role: Option<&str>) -> bool {
        node.is_none_or(|node| fits(&self.node, node))
            && role.is_none_or(|role| fits(&self.role, role))
    }
}

fn fits(patterns: &Option<Vec<Pattern>>, text: &str) -> bool {
    let patterns = patterns.as_ref();
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(text)))
}

/// All that one role wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interests {
    /// The role's module is not known here: until its node says otherwise, it may want anything.
    Unknown,
    /// The role wants what any of these fits; nothing when the list is empty.
    Known(Vec<Interest>),
}

impl Interests {
    /// Whether a message with this subject is, or may be, wanted.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Unknown => true,
            Self::Known(list) => list.iter().any(|interest| interest.matches(subject)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "timer1", true),
            ("timer1", "timer1", true),
            ("timer1", "timer12", false),
            ("timer*", "timer", true),
            ("*er*", "timer1", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(text),
                fits,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_field_left_out_fits_everything() {
        let tick = Subject {
            kind: Kind::Event,
            type_name: "tick",
            channel: None,
            role: "timer1",
            node: "clock",
        };
        let of_timer1 = Interest {
            kind: Some(Kind::Event),
            type_name: Some(vec![Pattern::new("tick")]),
            role: Some(vec![Pattern::new("other"), Pattern::new("timer1")]),
            ..Interest::default()
        };
        assert!(of_timer1.matches(&tick));
        assert!(!of_timer1.matches(&Subject {
            role: "timer2",
            ..tick
        }));
        assert!(!of_timer1.matches(&Subject {
            kind: Kind::Order,
            ..tick
        }));
        assert!(Interest::default().matches(&tick));
        assert!(!Interests::Known(vec![]).matches(&tick));
        assert!(Interests::Unknown.matches(&tick));
    }

    #[test]
    fn patterns_overlap_where_some_text_fits_both() {
        for (one, other) in [
            ("a", "a"),
            ("*", ""),
            ("*", "a*"),
            ("a*", "*b"),
            ("a*c", "ab*"),
            ("*x*", "*y*"),
            ("hall*", "*"),
        ] {
            let (one, other) = (Pattern::new(one), Pattern::new(other));
            assert!(
                one.overlaps(&other) && other.overlaps(&one),
                "{one:?} {other:?}"
            );
        }
        for (one, other) in [
            ("a", "b"),
            ("a", ""),
            ("a*", "b*"),
            ("*a", "*b"),
            ("ab*", "ac*d"),
            ("a", "aa"),
        ] {
            let (one, other) = (Pattern::new(one), Pattern::new(other));
            assert!(
                !one.overlaps(&other) && !other.overlaps(&one),
                "{one:?} {other:?}"
            );
        }
    }
}
