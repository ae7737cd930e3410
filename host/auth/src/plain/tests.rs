use std::time::Duration;

use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::secured::Refused;

/// How many bytes are read at a time.
const CHUNK: usize = 4096;

const DEADLINE: Duration = Duration::from_secs(60);

/// Passes on what arrives, and refuses the byte `!`.
struct Pass(mpsc::UnboundedSender<Vec<u8>>);

impl Receiver for Pass {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let _ = self.0.send(bytes.to_vec());
        match bytes.contains(&b'!') {
            true => Err(Refused::new("a shout")),
            false => Ok(()),
        }
    }
}

fn open_on(stream: DuplexStream) -> (Secured<PlainOutlet>, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (sender, received) = mpsc::unbounded_channel();
    let peer = NodeName::new("cellar").unwrap();
    let secured = open(stream, CHUNK, peer, |_| Pass(sender));
    (secured, received)
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("this should have happened by now")
}

#[tokio::test]
async fn bytes_go_as_they_are_and_what_is_queued_goes_out_before_the_end() {
    let (near, mut far) = duplex(16);
    let (secured, mut received) = open_on(near);
    far.write_all(b"hello").await.unwrap();
    assert_eq!(soon(received.recv()).await.unwrap(), b"hello");
    let text: Vec<u8> = (0..100).collect();
    secured.sender.send(text.clone().into()).await.unwrap();
    let read = async {
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        drop(far);
        read
    };
    let (read, ()) = soon(async { tokio::join!(read, secured.sender.close()) }).await;
    assert_eq!(read, text);
    assert_eq!(soon(secured.session.ended()).await, Ended::ByUs);
    assert_eq!(secured.sender.send(text.into()).await, Err(Closed));
}

#[tokio::test]
async fn how_it_ended_is_said() {
    let (near, far) = duplex(16);
    let (secured, _received) = open_on(near);
    drop(far);
    assert_eq!(soon(secured.session.ended()).await, Ended::ByPeer);

    let (near, mut far) = duplex(16);
    let (secured, _received) = open_on(near);
    far.write_all(b"!").await.unwrap();
    let refused = Ended::Refused("a shout".to_owned());
    assert_eq!(soon(secured.session.ended()).await, refused);
    assert_eq!(soon(far.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_session_that_is_dropped_closes_the_stream_though_a_write_waits() {
    let (near, mut far) = duplex(16);
    let (secured, _received) = open_on(near);
    secured.sender.send(vec![1; 1000].into()).await.unwrap();
    drop(secured);
    let mut read = Vec::new();
    soon(far.read_to_end(&mut read)).await.unwrap();
    assert!(read.len() < 1000);
}
