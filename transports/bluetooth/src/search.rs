//! The dialling side: a known device is connected to at once; one that is not is searched for.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use kozo_bluetooth::rfcomm::{self, Stream};
use kozo_bluetooth::{Address, Bluetooth, Device, Discovery, Error, Mode, Uuid};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// How long devices are looked for. A device that listens for such calls as seldom as it may hears
/// one within 10.24 seconds.
const INQUIRY: Duration = Duration::from_secs(11);

/// How often it is seen to whether one of those found so far says that it has the service.
const LOOK: Duration = Duration::from_secs(1);

/// How long what was found is good for others, who waited for this search to end.
const FRESH: Duration = Duration::from_secs(3);

/// How long one device may take to say whether it has the service, and to connect. One that is gone
/// is given up by the controller after about five seconds.
const DEVICE_LIMIT: Duration = Duration::from_secs(8);

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    #[error(transparent)]
    Bluetooth(#[from] Error),
    #[error(
        "none of the devices in range offers the service `{uuid}`: {in_range} are discoverable, \
         {asked} of them were asked{last}"
    )]
    NotFound {
        uuid: Uuid,
        in_range: usize,
        asked: usize,
        last: String,
    },
}

/// Connects to services.
pub(crate) struct Search {
    bluetooth: Arc<Bluetooth>,
    /// The devices that were in range, and when. There is one search at a time, which serves all.
    in_range: Mutex<Option<(Instant, Vec<Device>)>>,
    memory: std::sync::Mutex<Memory>,
}

impl Search {
    pub(crate) fn new(bluetooth: Arc<Bluetooth>) -> Self {
        Self {
            bluetooth,
            in_range: Mutex::new(None),
            memory: std::sync::Mutex::default(),
        }
    }

    /// Connects to the service of a device whose address is known, and remembers where it was.
    pub(crate) async fn direct(
        &self,
        address: Address,
        uuid: Uuid,
        deadline: Instant,
    ) -> Result<(Stream, Address), SearchError> {
        let local = self.bluetooth.local_address().await?;
        // Where `bluetoothd` has ended, the kernel goes on to listen.
        let guess = self.remember(|memory| memory.channel(uuid, address));
        let connecting = rfcomm::connect(local, address, uuid, guess);
        let Ok(connected) = timeout_at(deadline, connecting).await else {
            return Err(Error::TimedOut("connecting").into());
        };
        let (stream, channel) = connected?;
        let found = Found { address, channel };
        self.remember(|memory| memory.found.insert(uuid, found));
        Ok((stream, address))
    }

    /// Connects to the service wherever it is: where it was the last time, or else wherever a device
    /// in range has it.
    pub(crate) async fn connect(
        &self,
        uuid: Uuid,
        deadline: Instant,
    ) -> Result<(Stream, Address), SearchError> {
        let limit = |deadline: Instant| deadline.min(Instant::now() + DEVICE_LIMIT);
        if let Some(last) = self.remember(|memory| memory.found.get(&uuid).copied()) {
            if let Ok(found) = self.direct(last.address, uuid, limit(deadline)).await {
                return Ok(found);
            }
        }
        let devices = match timeout_at(deadline, self.look_around(uuid)).await {
            Ok(devices) => devices?,
            Err(_) => return Err(Error::TimedOut("looking for devices").into()),
        };
        let order = self.remember(|memory| memory.order(uuid, &devices));
        let (mut asked, mut last) = (0, String::new());
        for address in order {
            if Instant::now() >= deadline {
                break;
            }
            self.remember(|memory| memory.note_asked(uuid, address));
            asked += 1;
            match self.direct(address, uuid, limit(deadline)).await {
                Ok(found) => return Ok(found),
                Err(SearchError::Bluetooth(Error::NoService { .. })) => {}
                Err(error) => last = format!("; {address}: {error}"),
            }
        }
        Err(SearchError::NotFound {
            uuid,
            in_range: devices.len(),
            asked,
            last,
        })
    }

    /// The devices in range, or those found until one says by itself that it has the service.
    async fn look_around(&self, uuid: Uuid) -> Result<Vec<Device>, Error> {
        let mut in_range = self.in_range.lock().await;
        if let Some((when, devices)) = &*in_range {
            if when.elapsed() < FRESH {
                return Ok(devices.clone());
            }
        }
        let end = Instant::now() + INQUIRY;
        let mut discovery = Discovery::start(&self.bluetooth, Mode::Classic).await?;
        let devices = loop {
            discovery.search(LOOK).await?;
            let (devices, _) = discovery.devices().await?;
            if devices.iter().any(|device| device.services.contains(&uuid)) {
                break devices;
            }
            if Instant::now() >= end {
                *in_range = Some((Instant::now(), devices.clone()));
                break devices;
            }
        };
        // A radio that looks around is slow to connect.
        discovery.stop().await?;
        Ok(devices)
    }

