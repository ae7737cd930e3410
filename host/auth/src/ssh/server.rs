//! The end that accepts.

use std::sync::{Arc, Mutex};

use kozo_ground::lock::LockAnyway;
use kozo_ground::names::NodeName;
use russh::keys::{Algorithm, PublicKey};
use russh::server::{
    self, Auth, ChannelOpenHandle, Handle, Msg, PublicKeyOffer, RunningSession, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, Pty};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::error::{AuthError, SessionError, Stage, quote};
use super::outlet::SshOutlet;
use super::terms::{BoxedReceiver, MakeReceiver, READ_AHEAD, SUBSYSTEM};
use crate::algorithms::accepts_signature;
use crate::identity::{NodeKey, TrustedKeys, is_one_of};
use crate::keys::fingerprint;
use crate::noise::{self, Agreement, Cipher, MAX_OFFER_LEN, VARIABLE};
use crate::secured::{self, Ended, Refused, Secured, Sender, Session, Stream, Termination};
use crate::stream::guard;

pub(super) async fn accept<S>(
    stream: S,
    endpoint: &Endpoint,
    make_receiver: MakeReceiver,
) -> Result<Secured<SshOutlet>, AuthError>
where
    S: Stream,
{
    let (stream, switch, traffic) = guard(stream, endpoint.chunk, READ_AHEAD);
    let successor = stream.successor();
    let termination = Termination::new(switch);
    // From here on, dropping this future closes the stream.
    let session = Session::new(termination.clone());
    let (opened_sender, opened) = oneshot::channel();
    let progress = Arc::new(Mutex::new(Progress::KeyExchange));
    let handler = ServerHandler {
        gate: Gate {
            own: endpoint.identity.node.clone(),
            decoy: [NodeKey::new(endpoint.identity.key.public_key())],
            trust: endpoint.trust.clone(),
        },
        progress: progress.clone(),
        termination: termination.clone(),
        peer: None,
        make_receiver: Some(make_receiver),
        opened: Some(opened_sender),
        noise: endpoint.noise.clone(),
        longest: endpoint.chunk,
        offer: None,
        state: State::NoChannel,
    };
    let running = match server::run_stream(endpoint.server.clone(), stream, handler).await {
        Ok(running) => running,
        // The version line was all there was; what follows runs in the session's task.
        Err(SessionError::Ssh(russh::Error::Disconnect)) if traffic.received() > 0 => {
            return Err(AuthError::NotSsh);
        }
        Err(error) => return Err(error.explain(Stage::Greeting)),
    };
    let handle = running.handle();
    // The sender is dropped with the session.
    let Ok(opened) = opened.await else {
        return Err(explain(running.await, &progress));
    };
    match opened.goes_over {
        GoesOver::Ssh(channel) => {
            tokio::spawn(watch(running, termination.clone()));
            let outlet = SshOutlet::accepted(handle, channel);
            Ok(Secured {
                peer: opened.peer,
                sender: Sender::new(outlet, termination),
                session,
                // russh tells only the end that dials.
                negotiated: None,
                traffic,
                direct: None,
            })
        }
        GoesOver::HandedOver(handover) => {
            // The session's last word has to be out.
            if handover.released.await.is_err() {
                return Err(explain(running.await, &progress));
            }
            session.let_go();
            let control = (termination.switch().clone(), traffic);
            let (agreement, receiver) = (handover.agreement, handover.receiver);
            let (peer, longest) = (opened.peer, endpoint.chunk);
            let link = noise::open(agreement, successor, control, longest, peer, receiver);
            Ok(link.map_outlet(SshOutlet::handed_over))
        }
    }
}

/// Waits for the end of a session and notes why; the handler learns of no error but its own.
async fn watch(running: RunningSession<ServerHandler>, termination: Arc<Termination>) {
    termination.note(match running.await {
        Ok(()) => Ended::ByPeer,
        Err(error) => error.ended(),
    });
    termination.finish();
}

/// Why a session ended before the link was open.
fn explain(ended: Result<(), SessionError>, progress: &Mutex<Progress>) -> AuthError {
    let progress = progress.lock_anyway();
    let stage = match &*progress {
        Progress::KeyExchange => Stage::KeyExchange,
        Progress::Turned(why) => return AuthError::Stranger(why.clone()),
        Progress::Offered => Stage::Authentication,
        Progress::Authenticated => Stage::Opening,
    };
    match ended {
        Ok(()) => AuthError::Closed {
            stage,
            detail: None,
        },
        Err(error) => error.explain(stage),
    }
}

/// How far a caller has come.
enum Progress {
    KeyExchange,
    /// It tried to authenticate and was refused, most recently for this reason.
    Turned(String),
    /// It knows a key that it would be let in with, and has not signed with it yet.
    Offered,
    Authenticated,
}

/// Decides who may come in.
struct Gate {
    own: NodeName,
    /// What a caller with an unknown name is compared with, so that it takes as long.
    decoy: [NodeKey; 1],
    trust: Arc<TrustedKeys>,
}

impl Gate {
    /// The node that `user` is, if `key` is one of its keys.
    fn judge(
        &self,
        user: &str,
        key: &PublicKey,
        signature: &Algorithm,
    ) -> Result<NodeName, String> {
        let node = self.trust.node(user);
        let keys = self.trust.keys(user).unwrap_or(&self.decoy);
        let fits = is_one_of(key, keys) & accepts_signature(signature);
        let offered = || format!("{} ({signature})", fingerprint(key));
        match node {
            Some(node) if fits && *node != self.own => Ok(node.clone()),
            Some(node) if *node == self.own => {
                Err(format!("it says that it is `{node}`, this node"))
            }
            Some(node) => Err(format!(
                "it says that it is `{node}` and offers {}, which the network file does not \
                 have for it",
                offered()
            )),
            None => Err(format!(
                "it says that it is `{}`, which is no node of the network file, and offers {}",
                quote(user),
                offered()
            )),
        }
    }
}

