//! What is carried for buses between this node and the peer.

use kozo_ground::clock::Moment;
use kozo_wire::BusFrame;

use super::Peer;
use crate::carriage::{BusWay, Came, Carried, CarriedState, NotCarried};
use crate::terms::{Action, LinkKey, Notice, ProtocolViolation};

impl Peer {
    /// How it is with the link that carries for buses: the one that carries messages.
    pub fn bus_way(&self) -> BusWay {
        match self.carrier().and_then(|key| self.link(key)) {
            None => BusWay::None,
            Some(link) if link.carries_buses => BusWay::Over(link.key),
            Some(_) => BusWay::Unable,
        }
    }

    /// Gives the peer something for a bus, over the link that [`bus_way`](Self::bus_way) named.
    ///
    /// # Errors
    /// [`NotCarried`]. Where it was full, there is [news](Self::take_bus_news) when it is no longer.
    pub fn hand_over(
        &mut self,
        link: LinkKey,
        bus: &str,
        carried: Carried,
    ) -> Result<(), NotCarried> {
        let link = self.link_mut(link).ok_or(NotCarried::NoLink)?;
        match link.is_live() && link.carries_buses {
            true => link.carriage.hand_over(bus, carried),
            false => Err(NotCarried::NoLink),
        }
    }

    /// Takes what came for a bus over a link, so many at most.
    pub fn take_carried(&mut self, link: LinkKey, bus: &str, most: usize) -> Vec<Carried> {
        let link = self.link_mut(link);
        link.map_or(Vec::new(), |link| link.carriage.take(bus, most))
    }

    /// Whether anything happened since this was asked last that who carries for buses may want to know: the way is
    /// another one, something came, or there is room.
    pub fn take_bus_news(&mut self) -> bool {
        std::mem::take(&mut self.has_bus_news)
    }

    /// How much came for buses that this node does not carry for the peer, or that there was no room for.
    pub fn bus_frames_refused(&self) -> u64 {
        self.bus_frames_refused
    }

    pub(super) fn bus_frame(
        &mut self,
        key: LinkKey,
        frame: BusFrame,
        now: Moment,
    ) -> Result<(), ProtocolViolation> {
        self.used = now;
        let foreign = match &frame {
            BusFrame::Subscription { bus, .. } | BusFrame::Datagram { bus, .. } => {
                let is_carried = self.settings.buses.contains(bus);
                (!is_carried).then(|| bus.clone())
            }
            _ => None,
        };
        let Self {
            links, settings, ..
        } = self;
        let Some(link) = links.iter_mut().find(|link| link.key == key) else {
            return Ok(());
        };
        let is_carried = |bus: &str| settings.buses.iter().any(|known| known == bus);
        let came = link.carriage.frame(frame, is_carried, now);
        let tells = foreign.filter(|_| !std::mem::replace(&mut link.carriage.has_refused, true));
        if let Some(bus) = tells {
            let text = format!(
                "the file of {} does not say that {} reaches the bus through it",
                settings.own, settings.peer
            );
            let state = CarriedState { engine: None, text };
            // Whoever has no room for that hears it the next time.
            let _ = link.carriage.hand_over(&bus, Carried::State(state));
            self.actions
                .push_back(Action::Notice(Notice::BusRefused(bus)));
        }
        match came {
            Came::Nothing => {}
            Came::News => self.has_bus_news = true,
            Came::Dropped => self.bus_frames_refused += 1,
            Came::Violation(what) => return Err(ProtocolViolation(what.to_owned())),
        }
        Ok(())
    }

    /// The way may be another one.
    pub(super) fn bus_way_changed(&mut self) {
        self.has_bus_news |= !self.settings.buses.is_empty();
    }
}

#[cfg(test)]
#[path = "buses_tests.rs"]
mod tests;
