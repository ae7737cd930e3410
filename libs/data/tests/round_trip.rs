//! There and back again, and what each form looks like in the other one.

use kozo_data::{Error, MAX_LEN, from_json, from_value, to_value, write_json};
use proptest::prelude::*;
use serde_json::{Value, json};

fn packed(text: &str) -> Vec<u8> {
    from_json(text.as_bytes()).unwrap().into_bytes()
}

fn error(text: &str) -> String {
    from_json(text.as_bytes()).unwrap_err().to_string()
}

fn written(data: &[u8]) -> String {
    let mut text = b"data: ".to_vec();
    write_json(data, &mut text).unwrap();
    String::from_utf8(text.split_off(6)).unwrap()
}

#[test]
fn all_of_messagepack_has_a_form_in_json() {
    let value = |bytes: &[u8]| {
        let value = to_value(bytes).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&written(bytes)).unwrap(),
            value
        );
        value
    };
    let plain = json!({"a": [1, -2, 2.5, true, null, "ö"]});
    assert_eq!(value(&rmp_serde::to_vec_named(&plain).unwrap()), plain);
    assert_eq!(value(&[0xc4, 2, 0xff, 0]), json!({"base64": "/wA="}));
    assert_eq!(value(&[0x82, 1, 2, 0xc2, 3]), json!({"1": 2, "false": 3}));
    let keys = [0x85, 0xc0, 1, 0x91, 7, 2, 0xc4, 1, 0, 3, 0xff, 4, 0x80, 5];
    assert_eq!(
        value(&keys),
        json!({"null": 1, "[7]": 2, "{\"base64\":\"AA==\"}": 3, "-1": 4, "{}": 5})
    );
    let endless = |number: f64| value(&rmp_serde::to_vec(&number).unwrap());
    assert_eq!(endless(f64::INFINITY), json!("inf"));
    assert_eq!(endless(f64::NEG_INFINITY), json!("-inf"));
    assert_eq!(endless(f64::NAN), json!("NaN"));
    // An extension of number 5.
    assert_eq!(value(&[0xd4, 5, 7]), json!([5, {"base64": "Bw=="}]));
    // A text that is no UTF-8.
    assert_eq!(value(&[0xa1, 0xff]), json!({"base64": "/w=="}));
}

#[test]
fn what_is_no_value_is_an_error_and_leaves_the_text_alone() {
    let deep = [[0x91; 100_000].as_slice(), &[1]].concat();
    // A list and a map of four thousand million items each, none of which is there.
    let announced = [
        [0xdd, 0xff, 0xff, 0xff, 0xff],
        [0xdf, 0xff, 0xff, 0xff, 0xff],
    ];
    let [list, map] = &announced;
    for bytes in [&[][..], &[0x92, 1], &[0xc1], &deep, list, map] {
        assert!(matches!(to_value(bytes), Err(Error::MessagePack(_))));
        let mut text = b"before".to_vec();
        write_json(bytes, &mut text).unwrap_err();
        assert_eq!(text, b"before");
    }
}

#[test]
fn json_is_packed_as_short_as_it_can_be() {
    assert_eq!(packed("null"), [0xc0]);
    assert_eq!(packed("[1, -1, 300]"), [0x93, 1, 0xff, 0xcd, 1, 44]);
    assert_eq!(packed("{\"a\": []}"), [0x81, 0xa1, b'a', 0x90]);
    assert_eq!(
        packed("18446744073709551615"),
        [[0xcf].as_slice(), &[0xff; 8]].concat()
    );
    assert_eq!(
        packed("-9223372036854775808"),
        [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]
    );
    for count in [15, 16, 65_535, 65_536] {
        let list: Value = vec![json!({"x": 1}); count].into();
        assert_eq!(
            packed(&list.to_string()),
            rmp_serde::to_vec_named(&list).unwrap()
        );
        let map: Value = (0..count).map(|i| (i.to_string(), json!([i]))).collect();
        assert_eq!(
            packed(&map.to_string()),
            rmp_serde::to_vec_named(&map).unwrap()
        );
        assert_eq!(
            from_value(&map).unwrap().as_slice(),
            packed(&map.to_string())
        );
    }
}

#[test]
fn an_object_with_the_only_key_base64_is_bytes() {
    assert_eq!(packed(r#"{"base64": "/wA="}"#), [0xc4, 2, 0xff, 0]);
    assert_eq!(packed(r#"[{"base64": ""}]"#), [0x91, 0xc4, 0]);
    assert_eq!(packed(r#"{"base64": "\u0041A=="}"#), [0xc4, 1, 0]);
    // These are objects.
    for text in [
        r#"{"base64":7}"#,
        r#"{"base64":"x","y":1}"#,
        r#"{"a":1,"base64":"x"}"#,
    ] {
        assert_eq!(written(&packed(text)), text);
    }
    assert!(error(r#"{"base64": "x"}"#).contains("is no Base64"));
}

#[test]
fn what_is_too_much_is_refused() {
    assert!(error(&"[".repeat(100_000)).contains("recursion limit"));
    let text = serde_json::to_string(&"x".repeat(MAX_LEN)).unwrap();
    assert!(error(&text).contains("longer than"));
    assert!(error("[1, 2").contains("EOF"));
    assert!(error("1 2").contains("trailing"));
    assert!(error("1e999").contains("out of range"));
}

#[test]
fn data_stands_in_larger_objects() {
    #[derive(serde::Deserialize, serde::Serialize)]
    struct Line<D> {
        event: String,
        data: D,
    }
    let text = r#"{"event":"tick","data":{"n":[1.5,{"base64":"AAE="}]}}"#;
    let line: Line<kozo_data::Packed> = serde_json::from_str(text).unwrap();
    let again = Line {
        event: line.event,
        data: kozo_data::Unpacked(line.data.as_slice()),
    };
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

fn values() -> impl Strategy<Value = Value> {
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |f| Some(Value::Number(
            serde_json::Number::from_f64(f)?
        ))),
        any::<String>().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
            use base64ct::Encoding;
            json!({"base64": base64ct::Base64::encode_string(&bytes)})
        }),
    ];
    leaves.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..20)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn json_comes_back_as_it_was(value in values()) {
        let data = from_json(value.to_string().as_bytes()).unwrap().into_bytes();
        prop_assert_eq!(&to_value(&data).unwrap(), &value);
        prop_assert_eq!(&written(&data), &value.to_string());
        prop_assert_eq!(from_value(&value).unwrap().into_bytes(), data);
    }

    #[test]
    fn whatever_is_shown_is_read_again_as_what_is_shown_as_the_same(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = to_value(&bytes) {
            let again = from_value(&value).unwrap();
            prop_assert_eq!(to_value(again.as_slice()).unwrap(), value);
        }
    }
}
