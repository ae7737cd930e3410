use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

const CHUNK: usize = 16;
const AHEAD: usize = 1000;

#[tokio::test]
async fn two_ends_that_write_before_they_read_do_not_wait_for_each_other_for_ever() {
    let (left, right) = duplex(32);
    let (mut left, _left_switch, _) = guard(left, CHUNK, AHEAD);
    let (mut right, _right_switch, traffic) = guard(right, CHUNK, AHEAD);
    let bytes: Vec<u8> = (0..900_u32).map(|i| i as u8).collect();
    async fn write_then_read<S>(end: &mut Guarded<S>, bytes: &[u8]) -> Vec<u8>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        end.write_all(bytes).await.unwrap();
        let mut read = vec![0; bytes.len()];
        end.read_exact(&mut read).await.unwrap();
        read
    }
    let (one, two) = tokio::join!(
        write_then_read(&mut left, &bytes),
        write_then_read(&mut right, &bytes)
    );
    assert_eq!((&one, &two), (&bytes, &bytes));
    assert_eq!((traffic.sent(), traffic.received()), (900, 900));
    assert_eq!(right.shared.lock().buffer.bytes.len(), CHUNK);
}

#[tokio::test]
async fn a_part_of_a_packet_and_a_write_that_goes_on_are_movement() {
    let (near, mut far) = duplex(8);
    let (mut near, _switch, traffic) = guard(near, CHUNK, AHEAD);
    near.write_all(&[1; 8]).await.unwrap();
    // A buffer took it at once: that tells nothing of the path.
    assert_eq!(traffic.moved(), Moment::ZERO);
    let mut taken = [0; 16];
    let (written, read) = tokio::join!(near.write_all(&[1; 8]), far.read_exact(&mut taken));
    written.and(read.map(|_| ())).unwrap();
    assert_ne!(traffic.moved(), Moment::ZERO);

    let (near, mut far) = duplex(8);
    let (mut near, _switch, traffic) = guard(near, CHUNK, AHEAD);
    far.write_all(&[1; 3]).await.unwrap();
    let mut packet = [0; 4];
    let mut whole = std::pin::pin!(near.read_exact(&mut packet));
    std::future::poll_fn(|cx| {
        assert!(whole.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    assert_ne!(traffic.moved(), Moment::ZERO);
}

#[tokio::test]
async fn no_more_than_the_limit_is_read_ahead() {
    let (near, mut far) = duplex(32);
    let (mut near, _switch, traffic) = guard(near, CHUNK, AHEAD);
    let flood = async {
        let flooded = far.write_all(&[7; 100_000]).await;
        unreachable!("a peer that does not read may not be read without limit: {flooded:?}");
    };
    // Both write and nobody reads: the one that is guarded takes in its limit and stops.
    let mut both = std::pin::pin!(async { tokio::join!(near.write_all(&[1; 100_000]), flood) });
    let (mut last, mut idle_rounds) = (0, 0);
    std::future::poll_fn(|cx| {
        assert!(both.as_mut().poll(cx).is_pending());
        let now = traffic.received();
        idle_rounds = if now == last { idle_rounds + 1 } else { 0 };
        last = now;
        if idle_rounds == 10 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    let read = traffic.received() as usize;
    assert!((AHEAD..=AHEAD + CHUNK).contains(&read), "{read}");
}

#[tokio::test]
async fn what_was_read_ahead_is_told_before_the_end() {
    let (near, mut far) = duplex(8);
    let (mut near, _switch, _) = guard(near, CHUNK, AHEAD);
    let write = async { near.write_all(&[1; 64]).await.unwrap_err() };
    let (_, error) = tokio::join!(
        async move {
            far.write_all(b"goodbye").await.unwrap();
            drop(far);
        },
        write
    );
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let mut text = String::new();
    near.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "goodbye");
}

#[tokio::test]
async fn the_switch_closes_the_stream_and_wakes_who_waits() {
    let (near, mut far) = duplex(8);
    let (mut near, switch, _) = guard(near, CHUNK, AHEAD);
    let reader = tokio::spawn(async move {
        let error = near.read_u8().await.unwrap_err();
        (near, error)
    });
    tokio::task::yield_now().await;
    switch.cut();
    assert_eq!(
        far.read(&mut [0]).await.unwrap(),
        0,
        "the peer sees the end"
    );
    let (mut near, error) = reader.await.unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    assert!(near.write_all(b"x").await.is_err());
    switch.cut();
}

#[tokio::test]
async fn a_switch_does_not_keep_the_stream_open() {
    let (near, mut far) = duplex(8);
    let (near, switch, _) = guard(near, CHUNK, AHEAD);
    drop(near);
    assert_eq!(
        far.read(&mut [0]).await.unwrap(),
        0,
        "the peer sees the end"
    );
    switch.cut();
}
