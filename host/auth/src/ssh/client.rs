//! The end that dials.

use std::sync::Arc;

use kozo_ground::names::NodeName;
use russh::client::{self, AuthResult, DisconnectReason, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, Disconnect};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::error::{SessionError, quote};
use super::outlet::Dialled;
use super::{
    AuthError, BoxedReceiver, Endpoint, MakeReceiver, Outlet, READ_AHEAD, SUBSYSTEM, Step,
};
use crate::algorithms::needs_no_mac;
use crate::identity::{Trust, is_one_of};
use crate::keys::fingerprint;
use crate::secured::{Ended, Ending, Negotiated, Refused, Secured, Sender, Session};
use crate::stream::guard;

/// The session's word that the link is open, or why it ended before it was.
type Opened = oneshot::Receiver<Result<Option<Negotiated>, SessionError>>;

pub(super) async fn connect<S>(
    stream: S,
    endpoint: &Endpoint,
    peer: &NodeName,
    make_receiver: MakeReceiver,
) -> Result<Secured, AuthError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if *peer == endpoint.identity.node {
        return Err(AuthError::OwnName(peer.clone()));
    }
    let keys = match endpoint.trust.keys(peer.as_str()) {
        Some(keys) if !keys.is_empty() => keys.clone(),
        _ => return Err(AuthError::UnknownNode(peer.clone())),
    };
    let (stream, switch, traffic) = guard(stream, endpoint.chunk, READ_AHEAD);
    let ending = Ending::new(switch);
    // From here on, dropping this future closes the stream.
    let session = Session::new(ending.clone());
    let (opened_sender, mut opened) = oneshot::channel();
    let handler = ClientHandler {
        peer: peer.clone(),
        own: endpoint.identity.node.clone(),
        trust: Arc::clone(&endpoint.trust),
        keys,
        negotiated: None,
        state: State::Opening {
            make_receiver,
            opened: opened_sender,
        },
        ending: FinishOnDrop(ending.clone()),
    };
    let mut handle = client::connect_stream(endpoint.client.clone(), stream, handler)
        .await
        .map_err(|error| explain_early(error, &mut opened, traffic.received()))?;
    authenticate(&mut handle, endpoint, peer, &mut opened).await?;
    let (outlet, negotiated) = open(handle, peer, &mut opened).await?;
    Ok(Secured {
        peer: peer.clone(),
        sender: Sender::new(outlet, ending),
        session,
        negotiated,
        traffic,
    })
}

/// Proves this node's key.
async fn authenticate(
    handle: &mut Handle<ClientHandler>,
    endpoint: &Endpoint,
    peer: &NodeName,
    opened: &mut Opened,
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
            Err(_) => return Err(cause(opened, Step::Authentication).await),
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
        _ => Err(cause(opened, Step::Authentication).await),
    }
}

/// Opens the one channel and asks for its subsystem. The answer is not waited for: what this end
/// says goes out with the request, which saves a round trip, and whoever answered for the peer's key
/// and then refuses the subsystem is no node, but not a stranger either.
async fn open(
    handle: Handle<ClientHandler>,
    peer: &NodeName,
    opened: &mut Opened,
) -> Result<(Outlet, Option<Negotiated>), AuthError> {
    let channel = match handle.channel_open_session().await {
        Ok(channel) => channel,
        Err(russh::Error::ChannelOpenFailure(_)) => {
            return Err(AuthError::SubsystemRefused(peer.clone()));
        }
        Err(_) => return Err(cause(opened, Step::Opening).await),
    };
    // The handler takes what arrives. A read half that nobody reads would fill up, and stop the
    // session.
    let (_, channel) = channel.split();
    // The handler has asked for the subsystem.
    match opened.await {
        Ok(Ok(negotiated)) => {
            let outlet = Outlet::Client(Arc::new(Dialled { handle, channel }));
            Ok((outlet, negotiated))
        }
        Ok(Err(error)) => Err(error.explain(Step::Opening)),
        Err(_) => Err(closed(Step::Opening)),
    }
}

/// Why a session ended before the link was open; waits for the session's own account of it.
async fn cause(opened: &mut Opened, step: Step) -> AuthError {
    match opened.await {
        Ok(Err(error)) => error.explain(step),
        _ => closed(step),
    }
}

/// Why there was not even a key exchange; `received` bytes have come from the other end.
fn explain_early(error: SessionError, opened: &mut Opened, received: u64) -> AuthError {
    if let Ok(Err(told)) = opened.try_recv() {
        return told.explain(Step::KeyExchange);
    }
    match error {
        // The version line is read before there is a session, and only there the end of the
        // stream comes as this.
        SessionError::Ssh(russh::Error::Disconnect) if received > 0 => AuthError::NotSsh,
        SessionError::Ssh(russh::Error::Disconnect) => closed(Step::Greeting),
        error => error.explain(Step::KeyExchange),
    }
}

fn closed(step: Step) -> AuthError {
    AuthError::Closed { step, detail: None }
}

