//! The network device of the overlay: a TAP, through which the kernel's frames come and go.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use thiserror::Error;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::core::Node;
use crate::frames::{MTU, Mac};
use crate::networks;

/// What opens a TAP.
const TUN: &str = "/dev/net/tun";

/// What the kernel is told about the device: that nobody in the overlay advertises routers, hands out addresses or
/// redirects, and that no address has to be looked for twice. The frames that would do so are refused as well.
const KERNEL_SETTINGS: [(&str, &str); 6] = [
    ("ipv6", "accept_ra"),
    ("ipv6", "autoconf"),
    ("ipv6", "accept_redirects"),
    ("ipv6", "accept_dad"),
    ("ipv6", "dad_transmits"),
    ("ipv4", "accept_redirects"),
];

/// A network device, which is gone when this is dropped.
pub(crate) struct Tap {
    device: SyncDevice,
    name: String,
    mac: Mac,
}

/// Why there is no network device, or none with addresses.
#[derive(Debug, Error)]
pub(crate) enum TapError {
    #[error(
        "cannot make the network device `{name}`: {TUN} is missing: load the kernel's module `tun` (`modprobe tun`); \
         under systemd it is hidden by `PrivateDevices=yes` unless a drop-in says otherwise (the package `kozo-ipop` \
         brings one)"
    )]
    NoDriver { name: String },
    #[error(
        "cannot make the network device `{name}`: the daemon has no right to: it takes the capability CAP_NET_ADMIN, and \
         {TUN}. The package `kozo-ipop` gives both to the unit (`AmbientCapabilities=CAP_NET_ADMIN`, \
         `PrivateDevices=no`, `DeviceAllow=/dev/net/tun rw`); by hand: `setcap cap_net_admin+ep` on the program"
    )]
    NoRight { name: String },
    #[error(
        "cannot make the network device `{name}`: there is one already, of another tincan or another program: give \
         another name by the option `interface`"
    )]
    NameTaken { name: String },
    #[error("cannot make the network device `{name}`: {error}")]
    Open { name: String, error: io::Error },
    #[error("cannot set up the network device `{name}`: {what}: {error}")]
    SetUp {
        name: String,
        what: &'static str,
        error: io::Error,
    },
    #[error(
        "the overlay's network {network} overlaps with {other} of the interface `{interface}`, so packets would go astray: \
         give the overlay another network, by the address in the controller's configuration (`ip4`)"
    )]
    Overlap {
        network: String,
        other: String,
        interface: String,
    },
    #[error("cannot list the networks of this machine: {0}")]
    Networks(io::Error),
}

impl Tap {
    /// Makes the device. It has no addresses yet, and is down.
    pub(crate) fn open(name: &str) -> Result<Self, TapError> {
        let name = name.to_owned();
        if fs::exists(format!("/sys/class/net/{name}")).unwrap_or(false) {
            return Err(TapError::NameTaken { name });
        }
        let built = DeviceBuilder::new()
            .name(name.clone())
            .layer(Layer::L2)
            .mtu(MTU)
            .enable(false)
            .build_sync();
        let device = match built {
            Ok(device) => device,
            Err(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::NotFound => TapError::NoDriver { name },
                    io::ErrorKind::PermissionDenied => TapError::NoRight { name },
                    io::ErrorKind::ResourceBusy => TapError::NameTaken { name },
                    _ => TapError::Open { name, error },
                });
            }
        };
        let fault = |what| {
            let name = name.clone();
            move |error| TapError::SetUp { name, what, error }
        };
        device
            .set_nonblocking(true)
            .map_err(fault("reading without waiting"))?;
        let mac = device
            .mac_address()
            .map_err(fault("its hardware address"))?;
        Ok(Self { device, name, mac })
    }

    /// Gives the device its addresses, and switches it on. What it returns is why it has no IPv6 address, which is
    /// so where the machine has none at all.
    pub(crate) fn configure(&self, node: &Node) -> Result<Option<TapError>, TapError> {
        let networks = networks::of_this_machine().map_err(TapError::Networks)?;
        let wanted = [
            (IpAddr::V4(node.ip4), node.ip4_bits),
            (IpAddr::V6(node.ip6), node.ip6_bits),
        ];
        for (address, bits) in wanted {
            let others = networks.iter().filter(|other| other.interface != self.name);
            let wanted = networks::Network { address, bits };
            let overlap = others
                .into_iter()
                .find(|other| other.network.overlaps(&wanted));
            if let Some(other) = overlap {
                return Err(TapError::Overlap {
                    network: wanted.to_string(),
                    other: other.network.to_string(),
                    interface: other.interface.clone(),
                });
            }
        }
        for (family, setting) in KERNEL_SETTINGS {
            // Where /proc is only for reading, the kernel's defaults stay, and the frames are refused all the same.
            let _ = fs::write(
                format!("/proc/sys/net/{family}/conf/{}/{setting}", self.name),
                "0",
            );
        }
        let fault = |what| {
            let name = self.name.clone();
            move |error| TapError::SetUp { name, what, error }
        };
        match self.device.add_address_v4(node.ip4, node.ip4_bits) {
            // A try that came to nothing has left it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            added => added.map_err(fault("its IPv4 address"))?,
        }
        let without_ipv6 = self.device.add_address_v6(node.ip6, node.ip6_bits);
        self.device
            .enabled(true)
            .map_err(fault("switching it on"))?;
        Ok(without_ipv6.err().map(fault("its IPv6 address")))
    }

    /// Its hardware address.
    pub(crate) fn mac(&self) -> Mac {
        self.mac
    }

    /// Reads a frame of the kernel. None: there is none.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.device.recv(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // It has been switched off, by hand perhaps.
            Err(error) if error.raw_os_error() == Some(5) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands a frame to the kernel; whether it took it.
    pub(crate) fn write(&self, frame: &[u8]) -> bool {
        self.device.send(frame).is_ok()
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
