//! A node on a bus that is a gateway for others: what [`Relay`] decides is done here, on the bus's thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use kozo_bus::Published;
use kozo_bus::relay::{Publishing, Relay, RelayNews, RelayOutput};
use kozo_bus::{EngineLimits, subject::Subjects};
use kozo_ground::clock::Moment;
use kozo_ground::names::NodeName;
use kozo_link::{BusWay, Carried, CarriedDatagram, CarriedLimits, CarriedState, LinkKey};
use kozo_status::GatewayStatus;

use super::bell::Bell;
use super::mailbox::Datagram;
use crate::link::{BusEar, PeerLink};

/// How much is taken from one neighbour at a time.
const MAX_AT_ONCE: usize = kozo_bus::relay::MAX_NEIGHBOUR_DATAGRAMS;

/// The gateway of one bus, and the links with its neighbours.
pub(super) struct Gateway {
    bus: String,
    relay: Relay,
    neighbours: Vec<Neighbour>,
    places: HashMap<NodeName, usize>,
}

struct Neighbour {
    link: Arc<PeerLink>,
    ear: Arc<Ear>,
    /// The link that carries at present.
    over: Option<LinkKey>,
}

/// Hears of one neighbour, and rings for the bus's thread.
struct Ear {
    has_heard: AtomicBool,
    bell: Arc<Bell>,
}

impl BusEar for Ear {
    fn ring(&self) {
        self.has_heard.store(true, Ordering::Release);
        self.bell.ring();
    }
}

impl Gateway {
    /// The gateway that `own` is for the nodes at the other end of these links.
    pub(super) fn new(
        bus: &str,
        subjects: Subjects,
        own: &NodeName,
        links: Vec<Arc<PeerLink>>,
        bell: &Arc<Bell>,
    ) -> Self {
        let names = links.iter().map(|link| link.name().clone());
        let relay = Relay::new(subjects, own, names.clone());
        let places = names.enumerate().map(|(place, name)| (name, place));
        let places = places.collect();
        let neighbours = links.into_iter().map(|link| {
            let ear = Arc::new(Ear {
                has_heard: AtomicBool::new(true),
                bell: Arc::clone(bell),
            });
            link.tell_of_buses(Arc::clone(&ear) as _);
            Neighbour {
                link,
                ear,
                over: None,
            }
        });
        Self {
            bus: bus.to_owned(),
            relay,
            neighbours: neighbours.collect(),
            places,
        }
    }

    /// The engine is reached.
    pub(super) fn up(&mut self, limits: EngineLimits) {
        self.relay.up(limits);
    }

    /// It is not.
    pub(super) fn down(&mut self, reason: &str) {
        self.relay.down(reason);
    }

    /// It has all up to this number of the module's.
    pub(super) fn confirmed(&mut self, number: u64) {
        self.relay.confirmed(number);
    }

    /// It says that nobody listens at a subject.
    pub(super) fn nobody(&mut self, subject: &str) {
        self.relay.nobody(subject);
    }

    /// The node itself wants what fits a pattern, or no longer.
    pub(super) fn subscribe_own(&mut self, pattern: &str, on: bool) {
        self.relay.subscribe_own(pattern, on);
    }

    /// Takes what neighbours want, as far as there is room for it.
    pub(super) fn hear(&mut self, now: Moment) {
        let Self {
            bus,
            relay,
            neighbours,
            ..
        } = self;
        for neighbour in neighbours {
            // What it has published waits for the engine: the rest is left where it is.
            if !relay.takes(neighbour.link.name())
                || !neighbour.ear.has_heard.swap(false, Ordering::AcqRel)
            {
                continue;
            }
            let (over, came) = neighbour.link.change(now, |peer| match peer.bus_way() {
                BusWay::Over(link) => (Some(link), peer.take_carried(link, bus, MAX_AT_ONCE)),
                _ => (None, Vec::new()),
            });
            let name = neighbour.link.name();
            if neighbour.over != over {
                neighbour.over = over;
                relay.linked(name, over.is_some());
            }
            if came.len() == MAX_AT_ONCE {
                neighbour.ear.ring();
            }
            for carried in came {
                match carried {
                    Carried::Subscription { pattern, on } => relay.subscribe(name, &pattern, on),
                    Carried::Datagram(datagram) => relay.publish(name, publishing(datagram)),
                    Carried::State(_) | Carried::Confirmed(_) | Carried::Nobody(_) => {
                        relay.refuse();
                    }
                }
            }
        }
    }

