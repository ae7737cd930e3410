//! Who gets a link and who does not, and how links end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::keys::fingerprint;
use crate::secured::Negotiated;

#[tokio::test]
async fn two_nodes_link_with_each_kind_of_key() {
    let kinds = [
        (ed25519(), ed25519()),
        (rsa_key(), generate(NewKey::EcdsaP256, "").unwrap()),
        (generate(NewKey::EcdsaP256, "").unwrap(), rsa_key()),
    ];
    for (attic, cellar) in kinds {
        let network = Network::new(&[("attic", attic), ("cellar", cellar)]);
        let (mut dialled, mut accepted) =
            link(&network.endpoint("attic"), &network.endpoint("cellar")).await;
        assert_eq!(dialled.secured.peer, name("cellar"));
        assert_eq!(accepted.secured.peer, name("attic"));
        dialled.send("up").await;
        assert_eq!(accepted.read(2).await, b"up");
        accepted.send("down").await;
        assert_eq!(dialled.read(4).await, b"down");
        let traffic = (&dialled.secured.traffic, &accepted.secured.traffic);
        assert!(traffic.0.received() > 500 && traffic.0.sent() > 500);
        assert!(traffic.1.received() <= traffic.0.sent());
    }
}

#[tokio::test]
async fn either_end_closes_in_order_and_what_was_queued_arrives_first() {
    let network = Network::pair();
    let (attic, cellar) = (network.endpoint("attic"), network.endpoint("cellar"));
    for dialling_end_closes in [true, false] {
        let (dialled, accepted) = link(&attic, &cellar).await;
        let (closing, mut other) = if dialling_end_closes {
            (dialled, accepted)
        } else {
            (accepted, dialled)
        };
        for _ in 0..100 {
            closing.send(vec![7; 10_000]).await;
        }
        soon(closing.secured.sender.close()).await;
        assert_eq!(other.read(1_000_000).await.len(), 1_000_000);
        assert_eq!(closing.ended().await, Ended::ByUs);
        assert_eq!(other.ended().await, Ended::ByPeer);
        assert!(closing.secured.sender.send("late".into()).await.is_err());
        assert!(other.secured.sender.send("late".into()).await.is_err());
        assert!(
            soon(other.arrived.recv()).await.is_none(),
            "the receiver is dropped"
        );
    }
}

