use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Counts, Event, Jid, Reason, State};

/// How many events wait to be fetched.
const MAX_EVENTS: usize = 1024;

/// What is handed from the account's thread to whoever uses the account.
pub(crate) struct Inbox {
    held: Mutex<Held>,
    ready: Condvar,
    notify: Box<dyn Fn() + Send + Sync>,
}

struct Held {
    state: State,
    /// Whether the state is yet to be told; only the last one is.
    state_is_new: bool,
    events: VecDeque<Event>,
    counts: Counts,
}

impl Inbox {
    pub(crate) fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            held: Mutex::new(Held {
                state: State::Offline {
                    reason: Reason::Connecting,
                    retry_in: None,
                },
                state_is_new: false,
                events: VecDeque::new(),
                counts: Counts::default(),
            }),
            ready: Condvar::new(),
            notify: Box::new(notify),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.ready.notify_all();
        (self.notify)();
    }

    pub(crate) fn online(&self, jid: Jid) {
        let mut held = self.held();
        held.state = State::Online { jid };
        held.state_is_new = true;
        drop(held);
        self.wake();
    }

    /// It is not connected; whoever was present no longer is.
    pub(crate) fn offline(&self, reason: Reason, retry_in: Option<Duration>) {
        let mut held = self.held();
        held.state = State::Offline { reason, retry_in };
        held.state_is_new = true;
        held.events
            .retain(|event| !matches!(event, Event::Available { .. } | Event::Unavailable { .. }));
        drop(held);
        self.wake();
    }

    pub(crate) fn put(&self, event: Event) {
        let mut held = self.held();
        if held.events.len() >= MAX_EVENTS {
            held.events.pop_front();
            held.counts.dropped_events += 1;
        }
        held.events.push_back(event);
        drop(held);
        self.wake();
    }

    pub(crate) fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.held().counts);
    }

    pub(crate) fn take(&self) -> Option<Event> {
        self.held().take()
    }

    pub(crate) fn wait(&self, limit: Duration) -> Option<Event> {
        let began = Instant::now();
        let mut held = self.held();
        loop {
            if let Some(event) = held.take() {
                return Some(event);
            }
            let left = limit.checked_sub(began.elapsed())?;
            let waited = self.ready.wait_timeout(held, left);
            held = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn state(&self) -> State {
        self.held().state.clone()
    }

    pub(crate) fn is_online(&self) -> bool {
        matches!(self.held().state, State::Online { .. })
    }

    pub(crate) fn counts(&self) -> Counts {
        self.held().counts
    }
}

impl Held {
    fn take(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.state_is_new) {
            return Some(Event::State(self.state.clone()));
        }
        self.events.pop_front()
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Event, crate::InvalidJid> {
        Ok(Event::Query {
            from: "a@b/c".parse()?,
            fields: crate::Fields(vec![("data".to_owned(), text.to_owned())]),
        })
    }

    #[test]
    fn the_last_state_is_told_and_the_oldest_events_are_dropped() -> Result<(), crate::InvalidJid> {
        let inbox = Inbox::new(|| {});
        inbox.online("a@b/own".parse()?);
        for number in 0..=MAX_EVENTS {
            inbox.put(query(&number.to_string())?);
        }
        inbox.put(Event::Available {
            from: "a@b/c".parse()?,
            status: None,
        });
        inbox.offline(Reason::Stopped, None);
        let offline = State::Offline {
            reason: Reason::Stopped,
            retry_in: None,
        };
        assert_eq!(inbox.take(), Some(Event::State(offline)));
        // Who was present is not any more.
        assert_eq!(inbox.take(), Some(query("2")?));
        assert_eq!(inbox.counts().dropped_events, 2);
        let rest = std::iter::from_fn(|| inbox.take());
        assert_eq!(rest.last(), Some(query(&MAX_EVENTS.to_string())?));
        Ok(())
    }
}
