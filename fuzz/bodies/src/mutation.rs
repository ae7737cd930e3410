//! Small changes to an input, drawn from a seeded generator.

use fastrand::Rng;

/// How many changes an input gets at most.
const MAX_CHANGES: usize = 4;

/// How many bytes a change takes away, repeats or makes up at most.
const MAX_SPAN: usize = 16;

/// Bytes at the border of something: the longest lengths and numbers, signs, line ends, and what
/// MessagePack gives a meaning that is easily got wrong.
const BORDERS: [u8; 22] = [
    0, 1, 0x0a, 0x20, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xc9, 0xcb, 0xcf, 0xd3, 0xd9,
    0xdb, 0xdc, 0xdd, 0xdf, 0xff,
];

/// One of `inputs` with some changes; `pieces` are texts that mean something to the parser.
pub(crate) fn mutated(random: &mut Rng, inputs: &[Vec<u8>], pieces: &[&str]) -> Vec<u8> {
    let mut bytes = random.choice(inputs).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..=MAX_CHANGES) {
        change(random, &mut bytes, inputs, pieces);
    }
    bytes
}

fn change(random: &mut Rng, bytes: &mut Vec<u8>, inputs: &[Vec<u8>], pieces: &[&str]) {
    let at = random.usize(..=bytes.len());
    let end = (at + random.usize(..=MAX_SPAN)).min(bytes.len());
    match random.u8(..9) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        1 if at < bytes.len() => bytes[at] = random.u8(..),
        2 if at < bytes.len() => bytes[at] = *random.choice(&BORDERS).unwrap_or(&0),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let repeated = bytes[at..end].to_vec();
            bytes.splice(at..at, repeated);
        }
        5 => {
            let length = random.usize(1..=MAX_SPAN);
            let made_up: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(length)
                .collect();
            bytes.splice(at..at, made_up);
        }
        6 => bytes.truncate(at),
        7 => {
            // The end of another input behind the start of this one.
            let other = random.choice(inputs).map_or(&[][..], Vec::as_slice);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.usize(..=other.len())..]);
        }
        _ => {
            if let Some(piece) = random.choice(pieces) {
                bytes.splice(at..end, piece.bytes());
            }
        }
    }
}
