//! Asks the node, as often as somebody looks, and puts what it answers into the hub.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kozo_abi::{Error, RoleHost};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::history::SAMPLE_SECONDS;
use crate::hub::Hub;
use crate::told::{Changed, Network, Opened, Tapped};

/// How long the node is asked to wait for a change, in milliseconds: counts are told as often.
const CHANGE_WAIT_MS: u64 = 1000;

/// How much longer than it is asked to an answer may take.
const GRACE: Duration = Duration::from_secs(5);

/// How long it takes until the node is asked again after it gave no answer.
const RETRY: Duration = Duration::from_secs(1);

/// How often all nodes are asked at most.
const NETWORK_PAUSE: Duration = Duration::from_millis(500);

/// How often all nodes are asked where nothing happens: at least, for each node, and at most.
const NETWORK_PERIOD: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_millis(50),
    Duration::from_secs(10),
];

/// How long a tap waits for a first message, in milliseconds.
const TAP_WAIT_MS: u64 = 1000;

/// Asks the node something on a thread that may block.
pub(crate) async fn ask<T>(host: &RoleHost, question: Value, wait: Duration) -> Result<T, Error>
where
    T: DeserializeOwned + Send + 'static,
{
    let host = host.clone();
    let asked = tokio::task::spawn_blocking(move || host.ask(&question, wait));
    Ok(asked.await??)
}

/// Keeps up with this node: at once while somebody looks, and else as often as it is measured.
pub(crate) async fn own(hub: Arc<Hub>, host: RoleHost) {
    let mut watchers = hub.watchers.subscribe();
    let sample_period = Duration::from_secs_f64(SAMPLE_SECONDS);
    let mut next_sample = Instant::now();
    let mut version: Option<u64> = None;
    let mut was_watched = false;
    loop {
        let is_watched = *watchers.borrow_and_update() > 0;
        if !is_watched && version.is_some() {
            let until = next_sample.saturating_duration_since(Instant::now());
            tokio::select! {
                () = tokio::time::sleep(until) => {}
                _ = watchers.changed() => {}
            }
        }
        let is_watched = *watchers.borrow_and_update() > 0;
        // Whoever comes is shown how it is now, and then what changes.
        let (since, wait_ms) = match is_watched && was_watched {
            true => (version, CHANGE_WAIT_MS),
            false => (None, 0),
        };
        was_watched = is_watched;
        let question = json!({"request": "changed", "since": since, "wait_ms": wait_ms});
        let wait = Duration::from_millis(wait_ms) + GRACE;
        let changed: Changed = match ask(&host, question, wait).await {
            Ok(changed) => changed,
            Err(error) => {
                hub.set_trouble(Some(error.to_string()));
                version = None;
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        hub.set_trouble(None);
        let now = hub.now();
        if Instant::now() >= next_sample {
            let memory = memory_of(changed.status.pid);
            hub.history().sample(&changed.status, memory, now);
            next_sample = (next_sample + sample_period).max(Instant::now());
        }
        let is_other = version.replace(changed.version) != Some(changed.version);
        hub.model().take_own(changed.status, now);
        hub.ring();
        if is_other {
            hub.own_changed.notify_one();
        }
    }
}

/// Asks all nodes while somebody looks.
pub(crate) async fn network(hub: Arc<Hub>, host: RoleHost) {
    let mut watchers = hub.watchers.subscribe();
    loop {
        if watchers.wait_for(|&count| count > 0).await.is_err() {
            return;
        }
        let asked = ask::<Network>(&host, json!({"request": "network"}), GRACE * 2).await;
        let mut nodes = 0;
        if let Ok(network) = asked {
            nodes = u32::try_from(network.nodes.len()).unwrap_or(u32::MAX);
            let now = hub.now();
            hub.model().take_network(network, now);
            hub.ring();
        }
        if *watchers.borrow() == 0 {
            hub.model().forget_others();
            continue;
        }
        let [least, each, most] = NETWORK_PERIOD;
        tokio::time::sleep(NETWORK_PAUSE).await;
        tokio::select! {
            () = tokio::time::sleep(each.saturating_mul(nodes).clamp(least, most) - NETWORK_PAUSE) => {}
            () = hub.own_changed.notified() => {}
        }
    }
}

/// Takes up messages that pass while somebody looks at them.
pub(crate) async fn messages(hub: Arc<Hub>, host: RoleHost) {
    let stream = &hub.messages;
    let mut watchers = stream.watchers.subscribe();
    loop {
        if watchers.wait_for(|&count| count > 0).await.is_err() {
            return;
        }
        let tap = match ask(&host, json!({"request": "open-tap"}), GRACE).await {
            Ok(Opened { tap }) => tap,
            Err(error) => {
                stream.set_trouble(Some(error.to_string()));
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        stream.set_trouble(None);
        while *watchers.borrow_and_update() > 0 {
            let question = json!({"request": "tapped", "tap": tap, "wait_ms": TAP_WAIT_MS});
            let wait = Duration::from_millis(TAP_WAIT_MS) + GRACE;
            let Ok(tapped) = ask::<Tapped>(&host, question, wait).await else {
                break;
            };
            if tapped.messages.is_empty() && tapped.left_out == 0 {
                continue;
            }
            let mut feed = stream.feed();
            feed.miss(tapped.left_out);
            tapped
                .messages
                .iter()
                .for_each(|message| feed.push(message));
            drop(feed);
            stream.ring();
        }
        let question = json!({"request": "close-tap", "tap": tap});
        // An error is that it is closed already.
        let _ = ask::<Value>(&host, question, GRACE).await;
        stream.feed().clear();
    }
}

/// How much memory a process has, in bytes.
fn memory_of(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_has_memory() {
        assert!(super::memory_of(std::process::id()).is_some_and(|bytes| bytes > 100_000));
        assert_eq!(super::memory_of(u32::MAX), None);
    }
}
