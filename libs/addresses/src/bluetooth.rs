//! Addresses of Bluetooth adapters, and the UUIDs of services.

use crate::AddressError;

/// Reads an address of the form `00:1A:7D:DA:71:13`; the first byte is the first one written.
///
/// # Errors
/// It is not written so, or is the address of no device.
pub fn parse_address(text: &str) -> Result<[u8; 6], AddressError> {
    let error = |reason: &'static str| AddressError::new(text, reason);
    let malformed =
        || error("is no Bluetooth address: write six pairs of hex digits, `00:1A:7D:DA:71:13`");
    let mut pairs = text.trim().split(':');
    let mut address = [0; 6];
    for byte in &mut address {
        let pair = pairs.next().ok_or_else(malformed)?;
        // `from_str_radix` alone would let `+1` and single digits pass.
        if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
    }
    if pairs.next().is_some() {
        return Err(malformed());
    }
    if address == [0; 6] || address == [0xff; 6] {
        return Err(error("is the address of no device"));
    }
    Ok(address)
}

/// Reads a UUID of the form `0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45`.
///
/// # Errors
/// It is written in any other way, or has zeros only.
pub fn parse_uuid(text: &str) -> Result<[u8; 16], AddressError> {
    let error = || AddressError::new(text, "is no UUID: `uuidgen` makes one");
    let groups: Vec<&str> = text.trim().split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return Err(error());
    }
    let digits = groups.concat();
    let mut uuid = [0; 16];
    for (byte, pair) in uuid.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or_else(error);
        // Two digits make a byte.
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    if uuid == [0; 16] {
        return Err(error());
    }
    Ok(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_six_pairs_of_hex_digits() {
        assert_eq!(
            parse_address(" 00:1a:7D:da:71:13 "),
            Ok([0, 0x1a, 0x7d, 0xda, 0x71, 0x13])
        );
        for wrong in [
            "",
            "00:1a:7d:da:71",
            "00:1a:7d:da:71:13:14",
            "0:1a:7d:da:71:13",
            "00-1a-7d-da-71-13",
            "00:1a:7d:da:71:1g",
            "+0:1a:7d:da:71:13",
            "\u{7}",
            "<ADDRESS>",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
        ] {
            let error = parse_address(wrong).expect_err(wrong).to_string();
            assert!(error.contains("is "), "{error}");
            assert!(!error.contains('\u{7}'), "{error}");
        }
    }

    #[test]
    fn uuids_are_written_with_hyphens() {
        let uuid = parse_uuid("0B0E5C3A-7b1f-4f6e-9f0b-1d8b1f3a2c45").unwrap();
        assert_eq!((uuid[0], uuid[15]), (0x0b, 0x45));
        for wrong in [
            "",
            "0b0e5c3a7b1f4f6e9f0b1d8b1f3a2c45",
            "{0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45}",
            "0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c4",
            "0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2cé",
            "0b0e5c3ag7b1f-4f6e-9f0b-1d8b1f3a2c45",
            "00000000-0000-0000-0000-000000000000",
            "0x1101",
            "not-a-uuid",
        ] {
            let error = parse_uuid(wrong).expect_err(wrong).to_string();
            assert!(error.contains("`uuidgen`"), "{wrong}");
        }
    }
}
