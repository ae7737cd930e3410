//! SSH 2 on any byte stream, as the link between two nodes.
//!
//! Both ends prove the key that the network file has for them; the user name is the node's name.
//! There is one `session` channel with the subsystem `kozo`, and the link's own frames go over
//! it; everything else that SSH can do is refused, and answered. A third-party client can open a
//! link with a node's key: `ssh -s NODE@ADDRESS -p PORT kozo`.
//!
//! Where both ends know how, the session hands its stream over to Noise as soon as the channel is open: the end that dials
//! offers so, in an environment variable before the subsystem, and the one that accepts answers with the first
//! data on the channel. Neither sends anything over SSH after that. An end that does not know offers, or takes
//! none, says its first frame instead, and the link stays with SSH.
//!
//! Neither [`connect`] nor [`accept`] limits its own time: put a timeout around it. Dropping the
//! future closes the stream at once, also when the other end keeps silent.

mod client;
mod client_handler;
mod endpoint;
mod error;
mod opening;
mod outlet;
mod server;
mod terms;
#[cfg(test)]
mod tests;

use kozo_ground::names::NodeName;

use crate::secured::{Receiver, Secured, Stream};
use terms::boxed;

pub use endpoint::{Endpoint, MAX_PACKET, read_size};
pub use error::{AuthError, Breach, Stage};
pub use opening::Opening;
pub use outlet::SshOutlet;
pub use terms::SUBSYSTEM;

/// Opens a link on a stream that leads to `peer`.
///
/// `make_receiver` is called once the peer is authenticated and has opened the subsystem.
///
/// # Errors
/// [`AuthError`], among them that the other end is not `peer`, or does not accept this node.
pub async fn connect<S, R>(
    stream: S,
    endpoint: &Endpoint,
    peer: &NodeName,
    make_receiver: impl FnOnce(&NodeName) -> R + Send + 'static,
) -> Result<Secured<SshOutlet>, AuthError>
where
    S: Stream,
    R: Receiver,
{
    client::connect(stream, endpoint, peer, boxed(make_receiver)).await
}

/// Opens a link on a stream that came in; [`Secured::peer`] is the node that has proven its key.
///
/// `make_receiver` is called with that node's name once it has opened the subsystem.
///
/// # Errors
/// [`AuthError`]; a caller that knows no node's key is [`AuthError::Stranger`], and has learnt no
/// more than this node's key, the algorithms and the version line.
pub async fn accept<S, R>(
    stream: S,
    endpoint: &Endpoint,
    make_receiver: impl FnOnce(&NodeName) -> R + Send + 'static,
) -> Result<Secured<SshOutlet>, AuthError>
where
    S: Stream,
    R: Receiver,
{
    server::accept(stream, endpoint, boxed(make_receiver)).await
}
