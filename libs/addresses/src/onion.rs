//! Addresses of onion services: a key, written as a name.

use sha3::{Digest, Sha3_256};

use crate::error::{AddressError, Reason};

const SUFFIX: &str = ".onion";

/// How many characters stand before `.onion`: a key, a checksum and the version.
const LENGTH: usize = 56;

/// The same for version 2, which Tor gave up in 2021.
const LENGTH_V2: usize = 16;

/// How many bytes of that are the key.
const KEY: usize = 32;

/// The version of the address, its last byte.
const VERSION: u8 = 3;

/// What stands before the key in what the checksum is made of (rend-spec-v3, "Encoding onion
/// addresses").
const CHECKSUM_PREFIX: &[u8] = b".onion checksum";

/// Whether only Tor can reach a host of this name. Such a name must not be given to DNS (RFC 7686).
pub(crate) fn is_onion(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "onion" || name.ends_with(SUFFIX)
}

/// Checks the name of an onion service among other hosts: one that is as long as an address has to
/// be one. Of any other length they are names that Tor may be told of (`MapAddress`). Before the
/// address proper may stand subdomains, which Tor leaves to the service.
pub(crate) fn service(host: &str) -> Result<(), Reason> {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = name.strip_suffix(SUFFIX).unwrap_or_default();
    let address = address.rsplit('.').next().unwrap_or_default();
    match address.len() {
        LENGTH | LENGTH_V2 => proper(address),
        _ => Ok(()),
    }
}

/// Checks the address of an onion service: 56 characters and `.onion`, without a port.
///
/// # Errors
/// What is wrong with it.
pub fn check_onion(text: &str) -> Result<(), AddressError> {
    let error = |reason: Reason| AddressError::new(text, reason);
    let name = text.trim().to_ascii_lowercase();
    let Some(address) = name.strip_suffix(SUFFIX) else {
        let reason = match name.contains(".onion:") {
            true => "has a port behind it: leave that out, it is an option of its own",
            false => "does not end in `.onion`",
        };
        return Err(error(reason.into()));
    };
    if address.contains(['.', '/', ':', '@']) {
        let reason = "has something before the address proper: give the 56 characters and `.onion`";
        return Err(error(reason.into()));
    }
    proper(address).map_err(error)
}

/// Checks what stands before `.onion`, in lower case.
fn proper(address: &str) -> Result<(), Reason> {
    match address.chars().count() {
        LENGTH => {}
        LENGTH_V2 => {
            return Err(
                "is an onion address of version 2, which Tor does not know any more".into(),
            );
        }
        length => {
            return Err(format!(
                "has {length} characters before `.onion`, and an address has {LENGTH}: copy the whole of it"
            )
            .into());
        }
    }
    let is_right = decode(address).is_some_and(|bytes| {
        let (key, rest) = bytes.split_at(KEY);
        let (checksum, version) = rest.split_at(2);
        let hash = Sha3_256::new()
            .chain_update(CHECKSUM_PREFIX)
            .chain_update(key)
            .chain_update(version)
            .finalize();
        version == [VERSION] && hash.as_slice().starts_with(checksum)
    });
    match is_right {
        true => Ok(()),
        false => Err("is misspelt: an onion address has the letters a to z and the digits 2 to 7 only, and its \
                      last ones are a checksum that does not fit"
            .into()),
    }
}

/// The bytes of [`LENGTH`] characters in base 32 (RFC 4648, in lower case).
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LENGTH * 5 / 8);
    let (mut bits, mut count) = (0_u16, 0);
    for c in text.bytes() {
        let value = match c {
            b'a'..=b'z' => c - b'a',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        // Fewer than 8 bits are left of those before.
        bits = (bits << 5) | u16::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    fn error(text: &str) -> String {
        check_onion(text).expect_err(text).to_string()
    }

    #[test]
    fn an_address_is_known_by_its_checksum() {
        check_onion(GOOD).unwrap();
        check_onion(&GOOD.to_uppercase()).unwrap();
        for place in 0..LENGTH {
            let mut wrong = GOOD.to_owned();
            let other = if &wrong[place..=place] == "a" {
                "b"
            } else {
                "a"
            };
            wrong.replace_range(place..=place, other);
            assert!(error(&wrong).contains("is misspelt"), "{wrong}");
        }
        assert!(error(&GOOD.replace('2', "1")).contains("is misspelt"));
    }

    #[test]
    fn what_is_no_address_is_told_what_is_wrong() {
        assert!(error("clock.local").ends_with("does not end in `.onion`"));
        assert!(error(&format!("{GOOD}:80")).contains("has a port behind it"));
        assert!(error(&format!("www.{GOOD}")).contains("before the address proper"));
        assert!(error("expyuzz4wqqyqhjn.onion").contains("version 2"));
        assert!(error(".onion").contains("has 0 characters"));
        assert!(error(&GOOD[1..]).contains("has 55 characters"));
        // As many characters, and more bytes.
        assert!(error(&format!("{}.onion", "é".repeat(56))).contains("is misspelt"));
    }
}
