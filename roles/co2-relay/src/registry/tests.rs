use kozo_co2::Value;
use kozo_co2::fault::{KEY_ERROR, REGISTRY_ERROR, TYPE_ERROR, VALUE_ERROR};
use kozo_co2::methods::Call;

use super::*;

const NEAR: [u8; 4] = [127, 0, 0, 1];
const FAR: [u8; 4] = [127, 0, 0, 2];

fn registration(port: u16) -> Registration {
    Registration {
        port,
        plugins: vec!["ham".to_owned()],
        nick: String::new(),
        notify_pass: "secret".to_owned(),
    }
}

struct Scene {
    registry: Registry,
    number: u32,
}

impl Scene {
    fn new(satellites: usize, drop_after: u32) -> Self {
        Self {
            registry: Registry::new(Limits {
                satellites,
                drop_after,
            }),
            number: NUMBERS.start,
        }
    }

    fn register(&mut self, port: u16) -> Result<Registered, Fault> {
        let next = || {
            self.number += 1;
            self.number
        };
        self.registry
            .register(registration(port), NEAR.into(), next, 1000.0)
    }

    fn id(&mut self, port: u16) -> String {
        self.register(port).unwrap().host_id
    }

    fn property(&self, host_id: &str, key: &str) -> Value {
        self.registry.satellite(host_id).unwrap().properties(true)[key].clone()
    }
}

#[test]
fn an_id_has_digits_the_seen_address_and_the_told_port() {
    let mut scene = Scene::new(2, 0);
    assert_eq!(scene.id(2004), "100000001@127.0.0.1:2004");
    let six = scene
        .registry
        .register(
            registration(2004),
            "::1".parse().unwrap(),
            || 123_456_789,
            0.0,
        )
        .unwrap();
    assert_eq!(six.host_id, "123456789@[::1]:2004");
    let fault = scene.register(2005).unwrap_err();
    assert_eq!(fault.class(), REGISTRY_ERROR);
}

#[test]
fn a_number_that_is_taken_is_not_given_twice() {
    let mut registry = Registry::new(Limits {
        satellites: 9,
        drop_after: 0,
    });
    let mut numbers = [1, 1, 1, 2].into_iter();
    // The port is the same, so only the number can tell them apart; the first is replaced.
    for expected in ["1@127.0.0.1:5", "2@127.0.0.1:5"] {
        let number = || numbers.next().unwrap();
        let registered = registry.register(registration(5), NEAR.into(), number, 0.0);
        assert_eq!(registered.unwrap().host_id, expected);
    }
    assert_eq!(registry.count(), 1);
}

#[test]
fn who_registers_again_gets_a_new_id_and_takes_no_second_place() {
    let mut scene = Scene::new(1, 0);
    let first = scene.id(2004);
    let second = scene.register(2004).unwrap();
    assert_eq!(
        second.replaced.map(|before| before.host_id),
        Some(first.clone())
    );
    assert_ne!(second.host_id, first);
    assert_eq!(scene.registry.count(), 1);
}

#[test]
fn only_its_own_machine_speaks_for_a_satellite() {
    let mut scene = Scene::new(9, 0);
    let id = scene.id(2004);
    assert_eq!(scene.registry.verify(&id, NEAR.into()), Ok(()));
    let fault = scene.registry.verify(&id, FAR.into()).unwrap_err();
    assert_eq!(fault.class(), REGISTRY_ERROR);
    let fault = scene
        .registry
        .verify("1@127.0.0.1:2004", NEAR.into())
        .unwrap_err();
    assert_eq!(
        fault.text,
        "registry.Co2RegistryError:1@127.0.0.1:2004 is not registered"
    );

    let fault = scene.registry.deregister(&id, FAR.into()).unwrap_err();
    assert_eq!(fault.class(), REGISTRY_ERROR);
    assert!(scene.registry.deregister(&id, NEAR.into()).is_ok());
    let fault = scene.registry.deregister(&id, NEAR.into()).unwrap_err();
    assert_eq!(fault.class(), KEY_ERROR);
}

