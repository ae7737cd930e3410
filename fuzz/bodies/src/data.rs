//! The data of messages, in both its forms.

use kozo_data::{from_json, from_value, to_value, write_json};

/// MessagePack that is shown to people and programs, or JSON that one of them sends.
///
/// What is shown is taken back, and shown as the same again; what is taken is shown as what is taken as the
/// same.
pub fn data(input: &[u8]) {
    let mut text = Vec::new();
    let shown = to_value(input);
    assert_eq!(write_json(input, &mut text).is_ok(), shown.is_ok());
    if let Ok(value) = shown {
        // An extension is a list in JSON, so what goes as deep as it may can be too deep by then.
        if let Ok(again) = from_value(&value) {
            assert_eq!(
                to_value(again.as_slice()).expect("what was packed can be shown"),
                value
            );
        }
    }
    if let Ok(packed) = from_json(input) {
        text.clear();
        write_json(packed.as_slice(), &mut text).expect("what was packed can be shown");
        assert_eq!(
            from_json(&text).expect("what was shown can be packed"),
            packed
        );
    }
}
