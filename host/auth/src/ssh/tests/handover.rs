//! Links that SSH has handed over to Noise.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::secured::Direct;

/// A link on sockets, to which any thread can write.
async fn link_on_sockets() -> (End, End) {
    let network = Network::pair();
    let (attic, cellar) = network.endpoints(false);
    let (near, far) = UnixStream::pair().unwrap();
    link_on(near, far, &attic, &cellar).await
}

fn direct(end: &End) -> Arc<dyn Direct> {
    end.secured.direct.clone().unwrap()
}

#[tokio::test]
async fn what_other_threads_send_keeps_its_place() {
    let (dialled, mut accepted) = link_on_sockets().await;
    let direct = direct(&dialled);
    let mut expected = Vec::new();
    for round in 0..50_u8 {
        dialled.send(vec![round; 1000]).await;
        expected.extend([round; 1000]);
        let direct = direct.clone();
        let sent = std::thread::spawn(move || direct.send(&[0xee, round]));
        assert!(sent.join().unwrap().is_ok());
        expected.extend([0xee, round]);
    }
    assert_eq!(accepted.read(expected.len()).await, expected);
    // An answer comes the same way.
    self::direct(&accepted).send(b"thanks").unwrap();
    let mut dialled = dialled;
    assert_eq!(dialled.read(6).await, b"thanks");
}

#[tokio::test]
async fn what_the_path_does_not_take_at_once_goes_by_itself() {
    let (dialled, mut accepted) = link_on_sockets().await;
    let direct = direct(&dialled);
    let mut count = 0_usize;
    // This test's runtime has one thread, so nobody reads meanwhile.
    while direct.has_room() {
        let piece: Vec<u8> = (count..count + 10_000).map(|i| i as u8).collect();
        direct.send(&piece).unwrap();
        count += piece.len();
    }
    assert!(count >= 20_000, "a socket takes more than {count} bytes");
    // Whoever sends all the same loses nothing, either.
    direct.send(b"end").unwrap();
    let arrived = accepted.read(count + 3).await;
    assert!(
        arrived[..count]
            .iter()
            .zip(0..)
            .all(|(byte, i): (_, usize)| *byte == i as u8)
    );
    assert_eq!(&arrived[count..], b"end");
    dialled.send("more").await;
    assert_eq!(accepted.read(4).await, b"more");
    assert!(direct.has_room());
}

#[tokio::test]
async fn nothing_is_sent_on_a_link_that_has_ended() {
    let (dialled, accepted) = link_on_sockets().await;
    let directs = [direct(&dialled), direct(&accepted)];
    soon(dialled.secured.sender.close()).await;
    assert_eq!(dialled.ended().await, Ended::ByUs);
    assert_eq!(accepted.ended().await, Ended::ByPeer);
    for direct in directs {
        assert!(direct.send(b"late").is_err());
        assert!(!direct.has_room());
    }
}

/// A link through somebody who changes what goes from the end that dialled, from the handing over on.
async fn tampered(change: impl Fn(&mut Vec<u8>) + Send + 'static) -> (End, End) {
    let network = Network::pair();
    let (attic, cellar) = network.endpoints(false);
    let (near, mut near_relay) = UnixStream::pair().unwrap();
    let (mut far_relay, far) = UnixStream::pair().unwrap();
    let (begin, begun) = oneshot::channel::<()>();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = begun => {}
            _ = tokio::io::copy_bidirectional(&mut near_relay, &mut far_relay) => {}
        }
        let mut bytes = vec![0; 4096];
        while let Ok(count @ 1..) = near_relay.read(&mut bytes).await {
            let mut taken = bytes[..count].to_vec();
            change(&mut taken);
            if taken.is_empty() || far_relay.write_all(&taken).await.is_err() {
                break;
            }
        }
    });
    let (dialled, accepted) = link_on(near, far, &attic, &cellar).await;
    let mut accepted = accepted;
    // What was said before is not changed.
    dialled.send("before").await;
    assert_eq!(accepted.read(6).await, b"before");
    begin.send(()).unwrap();
    tokio::task::yield_now().await;
    (dialled, accepted)
}

#[tokio::test]
async fn a_byte_that_somebody_changes_ends_the_link_and_reaches_nobody() {
    let (dialled, mut accepted) = tampered(|bytes| bytes[5] ^= 1).await;
    dialled.send("a message").await;
    let ended = accepted.ended().await;
    assert!(matches!(ended, Ended::Refused(_)), "{ended:?}");
    assert_eq!(soon(accepted.arrived.recv()).await, None);
}

#[tokio::test]
async fn a_stream_that_somebody_ends_is_told_from_a_goodbye() {
    let (dialled, accepted) = tampered(Vec::clear).await;
    dialled.send("a message").await;
    let ended = accepted.ended().await;
    assert!(matches!(ended, Ended::Lost(_)), "{ended:?}");
}
