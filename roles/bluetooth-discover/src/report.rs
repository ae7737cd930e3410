//! The event that tells all that is known.

use std::collections::BTreeSet;

use kozo_bluetooth::Device;
use serde::Serialize;

/// The version of the event's shape. Fields may be added to one version; what is there stays as it is.
const VERSION: u8 = 1;

/// The data of `bluetooth devices in detail`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: u8,
    /// The strongest signal first.
    devices: Vec<Sighting>,
}

/// One device in range.
#[derive(Debug, Serialize)]
struct Sighting {
    address: String,
    /// Null when it has not told.
    name: Option<String>,
    /// The strength of its signal in dBm: the larger, the nearer. Null when the adapter cannot tell.
    rssi: Option<i16>,
    /// The class of device, a number that the Bluetooth SIG assigns; null with Low Energy.
    class: Option<u32>,
    /// UUIDs of the services that it tells of.
    services: BTreeSet<String>,
    /// Whether it is paired with this machine.
    paired: bool,
    /// Whether somebody has marked it as trusted on this machine.
    trusted: bool,
    /// Whether the address is one that the device changes now and then.
    random_address: bool,
}

impl Report {
    pub(crate) fn of(devices: &[Device]) -> Self {
        Self {
            version: VERSION,
            devices: devices.iter().map(Sighting::of).collect(),
        }
    }
}

impl Sighting {
    fn of(device: &Device) -> Self {
        Self {
            address: device.address.to_string(),
            name: device.name.clone(),
            rssi: device.rssi,
            class: device.class,
            services: device.services.iter().map(ToString::to_string).collect(),
            paired: device.paired,
            trusted: device.trusted,
            random_address: device.random_address,
        }
    }
}
