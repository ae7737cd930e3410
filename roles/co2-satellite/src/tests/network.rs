//! The satellite, its relay, and Kōzō's roles.

use kozo_abi::bench::{Incoming, RoleBench, reserve_port};
use kozo_co2::methods::Builtin;
use kozo_co2::{Struct, Value};

use super::relay::Relay;
use super::{Running, data, members, text, with};
use crate::Satellite;

fn with_relay(relay: &Relay) -> Running {
    let url = relay.url();
    let mut running = Running::start(|bench| {
        bench
            .option("relay", url)
            .option("nick", "studio")
            .option("forward", ["tick", "motion*", "*ify"])
    });
    running.until_logged("registered as");
    running
}

#[test]
fn it_registers_sends_hears_and_says_goodbye() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    let (host_id, registration) = relay.satellites().pop().unwrap();
    assert_eq!(registration["nick"], text("studio"));
    assert_eq!(registration["port"], Value::Integer(running.port.into()));
    assert!(matches!(&registration["notify_pass"], Value::String(pass) if pass.len() == 32));

    let value = Value::Array(vec![Value::Integer(1), text("shrubbery")]);
    running.deliver(with(Incoming::order("send").channel("studio"), &value));
    running.until("message", |_| {
        (relay.relayed() == [value.clone()]).then_some(())
    });
    assert_eq!(relay.calls(Builtin::Relay)[0]["host_id"], text(&host_id));

    assert_eq!(relay.notify(value.clone()), Ok(text("OK")));
    let event = running.until_sent("notify");
    assert_eq!(event.channel(), Some("studio"));
    let expected = members([
        ("host_id", text("124571645@192.0.2.7:2004")),
        ("data", value),
    ]);
    assert_eq!(data(&event), expected);

    let logged = running.stop();
    assert!(
        logged.iter().any(|line| line == "deregistered"),
        "{logged:?}"
    );
    assert!(relay.satellites().is_empty());
}

#[test]
fn events_are_forwarded_but_never_what_came_from_co2() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    running.deliver(with(
        Incoming::event("notify").from("other", "attic"),
        &text("round and round"),
    ));
    running.deliver(with(
        Incoming::event("motion in hall")
            .channel("c")
            .from("pir", "hall"),
        &Value::Boolean(true),
    ));
    running.deliver(Incoming::event("tick").from("timer", "clock"));
    assert!(!running.role.deliver(Incoming::event("other")));
    let motion = members([
        ("type", text("motion in hall")),
        ("channel", text("c")),
        ("role", text("pir")),
        ("node", text("hall")),
        ("data", Value::Boolean(true)),
    ]);
    let tick = members([
        ("type", text("tick")),
        ("role", text("timer")),
        ("node", text("clock")),
    ]);
    running.until("two events", |_| {
        (relay.relayed() == [motion.clone(), tick.clone()]).then_some(())
    });
}

#[test]
fn what_cannot_be_sent_is_told_with_its_sender() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    let order = || {
        Incoming::order("send")
            .channel("studio")
            .from("sensor", "roof")
    };
    running.deliver(with(order(), &members([("a", Value::Long(1 << 40))])));
    let line = running.until_logged("1099511627776");
    assert!(
        line.contains("sensor@roof") && line.contains("`data.a`"),
        "{line}"
    );
}

#[test]
fn a_relay_that_forgot_is_told_again_and_gets_the_message() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    let before = relay.satellites();
    relay.forget();
    running.deliver(with(
        Incoming::order("send").channel("studio"),
        &text("after"),
    ));
    running.until_logged("registering again");
    running.until("second try", |_| {
        (relay.relayed() == [text("after"), text("after")]).then_some(())
    });
    assert_ne!(relay.satellites(), before);
    assert_eq!(relay.calls(Builtin::Register).len(), 2);
}

