//! What two nodes carry for each other's buses over a link: a node that reaches a bus through the other gives it its
//! datagrams, and gets those that are for it. Only a peer whose hello has the feature [`BUS`](crate::BUS) knows
//! these frames.

use bytes::{Bytes, BytesMut};
use kozo_ground::names::MAX_NAME_LEN;
use rmp::encode;

use super::elements::{FrameError, Writer, array, binary, integer, number, start_of};
use super::put;

/// The longest datagram of a bus that goes over a link, in bytes.
pub const MAX_BUS_DATAGRAM_LEN: usize = 512 * 1024;

/// The longest part of one, in bytes: a heartbeat waits for no more than that.
pub const MAX_BUS_PART_LEN: usize = 16 * 1024;

/// The longest subject or pattern of a bus, in bytes.
pub const MAX_BUS_SUBJECT_LEN: usize = 512;

/// How much of the text of a state is kept, in bytes.
pub const MAX_BUS_TEXT_LEN: usize = 512;

/// What a frame counts besides its part of a datagram, in bytes, towards what may be under way.
pub const BUS_FRAME_COST: usize = 64;

/// One of the frames for buses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusFrame {
    /// The sender wants what is published to subjects of a pattern, or no longer.
    Subscription {
        /// The bus.
        bus: String,
        /// The pattern.
        pattern: String,
        /// Whether it is wanted from now on.
        on: bool,
    },
    /// A datagram: to be published, or for the receiver.
    Datagram {
        /// The bus.
        bus: String,
        /// The sender's number for it, where it is to be published: it rises with each.
        number: u64,
        /// Where it is published.
        subject: String,
        /// Where answers to it go.
        reply: Option<String>,
        /// How many bytes it has, [`MAX_BUS_DATAGRAM_LEN`] at most.
        length: usize,
        /// The first of them, [`MAX_BUS_PART_LEN`] at most.
        part: Bytes,
    },
    /// More of the datagram that came last.
    Part {
        /// The next bytes of it, [`MAX_BUS_PART_LEN`] at most.
        part: Bytes,
    },
    /// How much of these frames the sender has had.
    Taken {
        /// What they count, since the link stands.
        total: u64,
    },
    /// How it stands with the bus at the gateway.
    State {
        /// The bus.
        bus: String,
        /// Whether its engine is reached.
        up: bool,
        /// The longest datagram that it carries, in bytes.
        max_datagram: u64,
        /// Whether it says when nobody listens for a request.
        no_responders: bool,
        /// The server, or why the engine is not reached, for people.
        text: String,
    },
    /// The engine has all that the receiver gave to be published up to this number.
    Confirmed {
        /// The bus.
        bus: String,
        /// The number.
        number: u64,
    },
    /// Nobody is subscribed to a subject to which the receiver has published.
    Nobody {
        /// The bus.
        bus: String,
        /// The subject.
        subject: String,
    },
}

impl BusFrame {
    /// What it counts towards what may be under way; the same at both ends.
    pub fn cost(&self) -> usize {
        match self {
            Self::Datagram { part, .. } | Self::Part { part } => BUS_FRAME_COST + part.len(),
            Self::Taken { .. } => 0,
            _ => BUS_FRAME_COST,
        }
    }

    /// Reads the frame with this number from what stands behind it; none: it is no frame for buses.
    pub(super) fn parse(of: u64, mut rest: &[u8]) -> Option<Result<Self, FrameError>> {
        let parse = match of {
            number::BUS_SUBSCRIPTION => subscription,
            number::BUS_DATAGRAM => datagram,
            number::BUS_PART => part,
            number::BUS_TAKEN => taken,
            number::BUS_STATE => state,
            number::BUS_CONFIRMED => confirmed,
            number::BUS_NOBODY => nobody,
            _ => return None,
        };
        Some(parse(&mut rest))
    }

