//! Server-sent events: what a browser is told as it happens.
//!
//! Nothing is queued for a browser. It has a place (a version, or how far it has read), and a piece is made of what is
//! new since when the last piece is on its way. So one that sleeps costs one piece, and is told of what it missed
//! when it wakes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::feed::{Filter, Place};
use crate::hub::{Hub, Stream, Watching};
use crate::model::Changes;

/// How far apart two pieces for one browser are at least.
const PAUSE: Duration = Duration::from_millis(100);

/// How often something is sent where nothing happens, so that either end notices when the other one has gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What is sent then: pages cannot see comments.
const ALIVE: &[u8] = b"event: alive\ndata: 1\n\n";

/// How long a browser may leave a piece unread. It asks again once it is awake.
const PATIENCE: Duration = Duration::from_secs(60);

/// The network, and what is wrong with the node itself.
#[derive(Serialize)]
struct State<'a> {
    #[serde(flatten)]
    changes: Changes<'a>,
    trouble: Option<String>,
}

/// Tells of the network until the browser has gone.
pub(super) async fn network(hub: Arc<Hub>, pieces: mpsc::Sender<Bytes>) {
    let _watching = Watching::new(&hub.watchers);
    let mut changed = hub.changed.subscribe();
    let mut seen = None;
    loop {
        changed.borrow_and_update();
        let piece = {
            let now = hub.now();
            let trouble = hub.trouble();
            let model = hub.model();
            let changes = model.changes(seen, now);
            seen = Some(model.version());
            piece("state", &State { changes, trouble })
        };
        if !send(&pieces, piece).await {
            return;
        }
        let mut quiet_until = Instant::now() + SIGN_OF_LIFE;
        tokio::time::sleep(PAUSE).await;
        if !next(&mut changed, &mut quiet_until, &pieces).await {
            return;
        }
    }
}

/// Tells of messages until the browser has gone.
pub(super) async fn messages(
    hub: Arc<Hub>,
    choose: fn(&Hub) -> &Stream,
    filter: Filter,
    last_seen: Option<u64>,
    pieces: mpsc::Sender<Bytes>,
) {
    let stream = choose(&hub);
    let _watching = Watching::new(&stream.watchers);
    let mut more = stream.more.subscribe();
    let mut place = match last_seen {
        Some(number) => Place::behind(number, &stream.feed()),
        None => Place::new(&stream.feed()),
    };
    let mut told = None;
    let mut quiet_until = Instant::now() + SIGN_OF_LIFE;
    loop {
        more.borrow_and_update();
        let trouble = stream.trouble();
        if trouble != told {
            if !send(&pieces, piece("trouble", &trouble)).await {
                return;
            }
            told = trouble;
        }
        let batch = stream.feed().read(&mut place, &filter);
        match batch {
            Some(batch) => {
                let piece = format!(
                    "id: {}\nevent: messages\ndata: {}\n\n",
                    batch.last, batch.json
                );
                if !send(&pieces, piece.into()).await {
                    return;
                }
                quiet_until = Instant::now() + SIGN_OF_LIFE;
                tokio::time::sleep(PAUSE).await;
                // There may be more than one piece held.
            }
            None => {
                if !next(&mut more, &mut quiet_until, &pieces).await {
                    return;
                }
            }
        }
    }
}

/// Waits for something new, and gives signs of life meanwhile; also where there is much that is new and nothing of it is
/// for this browser. False: the browser has gone.
async fn next(
    bell: &mut tokio::sync::watch::Receiver<u64>,
    quiet_until: &mut Instant,
    pieces: &mpsc::Sender<Bytes>,
) -> bool {
    loop {
        tokio::select! {
            biased;
            () = pieces.closed() => return false,
            () = tokio::time::sleep_until(*quiet_until) => {
                if !send(pieces, Bytes::from_static(ALIVE)).await {
                    return false;
                }
                *quiet_until = Instant::now() + SIGN_OF_LIFE;
            }
            rung = bell.changed() => return rung.is_ok(),
        }
    }
}

/// Waits until the browser takes the piece. False: it has gone, or sleeps.
async fn send(pieces: &mpsc::Sender<Bytes>, piece: Bytes) -> bool {
    pieces.send_timeout(piece, PATIENCE).await.is_ok()
}

/// JSON has no line breaks, so it is one line of data.
fn piece(event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_sign_of_life_comes_though_what_is_new_is_for_others() {
        let more = tokio::sync::watch::Sender::new(0);
        let mut bell = more.subscribe();
        let (pieces, mut taken) = mpsc::channel(1);
        let mut quiet_until = Instant::now() - SIGN_OF_LIFE;
        more.send_modify(|count| *count += 1);
        assert!(next(&mut bell, &mut quiet_until, &pieces).await);
        assert_eq!(taken.try_recv().as_deref(), Ok(ALIVE));
        assert!(quiet_until > Instant::now());
        drop(taken);
        assert!(!next(&mut bell, &mut quiet_until, &pieces).await);
    }
}