/// What a session's task calls on the end that accepts.
struct ServerHandler {
    gate: Gate,
    progress: Arc<Mutex<Progress>>,
    termination: Arc<Termination>,
    /// Set once it has proven its key.
    peer: Option<NodeName>,
    make_receiver: Option<MakeReceiver>,
    opened: Option<oneshot::Sender<OpenedLink>>,
    /// What the link may be handed over to.
    noise: Vec<Cipher>,
    /// How long a record towards this end may be, in bytes.
    longest: usize,
    /// What the caller has offered.
    offer: Option<Zeroizing<String>>,
    state: State,
}

/// ```text
/// NoChannel ─session─▶ Channel ─subsystem─▶ Open ─EOF or close─▶ Over
///                              └─subsystem, handed over────────────▲
/// ```
/// There is no way back, so a session has one channel in its life, and that one link.
enum State {
    NoChannel,
    Channel(ChannelId),
    Open {
        channel: ChannelId,
        receiver: BoxedReceiver,
    },
    Over,
}

struct OpenedLink {
    peer: NodeName,
    goes_over: GoesOver,
}

enum GoesOver {
    Ssh(ChannelId),
    HandedOver(Handover),
}

/// The session lets go of its stream.
struct Handover {
    agreement: Agreement,
    receiver: BoxedReceiver,
    /// Told when it has, with all that it has said written.
    released: oneshot::Receiver<()>,
}

impl ServerHandler {
    fn judge(&self, user: &str, key: &PublicKey, signature: &Algorithm) -> Option<NodeName> {
        match self.gate.judge(user, key, signature) {
            Ok(node) => Some(node),
            Err(why) => {
                self.advance(Progress::Turned(why));
                None
            }
        }
    }

    fn advance(&self, progress: Progress) {
        *self.progress.lock_anyway() = progress;
    }

    /// The peer will send no more: what is queued for it goes out, then the link ends.
    fn wind_down(&mut self, channel: ChannelId, handle: Handle) {
        let ours = match &self.state {
            State::Channel(ours) | State::Open { channel: ours, .. } => *ours == channel,
            State::NoChannel | State::Over => false,
        };
        if !ours {
            return;
        }
        self.state = State::Over;
        self.termination.note(Ended::ByPeer);
        let termination = self.termination.clone();
        // Not here: the queue may be full, and this task is the one that empties it.
        tokio::spawn(async move {
            secured::close(&SshOutlet::accepted(handle, channel), &termination).await;
        });
    }
}

impl server::Handler for ServerHandler {
    type Error = SessionError;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.advance(Progress::Turned(format!(
            "it says that it is `{}` and offers no key",
            quote(user)
        )));
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let known = self.judge(user, offer.public_key, offer.algorithm);
        if known.is_none() {
            return Ok(Auth::reject());
        }
        self.advance(Progress::Offered);
        Ok(Auth::Accept)
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let Some(peer) = self.judge(user, key.public_key, key.algorithm) else {
            return Ok(Auth::reject());
        };
        self.peer = Some(peer);
        self.advance(Progress::Authenticated);
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        // Dropping the reply refuses. The channel itself is not kept: one that is not read fills
        // up, and stops the session.
        if let State::NoChannel = self.state {
            self.state = State::Channel(channel.id());
            reply.accept().await;
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        let wanted =
            name == SUBSYSTEM && matches!(&self.state, State::Channel(ours) if *ours == channel);
        let parts = (
            self.peer.clone(),
            self.make_receiver.take_if(|_| wanted),
            self.opened.take_if(|_| wanted),
        );
        let (Some(peer), Some(make_receiver), Some(opened)) = parts else {
            session.channel_failure(channel)?;
            return Ok(());
        };
        let receiver = make_receiver(&peer);
        session.channel_success(channel)?;
        let offer = self.offer.take();
        let agreed = offer.and_then(|offer| noise::answer(&offer, self.longest, &self.noise));
        let goes_over = match agreed {
            Some((answer, agreement)) => {
                session.data(channel, answer)?;
                let (tell, released) = oneshot::channel();
                self.termination.switch().release_when_flushed(tell);
                self.state = State::Over;
                GoesOver::HandedOver(Handover {
                    agreement,
                    receiver,
                    released,
                })
            }
            None => {
                self.state = State::Open { channel, receiver };
                GoesOver::Ssh(channel)
            }
        };
        // Nobody listens any more when the caller has given up; the stream is closed then.
        let _ = opened.send(OpenedLink { peer, goes_over });
        Ok(())
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        bytes: &[u8],
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        match &mut self.state {
            State::Open { receiver, .. } => Ok(receiver.data(bytes)?),
            State::NoChannel | State::Channel(_) => {
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
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        Err(Refused::new("data on an error stream, which a link has not").into())
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.wind_down(channel, session.handle());
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        self.wind_down(channel, session.handle());
        Ok(())
    }

    // What a link has no use for. Other channels and forwards are refused by default; these
    // requests get no answer by default, and a client that wants one would wait for ever.

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if name == VARIABLE && value.len() <= MAX_OFFER_LEN {
            self.offer = Some(Zeroizing::new(value.to_owned()));
        }
        // The variable itself is not set, as none is: a caller that asks is told so.
        Ok(session.channel_failure(channel)?)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _columns: u32,
        _rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        _signal: russh::Sig,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        Ok(session.channel_failure(channel)?)
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        _session: &mut server::Session,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }
}
