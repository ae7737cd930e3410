//! What all frames are made of: their numbers, and how their elements are read and written.

use bytes::{Bytes, BytesMut};
use rmp::encode;

use super::message_error::MessageError;
use super::put;

/// The numbers of the frames: the only place that knows them.
pub(crate) mod number {
    pub(crate) const HELLO: u64 = 1;
    pub(crate) const HEARTBEAT: u64 = 2;
    pub(crate) const ECHO: u64 = 3;
    pub(crate) const MESSAGE: u64 = 4;
    pub(crate) const ACKNOWLEDGEMENT: u64 = 5;
    pub(crate) const BYE: u64 = 6;
    pub(crate) const TWINS: u64 = 7;
    pub(crate) const QUESTION: u64 = 8;
    pub(crate) const ANSWER: u64 = 9;
    pub(crate) const BUS_SUBSCRIPTION: u64 = 10;
    pub(crate) const BUS_DATAGRAM: u64 = 11;
    pub(crate) const BUS_PART: u64 = 12;
    pub(crate) const BUS_TAKEN: u64 = 13;
    pub(crate) const BUS_STATE: u64 = 14;
    pub(crate) const BUS_CONFIRMED: u64 = 15;
    pub(crate) const BUS_NOBODY: u64 = 16;
}

/// Why bytes from a peer are not frames. The link is closed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame is announced that is longer than the limit.
    #[error("a frame of {length} bytes is announced, and {limit} are the limit")]
    TooLong {
        /// The announced length.
        length: usize,
        /// The limit at this point of the link.
        limit: usize,
    },
    /// The frame is not an array that starts with a number.
    #[error("a frame is not an array that starts with its number")]
    NotAFrame,
    /// An element is missing or of the wrong type.
    #[error("{0} frame is malformed")]
    Malformed(&'static str),
    /// The hello cannot be read.
    #[error("a hello cannot be read: {0}")]
    Hello(String),
    /// The message cannot be read.
    #[error("a message cannot be read: {0}")]
    Message(#[from] MessageError),
}

/// Reads a binary value of so many bytes at most, for the frame of this name.
pub(crate) fn binary(
    mut rest: &[u8],
    most: usize,
    frame: &'static str,
) -> Result<Bytes, FrameError> {
    let length =
        rmp::decode::read_bin_len(&mut rest).map_err(|_| FrameError::Malformed(frame))? as usize;
    match rest.get(..length) {
        Some(bytes) if length <= most => Ok(Bytes::copy_from_slice(bytes)),
        _ => Err(FrameError::Malformed(frame)),
    }
}

/// So many bytes of a text at most.
pub(crate) fn start_of(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

pub(crate) fn array(bytes: &mut BytesMut, elements: u32, number: u64) {
    put(encode::write_array_len(&mut Writer(bytes), elements));
    integer(bytes, number);
}

pub(crate) fn integer(bytes: &mut BytesMut, number: u64) {
    put(encode::write_uint(&mut Writer(bytes), number));
}

/// `BytesMut` as `rmp` wants to write to it.
pub(crate) struct Writer<'a>(pub(crate) &'a mut BytesMut);

impl std::io::Write for Writer<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
