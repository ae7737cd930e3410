//! What the parts of the role share: what is known, and the bells that ring when there is more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use crate::feed::Feed;
use crate::history::History;
use crate::model::Model;

/// What is known, and who looks at it.
#[derive(Debug)]
pub(crate) struct Hub {
    started: Instant,
    model: Mutex<Model>,
    history: Mutex<History>,
    /// Rings with the version of the model.
    pub(crate) changed: watch::Sender<u64>,
    /// Rings when this node, and not another, has changed.
    pub(crate) own_changed: Notify,
    /// Messages as they pass.
    pub(crate) messages: Stream,
    /// Lines for the log of the network.
    pub(crate) logs: Stream,
    /// How many browsers look at the network.
    pub(crate) watchers: watch::Sender<usize>,
    /// Why the node does not answer, where it does not.
    trouble: Mutex<Option<String>>,
}

/// Messages, and how many browsers look at them.
#[derive(Debug)]
pub(crate) struct Stream {
    feed: Mutex<Feed>,
    /// Rings when there are more.
    pub(crate) more: watch::Sender<u64>,
    pub(crate) watchers: watch::Sender<usize>,
    /// Why there are none, where that is so.
    trouble: Mutex<Option<String>>,
}

impl Stream {
    fn new() -> Self {
        Self {
            feed: Mutex::default(),
            more: watch::Sender::new(0),
            watchers: watch::Sender::new(0),
            trouble: Mutex::default(),
        }
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Notes why there are no messages, or that there may be some.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        let mut known = lock(&self.trouble);
        if *known != trouble {
            *known = trouble;
            drop(known);
            self.ring();
        }
    }

    pub(crate) fn feed(&self) -> MutexGuard<'_, Feed> {
        lock(&self.feed)
    }

    /// Rings for those who wait.
    pub(crate) fn ring(&self) {
        self.more
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            model: Mutex::default(),
            history: Mutex::default(),
            changed: watch::Sender::new(0),
            own_changed: Notify::new(),
            messages: Stream::new(),
            logs: Stream::new(),
            watchers: watch::Sender::new(0),
            trouble: Mutex::default(),
        })
    }

    /// Seconds since this life of the role began: the clock of everything that is told.
    pub(crate) fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// Rings for those who look at the network.
    pub(crate) fn ring(&self) {
        let version = self.model().version();
        self.changed.send_if_modified(|known| {
            let is_new = *known != version;
            *known = version;
            is_new
        });
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Notes why the node does not answer, or that it does.
    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        let mut known = lock(&self.trouble);
        if *known != trouble {
            *known = trouble;
            drop(known);
            self.changed.send_modify(|_| {});
        }
    }
}

/// Somebody who looks, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching(watch::Sender<usize>);

impl Watching {
    pub(crate) fn new(watchers: &watch::Sender<usize>) -> Self {
        watchers.send_modify(|count| *count += 1);
        Self(watchers.clone())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What is behind the lock is whole at all times, so a panic elsewhere is no reason not to go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