    /// What the engine is to do for neighbours.
    pub(super) fn output(&mut self, now: Moment) -> Option<RelayOutput> {
        self.relay.output(now)
    }

    /// What the module said to it.
    pub(super) fn published(&mut self, result: Published, now: Moment) {
        self.relay.published(result, now);
    }

    /// When there may be something that is not now.
    pub(super) fn timeout(&self) -> Option<Moment> {
        self.relay.timeout()
    }

    /// Whether a neighbour was heard of whose wishes can be taken now.
    pub(super) fn has_more(&self) -> bool {
        self.neighbours.iter().any(|neighbour| {
            neighbour.ear.has_heard.load(Ordering::Acquire)
                && self.relay.takes(neighbour.link.name())
        })
    }

    /// Tells neighbours what there is to tell.
    pub(super) fn tell(&mut self, now: Moment) {
        while let Some((node, news)) = self.relay.news() {
            let carried = match news {
                RelayNews::Up(limits) => Carried::State(CarriedState {
                    engine: Some(CarriedLimits {
                        max_datagram: limits.max_datagram,
                        no_responders: limits.no_responders,
                    }),
                    text: limits.server,
                }),
                RelayNews::Down(reason) => Carried::State(CarriedState {
                    engine: None,
                    text: reason,
                }),
                RelayNews::Confirmed(number) => Carried::Confirmed(number),
                RelayNews::Nobody(subject) => Carried::Nobody(subject),
            };
            self.hand_over(&node, carried, now);
        }
    }

    /// Hands a datagram of the engine to those that it is for. Whether that is the node itself, too.
    pub(super) fn hand_on(&mut self, datagram: &Datagram, now: Moment) -> bool {
        let fits = self.relay.fits(&datagram.subject);
        if !fits.neighbours.is_empty() {
            let carried = CarriedDatagram {
                number: 0,
                subject: datagram.subject.clone(),
                reply: datagram.reply.clone(),
                data: Bytes::copy_from_slice(&datagram.data),
            };
            for node in &fits.neighbours {
                let has_room = self.hand_over(node, Carried::Datagram(carried.clone()), now);
                self.relay.handed_on(has_room);
            }
        }
        fits.own
    }

    fn hand_over(&self, node: &NodeName, carried: Carried, now: Moment) -> bool {
        let place = self.places.get(node);
        let neighbour = place.and_then(|place| self.neighbours.get(*place));
        let Some((neighbour, over)) = neighbour.and_then(|known| Some((known, known.over?))) else {
            return false;
        };
        // Where the link is gone, that is heard of.
        let change = |peer: &mut kozo_link::Peer| peer.hand_over(over, &self.bus, carried);
        neighbour.link.change(now, change).is_ok()
    }

    /// How it is.
    pub(super) fn status(&self) -> GatewayStatus {
        let (neighbours, linked) = self.relay.neighbours();
        let counts = self.relay.counts();
        GatewayStatus {
            neighbours,
            linked,
            published: counts.published,
            delivered: counts.delivered,
            refused: counts.refused,
            dropped_by_length: counts.dropped_by_length,
            dropped_by_limit: counts.dropped_by_limit,
            dropped_by_engine: counts.dropped_by_engine,
            dropped_by_link: counts.dropped_by_link,
        }
    }
}

fn publishing(datagram: CarriedDatagram) -> Publishing {
    let CarriedDatagram {
        number,
        subject,
        reply,
        data,
    } = datagram;
    Publishing {
        number,
        subject,
        reply,
        data,
    }
}
