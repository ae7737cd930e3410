//! Who a node of the overlay is.

use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::address;

/// The name of a node of the overlay: 160 bits, written as 40 hexadecimal digits in lower case.
///
/// Uids are compared as numbers, which is how their texts compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid([u8; Self::LEN]);

impl Uid {
    /// How many bytes it has.
    pub const LEN: usize = 20;

    /// How many digits its text has.
    pub const DIGITS: usize = 2 * Self::LEN;

    /// What stands in a packet for a node that is not known.
    pub const NULL: Self = Self([0; Self::LEN]);

    /// The uid of these bytes.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The uid of a member of a GroupVPN: the SHA-1 of its address as text.
    pub fn of_ip4(address: Ipv4Addr) -> Self {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, address.to_string().as_bytes());
        let mut bytes = [0; Self::LEN];
        bytes.copy_from_slice(hash.as_ref());
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The node's IPv6 address in the overlay: [`address::PREFIX`] and the uid's first 64 bits.
    pub fn ip6(&self) -> Ipv6Addr {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&address::PREFIX);
        octets[8..].copy_from_slice(&self.0[..8]);
        Ipv6Addr::from(octets)
    }

    /// [`ip6`](Self::ip6) as the messages have it: all groups, all digits.
    pub fn ip6_text(&self) -> String {
        address::full_ip6(self.ip6())
    }
}

impl FromStr for Uid {
    type Err = UidError;

    /// Upper case is taken, too.
    fn from_str(text: &str) -> Result<Self, UidError> {
        if text.len() != Self::DIGITS {
            return Err(UidError::Length(text.chars().count()));
        }
        let mut bytes = [0; Self::LEN];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(UidError::Digit);
            };
            *byte = (high << 4 | low) as u8;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(Self::DIGITS);
        for byte in self.0 {
            write!(text, "{byte:02x}")?;
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({self})")
    }
}

/// Why a text is no uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UidError {
    /// It has this many characters.
    #[error("a uid has 40 hexadecimal digits, not {0} characters")]
    Length(usize),
    /// Something in it is no hexadecimal digit.
    #[error("a uid has nothing but hexadecimal digits")]
    Digit,
}
