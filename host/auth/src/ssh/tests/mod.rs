//! Links between two ends of this crate, and against raw SSH ends that misbehave.

mod foreign;
mod handover;
mod handshake;
mod load;
mod rounds;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};

use super::terms::{QUEUE_SLOTS, WINDOW};
use super::*;
use crate::algorithms::Algorithms;
use crate::identity::{Identity, TrustedKeys};
use crate::keys::{MIN_RSA_BITS, NewKey, PrivateKey, generate};
use crate::secured::{Ended, Refused};

/// The longest that anything in these tests may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// The room of an in-memory stream in each direction, smaller than a packet.
const STREAM_ROOM: usize = 4096;

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("this should have happened by now")
}

fn name(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

/// One RSA key for all tests: making one takes long.
fn rsa_key() -> PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    let bits = MIN_RSA_BITS;
    KEY.get_or_init(|| generate(NewKey::Rsa { bits }, "").unwrap())
        .clone()
}

fn ed25519() -> PrivateKey {
    generate(NewKey::Ed25519, "").unwrap()
}

/// A network of nodes with their keys; each endpoint trusts them all.
struct Network {
    nodes: Vec<(NodeName, PrivateKey)>,
}

impl Network {
    fn new(nodes: &[(&str, PrivateKey)]) -> Self {
        let nodes = nodes.iter().map(|(node, key)| (name(node), key.clone()));
        Self {
            nodes: nodes.collect(),
        }
    }

    /// Two nodes, `attic` and `cellar`, with ed25519 keys.
    fn pair() -> Self {
        Self::new(&[("attic", ed25519()), ("cellar", ed25519())])
    }

    fn trust(&self) -> Arc<TrustedKeys> {
        let publics = self
            .nodes
            .iter()
            .map(|(node, key)| (node.clone(), vec![key.public_key().clone()]));
        Arc::new(publics.collect())
    }

    fn key(&self, node: &str) -> PrivateKey {
        let found = self.nodes.iter().find(|(known, _)| known.as_str() == node);
        found.unwrap().1.clone()
    }

    fn endpoint(&self, node: &str) -> Endpoint {
        self.endpoint_with(node, &Algorithms::default())
    }

    /// The endpoints of a pair, whose links are of such a kind.
    fn endpoints(&self, ssh_only: bool) -> (Endpoint, Endpoint) {
        let of = |node| self.endpoint(node).with_ssh_only(ssh_only);
        (of("attic"), of("cellar"))
    }

    fn endpoint_with(&self, node: &str, algorithms: &Algorithms) -> Endpoint {
        self.endpoint_of(node, self.key(node), algorithms)
    }

    /// An endpoint that claims to be `node`, whatever the others know of its key.
    fn endpoint_of(&self, node: &str, key: PrivateKey, algorithms: &Algorithms) -> Endpoint {
        let identity = Identity {
            node: name(node),
            key: Arc::new(key),
        };
        Endpoint::new(identity, self.trust(), algorithms, MAX_PACKET)
    }
}

/// Links that the sessions hand over to Noise, as they do by default, and links that stay with SSH.
const KINDS: [bool; 2] = [false, true];

/// Passes on what arrives, and refuses the text `poison`.
struct Collector(mpsc::UnboundedSender<Vec<u8>>);

impl Receiver for Collector {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        if bytes == b"poison" {
            return Err(Refused::new("poison"));
        }
        let _ = self.0.send(bytes.to_vec());
        Ok(())
    }
}

/// One end of a link, with what has arrived there.
struct End {
    secured: Secured<SshOutlet>,
    arrived: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl End {
    async fn send(&self, bytes: impl Into<Bytes>) {
        soon(self.secured.sender.send(bytes.into())).await.unwrap();
    }

    /// Waits until `count` bytes have arrived.
    async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < count {
            read.extend(soon(self.arrived.recv()).await.expect("the link ended"));
        }
        read
    }

    async fn ended(&self) -> Ended {
        soon(self.secured.session.ended()).await
    }
}

fn collector() -> (
    impl FnOnce(&NodeName) -> Collector + Send + 'static,
    mpsc::UnboundedReceiver<Vec<u8>>,
) {
    let (sender, arrived) = mpsc::unbounded_channel();
    (move |_: &NodeName| Collector(sender), arrived)
}

async fn dial<S>(stream: S, endpoint: &Endpoint, peer: &str) -> Result<End, AuthError>
where
    S: Stream,
{
    let (receiver, arrived) = collector();
    let secured = soon(connect(stream, endpoint, &name(peer), receiver)).await?;
    Ok(End { secured, arrived })
}

async fn answer<S>(stream: S, endpoint: &Endpoint) -> Result<End, AuthError>
where
    S: Stream,
{
    let (receiver, arrived) = collector();
    let secured = soon(accept(stream, endpoint, receiver)).await?;
    Ok(End { secured, arrived })
}

/// `attic` dials `cellar` on an in-memory stream.
async fn link(dialling: &Endpoint, accepting: &Endpoint) -> (End, End) {
    let (near, far) = duplex(STREAM_ROOM);
    link_on(near, far, dialling, accepting).await
}

async fn link_on<S>(near: S, far: S, dialling: &Endpoint, accepting: &Endpoint) -> (End, End)
where
    S: Stream,
{
    let (dialled, accepted) = tokio::join!(dial(near, dialling, "cellar"), answer(far, accepting));
    (dialled.unwrap(), accepted.unwrap())
}

/// Two ends that both fail, with their errors.
async fn failing_link(dialling: &Endpoint, accepting: &Endpoint) -> (AuthError, AuthError) {
    let (near, far) = duplex(STREAM_ROOM);
    let (dialled, accepted) = tokio::join!(dial(near, dialling, "cellar"), answer(far, accepting));
    let dialled = dialled.err().expect("the dialling end should have failed");
    let accepted = accepted
        .err()
        .expect("the accepting end should have failed");
    (dialled, accepted)
}

/// A path between two streams that can break down without a word: then nothing passes any more,
/// and both stay open.
fn path() -> (DuplexStream, DuplexStream, oneshot::Sender<()>) {
    let (near, mut near_relay) = duplex(STREAM_ROOM);
    let (mut far_relay, far) = duplex(STREAM_ROOM);
    let (stop, mut stopped) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = &mut stopped => {}
            _ = tokio::io::copy_bidirectional(&mut near_relay, &mut far_relay) => {}
        }
        std::future::pending::<()>().await;
    });
    (near, far, stop)
}

/// Waits until the other end has closed its stream.
async fn closed(mut stream: DuplexStream) {
    use tokio::io::AsyncReadExt;
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
}
