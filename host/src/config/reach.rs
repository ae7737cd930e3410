//! How two nodes reach each other: by links, over a bus, or not at all. The file alone decides, so that both
//! come to the same.

use kozo_ground::interest::Pattern;
use kozo_ground::names::{BusName, NodeName};

use super::bus::OnBus;
use super::network::Node;

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
