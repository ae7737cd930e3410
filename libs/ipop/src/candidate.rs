//! Candidates of ICE as text (`cas`): where a node may be reached.
//!
//! ```text
//! id:component:protocol:ip:port:priority:username:password:type:interface:generation:foundation
//! ```
//! with spaces between candidates. IPv6 addresses are in brackets, and what is in those is not split; the original
//! skips such a candidate, since it has another number of fields then.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// How many candidates of a peer are read at most.
pub const MAX_CANDIDATES: usize = 64;

/// The longest field that is read, in bytes: as long as ICE lets user names and passwords be.
pub const MAX_FIELD: usize = 256;

/// The protocol of all candidates; those of others are skipped.
pub const PROTOCOL: &str = "udp";

/// How many fields a candidate has at least. What is behind them is ignored.
const FIELDS: usize = 12;

/// One address at which a node may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// A number or name, which means nothing.
    pub id: String,
    /// The component of ICE: 1.
    pub component: u16,
    /// The address and the port.
    pub address: SocketAddr,
    /// How much it is preferred.
    pub priority: u32,
    /// The user name of the node that has this address, for ICE's checks.
    pub username: String,
    /// The password that goes with it.
    pub password: String,
    /// How the address was found.
    pub kind: Kind,
    /// The network interface that it is on.
    pub interface: String,
    /// Which set of candidates it is of.
    pub generation: u32,
    /// What candidates of the same origin share.
    pub foundation: String,
}

/// How an address was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is the node's own (ICE: `host`).
    Local,
    /// A STUN server saw it (ICE: `srflx`).
    Stun,
    /// It is a TURN server's (ICE: `relay`).
    Relay,
}

impl Kind {
    /// Its name in the text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Stun => "stun",
            Self::Relay => "relay",
        }
    }

    fn read(name: &str) -> Option<Self> {
        match name {
            // The second names are ICE's.
            "local" | "host" => Some(Self::Local),
            "stun" | "srflx" | "prflx" => Some(Self::Stun),
            "relay" => Some(Self::Relay),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was read of a text of candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Those that could be read, in their order.
    pub list: Vec<Candidate>,
    /// How many could not be read, or were too many.
    pub skipped: usize,
}

/// Reads a text of candidates. What cannot be read is skipped and counted.
pub fn read(text: &str) -> Candidates {
    let mut found = Candidates::default();
    for entry in text.split_ascii_whitespace() {
        match Candidate::read(entry) {
            Some(candidate) if found.list.len() < MAX_CANDIDATES => found.list.push(candidate),
            _ => found.skipped += 1,
        }
    }
    found
}

/// Writes candidates with spaces between.
pub fn write(candidates: &[Candidate]) -> String {
    let texts: Vec<_> = candidates.iter().map(Candidate::to_string).collect();
    texts.join(" ")
}

impl Candidate {
    fn read(entry: &str) -> Option<Self> {
        let fields = split(entry);
        let [
            id,
            component,
            protocol,
            ip,
            port,
            priority,
            username,
            password,
            kind,
            interface,
            generation,
            foundation,
        ] = fields.get(..FIELDS)?
        else {
            return None;
        };
        if !protocol.eq_ignore_ascii_case(PROTOCOL)
            || fields[..FIELDS].iter().any(|field| field.len() > MAX_FIELD)
        {
            return None;
        }
        let ip: IpAddr = ip
            .strip_prefix('[')
            .and_then(|ip| ip.strip_suffix(']'))
            .unwrap_or(ip)
            .parse()
            .ok()?;
        Some(Self {
            id: (*id).to_owned(),
            component: component.parse().ok()?,
            address: SocketAddr::new(ip, port.parse().ok()?),
            priority: priority.parse().ok()?,
            username: (*username).to_owned(),
            password: (*password).to_owned(),
            kind: Kind::read(kind)?,
            interface: (*interface).to_owned(),
            // Some write nothing, or a fraction.
            generation: generation.parse().unwrap_or_default(),
            foundation: (*foundation).to_owned(),
        })
    }
}

/// The fields of a candidate: those between colons that are in no brackets.
fn split(entry: &str) -> Vec<&str> {
    let mut inside = false;
    entry
        .split(|character| {
            match character {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            character == ':' && !inside
        })
        // What is behind the fields means nothing, however much it is.
        .take(FIELDS)
        .collect()
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            component,
            address,
            priority,
            username,
            password,
            kind,
            interface,
            generation,
            foundation,
        } = self;
        // The address of a socket writes IPv6 in brackets, and never a scope: what has one is of no use elsewhere.
        let address = SocketAddr::new(address.ip(), address.port());
        // The only field of ours that may have a character in it that separates: `eth0:1`.
        let interface = interface.replace(
            |c: char| c == ':' || c == '[' || c == ']' || c.is_whitespace(),
            "_",
        );
        write!(
            f,
            "{id}:{component}:{PROTOCOL}:{address}:{priority}:{username}:{password}:{kind}:{interface}:{generation}:{foundation}"
        )
    }
}
