//! A service as this machine announces it.

use bluer::Uuid;

/// The record of a service on a channel of RFCOMM, in the XML that `bluetoothd` reads. `name` must need
/// no escaping.
pub(crate) fn record(uuid: Uuid, name: &str, channel: u8) -> String {
    debug_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    // Service class, protocols (L2CAP below RFCOMM), where to be listed (publicly), name.
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<record>
  <attribute id="0x0001"><sequence><uuid value="{uuid}"/></sequence></attribute>
  <attribute id="0x0004"><sequence>
    <sequence><uuid value="0x0100"/></sequence>
    <sequence><uuid value="0x0003"/><uint8 value="0x{channel:02x}"/></sequence>
  </sequence></attribute>
  <attribute id="0x0005"><sequence><uuid value="0x1002"/></sequence></attribute>
  <attribute id="0x0100"><text value="{name}"/></attribute>
</record>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_the_service_its_channel_and_its_name() {
        let uuid = Uuid::from_u128(0x0b0e_5c3a_7b1f_4f6e_9f0b_1d8b_1f3a_2c45);
        let record = record(uuid, "kozo", 12);
        assert!(record.contains(r#"<uuid value="0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45"/>"#));
        assert!(record.contains(r#"<uint8 value="0x0c"/>"#));
        assert!(record.contains(r#"<text value="kozo"/>"#));
    }
}
