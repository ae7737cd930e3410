//! A bus that the node reaches through others: its gateways, which it has links with.
//!
//! The first gateway with a link whose engine is reached carries everything, until it is lost; then another one does.
//! For the bus that is a connection that was lost and made again, so nothing is.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use kozo_abi::{Delivered, Limits, Publish};
use kozo_ground::clock;
use kozo_ground::lock::LockAnyway;
use kozo_link::{
    BusWay, Carried, CarriedDatagram, CarriedLimits, CarriedState, LinkKey, NotCarried,
};

use super::bell::Bell;
use super::engine::Engine;
use super::services::Services;
use crate::link::PeerLink;
use crate::modules::{BusServices, CallError};

/// How much is taken from a link at a time.
const MAX_AT_ONCE: usize = 64;

/// How long it waits at a time for room for what has come.
const ROOM_WAIT: Duration = Duration::from_millis(200);

/// The engine of a bus that is reached through gateways.
pub(super) struct LinkEngine {
    bus: String,
    services: Arc<Services>,
    gateways: Vec<Arc<PeerLink>>,
    bell: Arc<Bell>,
    carried: Mutex<OverLink>,
}

/// What goes over the link with a gateway.
#[derive(Default)]
struct OverLink {
    patterns: BTreeSet<String>,
    /// The gateway that carries everything at present, by its place, and the link with it.
    present: Option<(usize, LinkKey)>,
    /// The number of the last datagram.
    number: u64,
}

/// What is known of a gateway.
#[derive(Default)]
struct Seen {
    link: Option<LinkKey>,
    is_unable: bool,
    /// It was told that there is somebody who wants to hear how it stands.
    is_asked: bool,
    state: Option<CarriedState>,
}

impl Seen {
    fn engine(&self) -> Option<CarriedLimits> {
        self.state.as_ref()?.engine
    }

    /// Why nothing goes through it.
    fn why_not(&self, name: &str) -> String {
        match (&self.state, self.link) {
            _ if self.is_unable => {
                format!("`{name}` runs a version that is no gateway: give it this one")
            }
            (_, None) => format!("there is no link with its gateway `{name}`"),
            (None, _) => format!("its gateway `{name}` has not said yet how it stands"),
            (Some(state), _) => format!("its gateway `{name}` says: {}", state.text),
        }
    }
}

impl LinkEngine {
    /// The engine of the bus that `services` are for, through these.
    pub(super) fn new(services: Arc<Services>, gateways: Vec<Arc<PeerLink>>) -> Self {
        let bell = Arc::<Bell>::default();
        for gateway in &gateways {
            gateway.tell_of_buses(Arc::clone(&bell) as _);
        }
        Self {
            bus: services.identity().name.to_string(),
            services,
            gateways,
            bell,
            carried: Mutex::default(),
        }
    }

    fn carried(&self) -> MutexGuard<'_, OverLink> {
        self.carried.lock_anyway()
    }

    /// Hears what a gateway says. True: there may be more.
    fn hear(&self, place: usize, seen: &mut Seen) -> bool {
        let present = self.carried().present;
        let gateway = &self.gateways[place];
        let (way, came) = gateway.change(clock::now(), |peer| {
            let way = peer.bus_way();
            let came = match way {
                BusWay::Over(link) => peer.take_carried(link, &self.bus, MAX_AT_ONCE),
                _ => Vec::new(),
            };
            (way, came)
        });
        let link = match way {
            BusWay::Over(link) => Some(link),
            _ => None,
        };
        seen.is_unable = way == BusWay::Unable;
        if seen.link != link {
            seen.link = link;
            seen.state = None;
            seen.is_asked = false;
        }
        let there_may_be_more = came.len() == MAX_AT_ONCE;
        let is_present = link.is_some_and(|link| present == Some((place, link)));
        for carried in came {
            match carried {
                Carried::State(state) => {
                    let is_lost = is_present && state.engine.is_none();
                    seen.state = Some(state);
                    if is_lost {
                        // What follows belongs to the time after it.
                        self.leave(&seen.why_not(gateway.name().as_str()));
                    }
                }
                // Of another than the present one, it is what was under way when that was left.
                _ if self.carried().present != present || !is_present => {}
                Carried::Datagram(datagram) => self.deliver(&datagram),
                Carried::Confirmed(number) => self.services.confirmed(number),
                Carried::Nobody(subject) => self.services.nobody(&subject),
                Carried::Subscription { .. } => {}
            }
        }
        there_may_be_more
    }

    fn deliver(&self, datagram: &CarriedDatagram) {
        let reply = datagram.reply.as_deref();
        let deliver = || {
            self.services
                .deliver(&datagram.subject, reply, &datagram.data)
        };
        while deliver() == Delivered::Full && !self.services.stopping() {
            self.services.wait_for_room(ROOM_WAIT);
        }
    }

    /// Says to a gateway that there is somebody: one whose file does not have this node as a neighbour answers that.
    fn ask(&self, place: usize, seen: &mut Seen) {
        let (Some(link), false, None) = (seen.link, seen.is_asked, &seen.state) else {
            return;
        };
        let Some(pattern) = self.carried().patterns.first().cloned() else {
            return;
        };
        seen.is_asked = true;
        let nothing_yet = Carried::Subscription { pattern, on: false };
        // A link that is gone by now is heard of.
        let _ = self.hand_over(place, link, nothing_yet);
    }

    /// From now on everything goes through this gateway.
    fn begin(&self, place: usize, link: LinkKey, limits: CarriedLimits, server: &str) {
        let mut carried = self.carried();
        for pattern in &carried.patterns {
            let pattern = pattern.clone();
            let subscription = Carried::Subscription { pattern, on: true };
            if self.hand_over(place, link, subscription).is_err() {
                return;
            }
        }
        carried.present = Some((place, link));
        drop(carried);
        let server = format!("{server} through {}", self.gateways[place].name());
        let limits = Limits::new(limits.max_datagram, server).no_responders(limits.no_responders);
        self.services.up(limits);
    }

    /// Nothing goes through the present gateway any more.
    fn leave(&self, reason: &str) {
        let mut carried = self.carried();
        let Some((place, link)) = carried.present.take() else {
            return;
        };
        for pattern in &carried.patterns {
            let pattern = pattern.clone();
            // Where the link is gone, so is what was subscribed to.
            let subscription = Carried::Subscription { pattern, on: false };
            if self.hand_over(place, link, subscription).is_err() {
                break;
            }
        }
        drop(carried);
        self.services.down(reason);
    }

    fn hand_over(&self, place: usize, link: LinkKey, carried: Carried) -> Result<(), NotCarried> {
        self.gateways[place].change(clock::now(), |peer| {
            peer.hand_over(link, &self.bus, carried)
        })
    }
}