#[test]
fn a_relay_that_forgot_and_cannot_say_so_is_told_again_as_well() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    relay.tell_nothing();
    relay.forget();
    running.deliver(with(
        Incoming::order("send").channel("studio"),
        &text("after"),
    ));
    running.until_logged("registering again");
    running.until("second try", |_| (relay.relayed().len() == 2).then_some(()));
    assert_eq!(relay.calls(Builtin::Register).len(), 2);
}

#[test]
fn a_message_that_is_refused_for_itself_is_dropped_and_told() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    let send = |running: &mut Running, data: &str| {
        running.deliver(with(Incoming::order("send").channel("studio"), &text(data)));
    };
    relay.is_full(true);
    send(&mut running, "refused");
    running.until_logged("a message was refused by the relay: registry.Co2RegistryError:the queue");
    relay.is_full(false);
    send(&mut running, "taken");
    running.until("message", |_| {
        (relay.relayed() == [text("refused"), text("taken")]).then_some(())
    });
    assert_eq!(relay.calls(Builtin::Register).len(), 1);
}

#[test]
fn a_relay_that_comes_later_gets_what_has_waited() {
    let port = reserve_port().unwrap();
    let url = format!("http://127.0.0.1:{port}/RPC2");
    let mut running = Running::start(|bench| bench.option("relay", url));
    let line = running.until_logged("cannot register");
    assert!(
        line.contains("cannot connect to http://127.0.0.1"),
        "{line}"
    );
    running.deliver(with(
        Incoming::order("send").channel("studio"),
        &text("early"),
    ));
    let relay = Relay::at(port);
    running.until_logged("registered as");
    running.until("message", |_| {
        (relay.relayed() == [text("early")]).then_some(())
    });
}

#[test]
fn what_test_gives_back_may_be_sent_or_is_a_fault() {
    let running = Running::start(|bench| bench);
    let fault = running.call("test", members([("a", Value::Nil)]));
    let fault = fault.unwrap_err();
    assert!(fault.starts_with("exceptions.ValueError:"), "{fault}");
    assert!(fault.contains("`result.a`"), "{fault}");
}

#[test]
fn a_caller_without_the_password_is_refused_and_nothing_happens() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    for pass in [
        None,
        Some(text("wrong")),
        Some(Value::Integer(1)),
        Some(text("")),
    ] {
        let mut argument = Struct::from([
            ("host_id".to_owned(), text("1@a:2")),
            ("data".to_owned(), text("forged")),
        ]);
        argument.extend(pass.map(|pass| ("notify_pass".to_owned(), pass)));
        let fault = running.call("notify", Value::Struct(argument)).unwrap_err();
        assert!(fault.starts_with("registry.Co2RegistryError:"), "{fault}");
    }
    assert_eq!(relay.notify(text("true")), Ok(text("OK")));
    let event = running.until_sent("notify");
    assert_eq!(
        data(&event),
        members([
            ("host_id", text("124571645@192.0.2.7:2004")),
            ("data", text("true"))
        ])
    );
}

fn with_methods(answers: bool, limit: f64) -> Running {
    Running::start(|bench| {
        bench
            .option("methods", ["garage.gate.open"])
            .option("answers", answers)
            .option("answerTime", limit)
    })
}

/// Calls the method from elsewhere, and answers the order that comes of it.
fn called(running: &mut Running, answer: impl FnOnce(&Value) -> Value) -> Result<Value, String> {
    let url = running.url();
    let calling = std::thread::spawn(move || {
        super::call(
            &url,
            "garage.gate.open",
            members([("wide", Value::Boolean(true))]),
        )
    });
    let order = running.until_sent("open");
    assert_eq!(order.channel(), Some("garage.gate"));
    let Value::Struct(mut order) = data(&order) else {
        panic!("no struct");
    };
    assert!(matches!(&order["argument"], Value::Struct(argument)
        if argument["wide"] == Value::Boolean(true) && argument.contains_key("client_address")));
    let call = order.remove("call").unwrap();
    running.deliver(with(
        Incoming::event("answer")
            .channel("call")
            .from("gate", "garage"),
        &answer(&call),
    ));
    calling.join().unwrap()
}

