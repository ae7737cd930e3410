//! How long a link takes to come up where every message is long on its way.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::task::yield_now;

use super::*;

/// More than an end of a link writes without an answer.
const ROOM: usize = 256 * 1024;

/// How often everybody gets a turn until they have nothing more to do. A packet takes a handful.
const TURNS: usize = 500;

/// Flights that are too many for any link.
const TOO_MANY: u32 = 100;

/// What a stream holds at present.
async fn take(stream: &mut DuplexStream) -> Vec<u8> {
    let mut taken = vec![0; ROOM];
    poll_fn(|context| {
        let mut buffer = ReadBuf::new(&mut taken);
        let filled = match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
            Poll::Ready(read) => read.map(|()| buffer.filled().len()),
            Poll::Pending => Ok(0),
        };
        Poll::Ready(filled)
    })
    .await
    .map(|filled| taken.truncate(filled))
    .unwrap();
    taken
}

/// Counts the flights until both ends have a link and the first word of the other end, which each
/// says as soon as it can. A flight takes all that is written to the other end, in both directions
/// at once: it stands for one way's delay.
async fn flights(kinds: [bool; 2]) -> (u32, u32) {
    let network = Network::pair();
    let [attic, cellar] = [("attic", kinds[0]), ("cellar", kinds[1])]
        .map(|(node, ssh_only)| network.endpoint(node).with_ssh_only(ssh_only));
    let (near, mut near_relay) = duplex(ROOM);
    let (far, mut far_relay) = duplex(ROOM);
    let count = Arc::new(AtomicU32::new(0));
    let talk = |end: Result<End, AuthError>, count: Arc<AtomicU32>| async move {
        let mut end = end.unwrap();
        end.send("hello").await;
        assert_eq!(end.read(5).await, b"hello");
        let flights = count.load(Ordering::SeqCst);
        (end, flights)
    };
    let dialling = tokio::spawn({
        let count = Arc::clone(&count);
        async move { talk(dial(near, &attic, "cellar").await, count).await }
    });
    let accepting = tokio::spawn({
        let count = Arc::clone(&count);
        async move { talk(answer(far, &cellar).await, count).await }
    });
    loop {
        for _ in 0..TURNS {
            yield_now().await;
        }
        if dialling.is_finished() && accepting.is_finished() {
            let (_dialled, at_attic) = dialling.await.unwrap();
            let (_accepted, at_cellar) = accepting.await.unwrap();
            return (at_attic, at_cellar);
        }
        let flight = count.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(flight < TOO_MANY, "the link does not come up");
        let (out, back) = (take(&mut near_relay).await, take(&mut far_relay).await);
        far_relay.write_all(&out).await.unwrap();
        near_relay.write_all(&back).await.unwrap();
    }
}

/// The order is SSH's, and russh waits for the answer to each of the first ten: version lines, offers
/// of algorithms, two of the key exchange, two for the authentication to begin, two to ask for the
/// key and two to prove it. Then two for the channel, one for the subsystem with the first word of
/// the end that dialled, and one for that of the other end.
#[tokio::test]
async fn a_link_by_ssh_takes_fourteen_flights_until_both_ends_have_said_hello() {
    assert_eq!(flights([true, true]).await, (14, 13));
}

/// The first word of the end that dialled has to wait for the answer to its offer, behind which that of the other
/// end comes.
#[tokio::test]
async fn handing_over_takes_one_flight_more_and_so_does_an_offer_that_is_not_taken() {
    assert_eq!(flights([false, false]).await, (14, 15));
    assert_eq!(flights([false, true]).await, (14, 15));
    assert_eq!(flights([true, false]).await, (14, 13));
}
