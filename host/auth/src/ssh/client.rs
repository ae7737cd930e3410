//! The end that dials.

use kozo_ground::names::NodeName;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg};
use tokio::sync::oneshot;

use super::client_handler::{ClientHandler, Outcome};
use super::endpoint::Endpoint;
use super::error::{AuthError, SessionError, Stage};
use super::outlet::SshOutlet;
use super::terms::{BoxedReceiver, MakeReceiver, READ_AHEAD};
use crate::keys::fingerprint;
use crate::noise::{self, Agreement};
use crate::secured::{Negotiated, Secured, Sender, Session, Stream, Termination};
use crate::stream::guard;

/// The session's word that the link is open, or why it ended before it was.
type Opening = oneshot::Receiver<Result<Outcome, SessionError>>;

pub(super) async fn connect<S>(
    stream: S,
    endpoint: &Endpoint,
    peer: &NodeName,
    make_receiver: MakeReceiver,
) -> Result<Secured<SshOutlet>, AuthError>
where
    S: Stream,
{
    if *peer == endpoint.identity.node {
        return Err(AuthError::OwnName(peer.clone()));
    }
    let keys = match endpoint.trust.keys(peer.as_str()) {
        Some(keys) if !keys.is_empty() => keys.to_vec(),
        _ => return Err(AuthError::UnknownNode(peer.clone())),
    };
    let (stream, switch, traffic) = guard(stream, endpoint.chunk, READ_AHEAD);
    let successor = stream.successor();
    let termination = Termination::new(switch);
    // From here on, dropping this future closes the stream.
    let session = Session::new(termination.clone());
    let (opened_sender, mut opened) = oneshot::channel();
    let handler = ClientHandler::new(
        endpoint,
        peer.clone(),
        keys,
        make_receiver,
        opened_sender,
        termination.clone(),
    );
    let mut handle = client::connect_stream(endpoint.client.clone(), stream, handler)
        .await
        .map_err(|error| explain_early(error, &mut opened, traffic.received()))?;
    authenticate(&mut handle, endpoint, peer, &mut opened).await?;
    match open(handle, peer, &mut opened).await? {
        Open::Ssh(outlet, negotiated) => Ok(Secured {
            peer: peer.clone(),
            sender: Sender::new(outlet, termination),
            session,
            negotiated,
            traffic,
            direct: None,
        }),
        Open::HandedOver(agreement, receiver) => {
            session.let_go();
            let control = (termination.switch().clone(), traffic);
            let (peer, longest) = (peer.clone(), endpoint.chunk);
            let link = noise::open(agreement, successor, control, longest, peer, receiver);
            Ok(link.map_outlet(SshOutlet::handed_over))
        }
    }
}

/// What an open link goes over.
enum Open {
    Ssh(SshOutlet, Option<Negotiated>),
    HandedOver(Agreement, BoxedReceiver),
}

/// Proves this node's key.
async fn authenticate(
    handle: &mut Handle<ClientHandler>,
    endpoint: &Endpoint,
    peer: &NodeName,
    opened: &mut Opening,
) -> Result<(), AuthError> {
    let identity = &endpoint.identity;
    let hash = match identity.key.algorithm() {
        Algorithm::Rsa { .. } => match handle.best_supported_rsa_hash().await {
            Ok(Some(Some(hash))) => Some(hash),
            // Every server that takes SHA-2 signatures takes this one.
            Ok(None) => Some(HashAlg::Sha256),
            Ok(Some(None)) => {
                return Err(AuthError::NoCommonAlgorithm {
                    kind: "signature of RSA keys",
                    ours: "rsa-sha2-512, rsa-sha2-256".to_owned(),
                    theirs: "ssh-rsa".to_owned(),
                });
            }
            Err(_) => return Err(cause(opened, Stage::Authentication).await),
        },
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(identity.key.clone(), hash);
    let answer = handle
        .authenticate_publickey(identity.node.as_str(), key)
        .await;
    match answer {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { .. }) if !handle.is_closed() => Err(AuthError::Rejected {
            peer: peer.clone(),
            node: identity.node.clone(),
            fingerprint: fingerprint(identity.key.public_key()),
        }),
        // A session that ended is reported as a failure, too.
        _ => Err(cause(opened, Stage::Authentication).await),
    }
}

/// Opens the one channel and asks for its subsystem. Where nothing was offered with it, the answer is not waited for:
/// what this end says goes out with the request, which saves a round trip, and whoever answered for the
/// peer's key and then refuses the subsystem is no node, but not a stranger either.
async fn open(
    handle: Handle<ClientHandler>,
    peer: &NodeName,
    opened: &mut Opening,
) -> Result<Open, AuthError> {
    let channel = match handle.channel_open_session().await {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(_)) => {
            return Err(AuthError::SubsystemRefused(peer.clone()));
        }
        Err(_) => return Err(cause(opened, Stage::Opening).await),
    };
    // The handler takes what arrives. A read half that nobody reads would fill up, and stop the
    // session.
    let (_, channel) = channel.split();
    // The handler has asked for the subsystem.
    match opened.await {
        Ok(Ok(Outcome::Ssh(negotiated))) => {
            Ok(Open::Ssh(SshOutlet::dialled(handle, channel), negotiated))
        }
        Ok(Ok(Outcome::HandedOver(agreement, receiver))) => {
            Ok(Open::HandedOver(agreement, receiver))
        }
        Ok(Err(error)) => Err(error.explain(Stage::Opening)),
        Err(_) => Err(closed(Stage::Opening)),
    }
}

/// Why a session ended before the link was open; waits for the session's own account of it.
async fn cause(opened: &mut Opening, stage: Stage) -> AuthError {
    match opened.await {
        Ok(Err(error)) => error.explain(stage),
        _ => closed(stage),
    }
}

/// Why there was not even a key exchange; `received` bytes have come from the other end.
fn explain_early(error: SessionError, opened: &mut Opening, received: u64) -> AuthError {
    if let Ok(Err(told)) = opened.try_recv() {
        return told.explain(Stage::KeyExchange);
    }
    match error {
        // The version line is read before there is a session, and only there the end of the
        // stream comes as this.
        SessionError::Ssh(russh::Error::Disconnect) if received > 0 => AuthError::NotSsh,
        SessionError::Ssh(russh::Error::Disconnect) => closed(Stage::Greeting),
        error => error.explain(Stage::KeyExchange),
    }
}

fn closed(stage: Stage) -> AuthError {
    AuthError::Closed {
        stage,
        detail: None,
    }
}
