//! The seal of a module's file: a checksum of all that stands before it, at the end of the file.
//!
//! ```text
//! ELF image │ "kozo-seal-sha256" │ SHA-256 of the image, 32 bytes │ "kozo-seal-sha256"
//! ```
//!
//! Much of a shared object can be damaged without its tables contradicting each other, and code of
//! that kind ends the process that runs it. A seal tells that before anything is run.
//!
//! It stands behind the image and not in a section of it, because whatever makes another file of the
//! module (`strip`, a linker) takes it away then, rather than keep one that is no longer true. What
//! reads ELF files does not look behind the image. The mark stands on both sides, so that damage to
//! the seal itself does not pass for its absence.
//!
//! It guards against faults of storage and copying and not against malice: anybody can make one.

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// What tells a seal, and how it is made.
const MARK: &[u8; 16] = b"kozo-seal-sha256";

/// The size of a seal, in bytes.
pub const SEAL_SIZE: usize = MARK.len() + SHA256_OUTPUT_LEN + MARK.len();

/// The file has a seal that does not fit its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is damaged, or was changed after it was sealed: its checksum is another one than its seal says; \
     install it again, or build and seal it again"
)]
pub struct SealError;

/// Whether the bytes of a file end with a seal.
///
/// # Errors
/// [`SealError`] when they do, and it is not theirs.
pub fn is_sealed(file: &[u8]) -> Result<bool, SealError> {
    let Some((image, found)) = file
        .len()
        .checked_sub(SEAL_SIZE)
        .map(|end| file.split_at(end))
    else {
        return Ok(false);
    };
    if !has_seal(found) {
        return Ok(false);
    }
    match found == seal_of(image) {
        true => Ok(true),
        false => Err(SealError),
    }
}

/// Whether the last bytes of a file, [`SEAL_SIZE`] at least, have the mark of a seal; not whether it fits.
pub(super) fn has_seal(end: &[u8]) -> bool {
    let start = end.len().checked_sub(SEAL_SIZE);
    let seal = start.map_or(&[][..], |start| &end[start..]);
    seal.starts_with(MARK) || seal.ends_with(MARK)
}

/// The seal that belongs behind the bytes of a file.
pub fn seal_of(image: &[u8]) -> Vec<u8> {
    [MARK, digest(&SHA256, image).as_ref(), MARK].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_what_is_documented() {
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let seal = seal_of(b"abc");
        let (mark, rest) = seal.split_at(16);
        let in_hex: String = rest[..32]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(mark, b"kozo-seal-sha256");
        assert_eq!(in_hex, sum);
        assert_eq!(&rest[32..], mark);
        assert_eq!(seal.len(), SEAL_SIZE);
    }

    #[test]
    fn no_byte_of_a_sealed_file_can_change_unnoticed() {
        let image = b"the image";
        assert_eq!(is_sealed(image), Ok(false));
        let mut file = [&image[..], &seal_of(image)].concat();
        assert_eq!(is_sealed(&file), Ok(true));
        for at in 0..file.len() {
            file[at] ^= 1;
            assert_eq!(is_sealed(&file), Err(SealError), "{at}");
            file[at] ^= 1;
        }
        // Something else at the end is none of its business.
        file.push(0);
        assert_eq!(is_sealed(&file), Ok(false));
        assert_eq!(is_sealed(&file[..file.len() - 2]), Ok(false));
        assert_eq!(is_sealed(b""), Ok(false));
        assert_eq!(is_sealed(&seal_of(b"")), Ok(true));
    }
}
