//! Addresses and UUIDs as people write them, in the types of the Bluetooth stack.

use bluer::{Address, Uuid};
use kozo_addresses::bluetooth;

/// Reads an address of the form `00:1A:7D:DA:71:13`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_address(text: &str) -> Result<Address, String> {
    bluetooth::parse_address(text)
        .map(Address::new)
        .map_err(|error| error.to_string())
}

/// Reads a UUID of the form `0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_uuid(text: &str) -> Result<Uuid, String> {
    bluetooth::parse_uuid(text)
        .map(Uuid::from_bytes)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_the_stack_shows() {
        let address = parse_address(" 00:1a:7D:da:71:13 ").unwrap();
        assert_eq!(address.to_string(), "00:1A:7D:DA:71:13");
        let text = "0B0E5C3A-7b1f-4f6e-9f0b-1d8b1f3a2c45";
        assert_eq!(parse_uuid(text).unwrap().to_string(), text.to_lowercase());
    }
}
