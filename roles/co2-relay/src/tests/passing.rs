//! Messages from one satellite to the others.

use kozo_co2::document::write_call;
use kozo_co2::fault::{REGISTRY_ERROR, TYPE_ERROR, VALUE_ERROR};
use kozo_co2::{Struct, Value};

use crate::outbox::MAX_MESSAGES;

use super::scene::{Satellite, Scene, members, run, text};

#[test]
fn all_but_the_sender_get_a_message_with_their_own_password() {
    run(async {
        let scene = Scene::start();
        let mut satellites = Vec::new();
        for pass in ["a", "<b>", "c\r\n"] {
            satellites.push(Satellite::registered(&scene, pass).await);
        }
        let data = members(&[("list", Value::Array(vec![Value::Integer(1), text("nih!")]))]);
        scene.send(&satellites[0], data.clone()).await.unwrap();
        scene.send(&satellites[1], text("from b")).await.unwrap();
        for (index, expected) in [
            (1, vec![(0, data.clone())]),
            (2, vec![(0, data.clone()), (1, text("from b"))]),
            // Its own is not among what the sender gets.
            (0, vec![(1, text("from b"))]),
        ] {
            for (sender, data) in expected {
                let id = satellites[sender].id.clone();
                let satellite = &mut satellites[index];
                let notify = satellite.next().await;
                let expected = Struct::from([
                    ("host_id".to_owned(), Value::String(id)),
                    ("data".to_owned(), data),
                    ("notify_pass".to_owned(), text(satellite.pass)),
                ]);
                assert_eq!(notify, expected);
            }
        }
        let properties = scene.properties(&satellites[2].id).await;
        assert_eq!(properties["recv_count"], Value::Integer(2));
        assert_eq!(properties["send_count"], Value::Integer(0));
        let properties = scene.properties(&satellites[0].id).await;
        assert_eq!(properties["send_count"], Value::Integer(1));
    });
}

#[test]
fn one_that_is_gone_keeps_nobody_from_its_messages() {
    run(async {
        let mut scene = Scene::start();
        let sender = Satellite::registered(&scene, "").await;
        // Nobody listens there.
        let gone = scene
            .register(kozo_abi::bench::reserve_port().unwrap())
            .await
            .unwrap();
        let mut other = Satellite::registered(&scene, "").await;
        scene.send(&sender, Value::Integer(1)).await.unwrap();
        assert_eq!(other.next().await["data"], Value::Integer(1));
        scene
            .until_property(&gone, "missed_count", &Value::Integer(1))
            .await;
        let logged = scene.role.logged();
        let says =
            |(_, line): &&(_, String)| line.contains(&gone) && line.contains("cannot connect");
        assert_eq!(logged.iter().filter(says).count(), 1, "{logged:?}");
    });
}

#[test]
fn one_that_stalls_holds_up_nobody() {
    run(async {
        let scene = Scene::start();
        let sender = Satellite::registered(&scene, "").await;
        let mut stalled = Satellite::stalled(&scene).await;
        let mut others = [
            Satellite::registered(&scene, "").await,
            Satellite::registered(&scene, "").await,
        ];
        for number in 0..10 {
            scene.send(&sender, Value::Integer(number)).await.unwrap();
        }
        assert_eq!(stalled.next().await["data"], Value::Integer(0));
        for other in &mut others {
            for number in 0..10 {
                assert_eq!(other.next().await["data"], Value::Integer(number));
            }
        }
        // All that while its first call was open.
        assert!(stalled.is_stalling());
        assert!(stalled.try_next().is_none());
    });
}

#[test]
fn what_does_not_fit_before_a_slow_one_is_dropped_and_counted() {
    run(async {
        let mut scene = Scene::start();
        let sender = Satellite::registered(&scene, "").await;
        let mut stalled = Satellite::stalled(&scene).await;
        scene.send(&sender, Value::Integer(0)).await.unwrap();
        // From here on one is on the way, and none waits.
        stalled.next().await;
        for number in 1..=MAX_MESSAGES + 3 {
            let number = i32::try_from(number).unwrap();
            scene.send(&sender, Value::Integer(number)).await.unwrap();
        }
        scene
            .until_property(&stalled.id, "missed_count", &Value::Integer(3))
            .await;
        // The first is told, and in the end how many there were.
        let logged = scene.role.logged();
        let says =
            |(_, line): &&(_, String)| line.contains(&stalled.id) && line.contains("dropped");
        assert_eq!(logged.iter().filter(says).count(), 1, "{logged:?}");
        // The oldest are those that are missing.
        stalled.go_on();
        assert_eq!(stalled.next().await["data"], Value::Integer(4));
        let line = scene.until_logged("has caught up").await;
        assert!(
            line.contains(&stalled.id) && line.ends_with(": 3"),
            "{line}"
        );
    });
}