impl Engine for LinkEngine {
    fn run(&self) -> Result<(), CallError> {
        let mut all: Vec<Seen> = self.gateways.iter().map(|_| Seen::default()).collect();
        let mut said = String::new();
        while !self.services.stopping() {
            let mut is_all = true;
            for (place, seen) in all.iter_mut().enumerate() {
                is_all &= !self.hear(place, seen);
                self.ask(place, seen);
            }
            let names = self.gateways.iter().map(|gateway| gateway.name().as_str());
            let present = self.carried().present;
            if let Some((place, link)) = present
                && all[place].link != Some(link)
            {
                let name = self.gateways[place].name();
                self.leave(&format!("the link with its gateway `{name}` was lost"));
            }
            if self.carried().present.is_none() {
                let ready = all.iter().enumerate().find_map(|(place, seen)| {
                    let text = seen.state.as_ref().map(|state| state.text.as_str());
                    Some((place, seen.link?, seen.engine()?, text.unwrap_or_default()))
                });
                if let Some((place, link, limits, server)) = ready {
                    self.begin(place, link, limits, server);
                    said.clear();
                } else {
                    let reasons = all.iter().zip(names);
                    let reasons: Vec<_> = reasons.map(|(seen, name)| seen.why_not(name)).collect();
                    let reason = reasons.join("; ");
                    if reason != said {
                        self.services.down(&reason);
                        said = reason;
                    }
                }
            }
            if is_all {
                self.bell.wait(None);
            }
        }
        Ok(())
    }

    fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        data: &[u8],
    ) -> Result<Publish, CallError> {
        let mut carried = self.carried();
        let Some((place, link)) = carried.present else {
            return Ok(Publish::Down);
        };
        let number = carried.number + 1;
        let datagram = CarriedDatagram {
            number,
            subject: subject.to_owned(),
            reply: reply.map(str::to_owned),
            data: Bytes::copy_from_slice(data),
        };
        Ok(
            match self.hand_over(place, link, Carried::Datagram(datagram)) {
                Ok(()) => {
                    carried.number = number;
                    Publish::Accepted(number)
                }
                Err(NotCarried::Full) => Publish::Full,
                Err(NotCarried::NoLink) => Publish::Down,
            },
        )
    }

    fn subscribe(&self, pattern: &str, on: bool) -> Result<(), CallError> {
        let mut carried = self.carried();
        match on {
            true => carried.patterns.insert(pattern.to_owned()),
            false => carried.patterns.remove(pattern),
        };
        let pattern = pattern.to_owned();
        if let Some((place, link)) = carried.present {
            // Where the link is gone, the next one hears of all that is wanted.
            let _ = self.hand_over(place, link, Carried::Subscription { pattern, on });
        }
        drop(carried);
        self.bell.ring();
        Ok(())
    }

    fn stop(&self) {
        self.bell.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nothing_goes_through_a_gateway_is_said_in_words() {
        let mut seen = Seen::default();
        assert_eq!(
            seen.why_not("hub"),
            "there is no link with its gateway `hub`"
        );
        seen.is_unable = true;
        assert_eq!(
            seen.why_not("hub"),
            "`hub` runs a version that is no gateway: give it this one"
        );
        seen.is_unable = false;
        seen.link = Some(LinkKey(1));
        assert_eq!(
            seen.why_not("hub"),
            "its gateway `hub` has not said yet how it stands"
        );
        seen.state = Some(CarriedState {
            engine: None,
            text: "no server answers".to_owned(),
        });
        assert_eq!(
            seen.why_not("hub"),
            "its gateway `hub` says: no server answers"
        );
        assert_eq!(seen.engine(), None);
    }
}
