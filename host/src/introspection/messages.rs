//! Taps of whoever asks, by number, and what they take up as values that are shown and sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kozo_ground::interest::Interest;
use kozo_ground::lock::LockAnyway;
use kozo_status::{PassedMessage, TapNumber, TappedMessages};
use kozo_tap::{Batch, Passing, Tap, Taps};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::limits::MAX_TAPS_EACH;
use super::refusal::Refusal;

/// The longest data that is shown, in bytes of MessagePack.
pub const MAX_SHOWN_DATA: usize = 64 * 1024;

/// How many messages one answer holds at most.
const MAX_BATCH: usize = 256;

/// How long passes at least between two answers with messages: so whoever watches a flood sees a part of it,
/// and costs those nothing whom it is for.
const BATCH_PAUSE: Duration = Duration::from_millis(100);

/// How long an answer waits for a first message at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The taps of one asker. They are closed with it.
pub struct AskersTaps {
    taps: Arc<Taps>,
    open: Mutex<OpenTaps>,
}

#[derive(Default)]
struct OpenTaps {
    next: u64,
    taps: BTreeMap<u64, Arc<Watch>>,
}

/// A tap, and what rings when there is something in it.
struct Watch {
    tap: Tap,
    came: Arc<Notify>,
    /// When there was an answer with messages last.
    told: Mutex<Option<Instant>>,
}

impl AskersTaps {
    /// None yet, of those of a node.
    pub fn new(taps: &Arc<Taps>) -> Self {
        Self {
            taps: Arc::clone(taps),
            open: Mutex::default(),
        }
    }

    pub(super) fn open(&self, interests: Vec<Interest>) -> Result<TapNumber, Refusal> {
        let mut open = self.open.lock_anyway();
        if open.taps.len() >= MAX_TAPS_EACH {
            return Err(Refusal::TapsOfAsker);
        }
        let came = Arc::new(Notify::new());
        let bell = Arc::clone(&came);
        let tap = self.taps.open(interests, move || bell.notify_one())?;
        let number = open.next;
        open.next += 1;
        open.taps.insert(
            number,
            Arc::new(Watch {
                tap,
                came,
                told: Mutex::default(),
            }),
        );
        Ok(TapNumber { tap: number })
    }

    pub(super) fn close(&self, number: u64) -> Result<(), Refusal> {
        match self.open.lock_anyway().taps.remove(&number) {
            Some(_) => Ok(()),
            None => Err(Refusal::NoTap(number)),
        }
    }

    /// Waits for a first message, and takes what there is.
    pub(super) async fn take(&self, number: u64, wait_ms: u64) -> Result<TappedMessages, Refusal> {
        let watch = self.open.lock_anyway().taps.get(&number).cloned();
        let watch = watch.ok_or(Refusal::NoTap(number))?;
        let wait = Duration::from_millis(wait_ms).min(LONGEST_WAIT);
        let deadline = Instant::now() + wait;
        let told = *watch.told.lock_anyway();
        if let Some(told) = told {
            tokio::time::sleep_until(told + BATCH_PAUSE).await;
        }
        loop {
            let batch = watch.tap.take(MAX_BATCH);
            let nothing = batch.messages.is_empty() && batch.left_out == 0;
            if !nothing {
                *watch.told.lock_anyway() = Some(Instant::now());
                return Ok(shown(batch));
            }
            if tokio::time::timeout_at(deadline, watch.came.notified())
                .await
                .is_err()
            {
                return Ok(TappedMessages::default());
            }
        }
    }
}

fn shown(batch: Batch) -> TappedMessages {
    TappedMessages {
        messages: batch.messages.iter().map(shown_message).collect(),
        left_out: batch.left_out,
    }
}

fn shown_message(passing: &Passing) -> PassedMessage {
    let message = &passing.message;
    let data = message.data();
    let value = match data.len() {
        0..=MAX_SHOWN_DATA => kozo_data::to_value(data).ok(),
        _ => None,
    };
    PassedMessage {
        kind: message.kind(),
        node: passing.sender.to_string(),
        role: message.role().to_owned(),
        type_name: message.type_name().to_owned(),
        channel: message.channel().map(str::to_owned),
        timestamp: message.timestamp(),
        age_seconds: passing.age.as_secs_f64(),
        roles: passing.roles,
        nodes: passing.nodes,
        buses: passing.buses.iter().map(|name| name.to_string()).collect(),
        data_left_out: value.is_none(),
        data: value.unwrap_or_default(),
        data_bytes: data.len(),
    }
}
