//! Which addresses the machine has, of those that can be used.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::candidate::unusable;
use crate::settings::Settings;

/// Each address with the name of its interface.
pub(super) fn addresses(settings: &Settings) -> io::Result<BTreeMap<IpAddr, String>> {
    let mut found = BTreeMap::new();
    for interface in getifaddrs()? {
        let ready = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
        if !interface.flags.contains(ready)
            || settings
                .ignored_interfaces
                .contains(&interface.interface_name)
        {
            continue;
        }
        let Some(address) = interface.address else {
            continue;
        };
        let ip = if let Some(address) = address.as_sockaddr_in() {
            IpAddr::V4(address.ip())
        } else if let Some(address) = address.as_sockaddr_in6() {
            IpAddr::V6(address.ip())
        } else {
            continue;
        };
        // Any port will do, as long as it is one.
        if unusable(SocketAddr::new(ip, 1), settings.loopback).is_none() {
            found.insert(ip, interface.interface_name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_counts_only_where_it_shall_and_ignored_interfaces_never() {
        let all = |settings: &Settings| addresses(settings).unwrap();
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert!(!all(&Settings::default()).contains_key(&loopback));
        let mut settings = Settings {
            loopback: true,
            ..Settings::default()
        };
        assert_eq!(
            all(&settings).get(&loopback).map(String::as_str),
            Some("lo")
        );
        settings.ignored_interfaces.push("lo".to_owned());
        assert!(!all(&settings).contains_key(&loopback));
    }
}
