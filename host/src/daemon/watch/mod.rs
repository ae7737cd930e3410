//! Notices that the network around this machine changed, or that it was suspended: then links
//! have to prove that they stand, and peers are dialled at once, instead of when the back-off says
//! so.

mod debounce;
mod netlink;
mod suspend;

use std::sync::Arc;

use crate::link::PeerLink;

use debounce::Debounce;
use kozo_ground::clock;
use netlink::NetworkChanges;
use suspend::Resumes;

/// Watches until the future is dropped. What cannot be watched is said once: links come back
/// without it, only later.
pub(super) async fn run(peers: Vec<Arc<PeerLink>>) {
    tokio::join!(watch_network(&peers), watch_suspends(&peers));
}

async fn watch_network(peers: &[Arc<PeerLink>]) {
    let mut changes = match NetworkChanges::open() {
        Ok(changes) => changes,
        Err(error) => {
            tracing::info!(target: "link", "changes of the network cannot be watched: {error}");
            return;
        }
    };
    let mut debounce = Debounce::default();
    loop {
        tokio::select! {
            changed = changes.next() => match changed {
                Ok(()) => debounce.changed(clock::now()),
                Err(error) => {
                    tracing::warn!(target: "link", "changes of the network are not seen any more: {error}");
                    return;
                }
            },
            () = until(debounce.due()) => {
                let now = clock::now();
                if debounce.take(now) {
                    tracing::info!(target: "link", "the network changed: links are checked, nodes dialled");
                    recheck(peers);
                }
            }
        }
    }
}

async fn watch_suspends(peers: &[Arc<PeerLink>]) {
    let mut resumes = match Resumes::open() {
        Ok(resumes) => resumes,
        Err(error) => {
            tracing::info!(target: "link", "suspends cannot be noticed: {error}");
            return;
        }
    };
    loop {
        match resumes.next().await {
            Ok(slept) => {
                tracing::info!(
                    target: "link",
                    "the machine was suspended for {} s: links are checked, nodes dialled",
                    slept.as_secs(),
                );
                recheck(peers);
            }
            Err(error) => {
                tracing::warn!(target: "link", "suspends are not noticed any more: {error}");
                return;
            }
        }
    }
}

fn recheck(peers: &[Arc<PeerLink>]) {
    let now = clock::now();
    for link in peers {
        link.change(now, |peer| peer.recheck(now));
    }
}

async fn until(moment: Option<clock::Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep(moment.since(clock::now())).await,
        None => std::future::pending().await,
    }
}
