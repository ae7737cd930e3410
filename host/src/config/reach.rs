//! How two nodes reach each other: by links, over a bus, or not at all. The file alone decides, so that both
//! come to the same.

use kozo_ground::interest::Pattern;
use kozo_ground::names::{BusName, NodeName};

use super::bus::OnBus;
use super::node::Node;

/// How the messages of two nodes get from one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach<'n> {
    /// By links, as far as their transports and policies make some.
    Links,
    /// Over this bus, all of them; there are no links.
    Bus(&'n BusName),
    /// Not at all: one of them is on buses only, and the other on none of these.
    Not,
}

/// What counts of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'n> {
    /// Its name.
    pub(super) name: &'n NodeName,
    /// The buses that it is on, in the order in which the file has buses.
    pub(super) buses: &'n [OnBus],
    /// It has transports that make links.
    pub(super) has_transports: bool,
    /// With whom it has links in spite of a common bus.
    pub(super) direct: &'n [Pattern],
}

impl<'n> Standing<'n> {
    /// That of a node, which may be a member of a group that has this block.
    pub(super) fn new(name: &'n NodeName, block: &'n Node) -> Self {
        Self {
            name,
            buses: &block.buses,
            has_transports: !block.transports.is_empty(),
            direct: &block.direct,
        }
    }

    fn names(&self, other: &Self) -> bool {
        let mut direct = self.direct.iter();
        direct.any(|pattern| pattern.matches(other.name.as_str()))
    }

    fn is_through(&self, other: &Self) -> bool {
        let mut buses = self.buses.iter();
        buses.any(|on| on.through.contains(other.name))
    }

    fn is_on_buses_only(&self) -> bool {
        !self.has_transports && !self.buses.is_empty()
    }
}

/// How these two reach each other.
///
/// The first common bus in the order of the file carries everything, but for two that need a link between
/// them anyway: one names the other in `direct`, or is on a bus `through` it. Two that are behind the same
/// gateway do not meet on that bus, since a gateway hands nothing on from one link to another.
pub(super) fn reach<'n>(one: Standing<'n>, other: Standing<'n>) -> Reach<'n> {
    let both_have_transports = one.has_transports && other.has_transports;
    let is_direct =
        one.names(&other) || other.names(&one) || one.is_through(&other) || other.is_through(&one);
    if both_have_transports && is_direct {
        return Reach::Links;
    }
    let carries = |on: &&OnBus| {
        let mut others = other.buses.iter();
        others.any(|their| their.bus == on.bus && !have_common(&on.through, &their.through))
    };
    if let Some(on) = one.buses.iter().find(carries) {
        return Reach::Bus(&on.bus);
    }
    match one.is_on_buses_only() || other.is_on_buses_only() {
        true => Reach::Not,
        false => Reach::Links,
    }
}

fn have_common(one: &[NodeName], other: &[NodeName]) -> bool {
    one.iter().any(|name| other.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kozo_description::Place;

    /// A node, as a row of a table: `name: transport, BUS, BUS<GATEWAY, direct PATTERN`.
    struct Row {
        name: NodeName,
        buses: Vec<OnBus>,
        has_transports: bool,
        direct: Vec<Pattern>,
    }

    impl Row {
        fn new(text: &str) -> Self {
            let (name, parts) = text.split_once(':').unwrap();
            let mut row = Self {
                name: NodeName::new(name).unwrap(),
                buses: Vec::new(),
                has_transports: false,
                direct: Vec::new(),
            };
            for part in parts
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
            {
                if part == "tcp" {
                    row.has_transports = true;
                } else if let Some(pattern) = part.strip_prefix("direct ") {
                    row.direct.push(Pattern::new(pattern));
                } else {
                    let mut words = part.split('<');
                    let bus = BusName::new(words.next().unwrap()).unwrap();
                    row.buses.push(OnBus {
                        bus,
                        through: words.map(|name| NodeName::new(name).unwrap()).collect(),
                        options: None,
                        fault: None,
                        place: Place { line: 1, column: 1 },
                    });
                }
            }
            row
        }

        fn standing(&self) -> Standing<'_> {
            Standing {
                name: &self.name,
                buses: &self.buses,
                has_transports: self.has_transports,
                direct: &self.direct,
            }
        }
    }

    /// How the two reach each other: `links`, `not`, or the name of a bus; and the same seen from the other.
    fn decided(one: &str, other: &str) -> String {
        let (one, other) = (Row::new(one), Row::new(other));
        let there = reach(one.standing(), other.standing());
        let back = reach(other.standing(), one.standing());
        assert_eq!(there, back);
        match there {
            Reach::Links => "links".to_owned(),
            Reach::Bus(bus) => bus.to_string(),
            Reach::Not => "not".to_owned(),
        }
    }

    #[test]
    fn the_file_alone_decides_and_both_come_to_the_same() {
        for (one, other, expected) in [
            // Without buses, everything is as ever.
            ("a: tcp", "b: tcp", "links"),
            ("a: ", "b: tcp", "links"),
            ("a: ", "b: ", "links"),
            // A common bus carries, whatever else there is.
            ("a: X", "b: X", "X"),
            ("a: tcp, X", "b: X", "X"),
            ("a: tcp, X", "b: tcp, X", "X"),
            // None in common.
            ("a: X", "b: Y", "not"),
            ("a: X", "b: tcp", "not"),
            ("a: X", "b: ", "not"),
            ("a: X", "b: tcp, Y", "not"),
            ("a: tcp, X", "b: tcp, Y", "links"),
            ("a: tcp, X", "b: tcp", "links"),
            // Several in common: the first of the file.
            ("a: X, Y", "b: X, Y", "X"),
            ("a: X, Y, Z", "b: Y, Z", "Y"),
            // Links that one of them wants.
            ("a: tcp, X, direct b", "b: tcp, X", "links"),
            ("a: tcp, X, direct b*", "b1: tcp, X", "links"),
            ("a: tcp, X, direct c", "b: tcp, X", "X"),
            ("a: tcp, X, direct b", "b: X", "X"),
            ("a: X, direct b", "b: tcp, X", "X"),
            ("a: X, direct b", "b: tcp", "not"),
            // Gateways.
            ("a: tcp, X<g", "g: tcp, X", "links"),
            ("a: tcp, X<g", "b: X", "X"),
            ("a: tcp, X<g", "b: tcp, X", "X"),
            ("a: tcp, X<g", "b: tcp, X<h", "X"),
            ("a: tcp, X<g", "b: tcp, X<g", "links"),
            ("a: tcp, X<g<h", "b: tcp, X<h<i", "links"),
            // A gateway to one bus has links, also where another bus would do.
            ("a: tcp, X, Y<g", "g: tcp, X, Y", "links"),
            // Behind one gateway to a bus, and on another one together.
            ("a: tcp, X<g, Y", "b: tcp, X<g, Y", "Y"),
            ("a: tcp, X<g, Y<h", "b: tcp, X<g, Y<h", "links"),
        ] {
            assert_eq!(decided(one, other), expected, "{one}; {other}");
        }
    }
}