#[tokio::test]
async fn a_dropped_session_closes_the_stream_at_once() {
    let network = Network::pair();
    let (attic, cellar) = (network.endpoint("attic"), network.endpoint("cellar"));
    for dialling_end_drops in [true, false] {
        let (dialled, accepted) = link(&attic, &cellar).await;
        let (dropping, other) = if dialling_end_drops {
            (dialled, accepted)
        } else {
            (accepted, dialled)
        };
        let sender = dropping.secured.sender.clone();
        drop(dropping);
        assert!(sender.send("late".into()).await.is_err());
        assert!(matches!(other.ended().await, Ended::Lost(_)));
    }
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_above_is_cut_off() {
    let network = Network::pair();
    let (attic, cellar) = (network.endpoint("attic"), network.endpoint("cellar"));
    for dialling_end_sends in [true, false] {
        let (dialled, accepted) = link(&attic, &cellar).await;
        let (sending, other) = if dialling_end_sends {
            (dialled, accepted)
        } else {
            (accepted, dialled)
        };
        sending.send("poison").await;
        assert_eq!(other.ended().await, Ended::Refused("poison".to_owned()));
        assert!(matches!(sending.ended().await, Ended::Lost(_)));
    }
}

#[tokio::test]
async fn another_key_than_the_dialled_nodes_is_refused_and_named() {
    let network = Network::pair();
    let impostor_key = ed25519();
    let impostor = network.endpoint_of("cellar", impostor_key.clone(), &Algorithms::default());
    let (dialled, accepted) = failing_link(&network.endpoint("attic"), &impostor).await;
    let AuthError::HostKeyMismatch {
        peer,
        offered,
        expected,
    } = dialled
    else {
        panic!("{dialled}");
    };
    assert_eq!(peer, name("cellar"));
    assert_eq!(offered, fingerprint(impostor_key.public_key()));
    assert_eq!(expected, fingerprint(network.key("cellar").public_key()));
    let closed = matches!(
        accepted,
        AuthError::Closed {
            stage: Stage::KeyExchange,
            ..
        }
    );
    assert!(closed, "{accepted:?}");
}

#[tokio::test]
async fn an_address_that_leads_to_another_node_or_back_names_that_node() {
    let network = Network::new(&["attic", "cellar", "garage"].map(|node| (node, ed25519())));
    let (attic, cellar) = (network.endpoint("attic"), network.endpoint("cellar"));
    for (leads_to, text) in [
        (&cellar, "to `cellar`"),
        (&attic, "back to this node itself"),
    ] {
        let (near, far) = duplex(STREAM_ROOM);
        let garage = name("garage");
        let dialling = connect(near, &attic, &garage, collector().0);
        let accepting = accept(far, leads_to, collector().0);
        let (dialled, _) = soon(async { tokio::join!(dialling, accepting) }).await;
        let expected = format!(
            "the address leads {text}, and not to `garage`: correct it in the network file"
        );
        assert_eq!(dialled.err().unwrap().to_string(), expected);
    }
}

#[tokio::test]
async fn a_key_that_the_other_end_does_not_know_is_rejected_on_both_ends() {
    let network = Network::pair();
    let stale_key = ed25519();
    let stale = network.endpoint_of("attic", stale_key.clone(), &Algorithms::default());
    let cellar = network.endpoint("cellar");
    let (dialled, accepted) = failing_link(&stale, &cellar).await;
    let shown = fingerprint(stale_key.public_key());
    let rejected =
        matches!(&dialled, AuthError::Rejected { fingerprint, .. } if *fingerprint == shown);
    assert!(rejected, "{dialled}");
    let AuthError::Stranger(why) = accepted else {
        panic!("{accepted}");
    };
    assert!(why.contains("attic") && why.contains(&shown), "{why}");
    // The same when the name is not even in the other end's file.
    let unknown = network.endpoint_of("garage", stale_key, &Algorithms::default());
    let (dialled, accepted) = failing_link(&unknown, &cellar).await;
    assert!(matches!(dialled, AuthError::Rejected { .. }), "{dialled}");
    assert!(
        accepted.to_string().contains("no node of the network file"),
        "{accepted}"
    );
}

#[tokio::test]
async fn a_node_links_neither_with_itself_nor_with_a_stranger() {
    let network = Network::pair();
    let attic = network.endpoint("attic");
    let (near, far) = duplex(STREAM_ROOM);
    let error = dial(near, &attic, "attic").await.err().unwrap();
    assert!(matches!(error, AuthError::OwnName(_)), "{error}");
    closed(far).await;
    let (near, far) = duplex(STREAM_ROOM);
    let error = dial(near, &attic, "garage").await.err().unwrap();
    assert!(matches!(error, AuthError::UnknownNode(_)), "{error}");
    closed(far).await;
    // A copy of this node's own key, under this node's name, is refused by it.
    let copy = network.endpoint("cellar");
    let mut claiming = Network::pair();
    claiming.nodes = vec![
        (name("cellar"), network.key("cellar")),
        (name("boiler"), network.key("cellar")),
    ];
    let claiming = claiming.endpoint("cellar");
    let (near, far) = duplex(STREAM_ROOM);
    let (dialled, accepted) = tokio::join!(dial(near, &claiming, "boiler"), answer(far, &copy));
    let dialled = dialled.err().unwrap();
    assert!(matches!(dialled, AuthError::Rejected { .. }), "{dialled}");
    let accepted = accepted.err().unwrap();
    assert!(accepted.to_string().contains("this node"), "{accepted}");
}

#[tokio::test]
async fn what_is_not_ssh_is_told_apart() {
    let network = Network::pair();
    let (attic, cellar) = (network.endpoint("attic"), network.endpoint("cellar"));
    let garbage: [&[u8]; 3] = [
        b"GET / HTTP/1.1\r\nHost: cellar\r\n\r\n",
        &[0; 1000],
        b"SSH-1.5-old\r\n",
    ];
    for text in garbage {
        let (near, mut far) = duplex(STREAM_ROOM);
        far.write_all(text).await.unwrap();
        let error = answer(near, &cellar).await.err().unwrap();
        assert!(matches!(error, AuthError::NotSsh), "{error:?}");
        // A server may greet at some length before its version, so here it takes the end.
        let (near, mut far) = duplex(STREAM_ROOM);
        far.write_all(text).await.unwrap();
        far.shutdown().await.unwrap();
        let error = dial(near, &attic, "cellar").await.err().unwrap();
        assert!(matches!(error, AuthError::NotSsh), "{error:?}");
    }
    let (near, mut far) = duplex(STREAM_ROOM);
    far.write_all(b"SSH-2.0-kozo\r\n").await.unwrap();
    far.write_all(&[0xff; 64]).await.unwrap();
    let error = answer(near, &cellar).await.err().unwrap();
    let protocol = matches!(
        error,
        AuthError::Protocol {
            stage: Stage::KeyExchange,
            ..
        }
    );
    assert!(protocol, "{error:?}");
}

#[tokio::test]
async fn a_closed_door_is_told_with_how_far_one_came() {
    let network = Network::pair();
    let (attic, cellar) = (network.endpoint("attic"), network.endpoint("cellar"));
    for greets in [false, true] {
        let expected = if greets {
            Stage::KeyExchange
        } else {
            Stage::Greeting
        };
        for dials in [true, false] {
            let (near, mut far) = duplex(STREAM_ROOM);
            if greets {
                far.write_all(b"SSH-2.0-kozo\r\n").await.unwrap();
            }
            far.shutdown().await.unwrap();
            let error = if dials {
                dial(near, &attic, "cellar").await.err().unwrap()
            } else {
                answer(near, &cellar).await.err().unwrap()
            };
            let fits = matches!(error, AuthError::Closed { stage, .. } if stage == expected);
            assert!(fits, "greets {greets}, dials {dials}: {error:?}");
        }
    }
}

#[tokio::test]
async fn giving_up_on_a_silent_peer_closes_the_stream_at_once() {
    let network = Network::pair();
    let (attic, cellar) = (network.endpoint("attic"), network.endpoint("cellar"));
    let limit = Duration::from_millis(20);
    for greets in [false, true] {
        for dials in [true, false] {
            let (near, mut far) = duplex(STREAM_ROOM);
            if greets {
                far.write_all(b"SSH-2.0-kozo\r\n").await.unwrap();
            }
            let (receiver, _arrived) = collector();
            let gave_up = if dials {
                let peer = name("cellar");
                let opening = connect(near, &attic, &peer, receiver);
                tokio::time::timeout(limit, opening).await.is_err()
            } else {
                let opening = accept(near, &cellar, receiver);
                tokio::time::timeout(limit, opening).await.is_err()
            };
            assert!(gave_up);
            closed(far).await;
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_answer_a_goodbye_is_cut_off() {
    let network = Network::pair();
    let (near, far, stop) = path();
    let (dialled, accepted) = link_on(
        near,
        far,
        &network.endpoint("attic"),
        &network.endpoint("cellar"),
    )
    .await;
    stop.send(()).unwrap();
    soon(accepted.secured.sender.close()).await;
    assert_eq!(accepted.ended().await, Ended::ByUs);
    soon(dialled.secured.sender.close()).await;
    assert_eq!(dialled.ended().await, Ended::ByUs);
}

#[tokio::test]
async fn the_old_cipher_and_mac_still_link_two_nodes() {
    let network = Network::pair();
    let old = Algorithms::new(&["aes256-ctr"], &["hmac-sha1"]).unwrap();
    let (mut dialled, accepted) = link(
        &network.endpoint_with("attic", &old),
        &network.endpoint("cellar"),
    )
    .await;
    accepted.send("tick").await;
    assert_eq!(dialled.read(4).await, b"tick");
    let expected = Negotiated {
        noise: None,
        cipher: "aes256-ctr".to_owned(),
        mac: Some("hmac-sha1".to_owned()),
    };
    assert_eq!(dialled.secured.negotiated, Some(expected));
}

#[tokio::test]
async fn a_cipher_with_its_own_authentication_is_chosen_by_default() {
    let network = Network::pair();
    let (attic, cellar) = network.endpoints(true);
    let (dialled, _accepted) = link(&attic, &cellar).await;
    let negotiated = dialled.secured.negotiated.unwrap();
    let offered = Algorithms::default().preferred();
    assert_eq!(negotiated.cipher, offered.cipher[0].as_ref());
    assert_eq!(negotiated.mac, None);
}

/// What people have chosen for SSH is what protects the link, or it stays with SSH.
#[tokio::test]
async fn a_link_is_handed_over_where_noise_has_the_cipher_that_ssh_chose() {
    let network = Network::pair();
    for (cipher, protocol) in [
        (
            "aes256-gcm@openssh.com",
            Some("Noise_NNpsk0_25519_AESGCM_SHA256"),
        ),
        (
            "chacha20-poly1305@openssh.com",
            Some("Noise_NNpsk0_25519_ChaChaPoly_SHA256"),
        ),
        ("aes128-gcm@openssh.com", None),
        ("aes256-ctr", None),
    ] {
        let chosen = Algorithms::new(&[cipher], &[]).unwrap();
        let (mut dialled, mut accepted) = link(
            &network.endpoint_with("attic", &chosen),
            &network.endpoint("cellar"),
        )
        .await;
        let agreed = dialled.secured.negotiated.clone().unwrap();
        assert_eq!((agreed.noise, agreed.cipher.as_str()), (protocol, cipher));
        // Of SSH alone, the end that accepted does not know what was chosen.
        let known = protocol.is_some().then_some(agreed);
        assert_eq!(accepted.secured.negotiated, known);
        let direct = [&dialled, &accepted].map(|end| end.secured.direct.is_some());
        assert_eq!(direct, [protocol.is_some(); 2]);
        dialled.send("up").await;
        assert_eq!(accepted.read(2).await, b"up");
        accepted.send("down").await;
        assert_eq!(dialled.read(4).await, b"down");
    }
}

#[tokio::test]
async fn two_nodes_without_a_cipher_in_common_say_so() {
    let network = Network::pair();
    let one = Algorithms::new(&["aes256-ctr"], &[]).unwrap();
    let other = Algorithms::new(&["aes128-ctr"], &[]).unwrap();
    let (dialled, accepted) = failing_link(
        &network.endpoint_with("attic", &one),
        &network.endpoint_with("cellar", &other),
    )
    .await;
    for error in [dialled, accepted] {
        let text = error.to_string();
        // One of the two may see only that the other has gone.
        let fits = matches!(error, AuthError::Closed { .. } | AuthError::Io { .. })
            || (text.contains("aes256-ctr") && text.contains("aes128-ctr"));
        assert!(fits, "{text}");
    }
}

#[tokio::test]
async fn a_version_line_gives_nothing_away() {
    let network = Network::pair();
    let (near, mut far) = duplex(STREAM_ROOM);
    let cellar = network.endpoint("cellar");
    let accepting = tokio::spawn(async move { answer(near, &cellar).await.err() });
    let mut line = [0; 14];
    soon(far.read_exact(&mut line)).await.unwrap();
    assert_eq!(&line, b"SSH-2.0-kozo\r\n");
    drop(far);
    assert!(soon(accepting).await.unwrap().is_some());
}