    pub(super) fn write(&self, bytes: &mut BytesMut) {
        match self {
            Self::Subscription { bus, pattern, on } => {
                array(bytes, 4, number::BUS_SUBSCRIPTION);
                put_text(bytes, bus);
                put_text(bytes, pattern);
                put(encode::write_bool(&mut Writer(bytes), *on));
            }
            Self::Datagram {
                bus,
                number: of,
                subject,
                reply,
                length,
                part,
            } => {
                array(bytes, 7, number::BUS_DATAGRAM);
                put_text(bytes, bus);
                integer(bytes, *of);
                put_text(bytes, subject);
                match reply {
                    Some(reply) => put_text(bytes, reply),
                    None => put(encode::write_nil(&mut Writer(bytes))),
                }
                integer(bytes, *length as u64);
                put(encode::write_bin(&mut Writer(bytes), part));
            }
            Self::Part { part } => {
                array(bytes, 2, number::BUS_PART);
                put(encode::write_bin(&mut Writer(bytes), part));
            }
            Self::Taken { total } => {
                array(bytes, 2, number::BUS_TAKEN);
                integer(bytes, *total);
            }
            Self::State {
                bus,
                up,
                max_datagram,
                no_responders,
                text,
            } => {
                array(bytes, 6, number::BUS_STATE);
                put_text(bytes, bus);
                put(encode::write_bool(&mut Writer(bytes), *up));
                integer(bytes, *max_datagram);
                put(encode::write_bool(&mut Writer(bytes), *no_responders));
                put_text(bytes, start_of(text, MAX_BUS_TEXT_LEN));
            }
            Self::Confirmed { bus, number: of } => {
                array(bytes, 3, number::BUS_CONFIRMED);
                put_text(bytes, bus);
                integer(bytes, *of);
            }
            Self::Nobody { bus, subject } => {
                array(bytes, 3, number::BUS_NOBODY);
                put_text(bytes, bus);
                put_text(bytes, subject);
            }
        }
    }
}

fn subscription(rest: &mut &[u8]) -> Result<BusFrame, FrameError> {
    let name = "a subscription";
    Ok(BusFrame::Subscription {
        bus: text(rest, MAX_NAME_LEN, name)?,
        pattern: text(rest, MAX_BUS_SUBJECT_LEN, name)?,
        on: boolean(rest, name)?,
    })
}

fn datagram(rest: &mut &[u8]) -> Result<BusFrame, FrameError> {
    let name = "a datagram";
    let bus = text(rest, MAX_NAME_LEN, name)?;
    let number = uint(rest, name)?;
    let subject = text(rest, MAX_BUS_SUBJECT_LEN, name)?;
    let is_nil = rest.first() == Some(&NIL);
    let reply = if is_nil {
        *rest = &rest[1..];
        None
    } else {
        Some(text(rest, MAX_BUS_SUBJECT_LEN, name)?)
    };
    let length = usize::try_from(uint(rest, name)?).unwrap_or(usize::MAX);
    let part = binary(rest, MAX_BUS_PART_LEN, name)?;
    if length > MAX_BUS_DATAGRAM_LEN || part.len() > length {
        return Err(FrameError::Malformed(name));
    }
    Ok(BusFrame::Datagram {
        bus,
        number,
        subject,
        reply,
        length,
        part,
    })
}

fn part(rest: &mut &[u8]) -> Result<BusFrame, FrameError> {
    Ok(BusFrame::Part {
        part: binary(rest, MAX_BUS_PART_LEN, "a part of a datagram")?,
    })
}

fn taken(rest: &mut &[u8]) -> Result<BusFrame, FrameError> {
    Ok(BusFrame::Taken {
        total: uint(rest, "a receipt for datagrams")?,
    })
}

fn state(rest: &mut &[u8]) -> Result<BusFrame, FrameError> {
    let name = "a state";
    let bus = text(rest, MAX_NAME_LEN, name)?;
    let up = boolean(rest, name)?;
    let max_datagram = uint(rest, name)?;
    let no_responders = boolean(rest, name)?;
    let (said, _) =
        rmp::decode::read_str_from_slice(*rest).map_err(|_| FrameError::Malformed(name))?;
    Ok(BusFrame::State {
        bus,
        up,
        max_datagram,
        no_responders,
        text: start_of(said, MAX_BUS_TEXT_LEN).to_owned(),
    })
}

fn confirmed(rest: &mut &[u8]) -> Result<BusFrame, FrameError> {
    let name = "a confirmation";
    Ok(BusFrame::Confirmed {
        bus: text(rest, MAX_NAME_LEN, name)?,
        number: uint(rest, name)?,
    })
}

fn nobody(rest: &mut &[u8]) -> Result<BusFrame, FrameError> {
    let name = "a word that nobody listens";
    Ok(BusFrame::Nobody {
        bus: text(rest, MAX_NAME_LEN, name)?,
        subject: text(rest, MAX_BUS_SUBJECT_LEN, name)?,
    })
}

/// MessagePack's nil.
const NIL: u8 = 0xc0;

fn text(rest: &mut &[u8], most: usize, frame: &'static str) -> Result<String, FrameError> {
    let malformed = || FrameError::Malformed(frame);
    let (text, tail) = rmp::decode::read_str_from_slice(*rest).map_err(|_| malformed())?;
    *rest = tail;
    match text.len() <= most {
        true => Ok(text.to_owned()),
        false => Err(malformed()),
    }
}

