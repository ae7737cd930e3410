use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn map(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    let mut map = Map::default();
    for (key, value) in entries {
        map.insert(key, value).expect("it is a key");
    }
    Value::Map(map)
}

#[test]
fn numbers_are_read_as_python_reads_them() {
    use Value::{Float, Integer, Unsigned};
    for (literal, value) in [
        ("0", Integer(0)),
        ("00", Integer(0)),
        ("-7", Integer(-7)),
        ("- 7", Integer(-7)),
        ("--7", Integer(7)),
        ("+1_000", Integer(1000)),
        ("0xFf", Integer(255)),
        ("-0x_10", Integer(-16)),
        ("0o17", Integer(15)),
        ("0b101", Integer(5)),
        ("-9223372036854775808", Integer(i64::MIN)),
        ("18446744073709551615", Unsigned(u64::MAX)),
        ("1.5", Float(1.5)),
        ("1.", Float(1.0)),
        ("-.25", Float(-0.25)),
        ("1e3", Float(1000.0)),
        ("1.5E-3", Float(0.0015)),
        ("1_0.2_5", Float(10.25)),
    ] {
        assert_eq!(parse(literal), Ok(value), "{literal}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for literal in [
        "012",
        "1__0",
        "1_",
        "1e_3",
        "1_e3",
        "0_x1",
        "0x",
        "0xg",
        "0b2",
        "1.2.3",
        "1e",
        "1e+",
        ".",
        "-",
        "+-",
        "1j",
        "10L",
        "-inf",
        "-nan",
        ".inf",
        "1e999",
        "18446744073709551616",
        "-9223372036854775809",
        "0x+5",
        "1+1",
        "1-1",
        "--",
        "-'a'",
        "-True",
        "1_.5",
        "٣",
        "99999999999999999999999999999999999999999999",
    ] {
        assert!(parse(literal).is_err(), "{literal}");
    }
}

#[test]
fn texts_are_read_as_python_reads_them() {
    for (literal, value) in [
        ("''", text("")),
        ("''''''", text("")),
        (r#""it's""#, text("it's")),
        (
            r#"'\'\"\\ \n\r\t\a\b\f\v'"#,
            text("'\"\\ \n\r\t\x07\x08\x0c\x0b"),
        ),
        (r"'\x41\101\u00e9\U0001f600\0'", text("AAé😀\0")),
        (r"'\d \8'", text(r"\d \8")),
        ("u'é' U\"x\"", text("éx")),
        ("'a' 'b'\t\"c\"", text("abc")),
        ("'''it's \"so\"'''", text("it's \"so\"")),
        (r"r'\n\''", text(r"\n\'")),
        (r"R'\\'", text(r"\\")),
        (r"b'a\xff\n\0'", bytes(b"a\xff\n\0")),
        (r"rb'\xff' Br'x'", bytes(br"\xffx")),
        (r"b'\u0041'", bytes(br"\u0041")),
    ] {
        assert_eq!(parse(literal), Ok(value), "{literal}");
    }
}

#[test]
fn broken_texts_are_refused_with_the_place() {
    for (literal, error) in [
        ("'abc", "character 1: the text does not end"),
        ("'''abc''", "character 1: the text does not end"),
        ("'é\\", "character 4: the text ends with a backslash"),
        (r"'\x4'", "character 4: expected 2 hexadecimal digits"),
        (r"'\u00é'", "character 4: expected 4 hexadecimal digits"),
        (r"'\ud83d'", "character 2: U+D83D is no character"),
        (
            r"'\N{DASH}'",
            "character 2: `\\N{…}` is not known here: write `\\u…`",
        ),
        (
            "b'é'",
            "character 3: bytes are written in ASCII, others as `\\x…`",
        ),
        (r"b'\777'", "character 7: a byte is 255 at most"),
        ("'a' b'b'", "character 5: a text and bytes cannot be joined"),
        ("f'{1}'", "character 1: a text cannot begin with \"f\""),
    ] {
        let found = parse(literal).expect_err(literal).to_string();
        assert_eq!(found, error, "{literal}");
    }
}

#[test]
fn lists_tuples_and_dicts_nest() {
    use Value::{Boolean, Integer, List, Null};
    for (literal, value) in [
        ("()", List(vec![])),
        ("[]", List(vec![])),
        ("{}", map([])),
        ("(1)", Integer(1)),
        ("(1,)", List(vec![Integer(1)])),
        (
            "[1, (2, 3,),]",
            List(vec![Integer(1), List(vec![Integer(2), Integer(3)])]),
        ),
        (
            " { 'a' : None , 2:[True,False] , } ",
            map([
                (text("a"), Null),
                (Integer(2), List(vec![Boolean(true), Boolean(false)])),
            ]),
        ),
        ("{1: 'a', 1: 'b'}", map([(Integer(1), text("b"))])),
    ] {
        assert_eq!(parse(literal), Ok(value), "{literal}");
    }
}

#[test]
fn what_is_no_literal_is_refused_with_the_place() {
    for (literal, error) in [
        ("", "character 1: expected a value, found the end"),
        ("(1, 2", "character 6: expected `,` or `)`, found the end"),
        ("(1 2)", "character 4: expected `,` or `)`, found '2'"),
        ("(,)", "character 2: expected a value, found ','"),
        ("(1,,)", "character 4: expected a value, found ','"),
        ("(1]", "character 3: expected `,` or `)`, found ']'"),
        (
            "{1, 2}",
            "character 3: expected `:` (a set cannot be sent), found ','",
        ),
        ("{1: 2 3: 4}", "character 7: expected `,` or `}`, found '3'"),
        ("{[1]: 2}", "character 8: a key cannot be a list or a map"),
        ("1 2", "character 3: expected the end, found '2'"),
        (
            "true",
            "character 1: \"true\" is no value: a text needs quotes",
        ),
        (
            "(exit(),)",
            "character 2: \"exit\" is no value: a text needs quotes",
        ),
        ("('a').upper()", "character 6: expected the end, found '.'"),
        ("@", "character 1: expected a value, found '@'"),
    ] {
        let found = parse(literal).expect_err(literal).to_string();
        assert_eq!(found, error, "{literal}");
    }
}

#[test]
fn depth_is_bounded_on_every_kind_of_nesting() {
    for (open, close) in [("(", ",)"), ("[", "]"), ("{1:", "}"), ("(", ")")] {
        let nested = |depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
        assert!(parse(&nested(MAX_DEPTH)).is_ok(), "{open}");
        let error = parse(&nested(MAX_DEPTH + 1)).expect_err(open).to_string();
        assert!(error.contains("more than 64 lists within each other"));
        parse(&open.repeat(30_000)).expect_err(open);
    }
    // Signs do not nest.
    assert!(parse(&("-".repeat(30_000) + "1")).is_ok());
}
