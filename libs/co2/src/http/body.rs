//! Bodies: those that are sent, of pieces that several may share, and reading one within limits.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::{FREE_BODY, LARGE_BODIES};
use crate::document::MAX_DOCUMENT;

/// A body of a few pieces, and whatever has to live until the last of them is taken.
#[derive(Debug)]
pub(super) struct Pieces<T = ()> {
    /// In reverse order.
    pieces: Vec<Bytes>,
    _until_taken: T,
}

impl<T> Pieces<T> {
    pub(super) fn new(pieces: impl IntoIterator<Item = Bytes>, until_taken: T) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        let mut pieces: Vec<Bytes> = pieces.collect();
        pieces.reverse();
        Self {
            pieces,
            _until_taken: until_taken,
        }
    }
}

impl<T: Unpin> Body for Pieces<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length: usize = self.pieces.iter().map(Bytes::len).sum();
        SizeHint::with_exact(length as u64)
    }
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than a document may be.
    TooLarge,
    /// Other bodies have all the memory that there is for large ones.
    Busy,
    /// The connection broke.
    Broken,
}

/// How much memory large bodies have.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<AtomicUsize>);

/// A part of it that is given back when this is dropped.
struct Share<'a> {
    memory: &'a Memory,
    size: usize,
}

impl Share<'_> {
    fn grow(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.size);
        let used = self.memory.0.fetch_add(more, Ordering::Relaxed);
        self.size += more;
        used + more <= LARGE_BODIES
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// Reads a body to its end.
pub(super) async fn read(
    mut body: hyper::body::Incoming,
    memory: &Memory,
) -> Result<Vec<u8>, BodyError> {
    let announced = body.size_hint();
    if announced.lower() > MAX_DOCUMENT as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut share = Share { memory, size: 0 };
    let mut read = Vec::new();
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = read.len() + data.len();
        if length > MAX_DOCUMENT {
            return Err(BodyError::TooLarge);
        }
        if length > FREE_BODY && !share.grow(length) {
            return Err(BodyError::Busy);
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_for_large_bodies_is_bounded_and_comes_back() {
        let memory = Memory::default();
        let mut first = Share {
            memory: &memory,
            size: 0,
        };
        assert!(first.grow(LARGE_BODIES));
        let mut second = Share {
            memory: &memory,
            size: 0,
        };
        assert!(!second.grow(1));
        drop(first);
        assert!(second.grow(2));
        drop(second);
        assert_eq!(memory.0.load(Ordering::Relaxed), 0);
    }
}
