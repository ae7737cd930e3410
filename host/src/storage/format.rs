//! The bytes of a role's file: 32 bytes of header, then the value.
//!
//! ```text
//!  0  "KOZO"
//!  4  version of this format, 32 bits      (all numbers big-endian)
//!  8  length of the value in bytes, 64 bits
//! 16  the first 16 bytes of the value's SHA-256
//! 32  the value
//! ```

/// How long the header is, in bytes.
pub(super) const HEADER_LEN: usize = 32;

const MAGIC: [u8; 4] = *b"KOZO";
const VERSION: u32 = 1;
const DIGEST_LEN: usize = 16;

/// In which way a role's file is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileDamage {
    /// It is too short for a header, or starts with something else.
    #[error("it does not start as such a file does")]
    Header,
    /// The header is followed by more or less than it says.
    #[error("{found} bytes follow its header, which promises {promised}")]
    Length {
        /// What the header says.
        promised: u64,
        /// What there is.
        found: usize,
    },
    /// The value is not the one that was written.
    #[error("its checksum is wrong")]
    Checksum,
}

/// Why a file gives no value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has a format of this version, which is unknown here.
    Later(u32),
    /// It was changed by something else than Kōzō.
    Damaged(FileDamage),
}

impl From<FileDamage> for Fault {
    fn from(damage: FileDamage) -> Self {
        Self::Damaged(damage)
    }
}

/// What stands before `value` in its file.
pub(super) fn header(value: &[u8]) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&VERSION.to_be_bytes());
    header[8..16].copy_from_slice(&(value.len() as u64).to_be_bytes());
    header[16..].copy_from_slice(&digest(value));
    header
}

/// Whether a whole file is a header and the value that belongs to it.
pub(super) fn check(file: &[u8]) -> Result<(), Fault> {
    let (header, value) = file
        .split_first_chunk::<HEADER_LEN>()
        .filter(|(header, _)| header.starts_with(&MAGIC))
        .ok_or(FileDamage::Header)?;
    let (numbers, expected) = header.split_at(HEADER_LEN - DIGEST_LEN);
    let mut version = [0; 4];
    version.copy_from_slice(&numbers[4..8]);
    let version = u32::from_be_bytes(version);
    if version != VERSION {
        return Err(Fault::Later(version));
    }
    let mut promised = [0; 8];
    promised.copy_from_slice(&numbers[8..]);
    let promised = u64::from_be_bytes(promised);
    if promised != value.len() as u64 {
        let found = value.len();
        return Err(FileDamage::Length { promised, found }.into());
    }
    if digest(value) != expected {
        return Err(FileDamage::Checksum.into());
    }
    Ok(())
}

fn digest(value: &[u8]) -> [u8; DIGEST_LEN] {
    let whole = ring::digest::digest(&ring::digest::SHA256, value);
    let mut start = [0; DIGEST_LEN];
    start.copy_from_slice(&whole.as_ref()[..DIGEST_LEN]);
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(value: &[u8]) -> Vec<u8> {
        [&header(value), value].concat()
    }

    /// Files of one version are read by the next.
    #[test]
    fn the_format_is_pinned() {
        let expected = b"KOZO\0\0\0\x01\0\0\0\0\0\0\0\x03\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23abc";
        assert_eq!(file(b"abc"), expected);
        assert_eq!(check(expected), Ok(()));
        assert_eq!(check(&file(b"")), Ok(()));
    }

    #[test]
    fn every_single_change_is_noticed() {
        let good = file(b"a value");
        for position in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[position] ^= 1 << bit;
                assert!(check(&bad).is_err(), "byte {position}, bit {bit}");
            }
            assert!(check(&good[..position]).is_err(), "{position} bytes");
        }
        assert_eq!(
            check(&[&good[..], b"x"].concat()),
            Err(FileDamage::Length {
                promised: 7,
                found: 8
            }
            .into())
        );
    }
}
