//! Raw SSH ends that ask for what a link does not give.

use russh::client::{self, AuthResult};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::server::{self, Auth};
use russh::{Channel, ChannelId, ChannelMsg, MethodKind};

use super::*;

/// A client that takes any host key.
struct AnyHost;

impl client::Handler for AnyHost {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

type Accepted = tokio::task::JoinHandle<Result<End, AuthError>>;

/// A raw client on a stream that `cellar` accepts.
async fn raw_client(network: &Network) -> (client::Handle<AnyHost>, Accepted) {
    let (near, far) = duplex(STREAM_ROOM);
    let cellar = network.endpoint("cellar");
    let accepted = tokio::spawn(async move { answer(far, &cellar).await });
    let config = Arc::new(client::Config::default());
    let handle = soon(client::connect_stream(config, near, AnyHost))
        .await
        .unwrap();
    (handle, accepted)
}

async fn try_key(
    handle: &mut client::Handle<AnyHost>,
    user: &str,
    key: PrivateKey,
    hash: Option<HashAlg>,
) -> AuthResult {
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    soon(handle.authenticate_publickey(user, key))
        .await
        .unwrap()
}

/// A raw client that is authenticated as `attic`.
async fn raw_attic(network: &Network) -> (client::Handle<AnyHost>, Accepted) {
    let (mut handle, accepted) = raw_client(network).await;
    let result = try_key(&mut handle, "attic", network.key("attic"), None).await;
    assert!(result.success());
    (handle, accepted)
}

/// The answer to a request on a channel.
async fn reply(channel: &mut Channel<client::Msg>) -> ChannelMsg {
    loop {
        match soon(channel.wait()).await.expect("the channel was closed") {
            ChannelMsg::WindowAdjusted { .. } => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_key_are_answered_alike() {
    let network = Network::pair();
    let mut answers = Vec::new();
    for (user, key) in [
        ("garage", ed25519()),
        ("garage", network.key("attic")),
        ("attic", ed25519()),
        ("attic", network.key("cellar")),
        ("cellar", network.key("cellar")),
        ("", network.key("attic")),
        ("root\n\u{1b}[2J", network.key("attic")),
    ] {
        let (mut handle, accepted) = raw_client(&network).await;
        let answer = try_key(&mut handle, user, key, None).await;
        answers.push(format!("{answer:?}"));
        drop(handle);
        let error = soon(accepted).await.unwrap().err().unwrap().to_string();
        assert!(!error.contains(['\n', '\u{1b}']), "{error:?}");
    }
    answers.dedup();
    let only: &AuthResult = &AuthResult::Failure {
        remaining_methods: [MethodKind::PublicKey][..].into(),
        partial_success: false,
    };
    assert_eq!(answers, [format!("{only:?}")]);
}

#[tokio::test]
async fn the_third_failure_is_the_last() {
    let network = Network::pair();
    let (mut handle, accepted) = raw_client(&network).await;
    for _ in 0..3 {
        let answer = try_key(&mut handle, "attic", ed25519(), None).await;
        assert!(!answer.success());
        assert!(!handle.is_closed());
    }
    // The right key comes too late.
    let answer = try_key(&mut handle, "attic", network.key("attic"), None).await;
    assert!(!answer.success());
    assert!(handle.is_closed());
    let error = soon(accepted).await.unwrap().err().unwrap();
    assert!(matches!(error, AuthError::Stranger(_)), "{error}");
}

#[tokio::test]
async fn only_public_keys_are_accepted() {
    let network = Network::pair();
    let (mut handle, _accepted) = raw_client(&network).await;
    assert!(
        !soon(handle.authenticate_none("attic"))
            .await
            .unwrap()
            .success()
    );
    let password = handle.authenticate_password("attic", "");
    assert!(!soon(password).await.unwrap().success());
}

#[tokio::test]
async fn an_rsa_key_proves_itself_with_sha_2_only() {
    let network = Network::new(&[("attic", rsa_key()), ("cellar", ed25519())]);
    let hashes = [
        (None, false),
        (Some(HashAlg::Sha256), true),
        (Some(HashAlg::Sha512), true),
    ];
    for (hash, accepted) in hashes {
        let (mut handle, _accepted) = raw_client(&network).await;
        let answer = try_key(&mut handle, "attic", network.key("attic"), hash).await;
        assert_eq!(answer.success(), accepted, "{hash:?}");
    }
}

#[tokio::test]
async fn one_channel_with_one_subsystem_is_all_there_is() {
    let network = Network::pair();
    let (handle, accepted) = raw_attic(&network).await;
    let mut channel = soon(handle.channel_open_session()).await.unwrap();
    assert!(soon(handle.channel_open_session()).await.is_err());
    assert!(
        soon(handle.channel_open_direct_tcpip("localhost", 22, "localhost", 1))
            .await
            .is_err()
    );
    assert!(
        soon(handle.channel_open_direct_streamlocal("/socket"))
            .await
            .is_err()
    );
    assert!(soon(handle.channel_open_x11("localhost", 1)).await.is_err());
    assert!(soon(handle.tcpip_forward("localhost", 0)).await.is_err());
    assert!(soon(handle.streamlocal_forward("/socket")).await.is_err());

    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));
    channel.request_shell(true).await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));
    channel.exec(true, "true").await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));
    channel
        .request_pty(true, "xterm", 80, 24, 0, 0, &[])
        .await
        .unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));
    channel.set_env(true, "LANG", "C").await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));
    channel.agent_forward(true).await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));
    channel
        .request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0)
        .await
        .unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));

    channel.request_subsystem(true, SUBSYSTEM).await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Success));
    channel.request_subsystem(true, SUBSYSTEM).await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Failure));
    let mut accepted = soon(accepted).await.unwrap().unwrap();
    channel.data_bytes(&b"hello"[..]).await.unwrap();
    assert_eq!(accepted.read(5).await, b"hello");
    accepted.send("world").await;
    let answer = reply(&mut channel).await;
    assert!(
        matches!(&answer, ChannelMsg::Data { data } if data == "world"),
        "{answer:?}"
    );

    channel.close().await.unwrap();
    assert_eq!(accepted.ended().await, Ended::ByPeer);
}

