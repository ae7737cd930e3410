//! Addresses and UUIDs as people write them.

use bluer::{Address, Uuid};

/// Reads an address of the form `00:1A:7D:DA:71:13`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_address(text: &str) -> Result<Address, String> {
    let error = || {
        let text = text.escape_debug();
        format!(
            "`{text}` is no Bluetooth address: write six pairs of hex digits, `00:1A:7D:DA:71:13`"
        )
    };
    let pairs = text.trim().split(':');
    // `parse` alone would let `+1` and single digits pass.
    let well_formed = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    if !pairs.clone().all(well_formed) {
        return Err(error());
    }
    let address: Address = text.trim().parse().map_err(|_| error())?;
    if address == Address::any() || address.0 == [0xff; 6] {
        return Err(format!("`{address}` is the address of no device"));
    }
    Ok(address)
}

/// Reads a UUID of the form `0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_uuid(text: &str) -> Result<Uuid, String> {
    let trimmed = text.trim();
    let uuid = Uuid::try_parse(trimmed).ok().filter(|uuid| !uuid.is_nil());
    // Other notations (braces, no hyphens) would be accepted here and looked for in vain elsewhere.
    uuid.filter(|_| trimmed.len() == uuid::fmt::Hyphenated::LENGTH)
        .ok_or_else(|| {
            let text = text.escape_debug();
            format!("`{text}` is no UUID: `uuidgen` makes one")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_six_pairs_of_hex_digits() {
        let address = parse_address(" 00:1a:7D:da:71:13 ").unwrap();
        assert_eq!(address.to_string(), "00:1A:7D:DA:71:13");
        for wrong in [
            "",
            "00:1a:7d:da:71",
            "00:1a:7d:da:71:13:14",
            "0:1a:7d:da:71:13",
            "00-1a-7d-da-71-13",
            "00:1a:7d:da:71:1g",
            "+0:1a:7d:da:71:13",
            "\u{7}",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
        ] {
            let error = parse_address(wrong).unwrap_err();
            assert!(error.contains("is "), "{error}");
            assert!(!error.contains('\u{7}'), "{error}");
        }
    }

    #[test]
    fn uuids_are_written_with_hyphens() {
        let text = "0B0E5C3A-7b1f-4f6e-9f0b-1d8b1f3a2c45";
        assert_eq!(parse_uuid(text).unwrap().to_string(), text.to_lowercase());
        for wrong in [
            "",
            "0b0e5c3a7b1f4f6e9f0b1d8b1f3a2c45",
            "{0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45}",
            "0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c4",
            "00000000-0000-0000-0000-000000000000",
            "0x1101",
        ] {
            assert!(
                parse_uuid(wrong).unwrap_err().contains("`uuidgen`"),
                "{wrong}"
            );
        }
    }
}
