//! What the session's task of the end that dials asks, and is told.

use std::sync::Arc;

use kozo_ground::names::NodeName;
use russh::client::{self, DisconnectReason};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, Disconnect};
use tokio::sync::oneshot;

use super::endpoint::Endpoint;
use super::error::{AuthError, SessionError, quote};
use super::terms::{BoxedReceiver, MakeReceiver, SUBSYSTEM};
use crate::algorithms::needs_no_mac;
use crate::identity::{NodeKey, TrustedKeys, is_one_of};
use crate::keys::fingerprint;
use crate::noise::{Agreement, Cipher, Offer, VARIABLE};
use crate::secured::{Ended, FinishOnDrop, Negotiated, Refused, Termination};

/// What a session's task calls on the end that dials.
pub(super) struct ClientHandler {
    peer: NodeName,
    own: NodeName,
    trust: Arc<TrustedKeys>,
    keys: Vec<NodeKey>,
    negotiated: Option<Negotiated>,
    /// What the link may be handed over to.
    noise: Vec<Cipher>,
    /// How long a record towards this end may be, in bytes.
    longest: usize,
    state: State,
    // The handler lives exactly as long as the session's task. The last field, so that the receiver is gone when the
    // end is announced.
    termination: FinishOnDrop,
}

type OpeningSender = oneshot::Sender<Result<Outcome, SessionError>>;

/// How the opening ends: what the link goes over.
pub(super) enum Outcome {
    /// The session, as it is.
    Ssh(Option<Negotiated>),
    /// What the two ends have agreed on: the session has let go of its stream.
    HandedOver(Agreement, BoxedReceiver),
}

enum State {
    Opening {
        make_receiver: MakeReceiver,
        opened: OpeningSender,
    },
    /// The subsystem is asked for.
    Asked {
        channel: ChannelId,
        receiver: BoxedReceiver,
        offer: Option<(Offer, OpeningSender)>,
    },
    /// The other end has agreed to it. What it says first tells whether it takes the offer.
    Answering {
        channel: ChannelId,
        receiver: BoxedReceiver,
        offer: Offer,
        opened: OpeningSender,
    },
    /// Data flows.
    Open {
        channel: ChannelId,
        receiver: BoxedReceiver,
    },
    Over,
}

impl ClientHandler {
    /// A handler of the session in which `peer` is to prove one of `keys`; `opened` is told how the
    /// opening ends.
    pub(super) fn new(
        endpoint: &Endpoint,
        peer: NodeName,
        keys: Vec<NodeKey>,
        make_receiver: MakeReceiver,
        opened: OpeningSender,
        termination: Arc<Termination>,
    ) -> Self {
        Self {
            peer,
            own: endpoint.identity.node.clone(),
            trust: Arc::clone(&endpoint.trust),
            keys,
            negotiated: None,
            noise: endpoint.noise.clone(),
            longest: endpoint.chunk,
            state: State::Opening {
                make_receiver,
                opened,
            },
            termination: FinishOnDrop(termination),
        }
    }

    /// Ends the opening, if it is still going on. If not, the result is the error.
    fn give_up(&mut self, error: SessionError) -> Option<SessionError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Opening { opened, .. }
            | State::Asked {
                offer: Some((_, opened)),
                ..
            }
            | State::Answering { opened, .. } => {
                // Nobody listens any more when the caller has given up first.
                let _ = opened.send(Err(error));
                None
            }
            State::Asked { offer: None, .. } | State::Open { .. } => Some(error),
            State::Over => None,
        }
    }

    /// What is offered to the other end, if this one goes over to Noise with such a cipher.
    fn offer(&self) -> Option<Offer> {
        let cipher = Cipher::of_ssh(&self.negotiated.as_ref()?.cipher)?;
        let may = self.noise.contains(&cipher);
        may.then(|| Offer::new(cipher, self.longest)).flatten()
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
        let expected: Vec<_> = self.keys.iter().map(NodeKey::fingerprint).collect();
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
        let noise = None;
        self.negotiated = Some(Negotiated { noise, cipher, mac });
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
            let offer = self.offer();
            if let Some(offer) = &offer {
                session.set_env(channel, false, VARIABLE, offer.text())?;
            }
            session.request_subsystem(true, channel, SUBSYSTEM)?;
            let offer = match offer {
                Some(offer) => Some((offer, opened)),
                None => {
                    // Nobody listens any more when the caller has given up; the stream is closed then.
                    let _ = opened.send(Ok(Outcome::Ssh(self.negotiated.clone())));
                    None
                }
            };
            self.state = State::Asked {
                channel,
                receiver: make_receiver(&self.peer),
                offer,
            };
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
            State::Asked {
                channel,
                receiver,
                offer,
            } => {
                self.state = match offer {
                    None => State::Open { channel, receiver },
                    Some((offer, opened)) => State::Answering {
                        channel,
                        receiver,
                        offer,
                        opened,
                    },
                };
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
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open {
                channel,
                mut receiver,
            } => {
                let taken = receiver.data(bytes);
                self.state = State::Open { channel, receiver };
                Ok(taken?)
            }
            State::Answering {
                channel,
                mut receiver,
                offer,
                opened,
            } => {
                if Offer::is_answer(bytes) {
                    let agreement = match offer.conclude(bytes) {
                        Ok(agreement) => agreement,
                        Err(refused) => {
                            let _ = opened.send(Err(refused.clone().into()));
                            return Err(refused.into());
                        }
                    };
                    // What follows on the stream is not SSH any more: the session must not read it.
                    self.termination.0.switch().release();
                    // Nobody listens any more when the caller has given up; the stream is closed then.
                    let _ = opened.send(Ok(Outcome::HandedOver(agreement, receiver)));
                    return Ok(());
                }
                let _ = opened.send(Ok(Outcome::Ssh(self.negotiated.clone())));
                let taken = receiver.data(bytes);
                self.state = State::Open { channel, receiver };
                Ok(taken?)
            }
            early @ (State::Opening { .. } | State::Asked { .. }) => {
                self.state = early;
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
        if let State::Asked { channel: ours, .. }
        | State::Answering { channel: ours, .. }
        | State::Open { channel: ours, .. } = &self.state
            && *ours == channel
        {
            self.termination.0.note(Ended::ByPeer);
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
                    self.termination.0.note(Ended::ByPeer);
                }
                SessionError::Told(quote(&info.message))
            }
        };
        if let Some(error) = self.give_up(error) {
            self.termination.0.note(error.ended());
        }
        Ok(())
    }
}
