//! What both ends of a link by SSH have in common.

use kozo_ground::names::NodeName;

use crate::secured::Receiver;

/// The subsystem's name, the same for every version: what is spoken in it says its own version.
pub const SUBSYSTEM: &str = "kozo";

/// The version line. A stranger sees it, so it has no version number.
pub(super) const VERSION_LINE: &str = "SSH-2.0-kozo";

/// How many bytes a peer may send before it waits for more window. A link over a path with a
/// round trip of 100 ms still carries 20 MB/s with it.
pub(super) const WINDOW: u32 = 2 * 1024 * 1024;

/// How many bytes are taken in while a write waits: what a peer can send into a whole [`WINDOW`]
/// in messages of 32 bytes, each of which grows threefold by its framing and its MAC.
pub(super) const READ_AHEAD: usize = 4 * WINDOW as usize;

/// How many sends wait for the session's task before the next sender waits. russh has ten for
/// connections that were dialled, and offers no choice there.
pub(super) const QUEUE_SLOTS: usize = 10;

pub(super) type BoxedReceiver = Box<dyn Receiver>;
pub(super) type MakeReceiver = Box<dyn FnOnce(&NodeName) -> BoxedReceiver + Send>;

pub(super) fn boxed<R: Receiver>(
    make: impl FnOnce(&NodeName) -> R + Send + 'static,
) -> MakeReceiver {
    Box::new(move |peer| Box::new(make(peer)))
}
