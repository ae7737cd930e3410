//! What comes alone, while the bus's thread has nothing to do, is worked off by the thread that brings it: that of the
//! module, or that of a role. To wake another one costs as much as the work, and what it competes with for a processor
//! is the message itself, on its way.
//!
//! A role's thread then calls the module. For that time it has the bus on *loan*, as its thread has it otherwise: nobody
//! else calls the module, and no lock is held. Whoever looks after calls that do not come back takes the loan away; then
//! the bus's thread goes on, the role's own thread is all that stands still, and no other one gets a loan again.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, TryLockError};
use std::time::Duration;

use kozo_ground::clock::{self, Moment};

use super::super::attendant::Attendant;
use super::super::outlet::Outgoing;
use super::{Machine, RunningBus};

/// How long after something that was worked off at once something else is: what comes in a row is worked off together,
/// which costs less.
const LULL: Duration = Duration::from_micros(200);

/// How many bytes a message may count that a role's thread signs, seals and publishes.
const MAX_BYTES: usize = 16 * 1024;

/// How many datagrams a role's thread gives to the module, at most: its own one, and what else is due.
const MAX_CALLS: usize = 2;

/// How long a module may take for one in a role's thread. One that takes longer does what it was not to do there.
pub(super) const SLOW: Duration = Duration::from_millis(250);

/// That a role's thread has the bus.
pub(super) struct Loan {
    /// Which of all loans it is.
    number: u64,
    /// Whose thread it is.
    pub(super) role: String,
    /// The bus's thread has something to do.
    pub(super) is_awaited: bool,
}

impl Attendant for RunningBus {
    fn take_alone(&self, subject: &str, data: &[u8]) -> bool {
        let Some(mut machine) = self.machine_if_free() else {
            return false;
        };
        let now = clock::now();
        // A gateway also hands on.
        let Some(until) = machine.rests.filter(|_| machine.gateway.is_none()) else {
            return false;
        };
        if is_soon(machine.alone, now) || !self.nothing_waits() {
            return false;
        }
        machine.bus.received(subject, None, data, now);
        self.hand_on_messages(&mut machine);
        machine.alone = Some(clock::now());
        if machine.has_more(until) {
            self.bell.ring();
        }
        true
    }

    fn send_alone(&self) -> bool {
        let Some(mut machine) = self.machine_if_free() else {
            return false;
        };
        let now = clock::now();
        let is_due = |until: Option<Moment>| until.is_some_and(|until| until <= now);
        let Some(until) = machine.rests.filter(|until| !is_due(*until)) else {
            return false;
        };
        if !self.may_lend(&machine) || is_soon(machine.rested, now) || !self.nothing_waits() {
            return false;
        }
        let Some((outgoing, came)) = self.outlet.take_lone(MAX_BYTES) else {
            return false;
        };
        machine.came = came;
        self.note_confirmed(&mut machine);
        self.send_on_loan(machine, outgoing, until, now);
        true
    }
}

impl RunningBus {
    /// Whether a role's thread may call the module.
    pub(super) fn may_lend(&self, machine: &Machine) -> bool {
        let engine = machine.engine.as_ref();
        engine.is_some_and(|limits| limits.publish_from_roles)
            && machine.gateway.is_none()
            && !machine.hangs
            && !self.is_slow.load(Ordering::Acquire)
    }

    /// Sends a message on the thread of its role, while the bus's thread rests until then.
    fn send_on_loan<'a>(
        &'a self,
        mut machine: MutexGuard<'a, Machine>,
        outgoing: Outgoing,
        until: Option<Moment>,
        now: Moment,
    ) {
        let Outgoing {
            message,
            sent,
            lifetime,
        } = outgoing;
        machine.rests = None;
        self.outlet.set_at_rest(false);
        let loan = machine.lend(message.role());
        let left = lifetime.saturating_sub(now.since(sent));
        machine.bus.send(message, left, now);
        let mut is_more = true;
        for _ in 0..MAX_CALLS {
            let Some(next) = machine.next(now) else {
                is_more = false;
                break;
            };
            drop(machine);
            let begun = clock::now();
            let published = self.call(&next);
            machine = self.machine();
            let back = clock::now();
            if !machine.has_lent(loan) {
                machine.comes_back(back);
                drop(machine);
                return self.bell.ring();
            }
            self.note_time(back.since(begun));
            if let Some(published) = published {
                machine.published(&next, published, back);
            }
        }
        let is_awaited = machine.lent.take().is_some_and(|loan| loan.is_awaited);
        self.note_confirmed(&mut machine);
        self.settle(&mut machine, now);
        let is_confirmed = self.is_confirmed(&machine);
        let is_more = is_more || is_awaited || is_confirmed || machine.has_more(until);
        if is_more || !self.services.mailbox.is_empty() {
            drop(machine);
            return self.bell.ring();
        }
        machine.rests = Some(until);
        machine.rested = Some(clock::now());
        self.outlet.set_at_rest(self.may_lend(&machine));
    }

    /// The module took so long in a role's thread.
    fn note_time(&self, time: Duration) {
        if time >= SLOW && !self.is_slow.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                target: "bus",
                bus = %self.outlet.name(),
                "its module took {} ms to take a datagram; from now on it is called in the thread of the bus alone",
                time.as_millis()
            );
        }
    }

    /// Whether nothing else is to be worked off first.
    fn nothing_waits(&self) -> bool {
        !self.ended.load(Ordering::Acquire) && self.services.mailbox.is_empty()
    }

    fn machine_if_free(&self) -> Option<MutexGuard<'_, Machine>> {
        match self.machine.try_lock() {
            Ok(machine) => Some(machine),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Machine {
    /// Lends the bus to the thread of this role.
    fn lend(&mut self, role: &str) -> u64 {
        self.loans += 1;
        self.lent = Some(Loan {
            number: self.loans,
            role: role.to_owned(),
            is_awaited: false,
        });
        self.loans
    }

    fn has_lent(&self, loan: u64) -> bool {
        self.lent.as_ref().is_some_and(|lent| lent.number == loan)
    }

    /// Whether the bus's thread, which rests until then, has something to do before.
    fn has_more(&self, until: Option<Moment>) -> bool {
        let is_before = |next: Moment| until.is_none_or(|until| next < until);
        self.bus.timeout().is_some_and(is_before) || self.bus.has_news()
    }
}

fn is_soon(last: Option<Moment>, now: Moment) -> bool {
    last.is_some_and(|last| now.since(last) < LULL)
}
