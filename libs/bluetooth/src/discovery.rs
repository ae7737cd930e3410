//! The devices in range.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use bluer::{
    Adapter, AdapterEvent, Address, AddressType, DiscoveryFilter, DiscoveryTransport, Uuid,
};
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;

use crate::{Bluetooth, Result, printable};

/// How many devices are asked for: a crowd of strangers must not grow without bound. Those with the
/// strongest signal come first.
pub const MAX_DEVICES: usize = 256;

/// How many services of one device are kept.
const MAX_SERVICES: usize = 64;

/// The strength of a signal that the controller could not measure (Bluetooth Core Specification,
/// volume 4, part E, 7.7.65.2).
const NOT_MEASURED: i16 = 127;

/// Which devices are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Those of classic Bluetooth (BR/EDR) that are discoverable.
    Classic,
    /// Those of Bluetooth Low Energy that advertise themselves.
    Le,
    /// Both.
    Both,
}

/// A device in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its address.
    pub address: Address,
    /// Its name, made safe to show; none when it has not told.
    pub name: Option<String>,
    /// Its signal's strength, in dBm; none when the adapter cannot tell.
    pub rssi: Option<i16>,
    /// What kind of device it says to be (classic Bluetooth only).
    pub class: Option<u32>,
    /// The services that it tells of.
    pub services: BTreeSet<Uuid>,
    /// Whether it is paired with this machine.
    pub paired: bool,
    /// Whether somebody has marked it as trusted on this machine.
    pub trusted: bool,
    /// Whether the address is one that changes now and then (Low Energy only).
    pub random_address: bool,
}

/// A search for devices. Others may search at the same time, with this or another program: the
/// daemon brings them together.
pub struct Discovery<'a> {
    bluetooth: &'a Bluetooth,
    adapter: Adapter,
    mode: Mode,
    events: Pin<Box<dyn Stream<Item = AdapterEvent> + Send>>,
}

impl<'a> Discovery<'a> {
    /// Starts to search.
    ///
    /// # Errors
    /// What is missing, or why the daemon does not do it.
    pub async fn start(bluetooth: &'a Bluetooth, mode: Mode) -> Result<Self> {
        let adapter = bluetooth.adapter().await?;
        let transport = match mode {
            Mode::Classic => DiscoveryTransport::BrEdr,
            Mode::Le => DiscoveryTransport::Le,
            Mode::Both => DiscoveryTransport::Auto,
        };
        let filter = DiscoveryFilter {
            transport,
            duplicate_data: false,
            ..DiscoveryFilter::default()
        };
        let starting = async {
            adapter.set_discovery_filter(filter).await?;
            adapter.discover_devices().await
        };
        let events = bluetooth.ask("looking for devices", starting).await?;
        let events = Box::pin(events);
        Ok(Self {
            bluetooth,
            adapter,
            mode,
            events,
        })
    }

    /// Searches for so long. May be called again, to go on.
    ///
    /// # Errors
    /// The adapter went off meanwhile, or the daemon went away.
    pub async fn search(&mut self, duration: Duration) -> Result<()> {
        // The events themselves are not needed, but would pile up.
        let ended = async { while self.events.next().await.is_some() {} };
        match timeout(duration, ended).await {
            Err(_) => Ok(()),
            Ok(()) => self.bluetooth.adapter().await.map(drop),
        }
    }

    /// The devices that were heard of in this search, the strongest signal first, and how many there
    /// were beyond [`MAX_DEVICES`].
    ///
    /// # Errors
    /// The daemon went away.
    pub async fn devices(&mut self) -> Result<(Vec<Device>, usize)> {
        let adapter = &self.adapter;
        // The strength of the signal is known of these alone.
        let heard = async {
            let mut heard = Vec::new();
            for address in adapter.device_addresses().await? {
                // An error: it is forgotten already.
                if let Ok(Some(rssi)) = adapter.device(address)?.rssi().await {
                    heard.push((Reverse(strength(rssi)), address));
                }
            }
            heard.sort_unstable();
            Ok(heard)
        };
        let doing = "asking for the devices in range";
        let heard = self.bluetooth.ask(doing, heard).await?;
        let left_out = heard.len().saturating_sub(MAX_DEVICES);
        let details = async {
            let mut devices = Vec::new();
            for (_, address) in heard.into_iter().take(MAX_DEVICES) {
                devices.extend(device(adapter, address, self.mode).await);
            }
            Ok(devices)
        };
        Ok((self.bluetooth.ask(doing, details).await?, left_out))
    }

    /// Ends the search. Dropping it does so, too, but does not wait for that.
    ///
    /// # Errors
    /// The daemon went away.
    pub async fn stop(self) -> Result<()> {
        drop(self.events);
        // This waits until the last search has been ended.
        let reset = self
            .adapter
            .set_discovery_filter(DiscoveryFilter::default());
        let doing = "ending the search for devices";
        self.bluetooth.ask(doing, reset).await
    }
}

/// What is known of a signal's strength. None is less than any.
fn strength(rssi: i16) -> Option<i16> {
    (rssi != NOT_MEASURED).then_some(rssi)
}

/// What the daemon knows of a device that it hears. None when it does not, or of another kind.
async fn device(adapter: &Adapter, address: Address, mode: Mode) -> Option<Device> {
    let device = adapter.device(address).ok()?;
    let rssi = device.rssi().await.ok()??;
    let random_address = device.address_type().await.ok()? == AddressType::LeRandom;
    // Another program may look for low energy devices at the same time.
    if mode == Mode::Classic && random_address {
        return None;
    }
    let name = device.name().await.ok()?.map(|name| printable(&name));
    let services = device.uuids().await.ok()?.unwrap_or_default();
    Some(Device {
        address,
        name: name.filter(|name| !name.is_empty()),
        rssi: strength(rssi),
        class: device.class().await.ok()?,
        services: services.into_iter().take(MAX_SERVICES).collect(),
        paired: device.is_paired().await.ok()?,
        trusted: device.is_trusted().await.ok()?,
        random_address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_was_not_measured_comes_after_the_weakest() {
        let mut heard = [127, -90, -40].map(|rssi| Reverse(strength(rssi)));
        heard.sort_unstable();
        let order = heard.map(|Reverse(strength)| strength);
        assert_eq!(order, [Some(-40), Some(-90), None]);
    }
}
