//! Numbers and fixed places in what goes over the bus, written and read.

use rmp::{decode, encode};

use crate::refusal::Refusal;

/// Writes a number as the shortest MessagePack integer.
pub(crate) fn put(bytes: &mut Vec<u8>, number: u64) {
    // Writing to memory cannot fail.
    let written = encode::write_uint(bytes, number);
    debug_assert!(written.is_ok());
}

/// Takes a MessagePack integer from the beginning.
pub(crate) fn number(rest: &mut &[u8]) -> Result<u64, Refusal> {
    decode::read_int(rest).map_err(|_| Refusal::Body)
}

/// Takes one that has to fit into 32 bits.
pub(crate) fn small(rest: &mut &[u8]) -> Result<u32, Refusal> {
    u32::try_from(number(rest)?).map_err(|_| Refusal::Body)
}

/// Takes so many bytes from the beginning.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Refusal> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(Refusal::Length)?;
    *rest = behind;
    Ok(*bytes)
}

/// Nothing may follow.
pub(crate) fn nothing_more(rest: &[u8]) -> Result<(), Refusal> {
    match rest {
        [] => Ok(()),
        _ => Err(Refusal::Body),
    }
}
