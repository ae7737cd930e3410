//! The checksum of the internet protocols (RFC 1071), and how it changes with what it is of (RFC 1624).

/// The checksum of these bytes, which may be given in parts of an even length.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    !folded(parts.iter().map(|part| sum(part)).sum())
}

/// What the checksum `old` becomes when `from` is replaced by `to`, of the same, even length.
pub(super) fn changed(old: u16, from: &[u8], to: &[u8]) -> u16 {
    let removed = u64::from(!folded(sum(from)));
    !folded(u64::from(!old) + removed + sum(to))
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let words = words
        .iter()
        .map(|word| u64::from(u16::from_be_bytes(*word)));
    words.sum::<u64>() + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
