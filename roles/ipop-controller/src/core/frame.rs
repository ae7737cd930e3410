//! As much of Ethernet frames as a controller has to understand.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The address of a network device.
pub(crate) type Mac = [u8; 6];

/// To all.
pub(crate) const BROADCAST: Mac = [0xff; 6];

const HEADER: usize = 14;
const ARP: [u8; 2] = [0x08, 0x06];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// What is in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    Arp(Arp),
    /// To this address.
    Ipv4(Ipv4Addr),
    /// To this address.
    Ipv6(Ipv6Addr),
    Other,
}

/// ARP for IPv4 over Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arp {
    /// An answer, not a question.
    pub(crate) is_reply: bool,
    pub(crate) sender: (Mac, Ipv4Addr),
    pub(crate) target: (Mac, Ipv4Addr),
}

impl Frame {
    pub(crate) fn read(frame: &[u8]) -> Self {
        let Some((header, body)) = frame.split_at_checked(HEADER) else {
            return Self::Other;
        };
        let kind = [header[12], header[13]];
        let at = |from: usize| body.get(from..);
        match kind {
            ARP => Arp::read(body).map_or(Self::Other, Self::Arp),
            IPV4 => at(16)
                .and_then(<[u8]>::first_chunk::<4>)
                .map_or(Self::Other, |to| Self::Ipv4(Ipv4Addr::from(*to))),
            IPV6 => at(24)
                .and_then(<[u8]>::first_chunk::<16>)
                .map_or(Self::Other, |to| Self::Ipv6(Ipv6Addr::from(*to))),
            _ => Self::Other,
        }
    }
}

impl Arp {
    /// Hardware Ethernet, protocol IPv4, and the lengths of their addresses.
    const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];

    fn read(body: &[u8]) -> Option<Self> {
        let (kind, rest) = body.split_first_chunk::<6>()?;
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender_ip, rest) = rest.split_first_chunk::<4>()?;
        let (target_mac, rest) = rest.split_first_chunk::<6>()?;
        let target_ip = rest.first_chunk::<4>()?;
        let is_reply = match operation {
            [0, 1] => false,
            [0, 2] => true,
            _ => return None,
        };
        (*kind == Self::KIND).then_some(Self {
            is_reply,
            sender: (*sender_mac, (*sender_ip).into()),
            target: (*target_mac, (*target_ip).into()),
        })
    }

    /// The frame, to the device `to`.
    pub(crate) fn write(&self, to: Mac) -> Vec<u8> {
        let operation = [0, if self.is_reply { 2 } else { 1 }];
        let (sender, target) = (self.sender.1.octets(), self.target.1.octets());
        [
            &to[..],
            &self.sender.0,
            &ARP,
            &Self::KIND,
            &operation,
            &self.sender.0,
            &sender,
            &self.target.0,
            &target,
        ]
        .concat()
    }
}

/// The frame, to another device. One without a header stays as it is.
pub(crate) fn readdressed(frame: &[u8], to: Mac, from: Option<Mac>) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame.len() >= HEADER {
        frame[..6].copy_from_slice(&to);
        if let Some(from) = from {
            frame[6..12].copy_from_slice(&from);
        }
    }
    frame
}

/// Reads `aa:bb:cc:dd:ee:ff`.
pub(crate) fn read_mac(text: &str) -> Option<Mac> {
    let mut bytes = text.split(':').map(|pair| match pair.len() {
        2 => u8::from_str_radix(pair, 16).ok(),
        _ => None,
    });
    let mut mac = Mac::default();
    for byte in &mut mac {
        *byte = bytes.next()??;
    }
    bytes.next().is_none().then_some(mac)
}
