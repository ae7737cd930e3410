//! What controllers of 14.07 say to each other, through the overlay: at [`crate::ICC_PORT`] of its IPv6 addresses.
//!
//! ```text
//! 02 01  JSON with `msg_type`
//! 02 02  Ethernet frame
//! 02 03  hop index, hop count, that many IPv6 addresses, Ethernet frame
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use crate::address::full_ip6;
use crate::fields::{Fields, NotAnObject, write_short};
use crate::framing::{CONTROL, FramingError, PACKET, VERSION};

const ROUTED: u8 = 0x03;

/// How many nodes a way has at most, both ends included.
pub const MAX_HOPS: usize = 16;

/// A datagram between controllers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datagram {
    /// Something is asked or told.
    Message(Message),
    /// A frame for a host behind the controller that gets it.
    Frame(Vec<u8>),
    /// A frame that goes a way which its sender found.
    Routed(Routed),
}

/// A frame and the way that it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The place in `hops` of the node that gets this datagram.
    pub index: usize,
    /// The nodes on the way, the sender first.
    pub hops: Vec<Ipv6Addr>,
    /// The frame.
    pub frame: Vec<u8>,
}

/// A message between controllers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Behind whom is the host with this address?
    ArpRequest {
        /// The address.
        target: Ipv4Addr,
    },
    /// It is behind me.
    ArpReply {
        /// The address.
        target: Ipv4Addr,
        /// Who says so.
        uid: String,
        /// Where that node is.
        ip6: Option<Ipv6Addr>,
    },
    /// Who has a link with this node?
    LookupRequest {
        /// The node.
        target: Ipv6Addr,
        /// The nodes that this went through; the last is the one that gets it.
        via: Vec<Ipv6Addr>,
        /// How many links it may still go over.
        ttl: i64,
    },
    /// The last of `via` has. This goes back the same way.
    LookupReply {
        /// The node that was looked for.
        target: Ipv6Addr,
        /// The way from the one who asked.
        via: Vec<Ipv6Addr>,
        /// Who gets this: the place in `via`, counted from its end, as -1, -2, and so on.
        index: i64,
    },
    /// A frame could not go on. This goes back its way.
    RouteError {
        /// The way.
        via: Vec<Ipv6Addr>,
        /// The place in `via` of the one who gets this.
        index: i64,
    },
}

impl Datagram {
    /// Takes a datagram apart.
    ///
    /// # Errors
    /// It is none of those, or names more than [`MAX_HOPS`] nodes.
    pub fn read(bytes: &[u8]) -> Result<Self, IccError> {
        match bytes {
            [] => Err(FramingError::Empty.into()),
            [VERSION, CONTROL, json @ ..] => Message::read(json).map(Self::Message),
            [VERSION, PACKET, frame @ ..] => Ok(Self::Frame(frame.to_vec())),
            [VERSION, ROUTED, routed @ ..] => Routed::read(routed).map(Self::Routed),
            [VERSION, kind, ..] => Err(FramingError::Kind(*kind).into()),
            [VERSION] => Err(FramingError::Short(1).into()),
            [version, ..] => Err(FramingError::Version(*version).into()),
        }
    }

    /// The datagram's bytes.
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Message(message) => [&[VERSION, CONTROL], &message.write()[..]].concat(),
            Self::Frame(frame) => [&[VERSION, PACKET], &frame[..]].concat(),
            Self::Routed(routed) => [&[VERSION, ROUTED], &routed.write()[..]].concat(),
        }
    }
}

impl Routed {
    const HOP: usize = 16;

