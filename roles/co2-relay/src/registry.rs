//! The satellites of a relay, pure: who may do what in whose name.
//!
//! Times are seconds since 1970, as an argument. They are shown, and nothing is decided by them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use kozo_co2::Fault;
use kozo_co2::value::is_legal;

use crate::satellite::{Registration, Satellite};

/// The random parts of host ids: nine digits.
pub(crate) const NUMBERS: std::ops::Range<u32> = 100_000_000..1_000_000_000;

/// The satellites that are registered.
#[derive(Debug)]
pub(crate) struct Registry {
    satellites: BTreeMap<String, Satellite>,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many satellites there can be.
    pub(crate) satellites: usize,
    /// After how many failed pings in a row one is dropped; 0: never.
    pub(crate) drop_after: u32,
}

/// What came of a registration.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) host_id: String,
    /// The satellite that was registered at the same address before.
    pub(crate) replaced: Option<Satellite>,
}

/// What a ping has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is the first one that fails.
    Failing,
    /// It succeeds after one that failed.
    Back,
    /// So many have failed that the satellite is registered no more.
    Lost,
}

impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            satellites: BTreeMap::new(),
            limits,
        }
    }

    /// Registers a satellite that calls from `ip`, in place of one that was there before. `number` gives the random
    /// parts of ids, of [`NUMBERS`].
    ///
    /// # Errors
    /// There are as many satellites as there can be.
    pub(crate) fn register(
        &mut self,
        registration: Registration,
        ip: IpAddr,
        mut number: impl FnMut() -> u32,
        now: f64,
    ) -> Result<Registered, Fault> {
        let address = SocketAddr::new(ip, registration.port);
        // Who crashed and comes again must not get each message twice, nor take a second place.
        let replaced = self.at(address).cloned();
        if replaced.is_none() && self.satellites.len() >= self.limits.satellites {
            return Err(Fault::registry(format_args!(
                "this relay has {} satellites, as many as it may have: try again later",
                self.satellites.len()
            )));
        }
        let host_id = loop {
            let id = format!("{}@{address}", number());
            if !self.satellites.contains_key(&id) {
                break id;
            }
        };
        let satellite = Satellite::new(host_id.clone(), address, registration, now)?;
        if let Some(before) = &replaced {
            self.satellites.remove(&before.host_id);
        }
        self.satellites.insert(host_id.clone(), satellite);
        Ok(Registered { host_id, replaced })
    }

    /// Puts satellites back that were registered when the relay ended, as many as there can be; how many there are
    /// no places for.
    pub(crate) fn restore(&mut self, satellites: Vec<Satellite>) -> usize {
        let count = satellites.len();
        let mut restored = 0;
        for satellite in satellites.into_iter().take(self.limits.satellites) {
            if self.at(satellite.address).is_none() {
                self.satellites.insert(satellite.host_id.clone(), satellite);
                restored += 1;
            }
        }
        count - restored
    }

    /// Ends the registration of a satellite, for a caller at `ip`.
    ///
    /// # Errors
    /// There is no such satellite (`KeyError`), or it is at another address (`Co2RegistryError`).
    pub(crate) fn deregister(&mut self, host_id: &str, ip: IpAddr) -> Result<Satellite, Fault> {
        self.satellite(host_id)?;
        self.verify(host_id, ip)?;
        self.satellites
            .remove(host_id)
            .ok_or_else(|| unknown(host_id))
    }

    /// Whether a caller at `ip` is who it says it is.
    ///
    /// # Errors
    /// A `Co2RegistryError`.
    pub(crate) fn verify(&self, host_id: &str, ip: IpAddr) -> Result<(), Fault> {
        match self.satellites.get(host_id) {
            None => Err(Fault::registry(format_args!(
                "{} is not registered",
                shown(host_id)
            ))),
            Some(satellite) if satellite.address.ip() != ip => Err(Fault::registry(format_args!(
                "{host_id} is at another address than {ip}, which this call comes from"
            ))),
            Some(_) => Ok(()),
        }
    }

    /// The satellite of an id.
    ///
    /// # Errors
    /// A `KeyError`.
    pub(crate) fn satellite(&self, host_id: &str) -> Result<&Satellite, Fault> {
        self.satellites.get(host_id).ok_or_else(|| unknown(host_id))
    }

    pub(crate) fn satellites(&self) -> impl Iterator<Item = &Satellite> {
        self.satellites.values()
    }

    pub(crate) fn count(&self) -> usize {
        self.satellites.len()
    }

    /// A message of the satellite was taken.
    pub(crate) fn sent(&mut self, host_id: &str, now: f64) {
        if let Some(satellite) = self.satellites.get_mut(host_id) {
            satellite.sent.note(now);
        }
    }

    /// The satellite's `notify` is called.
    pub(crate) fn received(&mut self, host_id: &str, now: f64) {
        if let Some(satellite) = self.satellites.get_mut(host_id) {
            satellite.received.note(now);
        }
    }

    /// The satellite did not get so many messages.
    pub(crate) fn missed(&mut self, host_id: &str, count: u64) {
        if let Some(satellite) = self.satellites.get_mut(host_id) {
            satellite.missed += count;
        }
    }

    /// A ping was answered in so many milliseconds, or was not. What that changes, and for whom.
    pub(crate) fn pinged(
        &mut self,
        host_id: &str,
        time: Option<f64>,
    ) -> Option<(Change, Satellite)> {
        let drop_after = self.limits.drop_after;
        let satellite = self.satellites.get_mut(host_id)?;
        let before = satellite.pings.fails_in_a_row;
        satellite.pings.note(time);
        let fails = satellite.pings.fails_in_a_row;
        if drop_after > 0 && fails >= drop_after {
            let lost = self.satellites.remove(host_id)?;
            return Some((Change::Lost, lost));
        }
        match (before, fails) {
            (0, 1) => Some((Change::Failing, satellite.clone())),
            (1.., 0) => Some((Change::Back, satellite.clone())),
            _ => None,
        }
    }

    fn at(&self, address: SocketAddr) -> Option<&Satellite> {
        self.satellites().find(|other| other.address == address)
    }
}

fn unknown(host_id: &str) -> Fault {
    Fault::missing(&shown(host_id), "no satellite of that id is registered")
}

/// An id that a caller sent, bounded.
fn shown(host_id: &str) -> String {
    let legal = host_id.chars().filter(|&character| is_legal(character));
    legal.take(100).collect()
}

#[cfg(test)]
mod tests;