/// What a session's task calls on the end that dials.
pub(super) struct ClientHandler {
    peer: NodeName,
    own: NodeName,
    trust: Arc<Trust>,
    keys: Arc<[PublicKey]>,
    negotiated: Option<Negotiated>,
    state: State,
    // The last field, so that the receiver is gone when the end is announced.
    ending: FinishOnDrop,
}

enum State {
    Opening {
        make_receiver: MakeReceiver,
        opened: oneshot::Sender<Result<Option<Negotiated>, SessionError>>,
    },
    /// The subsystem is asked for.
    Asked {
        channel: ChannelId,
        receiver: BoxedReceiver,
    },
    /// The other end has agreed to it.
    Open {
        channel: ChannelId,
        receiver: BoxedReceiver,
    },
    Over,
}

/// The handler lives exactly as long as the session's task.
struct FinishOnDrop(Arc<Ending>);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl ClientHandler {
    /// Ends the opening, if it is still going on.
    fn give_up(&mut self, error: SessionError) {
        if let State::Opening { opened, .. } = std::mem::replace(&mut self.state, State::Over) {
            // Nobody listens any more when the caller has given up first.
            let _ = opened.send(Err(error));
        }
    }
}

impl client::Handler for ClientHandler {
    type Error = SessionError;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = shown
            && is_one_of(key, &self.keys)
        {
            return Ok(true);
        }
        if let Some(holder) = self.trust.holder(&shown.public_key()) {
            return Err(AuthError::LeadsElsewhere {
                peer: self.peer.clone(),
                holder: (*holder != self.own).then(|| holder.clone()),
            }
            .into());
        }
        let expected: Vec<_> = self.keys.iter().map(fingerprint).collect();
        Err(AuthError::HostKeyMismatch {
            peer: self.peer.clone(),
            offered: fingerprint(&shown.public_key()),
            expected: expected.join(", "),
        }
        .into())
    }

    async fn kex_done(
        &mut self,
        _shared_secret: Option<&[u8]>,
        names: &russh::Names,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        let cipher = names.cipher.as_ref().to_owned();
        let mac = (!needs_no_mac(&cipher)).then(|| names.client_mac.as_ref().to_owned());
        self.negotiated = Some(Negotiated { cipher, mac });
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        channel: ChannelId,
        _max_packet: u32,
        _window: u32,
        session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        if let State::Opening {
            make_receiver,
            opened,
        } = std::mem::replace(&mut self.state, State::Over)
        {
            session.request_subsystem(true, channel, SUBSYSTEM)?;
            let receiver = make_receiver(&self.peer);
            self.state = State::Asked { channel, receiver };
            // Nobody listens any more when the caller has given up; the stream is closed then.
            let _ = opened.send(Ok(self.negotiated.clone()));
        }
        Ok(())
    }

    async fn channel_success(
        &mut self,
        _channel: ChannelId,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        // The subsystem is the one request that asks for an answer.
        match std::mem::replace(&mut self.state, State::Over) {
            State::Asked { channel, receiver } => {
                self.state = State::Open { channel, receiver };
                Ok(())
            }
            _ => Err(Refused::new("an answer to no request").into()),
        }
    }

    async fn channel_failure(
        &mut self,
        _channel: ChannelId,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Err(AuthError::SubsystemRefused(self.peer.clone()).into())
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        bytes: &[u8],
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        match &mut self.state {
            State::Open { receiver, .. } => Ok(receiver.data(bytes)?),
            State::Opening { .. } | State::Asked { .. } => {
                Err(Refused::new("data before the subsystem").into())
            }
            State::Over => Ok(()),
        }
    }

    async fn extended_data(
        &mut self,
        _channel: ChannelId,
        _stream: u32,
        _bytes: &[u8],
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Err(Refused::new("data on an error stream, which a link has not").into())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        if let State::Asked { channel: ours, .. } | State::Open { channel: ours, .. } = &self.state
            && *ours == channel
        {
            self.ending.0.note(Ended::ByPeer);
        }
        session.disconnect(Disconnect::ByApplication, "", "")?;
        Ok(())
    }

    // A node opens no channel towards the one that dialled it: each kind is accepted by default,
    // and dropping the reply refuses it.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<client::Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<client::Msg>,
        _socket_path: &str,
        _reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<client::Msg>,
        _reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<client::Msg>,
        _reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<client::Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<client::Msg>,
        _socket_path: &str,
        _reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<client::Msg>,
        _originator_address: &str,
        _originator_port: u32,
        _reply: client::ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        let error = match reason {
            DisconnectReason::Error(error) => error,
            DisconnectReason::ReceivedDisconnect(info) => {
                if matches!(info.reason_code, Disconnect::ByApplication) {
                    self.ending.0.note(Ended::ByPeer);
                }
                SessionError::Told(quote(&info.message))
            }
        };
        if let State::Asked { .. } | State::Open { .. } = self.state {
            self.ending.0.note(error.ended());
        } else {
            self.give_up(error);
        }
        Ok(())
    }
}