    fn read(bytes: &[u8]) -> Result<Self, IccError> {
        let [index, count, rest @ ..] = bytes else {
            return Err(FramingError::Short(bytes.len()).into());
        };
        let count = usize::from(*count);
        if count > MAX_HOPS {
            return Err(IccError::Hops(count));
        }
        let (hops, frame) = rest
            .split_at_checked(count * Self::HOP)
            .ok_or(FramingError::Short(bytes.len()))?;
        let hop = |hop: &[u8]| <[u8; Self::HOP]>::try_from(hop).map(Ipv6Addr::from);
        Ok(Self {
            index: usize::from(*index),
            hops: hops.chunks(Self::HOP).flat_map(hop).collect(),
            frame: frame.to_vec(),
        })
    }

    fn write(&self) -> Vec<u8> {
        // Both are at most MAX_HOPS where they were read or made.
        let number = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        let mut bytes = vec![number(self.index), number(self.hops.len())];
        bytes.extend(self.hops.iter().flat_map(Ipv6Addr::octets));
        bytes.extend(&self.frame);
        bytes
    }
}

impl Message {
    /// Reads a message. What it says about addresses has to be right: nobody could do anything with the rest.
    fn read(json: &[u8]) -> Result<Self, IccError> {
        let fields = Fields::read(json)?;
        let kind = fields.text("msg_type");
        let wrong = || IccError::Message(kind.clone());
        let target4 = || fields.text("target_ip4").parse().map_err(|_| wrong());
        let target6 = || fields.text("target_ip6").parse().map_err(|_| wrong());
        let via = || -> Result<Vec<Ipv6Addr>, IccError> {
            let via = fields.texts("via").ok_or_else(wrong)?;
            if via.len() > MAX_HOPS {
                return Err(IccError::Hops(via.len()));
            }
            via.iter()
                .map(|hop| hop.parse().map_err(|_| wrong()))
                .collect()
        };
        match kind.as_str() {
            "arp_request" => Ok(Self::ArpRequest { target: target4()? }),
            "arp_reply" => Ok(Self::ArpReply {
                target: target4()?,
                uid: fields.text("uid"),
                ip6: fields.text("ip6").parse().ok(),
            }),
            "lookup_request" => Ok(Self::LookupRequest {
                target: target6()?,
                via: via()?,
                ttl: fields.number("ttl"),
            }),
            "lookup_reply" => Ok(Self::LookupReply {
                target: target6()?,
                via: via()?,
                index: fields.number("via_idx"),
            }),
            "route_error" => Ok(Self::RouteError {
                via: via()?,
                index: fields.number("index"),
            }),
            _ => Err(wrong()),
        }
    }

    fn write(&self) -> Vec<u8> {
        let texts = |via: &[Ipv6Addr]| -> Value { via.iter().map(|hop| full_ip6(*hop)).collect() };
        write_short(&match self {
            Self::ArpRequest { target } => {
                json!({"msg_type": "arp_request", "target_ip4": target.to_string()})
            }
            Self::ArpReply { target, uid, ip6 } => json!({
                "msg_type": "arp_reply",
                "target_ip4": target.to_string(),
                "uid": uid,
                "ip6": ip6.map(full_ip6).unwrap_or_default(),
            }),
            Self::LookupRequest { target, via, ttl } => json!({
                "msg_type": "lookup_request",
                "target_ip6": full_ip6(*target),
                "via": texts(via),
                "ttl": ttl,
            }),
            Self::LookupReply { target, via, index } => json!({
                "msg_type": "lookup_reply",
                "target_ip6": full_ip6(*target),
                "via": texts(via),
                "via_idx": index,
            }),
            Self::RouteError { via, index } => {
                json!({"msg_type": "route_error", "via": texts(via), "index": index})
            }
        })
    }
}

/// Why a datagram between controllers is none.
#[derive(Debug, thiserror::Error)]
pub enum IccError {
    /// It is of no kind that is known here.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// It should be an object of JSON.
    #[error(transparent)]
    Json(#[from] NotAnObject),
    /// It has a name that is not known, or something is missing in it.
    #[error("the message `{0}` is not known here, or lacks an address")]
    Message(String),
    /// The way is too long.
    #[error("a way of {0} nodes is longer than {MAX_HOPS}")]
    Hops(usize),
}
