//! Data elements: what requests and answers are made of.

use bluer::Uuid;

/// How deep sequences may be within each other. Records are four deep.
const MAX_DEPTH: usize = 8;

/// The lower part of UUIDs that are written in 16 or 32 bits.
const BASE: u128 = 0x0000_0000_0000_1000_8000_0080_5f9b_34fb;

/// The protocol by this number.
const fn short(number: u16) -> Uuid {
    Uuid::from_u128(((number as u128) << 96) | BASE)
}

const RFCOMM: Uuid = short(0x0003);

/// The numbers that channels may have.
const CHANNELS: std::ops::RangeInclusive<u64> = 1..=30;

/// A value in an answer. What nobody here needs is [`Other`](Self::Other).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    Number(u64),
    Uuid(Uuid),
    /// A sequence, or alternatives.
    Sequence(Vec<Element>),
    Other,
}

impl Element {
    /// Reads the element that `bytes` consist of.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut rest = bytes;
        let element = Self::take(&mut rest, MAX_DEPTH)?;
        if rest.is_empty() {
            Ok(element)
        } else {
            Err("something follows its end")
        }
    }

    fn take(bytes: &mut &[u8], depth: usize) -> Result<Self, &'static str> {
        let header = take(bytes, 1)?[0];
        let (kind, size) = (header >> 3, header & 7);
        let length = match size {
            // Nothing has no value, whatever is said of its size.
            0 if kind == 0 => 0,
            0..=4 => 1 << size,
            _ => number(take(bytes, 1 << (size - 5))?),
        };
        let length = usize::try_from(length).map_err(|_| "a length is absurd")?;
        let value = take(bytes, length)?;
        Ok(match kind {
            1 if length <= 8 => Self::Number(number(value)),
            3 => match value.len() {
                2 | 4 => Self::Uuid(Uuid::from_u128((u128::from(number(value)) << 96) | BASE)),
                16 => Self::Uuid(Uuid::from_slice(value).map_err(|_| "a UUID is broken")?),
                _ => return Err("a UUID has an odd length"),
            },
            6 | 7 => {
                let depth = depth.checked_sub(1).ok_or("it is nested too deeply")?;
                let mut rest = value;
                let mut elements = Vec::new();
                while !rest.is_empty() {
                    elements.push(Self::take(&mut rest, depth)?);
                }
                Self::Sequence(elements)
            }
            _ => Self::Other,
        })
    }

    /// The channels of all stacks of protocols within that end in RFCOMM.
    pub(super) fn channels(&self) -> Vec<u8> {
        let Self::Sequence(elements) = self else {
            return Vec::new();
        };
        if let [Self::Uuid(RFCOMM), Self::Number(channel), ..] = elements[..] {
            let channel = Some(channel).filter(|channel| CHANNELS.contains(channel));
            return channel
                .and_then(|channel| u8::try_from(channel).ok())
                .into_iter()
                .collect();
        }
        elements.iter().flat_map(Self::channels).collect()
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    let (taken, rest) = bytes.split_at_checked(length).ok_or("it ends too early")?;
    *bytes = rest;
    Ok(taken)
}

/// Big-endian, of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `bluetoothd` answers for a record of ours: the list of lists of attributes.
    const ANSWER: &[u8] =
        b"\x35\x13\x35\x11\x09\x00\x04\x35\x0c\x35\x03\x19\x01\x00\x35\x05\x19\x00\x03\x08\x0c";

    #[test]
    fn a_channel_is_found_in_an_answer() {
        let element = Element::parse(ANSWER).unwrap();
        assert_eq!(element.channels(), [12]);
    }

    #[test]
    fn no_record_is_no_channel() {
        assert_eq!(Element::parse(b"\x35\x00").unwrap().channels(), [0_u8; 0]);
    }

    #[test]
    fn channels_that_cannot_be_are_left_out() {
        for channel in [0, 31, 255] {
            let mut answer = ANSWER.to_vec();
            *answer.last_mut().unwrap() = channel;
            assert!(Element::parse(&answer).unwrap().channels().is_empty());
        }
    }

    #[test]
    fn uuids_of_all_lengths_are_the_same() {
        for bytes in [
            &b"\x19\x00\x03"[..],
            b"\x1a\x00\x00\x00\x03",
            b"\x1c\x00\x00\x00\x03\x00\x00\x10\x00\x80\x00\x00\x80\x5f\x9b\x34\xfb",
        ] {
            assert_eq!(Element::parse(bytes), Ok(Element::Uuid(RFCOMM)));
        }
    }

    #[test]
    fn broken_answers_are_errors() {
        for (bytes, error) in [
            (&b""[..], "it ends too early"),
            (b"\x35\x05\x08", "it ends too early"),
            (b"\x37\xff\xff\xff\xff", "it ends too early"),
            (b"\x08\x01\x00", "something follows its end"),
            (b"\x18\x01", "a UUID has an odd length"),
        ] {
            assert_eq!(Element::parse(bytes), Err(error), "{bytes:02x?}");
        }
        // Sequences within sequences without end.
        let deep: Vec<u8> = (0..100).rev().flat_map(|inner| [0x35, inner * 2]).collect();
        assert_eq!(Element::parse(&deep), Err("it is nested too deeply"));
    }
}
