//! Hosts: IP addresses and names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::Reason;
use crate::onion;

/// How long a name is at most: DNS has no longer ones.
const MAX_NAME: usize = 253;

/// How long a part of a name is at most.
const MAX_LABEL: usize = 63;

/// How long the name of an interface is at most, in Linux.
const MAX_INTERFACE: usize = 15;

/// What a host is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To connect to it.
    Dialling,
    /// To listen on it.
    Listening,
}

/// Whether this can be a host: an IPv6 address without brackets, an IPv4 address, or a name.
pub(crate) fn check(text: &str, purpose: Purpose) -> Result<(), Reason> {
    if text.is_empty() {
        return Err("has no host".into());
    }
    if text.contains(['<', '>', '{', '}', '$']) {
        return Err("looks like a placeholder: put in the address that is meant".into());
    }
    if text.contains(':') {
        return ipv6(text, purpose);
    }
    name(text)?;
    if is_numeric(text) {
        let address = ipv4(text)?;
        return usable(address.into(), purpose);
    }
    match (onion::is_onion(text), purpose) {
        (true, Purpose::Listening) => {
            Err("is an .onion address, on which no machine listens".into())
        }
        (true, Purpose::Dialling) => onion::service(text),
        (false, _) => Ok(()),
    }
}

/// The interface behind a link-local address, `eth0` in `fe80::1%eth0`.
pub fn interface(host: &str) -> Option<&str> {
    host.split_once('%').map(|(_, interface)| interface)
}

/// Whether this is an IPv6 address, also with an interface behind it.
pub(crate) fn is_ipv6(text: &str) -> bool {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().is_ok()
}

fn ipv6(text: &str, purpose: Purpose) -> Result<(), Reason> {
    let (address, interface) = match text.split_once('%') {
        Some((address, interface)) => (address, Some(interface)),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| "is no IPv6 address")?;
    match (address.is_unicast_link_local(), interface) {
        (true, None) => Err(format!(
            "is a link-local address, which means nothing without the interface that leads there: \
             write `{address}%eth0`, say"
        )
        .into()),
        (false, Some(_)) => Err("has an interface behind an address that is not link-local".into()),
        (true, Some(interface)) if !is_interface(interface) => {
            Err("has no name of an interface behind `%`".into())
        }
        _ => usable(address.to_canonical(), purpose),
    }
}

fn is_interface(name: &str) -> bool {
    (1..=MAX_INTERFACE).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_graphic() && !"/:%[]".contains(c))
}

/// Whether one machine can have the address for this.
fn usable(address: IpAddr, purpose: Purpose) -> Result<(), Reason> {
    let is_group = match address {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    if is_group {
        return Err("stands for many machines at once, and TCP is between two".into());
    }
    let is_nowhere = match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    match purpose {
        Purpose::Dialling if is_nowhere => Err(
            "is for listening only, on all addresses of a machine: write one at which others reach it".into(),
        ),
        Purpose::Listening if is_nowhere && !address.is_unspecified() => {
            Err("is the address of no machine".into())
        }
        _ => Ok(()),
    }
}

/// A name, or what could be an IPv4 address.
fn name(text: &str) -> Result<(), Reason> {
    if let Some(strange) = text.chars().find(|&c| !is_of_name(c)) {
        return Err(has(strange));
    }
    if text.len() > MAX_NAME {
        return Err(format!("is longer than the {MAX_NAME} bytes that a name may have").into());
    }
    // A dot at the end says that a name is a full one.
    for label in text.strip_suffix('.').unwrap_or(text).split('.') {
        if label.is_empty() {
            return Err("has a dot with nothing beside it".into());
        }
        if label.len() > MAX_LABEL {
            return Err(format!(
                "has more than {MAX_LABEL} bytes between two dots, which no name has"
            )
            .into());
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("has a hyphen beside a dot or at an end, which no name has".into());
        }
    }
    Ok(())
}

/// Letters of other scripts may stand in names of the local network.
fn is_of_name(c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "._-".contains(c),
        false => c.is_alphabetic(),
    }
}

fn has(strange: char) -> Reason {
    let what = match strange {
        ' ' => "a space".to_owned(),
        c if c.is_ascii_graphic() => format!("`{c}`"),
        // Some look like nothing, or like another one.
        c if c.is_control() || c.is_whitespace() => format!("the character U+{:04X}", u32::from(c)),
        c => format!("`{}` (U+{:04X})", c.escape_debug(), u32::from(c)),
    };
    format!("has {what} in it, and no IP address and no name of a host has that").into()
}

/// Whether programs take this for an IPv4 address: what ends in a number is no name (there is no
/// such top-level domain), and the system's own functions would read `127.1` or `0x7f.1` as one.
fn is_numeric(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or(text);
    let is_hex = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    is_hex || last.bytes().all(|b| b.is_ascii_digit())
}

fn ipv4(text: &str) -> Result<Ipv4Addr, Reason> {
    text.parse().map_err(|_| {
        let is_padded = |label: &str| {
            label.len() > 1 && label.starts_with('0') && label.bytes().all(|b| b.is_ascii_digit())
        };
        match text.split('.').any(is_padded) {
            true => {
                "has a number with a zero before it, which some programs read as an octal one: \
                     leave the zero out"
                    .into()
            }
            false => {
                "is no IPv4 address, which has four numbers from 0 to 255, and no name can end \
                      in a number"
                    .into()
            }
        }
    })
}