#[test]
fn properties_tell_what_has_passed() {
    let mut scene = Scene::new(9, 0);
    let id = scene.id(2004);
    for (key, value) in [
        ("nick", Value::String(id.clone())),
        ("ping_current", Value::Double(-1.0)),
        ("ping_min", Value::Double(-1.0)),
        ("ping_max", Value::Double(-1.0)),
        ("ping_avg", Value::Double(-1.0)),
        ("ping_count", Value::Integer(0)),
        ("send_time", Value::Double(1000.0)),
        ("recv_time", Value::Double(1000.0)),
        ("ctime", Value::Double(1000.0)),
        (
            "plugins",
            Value::Array(vec![Value::String("ham".to_owned())]),
        ),
        (
            "addr",
            Value::Array(vec![
                Value::String("127.0.0.1".to_owned()),
                Value::Integer(2004),
            ]),
        ),
    ] {
        assert_eq!(scene.property(&id, key), value, "{key}");
    }
    scene.registry.sent(&id, 1001.0);
    scene.registry.received(&id, 1002.0);
    scene.registry.received(&id, 1003.0);
    scene.registry.missed(&id, 1);
    scene.registry.pinged(&id, Some(4.0));
    scene.registry.pinged(&id, Some(2.0));
    scene.registry.pinged(&id, None);
    for (key, value) in [
        ("send_count", Value::Integer(1)),
        ("send_time", Value::Double(1001.0)),
        ("recv_count", Value::Integer(2)),
        ("recv_time", Value::Double(1003.0)),
        ("missed_count", Value::Integer(1)),
        ("ping_count", Value::Integer(3)),
        ("ping_fails", Value::Integer(1)),
        ("ping_current", Value::Double(-1.0)),
        ("ping_min", Value::Double(2.0)),
        ("ping_max", Value::Double(4.0)),
        ("ping_avg", Value::Double(3.0)),
    ] {
        assert_eq!(scene.property(&id, key), value, "{key}");
    }
    let shown = scene.registry.satellite(&id).unwrap().properties(false);
    for key in ["ctime", "send_time", "recv_time"] {
        assert!(matches!(shown[key], Value::DateTime(_)), "{key}");
    }
}

#[test]
fn a_satellite_is_lost_after_so_many_failed_pings_in_a_row() {
    let mut scene = Scene::new(9, 3);
    let id = scene.id(2004);
    let mut change = |time| scene.registry.pinged(&id, time).map(|(change, _)| change);
    assert_eq!(change(None), Some(Change::Failing));
    assert_eq!(change(None), None);
    assert_eq!(change(Some(1.0)), Some(Change::Back));
    assert_eq!(change(Some(1.0)), None);
    assert_eq!(change(None), Some(Change::Failing));
    assert_eq!(change(None), None);
    assert_eq!(change(None), Some(Change::Lost));
    assert_eq!(change(None), None);
    assert_eq!(scene.registry.count(), 0);

    let mut scene = Scene::new(9, 0);
    let id = scene.id(2004);
    for _ in 0..100 {
        scene.registry.pinged(&id, None);
    }
    assert_eq!(scene.registry.count(), 1);
}

#[test]
fn no_more_are_restored_than_there_can_be() {
    let mut scene = Scene::new(9, 0);
    for port in 1..=4 {
        scene.id(port);
    }
    let all: Vec<Satellite> = scene.registry.satellites().cloned().collect();
    let mut after = Scene::new(3, 0);
    assert_eq!(after.registry.restore(all), 1);
    assert_eq!(after.registry.count(), 3);
}

#[test]
fn a_registration_that_makes_no_sense_is_refused() {
    let call = |members: &[(&str, Value)]| Call {
        method: kozo_co2::methods::Method::Builtin(kozo_co2::methods::Builtin::Register),
        argument: members
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
        client: "127.0.0.1:1".parse().unwrap(),
    };
    let refused = |members: &[(&str, Value)]| {
        Registration::read(&call(members))
            .unwrap_err()
            .class()
            .to_owned()
    };
    let port = ("port", Value::Integer(2004));
    let text = |length| Value::String("x".repeat(length));
    assert_eq!(refused(&[]), KEY_ERROR);
    assert_eq!(refused(&[("port", text(1))]), TYPE_ERROR);
    assert_eq!(refused(&[("port", Value::Integer(0))]), VALUE_ERROR);
    assert_eq!(refused(&[("port", Value::Integer(65536))]), VALUE_ERROR);
    assert_eq!(refused(&[port.clone(), ("nick", Value::Nil)]), TYPE_ERROR);
    assert_eq!(refused(&[port.clone(), ("nick", text(257))]), VALUE_ERROR);
    assert_eq!(
        refused(&[port.clone(), ("notify_pass", text(1025))]),
        VALUE_ERROR
    );
    assert_eq!(refused(&[port.clone(), ("plugins", text(1))]), TYPE_ERROR);
    let many = Value::Array(vec![text(1); 257]);
    assert_eq!(refused(&[port.clone(), ("plugins", many)]), VALUE_ERROR);
    assert_eq!(Registration::read(&call(&[port])).unwrap().port, 2004);
}
