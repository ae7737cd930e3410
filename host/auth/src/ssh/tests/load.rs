//! Much data: nothing is lost, nothing stalls, nothing piles up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::*;

const CHUNK: usize = 32 * 1024;

/// Counts what arrives, and checks that it is the sequence that [`fill`] sends.
struct Checker {
    position: u64,
    /// All that has arrived, at either end.
    arrived: Arc<AtomicU64>,
    total: u64,
    done: Option<tokio::sync::oneshot::Sender<()>>,
}

/// A byte that tells its place, with a period that no chunk size shares.
fn byte_at(position: u64) -> u8 {
    (position % 251) as u8
}

impl Receiver for Checker {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let first = self.position;
        let fits = bytes
            .iter()
            .zip(first..)
            .all(|(byte, position)| *byte == byte_at(position));
        if !fits {
            return Err(Refused::new(format!("a wrong byte after {first}")));
        }
        self.position += bytes.len() as u64;
        self.arrived
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if self.position == self.total
            && let Some(done) = self.done.take()
        {
            let _ = done.send(());
        }
        Ok(())
    }
}

async fn fill(secured: &Secured<SshOutlet>, total: u64) {
    let mut sent = 0;
    while sent < total {
        let end = (sent + CHUNK as u64).min(total);
        let chunk: Vec<u8> = (sent..end).map(byte_at).collect();
        secured.sender.send(chunk.into()).await.unwrap();
        sent = end;
    }
}

/// Sends `total` bytes in both directions at once.
async fn both_ways<S>(near: S, far: S, dialling: &Endpoint, accepting: &Endpoint, total: u64)
where
    S: Stream,
{
    let progress = Arc::new(AtomicU64::new(0));
    let checker = || {
        let (done, arrived) = tokio::sync::oneshot::channel();
        let done = Some(done);
        let progress = Arc::clone(&progress);
        let make = move |_: &NodeName| Checker {
            position: 0,
            arrived: progress,
            total,
            done,
        };
        (make, arrived)
    };
    let (here, arrived_here) = checker();
    let (there, arrived_there) = checker();
    let cellar = name("cellar");
    let (dialled, accepted) = tokio::join!(
        connect(near, dialling, &cellar, here),
        accept(far, accepting, there)
    );
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    let all = async {
        tokio::join!(
            fill(&dialled, total),
            fill(&accepted, total),
            async { arrived_here.await.unwrap() },
            async { arrived_there.await.unwrap() }
        )
    };
    tokio::select! {
        _ = while_it_moves(all, &progress) => {}
        ended = dialled.session.ended() => panic!("the dialling end: {ended}"),
        ended = accepted.session.ended() => panic!("the accepting end: {ended}"),
    }
}

/// Waits for as long as something arrives now and then: how much that is in a minute is up to the
/// machine.
async fn while_it_moves<F: Future>(future: F, progress: &AtomicU64) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        let before = progress.load(Ordering::Relaxed);
        if let Ok(output) = tokio::time::timeout(DEADLINE, &mut future).await {
            return output;
        }
        let now = progress.load(Ordering::Relaxed);
        assert!(now > before, "it stalls after {now} bytes");
    }
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

#[tokio::test]
async fn tcp_carries_64_mib_both_ways_at_once() {
    let network = Network::pair();
    for ssh_only in KINDS {
        let (near, far) = tcp().await;
        let (attic, cellar) = network.endpoints(ssh_only);
        both_ways(near, far, &attic, &cellar, 64 * 1024 * 1024).await;
    }
}

#[tokio::test]
async fn a_path_with_little_room_does_not_make_both_ends_wait_for_each_other() {
    let network = Network::pair();
    for ssh_only in KINDS {
        let (attic, cellar) = network.endpoints(ssh_only);
        let (near, far) = UnixStream::pair().unwrap();
        both_ways(near, far, &attic, &cellar, 16 * 1024 * 1024).await;
        let (near, far) = duplex(STREAM_ROOM);
        both_ways(near, far, &attic, &cellar, 8 * 1024 * 1024).await;
    }
}

#[tokio::test]
async fn data_flows_while_new_keys_are_agreed_on() {
    let network = Network::pair();
    for (dialling_limit, accepting_limit) in [
        (1024 * 1024, 1024 * 1024),
        (1024 * 1024, 1 << 30),
        (1 << 30, 1024 * 1024),
    ] {
        let (attic, cellar) = network.endpoints(true);
        let attic = attic.with_rekey_after(dialling_limit);
        let cellar = cellar.with_rekey_after(accepting_limit);
        let (near, far) = tcp().await;
        both_ways(near, far, &attic, &cellar, 16 * 1024 * 1024).await;
    }
}

#[tokio::test]
async fn small_packets_carry_large_messages() {
    let network = Network::pair();
    let identity = |node| Identity {
        node: name(node),
        key: Arc::new(network.key(node)),
    };
    let algorithms = Algorithms::default();
    let small = Endpoint::new(identity("attic"), network.trust(), &algorithms, 0);
    let large = Endpoint::new(identity("cellar"), network.trust(), &algorithms, usize::MAX);
    for ssh_only in KINDS {
        let (near, far) = tcp().await;
        let [small, large] = [&small, &large].map(|of| of.clone().with_ssh_only(ssh_only));
        both_ways(near, far, &small, &large, 4 * 1024 * 1024).await;
    }
}

#[tokio::test]
async fn a_sender_waits_when_the_path_takes_nothing() {
    for ssh_only in KINDS {
        let network = Network::pair();
        let (near, far, stop) = path();
        let (attic, cellar) = network.endpoints(ssh_only);
        let (dialled, accepted) = link_on(near, far, &attic, &cellar).await;
        stop.send(()).unwrap();
        waits_for_the_path(dialled).await;
        waits_for_the_path(accepted).await;
    }
}

async fn waits_for_the_path(end: End) {
    {
        let mut queued = 0;
        while queued < 10 * WINDOW as usize {
            let mut send = std::pin::pin!(end.secured.sender.send(vec![0; CHUNK].into()));
            // Everything is in memory, so a sender that waits this many rounds waits for the path.
            let mut rounds = 0;
            let sent = std::future::poll_fn(|cx| match send.as_mut().poll(cx) {
                Poll::Ready(sent) => Poll::Ready(Some(sent)),
                Poll::Pending if rounds == 1000 => Poll::Ready(None),
                Poll::Pending => {
                    rounds += 1;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await;
            match sent {
                Some(Ok(())) => queued += CHUNK,
                Some(Err(_)) | None => break,
            }
        }
        let limit = WINDOW as usize + (QUEUE_SLOTS + 1) * CHUNK;
        assert!(queued <= limit, "{queued} bytes queued");
        // Who waits for room learns of the end.
        let sender = end.secured.sender.clone();
        let waiting = tokio::spawn(async move { sender.send(vec![0; CHUNK].into()).await });
        tokio::task::yield_now().await;
        drop(end.secured.session);
        assert!(soon(waiting).await.unwrap().is_err());
    }
}
