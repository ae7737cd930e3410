//! Those who have connected and not proven who they are: what [`Admission`] decides about them is
//! done here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use kozo_ground::clock::{self, Moment};
use kozo_ground::lock::LockAnyway;
use kozo_link::admission::{Admission, AdmissionLimits, CallerId, CallerStep, Decision, Origin};
use kozo_status::ConnectionCounts;
use tokio::sync::{Notify, oneshot};

use super::alarm::sleep_until;
use super::threshold::CallerProgress;

/// How often at most the log tells of connections that were turned away.
const TURNED_AWAY_LOG: Duration = Duration::from_secs(10);

/// Where callers stand until they have proven who they are.
pub(crate) struct Entrance {
    callers: Mutex<Callers>,
    /// Wakes the task that gives turns.
    waiting: Arc<Notify>,
}

struct Callers {
    admission: Admission,
    reins: HashMap<CallerId, Reins>,
    turned_away: TurnedAway,
    refused: u64,
}

/// What holds a caller: dropping them ends its connection.
struct Reins {
    /// Tells the caller that it may exchange keys.
    turn: Option<oneshot::Sender<()>>,
    _stay: oneshot::Sender<()>,
}

/// Connections that were closed because too many others had not proven who they are.
#[derive(Debug, Default)]
struct TurnedAway {
    count: u64,
    said: Option<Moment>,
}

impl TurnedAway {
    /// Counts a connection. Whoever opens thousands does not fill the log.
    fn add(&mut self, now: Moment) {
        self.count += 1;
        if self
            .said
            .is_none_or(|said| now.since(said) >= TURNED_AWAY_LOG)
        {
            self.said = Some(now);
            tracing::warn!(
                target: "link",
                so_far = self.count,
                "refused a connection: too many have not said who they are",
            );
        }
    }
}

impl Entrance {
    /// An entrance at which nobody stands. Must be called on the runtime.
    pub(crate) fn open(limits: AdmissionLimits) -> Arc<Self> {
        let waiting = Arc::new(Notify::new());
        let entrance = Arc::new(Self {
            callers: Mutex::new(Callers {
                admission: Admission::new(limits),
                reins: HashMap::new(),
                turned_away: TurnedAway::default(),
                refused: 0,
            }),
            waiting: Arc::clone(&waiting),
        });
        tokio::spawn(give_turns(Arc::downgrade(&entrance), waiting));
        entrance
    }

    /// What became of connections that became no links.
    pub(super) fn counts(&self) -> ConnectionCounts {
        let callers = self.lock();
        ConnectionCounts {
            unproven: callers.admission.unproven(),
            turned_away: callers.turned_away.count,
            refused: callers.refused,
        }
    }

    /// Whether anybody stands there.
    pub(super) fn has_callers(&self) -> bool {
        self.lock().admission.unproven() > 0
    }

    /// Counts a caller that has not proven who it is.
    pub(super) fn refuse(&self) {
        self.lock().refused += 1;
    }

    /// Changes who is there, and does what follows from it.
    fn change<T>(&self, change: impl FnOnce(&mut Callers, Moment) -> T) -> T {
        let now = clock::now();
        let mut callers = self.lock();
        let result = change(&mut callers, now);
        let timeout = callers.settle(now);
        drop(callers);
        if timeout.is_some() {
            self.waiting.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Callers> {
        self.callers.lock_anyway()
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        // The task that gives turns ends.
        self.waiting.notify_one();
    }
}

impl Callers {
    /// Does what is decided, and returns when there may be more.
    fn settle(&mut self, now: Moment) -> Option<Moment> {
        self.admission.tick(now);
        while let Some(decision) = self.admission.next_decision() {
            match decision {
                Decision::Exchange(id) => {
                    let turn = self.reins.get_mut(&id).and_then(|reins| reins.turn.take());
                    // A caller that is gone leaves by itself.
                    let _ = turn.map(|turn| turn.send(()));
                }
                Decision::Leave(id) => {
                    self.reins.remove(&id);
                    self.turned_away.add(now);
                }
            }
        }
        self.admission.timeout()
    }
}

/// Gives turns for as long as there is an entrance.
async fn give_turns(entrance: Weak<Entrance>, waiting: Arc<Notify>) {
    loop {
        let Some(entrance) = entrance.upgrade() else {
            return;
        };
        let now = clock::now();
        let timeout = entrance.lock().settle(now);
        drop(entrance);
        tokio::select! {
            () = waiting.notified() => {}
            () = sleep_until(timeout) => {}
        }
    }
}

/// A place at the entrance. It is free when the last of its clones is dropped.
#[derive(Clone)]
pub(super) struct CallerPlace(Arc<Taken>);

struct Taken {
    entrance: Arc<Entrance>,
    id: CallerId,
}

impl CallerPlace {
    /// A place for a connection, and what is dropped when it has to leave.
    pub(super) fn take(
        entrance: &Arc<Entrance>,
        transport: &str,
        address: &str,
    ) -> (Self, oneshot::Receiver<()>) {
        let origin = Origin::new(transport, address);
        let (stay, stays) = oneshot::channel();
        let id = entrance.change(|callers, now| {
            let id = callers.admission.enter(origin, now);
            let reins = Reins {
                turn: None,
                _stay: stay,
            };
            callers.reins.insert(id, reins);
            id
        });
        let entrance = Arc::clone(entrance);
        (Self(Arc::new(Taken { entrance, id })), stays)
    }

    /// A node was at the other end.
    pub(super) fn linked(&self) {
        let Taken { entrance, id } = &*self.0;
        entrance.change(|callers, now| callers.admission.linked(*id, now));
    }
}

impl CallerProgress for CallerPlace {
    fn reach(&self, step: CallerStep) -> Option<oneshot::Receiver<()>> {
        let Taken { entrance, id } = &*self.0;
        entrance.change(|callers, now| {
            let (turn, its_turn) = oneshot::channel();
            let reins = callers.reins.get_mut(id)?;
            if step == CallerStep::Waiting {
                reins.turn = Some(turn);
            }
            callers.admission.reach(*id, step, now);
            Some(its_turn)
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.entrance.change(|callers, _| {
            callers.admission.leave(self.id);
            callers.reins.remove(&self.id);
        });
    }
}