#[tokio::test]
async fn data_outside_the_subsystem_ends_the_session() {
    let network = Network::pair();
    let (handle, accepted) = raw_attic(&network).await;
    let channel = soon(handle.channel_open_session()).await.unwrap();
    channel.data_bytes(&b"early"[..]).await.unwrap();
    let error = soon(accepted).await.unwrap().err().unwrap();
    assert!(
        matches!(
            error,
            AuthError::Protocol {
                stage: Stage::Opening,
                ..
            }
        ),
        "{error:?}"
    );

    let (handle, accepted) = raw_attic(&network).await;
    let mut channel = soon(handle.channel_open_session()).await.unwrap();
    channel.request_subsystem(true, SUBSYSTEM).await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Success));
    let accepted = soon(accepted).await.unwrap().unwrap();
    channel.extended_data_bytes(1, &b"aside"[..]).await.unwrap();
    assert!(matches!(accepted.ended().await, Ended::Refused(_)));
}

#[tokio::test]
async fn a_peer_that_ends_its_input_gets_what_is_queued_and_an_exit_status() {
    let network = Network::pair();
    let (handle, accepted) = raw_attic(&network).await;
    let mut channel = soon(handle.channel_open_session()).await.unwrap();
    channel.request_subsystem(true, SUBSYSTEM).await.unwrap();
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Success));
    let accepted = soon(accepted).await.unwrap().unwrap();
    accepted.send("last words").await;
    channel.eof().await.unwrap();
    let answer = reply(&mut channel).await;
    assert!(
        matches!(&answer, ChannelMsg::Data { data } if data == "last words"),
        "{answer:?}"
    );
    let answer = reply(&mut channel).await;
    assert!(
        matches!(answer, ChannelMsg::ExitStatus { exit_status: 0 }),
        "{answer:?}"
    );
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Eof));
    assert!(matches!(reply(&mut channel).await, ChannelMsg::Close));
    // This client does not hang up, so it is cut off.
    assert_eq!(accepted.ended().await, Ended::ByPeer);
    assert!(handle.is_closed() || soon(handle).await.is_err());
}

/// A server that lets everybody in, and does as told.
#[derive(Clone, Copy, PartialEq)]
enum Misbehaviour {
    NoChannel,
    NoSubsystem,
    DataFirst,
    NoAnswer,
    WrongAnswer,
    ChannelsOfItsOwn,
}

struct RawServer {
    behaviour: Misbehaviour,
    channel: Option<Channel<server::Msg>>,
    refused: mpsc::UnboundedSender<bool>,
}

