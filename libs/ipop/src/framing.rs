//! How messages and frames stand in a datagram between a controller and tincan.
//!
//! The two ways do not fit each other: which one a controller speaks shows its first datagram, which has to be a
//! message ([`Api::of_message`]).

use std::fmt;
use std::str::FromStr;

use crate::Uid;

/// The first byte of all datagrams of 14.07.
pub(crate) const VERSION: u8 = 0x02;

/// The second byte of those datagrams: what follows.
pub(crate) const CONTROL: u8 = 0x01;
pub(crate) const PACKET: u8 = 0x02;

/// What JSON begins with.
const BRACE: u8 = b'{';

/// How many bytes stand before the frame in a packet: two uids.
pub const PACKET_HEADER: usize = 2 * Uid::LEN;

/// How a controller and tincan frame what they send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// Until 14.01.1: no header; what begins with a brace is a message, all else a packet.
    V14_01,
    /// From 14.02 to 14.07: two bytes, which say the version and the kind.
    V14_07,
}

impl Api {
    /// Which of both a message is of. None for what is of neither, or no message: a packet of 14.01 may begin
    /// with any byte, and so tells nothing.
    pub fn of_message(datagram: &[u8]) -> Option<Self> {
        match datagram {
            [BRACE, ..] => Some(Self::V14_01),
            [VERSION, CONTROL, ..] => Some(Self::V14_07),
            _ => None,
        }
    }

    /// Takes a datagram apart.
    ///
    /// # Errors
    /// It is of the other version or of neither, or too short.
    pub fn read(self, datagram: &[u8]) -> Result<Datagram<'_>, FramingError> {
        match (self, datagram) {
            (_, []) => Err(FramingError::Empty),
            (Self::V14_01, [BRACE, ..]) => Ok(Datagram::Control(datagram)),
            (Self::V14_01, packet) => Packet::read(packet).map(Datagram::Packet),
            (Self::V14_07, [VERSION, CONTROL, json @ ..]) => Ok(Datagram::Control(json)),
            (Self::V14_07, [VERSION, PACKET, packet @ ..]) => {
                Packet::read(packet).map(Datagram::Packet)
            }
            (Self::V14_07, [VERSION, kind, ..]) => Err(FramingError::Kind(*kind)),
            (Self::V14_07, [VERSION]) => Err(FramingError::Short(1)),
            (Self::V14_07, [byte, ..]) => Err(FramingError::Version(*byte)),
        }
    }

    /// A datagram with a message.
    pub fn control(self, json: &[u8]) -> Vec<u8> {
        match self {
            Self::V14_01 => json.to_vec(),
            Self::V14_07 => [&[VERSION, CONTROL], json].concat(),
        }
    }

    /// A datagram with a packet.
    pub fn packet(self, packet: &Packet<'_>) -> Vec<u8> {
        let header: &[u8] = match self {
            Self::V14_01 => &[],
            Self::V14_07 => &[VERSION, PACKET],
        };
        [
            header,
            packet.source.bytes(),
            packet.destination.bytes(),
            packet.frame,
        ]
        .concat()
    }

    /// The longest datagram that a controller of this version takes, in bytes; of a longer one it gets only the
    /// beginning, and ends.
    pub const fn controller_buffer(self) -> usize {
        match self {
            Self::V14_01 => 4096,
            Self::V14_07 => crate::MAX_DATAGRAM,
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V14_01 => "14.01",
            Self::V14_07 => "14.07",
        })
    }
}

impl FromStr for Api {
    type Err = NoApi;

    fn from_str(text: &str) -> Result<Self, NoApi> {
        match text {
            "14.01" => Ok(Self::V14_01),
            "14.07" => Ok(Self::V14_07),
            _ => Err(NoApi),
        }
    }
}

/// A text names no version of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the versions of the interface are `14.01` and `14.07`")]
pub struct NoApi;

/// What is in a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// A message: JSON.
    Control(&'a [u8]),
    /// A packet: from a controller, to be put into the device; to a controller, of which tincan does not know where
    /// it should go.
    Packet(Packet<'a>),
}

/// An Ethernet frame with the uids of who sends and who gets it. The same stands in a link's datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sends it.
    pub source: Uid,
    /// Who gets it; [`Uid::NULL`] where nobody knows.
    pub destination: Uid,
    /// The frame, with its Ethernet header.
    pub frame: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads two uids and the frame behind them.
    ///
    /// # Errors
    /// It is shorter than two uids.
    pub fn read(bytes: &'a [u8]) -> Result<Self, FramingError> {
        let short = FramingError::Short(bytes.len());
        let (source, rest) = bytes.split_first_chunk().ok_or(short)?;
        let (destination, frame) = rest.split_first_chunk().ok_or(short)?;
        Ok(Self {
            source: Uid::new(*source),
            destination: Uid::new(*destination),
            frame,
        })
    }
}

/// Why a datagram is none of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// It has no bytes.
    #[error("the datagram is empty")]
    Empty,
    /// It ends before its header does.
    #[error("a packet of {0} bytes is shorter than its header")]
    Short(usize),
    /// It begins with another byte than those of 14.07.
    #[error(
        "the datagram begins with {0:#04x} and not with the version of IPOP 14.07, 0x02: the other end may speak \
         14.01 (option `api`)"
    )]
    Version(u8),
    /// It is of a kind that is not known here.
    #[error("the datagram is of the kind {0:#04x}, which is not known here")]
    Kind(u8),
}