fn uint(rest: &mut &[u8], frame: &'static str) -> Result<u64, FrameError> {
    rmp::decode::read_int(rest).map_err(|_| FrameError::Malformed(frame))
}

fn boolean(rest: &mut &[u8], frame: &'static str) -> Result<bool, FrameError> {
    rmp::decode::read_bool(rest).map_err(|_| FrameError::Malformed(frame))
}

fn put_text(bytes: &mut BytesMut, text: &str) {
    put(encode::write_str(&mut Writer(bytes), text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, FrameDecoder, FrameWriter};

    fn bytes_of(frame: &BusFrame) -> Vec<u8> {
        let mut writer = FrameWriter::default();
        writer.bus(frame);
        writer.take().to_vec()
    }

    fn all() -> Vec<BusFrame> {
        let bus = || "fleet".to_owned();
        let subject = || "kozo.fleet.ask.a".to_owned();
        vec![
            BusFrame::Subscription {
                bus: bus(),
                pattern: "kozo.fleet.m.>".to_owned(),
                on: true,
            },
            BusFrame::Datagram {
                bus: bus(),
                number: 7,
                subject: subject(),
                reply: Some("kozo.fleet.re.b.c".to_owned()),
                length: 300,
                part: Bytes::from_static(b"abc"),
            },
            BusFrame::Datagram {
                bus: bus(),
                number: 0,
                subject: subject(),
                reply: None,
                length: 0,
                part: Bytes::new(),
            },
            BusFrame::Part {
                part: Bytes::from_static(b"def"),
            },
            BusFrame::Taken { total: 70_000 },
            BusFrame::State {
                bus: bus(),
                up: true,
                max_datagram: 524_288,
                no_responders: false,
                text: "a server".to_owned(),
            },
            BusFrame::Confirmed {
                bus: bus(),
                number: 7,
            },
            BusFrame::Nobody {
                bus: bus(),
                subject: subject(),
            },
        ]
    }

    /// The first frame is what makes the decoder take frames of all lengths; these are short.
    fn read(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut frames = Vec::new();
        FrameDecoder::default().decode(bytes, |frame| {
            frames.push(frame);
            Ok::<(), FrameError>(())
        })?;
        Ok(frames)
    }

    #[test]
    fn what_is_written_is_read() {
        for frame in all() {
            assert_eq!(read(&bytes_of(&frame)), Ok(vec![Frame::Bus(frame)]));
        }
    }

    #[test]
    fn the_bytes_are_pinned() {
        let hex = |frame: &BusFrame| -> String {
            bytes_of(frame)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
        };
        let frames = all();
        assert_eq!(
            hex(&frames[0]),
            "00000018940aa5666c656574ae6b6f7a6f2e666c6565742e6d2e3ec3"
        );
        assert_eq!(
            hex(&frames[2]),
            "0000001e970ba5666c65657400b06b6f7a6f2e666c6565742e61736b2e61c000c400"
        );
        assert_eq!(hex(&frames[3]), "00000007920cc403646566");
        assert_eq!(hex(&frames[4]), "00000007920dce00011170");
        assert_eq!(hex(&frames[6]), "00000009930fa5666c65657407");
    }

    #[test]
    fn what_is_longer_than_the_limits_is_none() {
        let long = |subject: usize, length: usize, part: usize| BusFrame::Datagram {
            bus: "fleet".to_owned(),
            number: 1,
            subject: "s".repeat(subject),
            reply: None,
            length,
            part: vec![0; part].into(),
        };
        for (frame, fits) in [
            (long(MAX_BUS_SUBJECT_LEN, MAX_BUS_DATAGRAM_LEN, 1), true),
            (long(MAX_BUS_SUBJECT_LEN + 1, 1, 1), false),
            (long(1, MAX_BUS_DATAGRAM_LEN + 1, 1), false),
            (long(1, MAX_BUS_DATAGRAM_LEN, MAX_BUS_PART_LEN), true),
            (long(1, MAX_BUS_DATAGRAM_LEN, MAX_BUS_PART_LEN + 1), false),
            (long(1, 1, 2), false),
        ] {
            assert_eq!(read(&bytes_of(&frame)).is_ok(), fits);
        }
        // Half of any of them is none either.
        for frame in all() {
            let whole = bytes_of(&frame);
            let half = &whole[4..whole.len() - 1];
            let mut bytes = (half.len() as u32).to_be_bytes().to_vec();
            bytes.extend_from_slice(half);
            assert!(read(&bytes).is_err(), "{frame:?}");
        }
    }
}
