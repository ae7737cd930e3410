//! Onion addresses: the key of a service, written as a name.

use std::fmt;
use std::str::FromStr;

use arti_client::HsId;

const SUFFIX: &str = ".onion";

/// How many characters stand before `.onion`: a key, a checksum and the version.
const LENGTH: usize = 56;

/// The same for version 2, which Tor gave up in 2021.
const LENGTH_V2: usize = 16;

/// The address of an onion service; valid, as far as its checksum can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnionAddress(HsId);

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("`{0}` does not end in `.onion`")]
    Suffix(String),
    #[error(
        "`{0}` has something before the address proper, or a port behind it: give the 56 characters and `.onion`; the port is `onionPort`"
    )]
    Parts(String),
    #[error(
        "`{0}` is an address of version 2, which Tor does not know any more: `kozo address CONFIG NODE`, on that node, prints one that works"
    )]
    Version2(String),
    #[error(
        "`{address}` has {length} characters before `.onion`, and an address has {LENGTH}: copy the whole of it"
    )]
    Length { address: String, length: usize },
    #[error(
        "`{0}` is misspelt: an address has the letters a to z and the digits 2 to 7 only, and its last ones are a checksum that does not fit"
    )]
    Misspelt(String),
}

impl OnionAddress {
    /// The key that it stands for.
    pub(crate) fn id(self) -> HsId {
        self.0
    }
}

impl From<HsId> for OnionAddress {
    fn from(id: HsId) -> Self {
        Self(id)
    }
}

impl FromStr for OnionAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address = text.trim().to_ascii_lowercase();
        let shown = || text.to_owned();
        let name = match address.split_once(SUFFIX) {
            None => return Err(AddressError::Suffix(shown())),
            Some((name, "")) if !name.contains(['.', ':', '/']) => name,
            Some(_) => return Err(AddressError::Parts(shown())),
        };
        match name.chars().count() {
            LENGTH => {}
            LENGTH_V2 => return Err(AddressError::Version2(shown())),
            length => {
                return Err(AddressError::Length {
                    address: shown(),
                    length,
                });
            }
        }
        address
            .parse()
            .map(Self)
            .map_err(|_| AddressError::Misspelt(shown()))
    }
}

impl fmt::Display for OnionAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use safelog::DisplayRedacted;
        write!(f, "{}", self.0.display_unredacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    fn error(text: &str) -> String {
        text.parse::<OnionAddress>().unwrap_err().to_string()
    }

    #[test]
    fn an_address_is_read_however_it_is_spelt_and_shown_in_one_way() {
        let address: OnionAddress = GOOD.parse().unwrap();
        assert_eq!(address.to_string(), GOOD);
        let loud: OnionAddress = format!(" {} ", GOOD.to_uppercase()).parse().unwrap();
        assert_eq!(loud, address);
    }

    #[test]
    fn what_is_no_address_is_told_so_with_its_reason() {
        assert!(error("clock.local").contains("does not end in `.onion`"));
        assert!(error("expyuzz4wqqyqhjn.onion").contains("version 2"));
        assert!(error(&GOOD[1..]).contains("has 55 characters before"));
        assert!(error(&GOOD.replace("2gz", "2zg")).contains("misspelt"));
        assert!(error(&GOOD.replace("2gz", "1gz")).contains("misspelt"));
        assert!(error(&GOOD.replace("2gz", "2gä")).contains("misspelt"));
        for extra in [
            format!("www.{GOOD}"),
            format!("{GOOD}:22"),
            format!("{GOOD},{GOOD}"),
            format!("http://{GOOD}/"),
        ] {
            assert!(error(&extra).contains("`onionPort`"), "{extra}");
        }
    }
}
