//! Links that SSH has handed over to Noise.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
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

#[tokio::test]
async fn all_who_wait_for_room_get_their_turn() {
    let (dialled, mut accepted) = link_on_sockets().await;
    let direct = direct(&dialled);
    let mut count = 0_usize;
    while direct.has_room() {
        direct.send(&[7; 10_000]).unwrap();
        count += 10_000;
    }
    soon(async {
        tokio::join!(
            dialled.send("one"),
            dialled.send("two"),
            accepted.read(count + 6)
        )
    })
    .await;
}

/// Takes nothing, and panics over it.
struct Panics;

impl Receiver for Panics {
    fn data(&mut self, _bytes: &[u8]) -> Result<(), Refused> {
        panic!("as it is meant to")
    }
}

#[tokio::test]
async fn a_link_whose_receiver_panics_ends() {
    let network = Network::pair();
    for ssh_only in KINDS {
        let (attic, cellar) = network.endpoints(ssh_only);
        let (near, far) = UnixStream::pair().unwrap();
        let to = name("cellar");
        let (dialled, accepted) = tokio::join!(
            connect(near, &attic, &to, |_: &NodeName| Panics),
            answer(far, &cellar)
        );
        let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
        accepted.send("x").await;
        let ended = soon(dialled.session.ended()).await;
        assert!(matches!(ended, Ended::Lost(_)), "{ended:?}");
    }
}

/// A stream that takes so many writes and fails then.
struct Failing(UnixStream, usize);

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(left) = self.1.checked_sub(1) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        self.1 = left;
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Stream for Failing {}

/// Also with the answer to the offer, which is the last that SSH writes.
#[tokio::test]
async fn a_caller_to_whom_something_cannot_be_written_is_given_up() {
    let network = Network::pair();
    for writes in 0.. {
        let (attic, cellar) = network.endpoints(false);
        let (near, far) = UnixStream::pair().unwrap();
        let dialling = tokio::spawn(async move { dial(near, &attic, "cellar").await.is_ok() });
        let accepted = answer(Failing(far, writes), &cellar).await;
        let is_link = accepted.is_ok();
        drop(accepted);
        soon(dialling).await.unwrap();
        if is_link {
            assert!(writes > 5, "after {writes} writes");
            break;
        }
    }
}

/// What people have chosen holds at both ends, whatever the other one asks for.
#[tokio::test]
async fn an_offer_of_a_cipher_that_is_not_allowed_is_not_taken() {
    let network = Network::pair();
    let gcm = Algorithms::new(&["aes256-gcm@openssh.com"], &[]).unwrap();
    let mut asks_for_another = network.endpoint("attic");
    asks_for_another.noise = vec![crate::noise::Cipher::Aes256Gcm];
    let mut allows_another = network.endpoint_with("cellar", &gcm);
    allows_another.noise = vec![crate::noise::Cipher::ChaCha20Poly1305];
    let (near, far) = duplex(STREAM_ROOM);
    let dialling = tokio::spawn(async move { dial(near, &asks_for_another, "cellar").await });
    let mut accepted = answer(far, &allows_another).await.unwrap();
    // Who has offered something waits for the first word.
    accepted.send("hello").await;
    let mut dialled = soon(dialling).await.unwrap().unwrap();
    assert_eq!(dialled.secured.negotiated.as_ref().unwrap().noise, None);
    assert_eq!(dialled.read(5).await, b"hello");
    dialled.send("hello").await;
    assert_eq!(accepted.read(5).await, b"hello");
    let of_ctr = network.endpoint_with("cellar", &Algorithms::new(&["aes256-ctr"], &[]).unwrap());
    assert!(of_ctr.noise.is_empty());
}
