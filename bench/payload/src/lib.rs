//! What a numbered message carries: who numbered it, its number, and when it was sent; and what
//! became of many of them.
//!
//! The data is one MessagePack binary, written and read here by hand, so that the cost of an
//! encoder is not part of what is measured.

mod tally;

pub use tally::{Figures, Tally};

/// The shortest data, in bytes: the three numbers.
pub const MIN_SIZE: usize = 24;

/// The longest header of a MessagePack binary.
const MAX_HEADER: usize = 5;

/// The numbers at the start of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// One life of the source: when it began, by [`clock`].
    pub run: u64,
    /// 1, 2, 3 … within the run.
    pub sequence: u64,
    /// When it was sent, by [`clock`].
    pub sent: u64,
}

/// The data of one source, to be stamped again and again.
#[derive(Debug, Clone)]
pub struct Payload {
    bytes: Vec<u8>,
    header: usize,
}

impl Payload {
    /// Data of `size` bytes, at least [`MIN_SIZE`]; its header, 2 to 5 bytes, comes on top.
    pub fn new(size: usize) -> Self {
        let size = size.max(MIN_SIZE);
        let mut bytes = Vec::with_capacity(size + MAX_HEADER);
        match (u8::try_from(size), u16::try_from(size)) {
            (Ok(size), _) => bytes.extend([0xc4, size]),
            (_, Ok(size)) => {
                bytes.push(0xc5);
                bytes.extend(size.to_be_bytes());
            }
            _ => {
                bytes.push(0xc6);
                bytes.extend((size as u32).to_be_bytes());
            }
        }
        let header = bytes.len();
        // Not zeros: nothing on the way shall find it easy.
        bytes.extend((0..size).map(|place| (place * 31) as u8));
        Self { bytes, header }
    }

    /// The MessagePack value with this stamp.
    pub fn stamped(&mut self, stamp: Stamp) -> &[u8] {
        let numbers = [stamp.run, stamp.sequence, stamp.sent];
        let places = self.bytes[self.header..].chunks_exact_mut(8);
        for (place, number) in places.zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        &self.bytes
    }
}

/// The stamp in a message's data; none when the data is something else.
pub fn read(data: &[u8]) -> Option<Stamp> {
    let header = match data.first()? {
        0xc4 => 2,
        0xc5 => 3,
        0xc6 => 5,
        _ => return None,
    };
    let mut numbers = data.get(header..header + MIN_SIZE)?.chunks_exact(8);
    let mut next = || Some(u64::from_be_bytes(numbers.next()?.try_into().ok()?));
    Some(Stamp {
        run: next()?,
        sequence: next()?,
        sent: next()?,
    })
}

/// This machine's monotonic clock, in nanoseconds: the same for all processes, so that one may
/// read what another one wrote.
pub fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_back_from_data_of_any_size() {
        for size in [0, 24, 64, 255, 256, 65_535, 65_536] {
            let stamp = Stamp {
                run: 7,
                sequence: u64::MAX,
                sent: clock(),
            };
            assert_eq!(read(Payload::new(size).stamped(stamp)), Some(stamp));
        }
        assert_eq!(read(b"\xc4\x18short"), None);
        assert_eq!(read(b"\xa0"), None);
    }
}
