//! Routers that translate addresses, or only let in what was asked for.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Without traffic, a router forgets after so long.
const FORGETS: Duration = Duration::from_secs(30);
const FIRST_PORT: u16 = 20_000;

/// What a router does, in the words of RFC 4787.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It translates nothing, and lets everything in.
    None,
    /// It translates nothing, and lets in what answers.
    Firewall,
    /// One port for all destinations; everybody may answer.
    FullCone,
    /// One port for all destinations; whoever has the address of one may answer.
    AddressRestricted,
    /// One port for all destinations, each of which may answer. The usual router.
    PortRestricted,
    /// Another port for each address; its ports may answer.
    AddressDependent,
    /// Another port for each destination, which alone may answer.
    Symmetric,
}

impl Kind {
    pub(super) const TRANSLATING: [Self; 5] = [
        Self::FullCone,
        Self::AddressRestricted,
        Self::PortRestricted,
        Self::AddressDependent,
        Self::Symmetric,
    ];

    fn translates(self) -> bool {
        !matches!(self, Self::None | Self::Firewall)
    }

    /// Which destinations share a port.
    fn mapping(self, destination: SocketAddr) -> (Option<IpAddr>, Option<u16>) {
        match self {
            Self::AddressDependent => (Some(destination.ip()), None),
            Self::Symmetric => (Some(destination.ip()), Some(destination.port())),
            _ => (None, None),
        }
    }

    /// Whether it is let in, having sent to `sent`.
    fn lets_in(self, source: SocketAddr, sent: SocketAddr) -> bool {
        match self {
            Self::None | Self::FullCone => true,
            Self::AddressRestricted | Self::AddressDependent => source.ip() == sent.ip(),
            Self::Firewall | Self::PortRestricted | Self::Symmetric => source == sent,
        }
    }

    /// Whether two such routers can be passed without a relay.
    pub(super) fn can_be_passed_with(self, other: Self) -> bool {
        let (one, other) = (self as u8, other as u8);
        let (easier, harder) = (one.min(other), one.max(other));
        // A port that nobody can know beforehand is no obstacle for a router that does not look at ports.
        match (easier, harder) {
            (easier, harder) if harder >= Self::AddressDependent as u8 => {
                easier <= Self::AddressRestricted as u8 && easier != Self::Firewall as u8
            }
            _ => true,
        }
    }
}

#[derive(Debug)]
struct Mapping {
    inside: SocketAddr,
    outside: SocketAddr,
    key: (Option<IpAddr>, Option<u16>),
    /// Where was sent to, and when there was the last traffic.
    sent: HashMap<SocketAddr, Instant>,
}

#[derive(Debug)]
pub(super) struct Router {
    pub(super) kind: Kind,
    pub(super) address: IpAddr,
    mappings: Vec<Mapping>,
    next_port: u16,
}

impl Router {
    pub(super) fn new(kind: Kind, address: IpAddr) -> Self {
        Self {
            kind,
            address,
            mappings: Vec::new(),
            next_port: FIRST_PORT,
        }
    }

    fn forget(&mut self, now: Instant) {
        for mapping in &mut self.mappings {
            mapping
                .sent
                .retain(|_, last| now.duration_since(*last) < FORGETS);
        }
        self.mappings.retain(|mapping| !mapping.sent.is_empty());
    }

    /// As what something leaves.
    pub(super) fn outward(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        self.forget(now);
        let key = self.kind.mapping(to);
        let found = self
            .mappings
            .iter_mut()
            .find(|mapping| mapping.inside == from && mapping.key == key);
        if let Some(mapping) = found {
            mapping.sent.insert(to, now);
            return mapping.outside;
        }
        let outside = if self.kind.translates() {
            // Ports that are not in a row, so that nobody can guess.
            self.next_port += 7;
            SocketAddr::new(self.address, self.next_port)
        } else {
            from
        };
        self.mappings.push(Mapping {
            inside: from,
            outside,
            key,
            sent: HashMap::from([(to, now)]),
        });
        outside
    }

    /// To whom something goes that comes in, if anybody.
    pub(super) fn inward(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<SocketAddr> {
        self.forget(now);
        if self.kind == Kind::None {
            return Some(to);
        }
        let kind = self.kind;
        let mapping = self
            .mappings
            .iter_mut()
            .find(|mapping| mapping.outside == to)?;
        let (_, last) = mapping
            .sent
            .iter_mut()
            .find(|(sent, _)| kind.lets_in(from, **sent))?;
        *last = now;
        Some(mapping.inside)
    }
}