#[test]
fn what_waits_for_one_that_is_replaced_or_at_the_end_is_told() {
    run(async {
        let mut scene = Scene::start();
        let sender = Satellite::registered(&scene, "").await;
        let mut stalled = Satellite::stalled(&scene).await;
        let mut other = Satellite::registered(&scene, "").await;
        for is_first in [true, false] {
            for number in 0..3 {
                scene.send(&sender, Value::Integer(number)).await.unwrap();
            }
            // Once the other one has them all, two wait behind the one that stalls.
            for number in 0..3 {
                assert_eq!(other.next().await["data"], Value::Integer(number));
            }
            stalled.next().await;
            if is_first {
                scene.register(stalled.port).await.unwrap();
            }
        }
        let line = scene.until_logged("dropped messages that waited").await;
        assert!(
            line.contains(&stalled.id) && line.ends_with(": 2"),
            "{line}"
        );
        scene.role.stop().unwrap();
        let line = scene.until_logged("dropped at the end: 0 messages").await;
        assert!(line.contains("and 2 that waited"), "{line}");
    });
}

#[test]
fn a_full_limiter_is_a_fault() {
    run(async {
        let scene = Scene::start_with(|bench| {
            bench
                .option("limiterInterval", 3600)
                .option("limiterLength", 2)
        });
        let sender = Satellite::registered(&scene, "").await;
        let mut other = Satellite::registered(&scene, "").await;
        scene.send(&sender, Value::Integer(0)).await.unwrap();
        assert_eq!(other.next().await["data"], Value::Integer(0));
        for number in 1..=2 {
            scene.send(&sender, Value::Integer(number)).await.unwrap();
        }
        let fault = scene.send(&sender, Value::Integer(3)).await.unwrap_err();
        assert_eq!(fault.class(), REGISTRY_ERROR);
        assert!(other.try_next().is_none());
    });
}

#[test]
fn what_may_not_be_passed_on_is_a_fault_that_says_where() {
    run(async {
        let scene = Scene::start();
        let sender = Satellite::registered(&scene, "").await;
        for (data, says) in [
            (Value::Array(vec![Value::Nil]), "data[0]"),
            (members(&[("x", Value::Long(1 << 40))]), "data.x"),
        ] {
            let fault = scene.send(&sender, data).await.unwrap_err();
            assert!(
                fault.class() == VALUE_ERROR && fault.text.contains(says),
                "{fault}"
            );
        }
        // Quotes grow when they are written.
        let message = members(&[
            ("host_id", text(&sender.id)),
            ("data", text(&"'".repeat(600_000))),
        ]);
        let written = write_call("relay.relay", vec![message]).unwrap();
        let small = written.replace("&apos;", "'");
        assert!(small.len() < 700_000 && written.len() > 3_000_000);
        let fault = scene.call_written(small).await.unwrap_err();
        assert!(fault.text.contains("1 MiB"), "{fault}");
        let fault = scene
            .call("test", vec![Value::Integer(1)])
            .await
            .unwrap_err();
        assert_eq!(fault.class(), TYPE_ERROR);

        let scene = Scene::start_with(|bench| bench.option("nil", true).option("wide", "double"));
        let sender = Satellite::registered(&scene, "").await;
        let mut other = Satellite::registered(&scene, "").await;
        let data = Value::Array(vec![Value::Nil, Value::Long(1 << 40)]);
        scene.send(&sender, data).await.unwrap();
        let passed = Value::Array(vec![Value::Nil, Value::Double(1_099_511_627_776.0)]);
        assert_eq!(other.next().await["data"], passed);
    });
}

#[test]
fn satellites_can_be_reached_over_ipv6() {
    run(async {
        if std::net::TcpListener::bind("[::1]:0").is_err() {
            eprintln!("skipped: this machine has no ::1");
            return;
        }
        let scene = Scene::start_with(|bench| bench.option("bindAddress", "::1"));
        let sender = Satellite::registered_at(&scene, "::1", "").await;
        let mut other = Satellite::registered_at(&scene, "::1", "x").await;
        assert!(other.id.contains("@[::1]:"), "{}", other.id);
        scene.send(&sender, Value::Integer(6)).await.unwrap();
        assert_eq!(other.next().await["data"], Value::Integer(6));
    });
}

#[test]
fn messages_of_many_keep_the_order_of_each() {
    run(async {
        let scene = Scene::start();
        let mut satellites = Vec::new();
        for _ in 0..3 {
            satellites.push(Satellite::registered(&scene, "").await);
        }
        let mut listener = Satellite::registered(&scene, "").await;
        for number in 0..20 {
            for satellite in &satellites {
                scene.send(satellite, Value::Integer(number)).await.unwrap();
            }
        }
        let mut heard = std::collections::BTreeMap::<String, Vec<Value>>::new();
        for _ in 0..60 {
            let notify = listener.next().await;
            let Value::String(id) = &notify["host_id"] else {
                panic!("no id")
            };
            heard
                .entry(id.clone())
                .or_default()
                .push(notify["data"].clone());
        }
        let expected: Vec<Value> = (0..20).map(Value::Integer).collect();
        assert!(
            heard.len() == 3 && heard.values().all(|heard| *heard == expected),
            "{heard:?}"
        );
    });
}
