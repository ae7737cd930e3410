use super::*;
use crate::value::MAX_DEPTH;

fn call(arguments: &str) -> String {
    format!(
        "<?xml version='1.0'?><methodCall><methodName>test</methodName>{arguments}</methodCall>"
    )
}

fn argument(value: &str) -> Result<Value, DocumentError> {
    let text = call(&format!("<params><param>{value}</param></params>"));
    read_call(text.as_bytes(), None).map(|call| call.arguments.into_iter().next().unwrap())
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn values_are_read_as_other_peoples_libraries_write_them() {
    for (written, value) in [
        ("<value>untyped</value>", text("untyped")),
        ("<value></value>", text("")),
        ("<value/>", text("")),
        ("<value><string/></value>", text("")),
        ("<value> <int> 7 </int> </value>", Value::Integer(7)),
        ("<value><i4>-7</i4></value>", Value::Integer(-7)),
        (
            "<value><i8>1099511627776</i8></value>",
            Value::Long(1 << 40),
        ),
        ("<value><nil/></value>", Value::Nil),
        ("<value><double>1e+20</double></value>", Value::Double(1e20)),
        ("<value><boolean>1</boolean></value>", Value::Boolean(true)),
        ("<value><![CDATA[<&>]]></value>", text("<&>")),
        (
            "<value><string>&lt;&#38;&#x3e;</string></value>",
            text("<&>"),
        ),
        (
            "<value><base64>AP8=\n</base64></value>",
            Value::Base64(vec![0, 255]),
        ),
        (
            "<value><dateTime.iso8601>20031016T20:33:02</dateTime.iso8601></value>",
            Value::DateTime("20031016T20:33:02".parse().unwrap()),
        ),
        (
            "<value>\n<array>\n<data>\n</data>\n</array>\n</value>",
            Value::Array(vec![]),
        ),
        (
            "<value><struct><member><value>1</value><name>a</name></member></struct></value>",
            Value::Struct(Struct::from([("a".to_owned(), text("1"))])),
        ),
    ] {
        assert_eq!(argument(written), Ok(value), "{written}");
    }
    let bare = read_call(call("").as_bytes(), None).unwrap();
    assert_eq!((bare.method.as_str(), bare.arguments.len()), ("test", 0));
}

#[test]
fn all_characters_come_back_as_they_were_sent() {
    let all = "nih <&> ü \"'\t\n\r\n ]]> </struct> \u{1f600}";
    let members = Struct::from([("ü<&>".to_owned(), text(all))]);
    let written = write_call("test", vec![Value::Struct(members.clone())]).unwrap();
    let read = read_call(written.as_bytes(), None).unwrap();
    assert_eq!(read.arguments, [Value::Struct(members)]);
    let written = write_answer(Ok(text(all)));
    assert_eq!(read_answer(written.as_bytes(), None), Ok(Ok(text(all))));
}

#[test]
fn numbers_come_back_as_they_were_sent() {
    for number in [0.0, -0.1, 1e300, 5e-324, f64::MAX, f64::INFINITY] {
        let written = write_answer(Ok(Value::Double(number)));
        assert_eq!(
            read_answer(written.as_bytes(), None),
            Ok(Ok(Value::Double(number))),
            "{written}"
        );
    }
}

#[test]
fn a_document_type_is_refused_with_its_place() {
    let bomb = "<?xml version='1.0'?>\n<!DOCTYPE a [<!ENTITY b 'c'>]><methodCall/>";
    let error = read_call(bomb.as_bytes(), None).unwrap_err().to_string();
    assert!(
        error.contains("DOCTYPE") && error.contains("line 2, column 1"),
        "{error}"
    );
}

#[test]
fn the_deepest_level_is_read_and_one_more_is_not() {
    let nested = |levels: usize| {
        let open = "<value><array><data>".repeat(levels);
        let close = "</data></array></value>".repeat(levels);
        argument(&format!("{open}{close}"))
    };
    assert!(nested(MAX_DEPTH).is_ok(), "{:?}", nested(MAX_DEPTH));
    assert!(
        nested(MAX_DEPTH + 1)
            .unwrap_err()
            .to_string()
            .contains(&MAX_DEPTH.to_string())
    );
    assert!(nested(10_000).is_err());
    let structs = |levels: usize| {
        let open = "<value><struct><member><name>a</name>".repeat(levels);
        let close = "</member></struct></value>".repeat(levels);
        argument(&format!("{open}<value>1</value>{close}"))
    };
    assert!(structs(MAX_DEPTH).is_ok(), "{:?}", structs(MAX_DEPTH));
    assert!(structs(MAX_DEPTH + 1).is_err());
    // Elements that are none of XML-RPC's do not go deeper either.
    let strange = "<a>".repeat(100_000);
    assert!(read_call(strange.as_bytes(), None).is_err());
}

#[test]
fn what_is_no_call_is_refused() {
    for document in [
        "",
        "hello",
        "<",
        "<methodCall>",
        "<methodCall/>",
        "<methodCall></methodResponse>",
        "<methodCall></methodCall>",
        "<methodCall><methodName>a</methodName></methodCall><b/>x",
        "<methodCall><methodName>a</methodName></methodCall>trailing",
        "<methodCall><methodName>a&unknown;</methodName></methodCall>",
        "<methodResponse><params><param><value>1</value></param></params></methodResponse>",
    ] {
        assert!(read_call(document.as_bytes(), None).is_err(), "{document}");
    }
    for value in [
        "<value><int>4294967296</int></value>",
        "<value><int>seven</int></value>",
        "<value><boolean>2</boolean></value>",
        "<value><string>&#1;</string></value>",
        "<value><string>\u{1}</string></value>",
        "<value><int>1</int><int>2</int></value>",
        "<value><struct><member><name>a</name></member></struct></value>",
        "<value><base64>*</base64></value>",
    ] {
        assert!(argument(value).is_err(), "{value}");
    }
}

#[test]
fn faults_are_read_whatever_their_order() {
    let fault = |members: &str| {
        let text = format!(
            "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>{members}</struct></value>\n</fault>\n</methodResponse>"
        );
        read_answer(text.as_bytes(), None).unwrap().unwrap_err()
    };
    let code = "<member><name>faultCode</name><value><int>1</int></value></member>";
    let string = "<member><name>faultString</name><value>exceptions.KeyError:'a'</value></member>";
    let expected = Fault {
        code: 1,
        text: "exceptions.KeyError:'a'".to_owned(),
    };
    assert_eq!(fault(&format!("{code}{string}")), expected);
    assert_eq!(fault(&format!("{string}{code}")), expected);
    let written = write_answer(Err(Fault::registry("a\u{1}b")));
    let read = read_answer(written.as_bytes(), None).unwrap().unwrap_err();
    assert_eq!(read.text, "registry.Co2RegistryError:a?b");
    // A value that is called so is no fault.
    let value = "<methodResponse><params><param><value><struct><member><name>fault</name><value>1</value></member></struct></value></param></params></methodResponse>";
    assert!(read_answer(value.as_bytes(), None).unwrap().is_ok());
}

#[test]
fn a_password_is_put_into_a_message_that_was_written_once() {
    let inner = Struct::from([("x".to_owned(), Value::Struct(Struct::new()))]);
    let notify = Notify::new("1@127.0.0.1:2004", Value::Struct(inner.clone())).unwrap();
    for pass in ["secret", "<&>\r", ""] {
        let pieces = notify.for_satellite(&Pass::new(pass).unwrap());
        let call = read_call(&pieces.concat(), None).unwrap();
        assert_eq!(call.method, "notify");
        let expected = Struct::from([
            ("data".to_owned(), Value::Struct(inner.clone())),
            ("host_id".to_owned(), text("1@127.0.0.1:2004")),
            (NOTIFY_PASS.to_owned(), text(pass)),
        ]);
        assert_eq!(call.arguments, [Value::Struct(expected)]);
    }
}

#[test]
fn values_of_a_file_come_back() {
    let values = vec![
        Value::Array(vec![text("a\n b"), Value::Struct(Struct::new())]),
        Value::Integer(1),
    ];
    let written = write_values(&values).unwrap();
    assert_eq!(read_values(written.as_bytes()), Ok(values));
    assert!(read_values(b"<params><param>").is_err());
    assert!(read_values(b"<methodCall/>").is_err());
}