    fn remember<T>(&self, with: impl FnOnce(&mut Memory) -> T) -> T {
        with(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a service was. Not more than a guess: who is there now has to prove to be the node.
#[derive(Debug, Clone, Copy)]
struct Found {
    address: Address,
    channel: u8,
}

/// What was learnt from earlier connections.
#[derive(Debug, Default)]
struct Memory {
    /// Where a service was the last time.
    found: HashMap<Uuid, Found>,
    /// Which devices were asked for a service, with a number that is higher for later ones.
    asked: HashMap<Uuid, HashMap<Address, u64>>,
    count: u64,
}

impl Memory {
    /// The channel that a service of this device had the last time.
    fn channel(&self, uuid: Uuid, address: Address) -> Option<u8> {
        let found = self.found.get(&uuid);
        found
            .filter(|found| found.address == address)
            .map(|found| found.channel)
    }

    /// In which order the devices are to be asked: those first that say by themselves that they have
    /// the service; then those that were not asked for longest, so that each has its turn though there
    /// is never time for all; among these, the strongest signal.
    fn order(&mut self, uuid: Uuid, devices: &[Device]) -> Vec<Address> {
        let asked = self.asked.entry(uuid).or_default();
        // Who is not in range any more is forgotten: so this does not grow.
        asked.retain(|address, _| devices.iter().any(|device| device.address == *address));
        let mut order: Vec<&Device> = devices.iter().collect();
        order.sort_by_key(|device| {
            let says_so = device.services.contains(&uuid);
            let asked = asked.get(&device.address).copied().unwrap_or(0);
            (!says_so, asked, Reverse(device.rssi))
        });
        order.into_iter().map(|device| device.address).collect()
    }

    fn note_asked(&mut self, uuid: Uuid, address: Address) {
        self.count += 1;
        self.asked
            .entry(uuid)
            .or_default()
            .insert(address, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: Uuid = Uuid::from_u128(7);

    fn device(number: u8, rssi: i16, services: &[Uuid]) -> Device {
        Device {
            address: address(number),
            name: None,
            rssi: Some(rssi),
            class: Some(0),
            services: services.iter().copied().collect(),
            paired: false,
            trusted: false,
            random_address: false,
        }
    }

    fn address(number: u8) -> Address {
        Address([0, 0, 0, 0, 0, number])
    }

    fn numbers(order: &[Address]) -> Vec<u8> {
        order.iter().map(|address| address.0[5]).collect()
    }

    #[test]
    fn devices_that_tell_of_the_service_are_asked_first_then_the_nearest() {
        let devices = [
            device(1, -80, &[]),
            device(2, -40, &[Uuid::from_u128(8)]),
            device(3, -90, &[UUID]),
        ];
        assert_eq!(numbers(&Memory::default().order(UUID, &devices)), [3, 2, 1]);
    }

    #[test]
    fn each_device_has_its_turn() {
        let devices: Vec<_> = (1..=5).map(|number| device(number, -50, &[])).collect();
        let mut memory = Memory::default();
        let mut asked = Vec::new();
        for _ in 0..4 {
            // There is time for two.
            for address in memory.order(UUID, &devices).into_iter().take(2) {
                memory.note_asked(UUID, address);
                asked.push(address);
            }
        }
        assert_eq!(numbers(&asked), [1, 2, 3, 4, 5, 1, 2, 3]);
    }

    #[test]
    fn the_channel_of_another_device_is_no_guess() {
        let mut memory = Memory::default();
        assert_eq!(memory.channel(UUID, address(1)), None);
        let found = Found {
            address: address(1),
            channel: 5,
        };
        memory.found.insert(UUID, found);
        assert_eq!(memory.channel(UUID, address(1)), Some(5));
        assert_eq!(memory.channel(UUID, address(2)), None);
        assert_eq!(memory.channel(Uuid::from_u128(8), address(1)), None);
    }

    #[test]
    fn devices_that_are_gone_are_forgotten() {
        let mut memory = Memory::default();
        for number in 0..=255 {
            memory.order(UUID, &[device(number, -50, &[])]);
            memory.note_asked(UUID, address(number));
        }
        memory.order(UUID, &[]);
        assert!(memory.asked[&UUID].is_empty());
    }
}
