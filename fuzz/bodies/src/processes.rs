//! What the host and the process of an isolated role say to each other.

use kozo::try_isolated_frames;

/// The bytes of a connection, read as either end would.
pub fn isolated_frames(bytes: &[u8]) {
    try_isolated_frames(bytes);
}
