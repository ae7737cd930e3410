use super::*;

const CLIENT: &str = "192.0.2.7:4711";

fn client() -> SocketAddr {
    CLIENT.parse().unwrap()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn prepare(table: &Table, method: &str, arguments: Vec<Value>) -> Result<Prepared, Fault> {
    let method = method.to_owned();
    table.prepare(MethodCall { method, arguments }, client())
}

fn answer(table: &Table, method: &str, arguments: Vec<Value>) -> Value {
    match prepare(table, method, arguments) {
        Ok(Prepared::Answer(value)) => value,
        other => panic!("{method}: {other:?}"),
    }
}

fn members(members: &[(&str, Value)]) -> Value {
    let members = members.iter().cloned();
    Value::Struct(
        members
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

#[test]
fn every_name_of_a_method_means_the_same() {
    let table = Table::new(Host::Relay);
    for row in table.rows() {
        for name in row.names {
            assert_eq!(table.find(name).unwrap().0, Method::Builtin(row.builtin));
            assert_eq!(table.help(name), table.help(row.names[0]));
            assert_eq!(table.signature(name), table.signature(row.names[0]));
        }
        // What is called `sys.` is also called `system.`.
        for name in row
            .names
            .iter()
            .filter_map(|name| name.strip_prefix("sys."))
        {
            assert!(
                row.names.contains(&format!("system.{name}").as_str()),
                "{name}"
            );
        }
    }
    let all = table.names();
    let mut once = all.clone();
    once.dedup();
    assert_eq!(once, all);
    assert!(!all.contains(&"notify".to_owned()));
    let satellite = Table::new(Host::Satellite).names();
    assert!(satellite.contains(&"notify".to_owned()));
    assert!(!satellite.iter().any(|name| name.starts_with("relay.")));
}

#[test]
fn the_callers_address_cannot_be_claimed() {
    let table = Table::new(Host::Satellite);
    let forged = members(&[
        (CLIENT_ADDRESS, text("10.0.0.1")),
        ("data", Value::Integer(1)),
    ]);
    let expected = members(&[
        (CLIENT_ADDRESS, address(client())),
        ("data", Value::Integer(1)),
    ]);
    assert_eq!(answer(&table, "test", vec![forged]), expected);
    let alone = members(&[(CLIENT_ADDRESS, address(client()))]);
    assert_eq!(answer(&table, "web.test", vec![]), alone);
}

#[test]
fn help_and_signature_take_a_bare_name_and_a_struct() {
    let table = Table::new(Host::Relay);
    let name = text("relay.relay");
    let struct_ = members(&[("method_name", name.clone())]);
    for method in [
        "co2.get_method_help",
        "sys.methodHelp",
        "system.methodHelp",
        "web.get_method_help",
    ] {
        let help = answer(&table, method, vec![name.clone()]);
        assert!(matches!(&help, Value::String(text) if text.contains("satellites")));
        assert_eq!(answer(&table, method, vec![struct_.clone()]), help);
    }
    let Value::Struct(signature) = answer(&table, "system.methodSignature", vec![name]) else {
        panic!("no struct");
    };
    assert_eq!(
        signature["args"],
        Value::Array(vec![text("host_id"), text("data")])
    );
    assert_eq!(
        signature.keys().collect::<Vec<_>>(),
        ["args", "args_d", "args_kw", "args_v"]
    );
    let unknown = prepare(&table, "system.methodHelp", vec![text("no.such")]).unwrap_err();
    assert_eq!(
        unknown.text,
        "exceptions.Exception:method \"no.such\" is not supported"
    );
}

#[test]
fn a_call_takes_one_struct_or_nothing() {
    let table = Table::new(Host::Relay);
    for arguments in [
        vec![Value::Integer(1)],
        vec![text("x")],
        vec![members(&[]), members(&[])],
        vec![Value::Nil; 3],
    ] {
        let fault = prepare(&table, "test", arguments).unwrap_err();
        assert_eq!(fault.class(), TYPE_ERROR, "{fault}");
    }
    assert_eq!(answer(&table, "ping", vec![]), text("OK"));
    assert_eq!(answer(&table, "ping", vec![members(&[])]), text("OK"));
    let Ok(Prepared::Call(call)) = prepare(&table, "relay.relay", vec![]) else {
        panic!("no call");
    };
    assert_eq!(
        call.text("host_id").unwrap_err().class(),
        crate::fault::KEY_ERROR
    );
}

#[test]
fn who_calls_through_another_method_is_nobody() {
    let mut table = Table::new(Host::Relay);
    table
        .publish("ham.spam.eggs", "Fries.", signature(&[]))
        .unwrap();
    let through = |name: &str, rest: &[(&str, Value)]| {
        let mut all = vec![("method_name", text(name))];
        all.extend_from_slice(rest);
        prepare(&table, "web.method_call", vec![members(&all)])
    };
    for name in [
        "relay.register",
        "relay.deregister",
        "relay.relay",
        "call_method",
    ] {
        assert_eq!(
            through(name, &[]).unwrap_err().class(),
            crate::fault::REGISTRY_ERROR,
            "{name}"
        );
    }
    assert_eq!(through("ping", &[]), Ok(Prepared::Answer(text("OK"))));
    let claims = [
        ("host_id", text("1@a:2")),
        (NOTIFY_PASS, text("x")),
        ("y", text("z")),
    ];
    let Ok(Prepared::Call(call)) = through("ham.spam.eggs", &claims) else {
        panic!("no call");
    };
    assert_eq!(
        call.argument.keys().collect::<Vec<_>>(),
        [CLIENT_ADDRESS, "y"]
    );
    // Whom a question is about stays in it.
    let Ok(Prepared::Call(call)) = through("web.get_satellite_props", &claims) else {
        panic!("no call");
    };
    assert_eq!(call.text("host_id"), Ok("1@a:2"));
    let satellite = Table::new(Host::Satellite);
    let notify = vec![members(&[("method_name", text("notify"))])];
    assert!(prepare(&satellite, "call_method", notify).is_err());
}

#[test]
fn published_methods_are_found_until_they_are_withdrawn() {
    let mut table = Table::new(Host::Satellite);
    table
        .publish("ham.spam.call_me", "Calls.", signature(&[]))
        .unwrap();
    assert!(table.names().contains(&"ham.spam.call_me".to_owned()));
    assert_eq!(table.help("ham.spam.call_me"), Some("Calls.".to_owned()));
    for name in ["sys.exit", "web.x", "relay.relay", "ping", "notify"] {
        let refused = table.publish(name, "", Value::Nil);
        assert!(matches!(refused, Err(PublishError::Reserved(_))), "{name}");
    }
    for name in ["", ".", "a..b", "a b", "<b>"] {
        let refused = table.publish(name, "", Value::Nil);
        assert!(matches!(refused, Err(PublishError::Malformed(_))), "{name}");
    }
    let again = table.publish("ham.spam.call_me", "", Value::Nil);
    assert!(matches!(again, Err(PublishError::Taken(_))));
    table.withdraw(|name| name.starts_with("ham."));
    assert!(prepare(&table, "ham.spam.call_me", vec![]).is_err());
}
