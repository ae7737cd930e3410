//! Where messages of this node go, which is found once for those that are alike.
//!
//! A role sends row upon row of messages that differ in nothing that counts. To look for each of them who wants it
//! would cost more than to hand it over, and the more the more nodes there are. So each thread remembers where the
//! last few kinds went that it has sent.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use kozo_ground::lock::ReadWriteAnyway;
use kozo_router::{ReceiverId, Receivers, Verdict};
use kozo_wire::{Draft, Likeness, Message};
use smallvec::SmallVec;

use super::{FEW, Outlet, Router};

/// How many kinds of messages a thread remembers.
const REMEMBERED: usize = 16;

/// The number of the next router of this process, for there are several in tests.
static NEXT_ROUTER: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static KNOWN: RefCell<VecDeque<Known>> = const { RefCell::new(VecDeque::new()) };
}

/// Who gets messages that are alike.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// The places of the outlets that they go to.
    pub(super) outlets: SmallVec<[usize; FEW]>,
    /// To how many nodes by links.
    pub(super) nodes: usize,
    /// The places of the buses among the outlets.
    pub(super) buses: SmallVec<[usize; 2]>,
    /// The places of the roles here that get them.
    pub(super) roles: SmallVec<[usize; FEW]>,
    /// The places of those that refuse them, since they are orders of somebody whom they accept none from.
    pub(super) refusing: SmallVec<[usize; 1]>,
}

impl Route {
    /// Whether they are nothing to the roles here.
    fn is_away(&self) -> bool {
        self.roles.is_empty() && self.refusing.is_empty()
    }
}

/// What routes are true for.
#[derive(Debug)]
pub(super) struct RouteState {
    router: u64,
    /// Goes up when it becomes known that somebody wants other messages than before.
    generation: AtomicU64,
}

impl RouteState {
    pub(super) fn new() -> Self {
        Self {
            router: NEXT_ROUTER.fetch_add(1, Ordering::Relaxed),
            generation: AtomicU64::new(0),
        }
    }

    /// Somebody wants other messages than before. Must be called while nobody else looks at who wants what.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// The route of the last message of a kind that this thread has sent.
struct Known {
    router: u64,
    generation: u64,
    likeness: Likeness,
    route: Route,
}

impl Router {
    /// Calls `with` with the route of messages that are like this one.
    pub(super) fn with_route<T>(&self, message: &Message, with: impl FnOnce(&Route) -> T) -> T {
        // It is not borrowed while others are called.
        let mut all = KNOWN.take();
        let known = all
            .iter()
            .position(|known| self.is_true(known) && known.likeness.fits(message));
        let place = known.unwrap_or_else(|| {
            let (route, generation) = self.find_route(&self.receivers.read_anyway(), message);
            all.retain(|known| self.is_true(known));
            all.truncate(REMEMBERED - 1);
            all.push_front(Known {
                router: self.routes.router,
                generation,
                likeness: Likeness::of(message),
                route,
            });
            0
        });
        let result = with(&all[place].route);
        KNOWN.set(all);
        result
    }

    /// Calls `with` where messages like the one that is to be made go nowhere but to one outlet, as far as this thread
    /// knows; none: they do not.
    pub(super) fn with_lone_outlet<T>(
        &self,
        draft: &Draft<'_>,
        with: impl FnOnce(&Outlet, &Likeness) -> T,
    ) -> Option<T> {
        if self.taps.are_open() {
            return None;
        }
        KNOWN.with_borrow(|all| {
            let is_like = |known: &&Known| self.is_true(known) && draft.is_like(&known.likeness);
            let Known {
                likeness, route, ..
            } = all.iter().find(is_like)?;
            let ([outlet], true) = (&route.outlets[..], route.is_away()) else {
                return None;
            };
            Some(with(&self.outlets[*outlet], likeness))
        })
    }

    fn is_true(&self, known: &Known) -> bool {
        known.router == self.routes.router
            && known.generation == self.routes.generation.load(Ordering::Acquire)
    }

    /// The route of messages that are like this one, and the generation that it is true for.
    pub(super) fn find_route(&self, receivers: &Receivers, message: &Message) -> (Route, u64) {
        let subject = message.subject(self.node.as_str());
        let mut route = Route::default();
        let generation = self.routes.generation.load(Ordering::Acquire);
        for ReceiverId(place) in receivers.wanting(&subject) {
            route.outlets.push(place);
            match &self.outlets[place] {
                Outlet::Link(_) => route.nodes += 1,
                Outlet::Bus(_) => route.buses.push(place),
            }
        }
        for (place, (role, _)) in self.roles.iter().enumerate() {
            match role.judge(&subject) {
                Verdict::Deliver => route.roles.push(place),
                Verdict::NotWanted => {}
                Verdict::OrderRefused => route.refusing.push(place),
            }
        }
        (route, generation)
    }
}