#[test]
fn a_method_is_an_order_and_its_result_an_answer() {
    let mut running = with_methods(true, 60.0);
    let names = running.call("co2.get_method_names", members([])).unwrap();
    assert!(matches!(names, Value::Array(names) if names.contains(&text("garage.gate.open"))));
    let value = members([("position", Value::Double(0.5))]);
    let result = called(&mut running, |call| {
        members([("call", call.clone()), ("value", value.clone())])
    });
    assert_eq!(result, Ok(value));
    let result = called(&mut running, |call| {
        members([("call", call.clone()), ("fault", text("stuck"))])
    });
    assert_eq!(result, Err("exceptions.Exception:stuck".to_owned()));
}

#[test]
fn a_method_that_nobody_answers_is_a_fault_unless_nobody_has_to() {
    let mut running = with_methods(true, 0.1);
    let fault = running.call("garage.gate.open", members([])).unwrap_err();
    assert!(fault.contains("nobody answered within 0.1 s"), "{fault}");
    running.until_sent("open");
    // An answer that comes then is for nobody.
    let late = members([("call", text("role.x.0"))]);
    running.deliver(with(Incoming::event("answer").channel("call"), &late));

    let mut running = with_methods(false, 60.0);
    assert_eq!(
        running.call("garage.gate.open", members([])),
        Ok(text("OK"))
    );
    running.until_sent("open");
}

#[test]
fn methods_of_others_are_called_by_order() {
    let relay = Relay::start();
    let mut running = with_relay(&relay);
    let order = |value: Value| with(Incoming::order("call").channel("studio"), &value);
    running.deliver(order(members([
        ("method", text("ping")),
        ("call", Value::Integer(9)),
    ])));
    let expected = members([
        ("method", text("ping")),
        ("call", Value::Integer(9)),
        ("value", text("OK")),
    ]);
    assert_eq!(data(&running.until_sent("result")), expected);

    let (host_id, _) = relay.satellites().pop().unwrap();
    let target = [("host_id", text(&host_id)), ("method", text("nothing"))];
    running.deliver(order(members(target)));
    let Value::Struct(result) = data(&running.until_sent("result")) else {
        panic!("no struct");
    };
    assert!(matches!(&result["fault"], Value::String(fault) if fault.contains("not supported")));

    // What cannot be sent is the caller's to know.
    running.deliver(order(members([
        ("method", text("test")),
        ("argument", members([("a", Value::Nil)])),
        ("call", Value::Long(1 << 40)),
    ])));
    let Value::Struct(result) = data(&running.until_sent("result")) else {
        panic!("no struct");
    };
    assert!(
        matches!(&result["fault"], Value::String(fault) if fault.starts_with("in `argument.a`"))
    );
    assert_eq!(result["call"], Value::Long(1 << 40));

    running.deliver(order(members([
        ("host_id", text("nobody")),
        ("method", text("ping")),
    ])));
    let Value::Struct(result) = data(&running.until_sent("result")) else {
        panic!("no struct");
    };
    assert!(
        matches!(&result["fault"], Value::String(fault) if fault.contains("no id of a satellite"))
    );
    running.deliver(order(text("ping")));
    running.until_logged("cannot be done");
}

#[test]
fn two_roles_at_one_port_are_told_apart() {
    let running = with_methods(true, 1.0);
    let second = RoleBench::<Satellite>::new()
        .option("port", running.port)
        .start();
    let error = second.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("another program or role already does"),
        "{error}"
    );
    let reserved = RoleBench::<Satellite>::new()
        .option("methods", ["relay.gate.open"])
        .start();
    let error = reserved.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("`methods`") && error.contains("CO2's own"),
        "{error}"
    );
}