impl server::Handler for RawServer {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<server::Msg>,
        reply: server::ChannelOpenHandle,
        _session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        if self.behaviour != Misbehaviour::NoChannel {
            reply.accept().await;
        }
        self.channel = Some(channel);
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut server::Session,
    ) -> Result<(), Self::Error> {
        match self.behaviour {
            Misbehaviour::NoChannel | Misbehaviour::NoSubsystem => {
                session.channel_failure(channel)?;
            }
            Misbehaviour::DataFirst => session.data(channel, &b"early"[..])?,
            Misbehaviour::NoAnswer => {
                session.channel_success(channel)?;
                session.data(channel, &b"hello"[..])?;
            }
            Misbehaviour::WrongAnswer => {
                session.channel_success(channel)?;
                session.data(channel, &[0xff; 54][..])?;
            }
            Misbehaviour::ChannelsOfItsOwn => {
                session.channel_success(channel)?;
                let (handle, refused) = (session.handle(), self.refused.clone());
                tokio::spawn(async move {
                    let _ = refused.send(handle.channel_open_session().await.is_err());
                    let _ = refused.send(handle.channel_open_agent().await.is_err());
                    let _ = refused.send(handle.channel_open_x11("host", 1).await.is_err());
                    let tcpip = handle.channel_open_forwarded_tcpip("host", 1, "host", 2);
                    let _ = refused.send(tcpip.await.is_err());
                    let tcpip = handle.channel_open_direct_tcpip("host", 1, "host", 2);
                    let _ = refused.send(tcpip.await.is_err());
                    let local = handle.channel_open_forwarded_streamlocal("/socket");
                    let _ = refused.send(local.await.is_err());
                    let local = handle.channel_open_direct_streamlocal("/socket");
                    let _ = refused.send(local.await.is_err());
                });
            }
        }
        Ok(())
    }
}

/// `attic` dials a raw server that has the key of `cellar`, for a link of such a kind.
async fn dial_raw_server(
    behaviour: Misbehaviour,
    ssh_only: bool,
) -> (Result<End, AuthError>, mpsc::UnboundedReceiver<bool>) {
    let network = Network::pair();
    let (near, far) = duplex(STREAM_ROOM);
    let (refused_sender, refused) = mpsc::unbounded_channel();
    let handler = RawServer {
        behaviour,
        channel: None,
        refused: refused_sender,
    };
    let config = Arc::new(server::Config {
        keys: vec![network.key("cellar")],
        ..server::Config::default()
    });
    tokio::spawn(async move { server::run_stream(config, far, handler).await?.await });
    let (attic, _) = network.endpoints(ssh_only);
    (dial(near, &attic, "cellar").await, refused)
}

#[tokio::test]
async fn another_ssh_server_with_the_right_key_is_told_from_a_node() {
    for ssh_only in KINDS {
        let (dialled, _) = dial_raw_server(Misbehaviour::NoChannel, ssh_only).await;
        let error = dialled.err().unwrap();
        assert!(matches!(error, AuthError::SubsystemRefused(_)), "{error:?}");
    }
    // That the subsystem is refused is found out on the link, where nobody waits for an answer before.
    let (dialled, _) = dial_raw_server(Misbehaviour::NoSubsystem, true).await;
    let ended = dialled.unwrap().ended().await;
    assert!(
        matches!(&ended, Ended::Lost(why) if why.contains("subsystem")),
        "{ended:?}"
    );
    let (dialled, _) = dial_raw_server(Misbehaviour::NoSubsystem, false).await;
    let error = dialled.err().unwrap();
    assert!(matches!(error, AuthError::SubsystemRefused(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_sends_before_the_subsystem_is_refused() {
    let (dialled, _) = dial_raw_server(Misbehaviour::DataFirst, true).await;
    let mut dialled = dialled.unwrap();
    let ended = dialled.ended().await;
    assert!(
        matches!(&ended, Ended::Refused(why) if why.contains("before")),
        "{ended:?}"
    );
    assert_eq!(soon(dialled.arrived.recv()).await, None);
    let (dialled, _) = dial_raw_server(Misbehaviour::DataFirst, false).await;
    let error = dialled.err().unwrap();
    assert!(matches!(error, AuthError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_to_an_offer_that_does_not_fit_it_is_refused() {
    let (dialled, _) = dial_raw_server(Misbehaviour::WrongAnswer, false).await;
    let error = dialled.err().unwrap();
    assert!(matches!(error, AuthError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_passes_over_an_offer_keeps_ssh() {
    let (dialled, _) = dial_raw_server(Misbehaviour::NoAnswer, false).await;
    let mut dialled = dialled.unwrap();
    assert_eq!(dialled.read(5).await, b"hello");
    let negotiated = dialled.secured.negotiated.as_ref().unwrap();
    assert_eq!(negotiated.noise, None);
    assert!(dialled.secured.direct.is_none());
}

#[tokio::test]
async fn a_node_opens_no_channel_towards_the_one_that_dialled_it() {
    let (dialled, mut refused) = dial_raw_server(Misbehaviour::ChannelsOfItsOwn, true).await;
    let _dialled = dialled.unwrap();
    for kind in 0..7 {
        assert_eq!(soon(refused.recv()).await, Some(true), "channel {kind}");
    }
}
