//! The role on the bench, with satellites and callers over the loopback.

mod scene;

use std::os::unix::fs::PermissionsExt;

use kozo_co2::document::write_call;
use kozo_co2::fault::{KEY_ERROR, REGISTRY_ERROR, TYPE_ERROR, VALUE_ERROR};
use kozo_co2::{Struct, Value};

use scene::{Satellite, Scene, members, run, text};

#[test]
fn a_satellite_gets_an_id_until_there_are_too_many() {
    run(async {
        let scene = Scene::start_with(|bench| bench.option("maxSatellites", 2));
        let first = scene.register(2104).await.unwrap();
        let (number, rest) = first.split_once('@').unwrap();
        assert!(number.len() == 9 && number.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(rest, "127.0.0.1:2104");
        scene.register(2105).await.unwrap();
        let fault = scene.register(2106).await.unwrap_err();
        assert_eq!(fault.class(), REGISTRY_ERROR);
        assert_eq!(
            scene.ask("relay.get_max_satellites").await,
            Value::Integer(2)
        );
        for name in ["relay.", "co2.", "web."] {
            let count = scene.ask(&format!("{name}get_num_satellites")).await;
            assert_eq!(count, Value::Integer(2));
            let Value::Array(ids) = scene.ask(&format!("{name}get_satellites")).await else {
                panic!("no array");
            };
            assert!(ids.contains(&text(&first)) && ids.len() == 2);
        }
    });
}

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
fn nobody_sends_in_the_name_of_another() {
    run(async {
        let scene = Scene::start();
        let satellite = Satellite::registered(&scene, "").await;
        let message = |id: &str| {
            vec![members(&[
                ("host_id", text(id)),
                ("data", Value::Integer(1)),
            ])]
        };
        let fault = scene
            .call("relay.relay", message("1@127.0.0.1:1"))
            .await
            .unwrap_err();
        assert!(
            fault.text.starts_with("registry.Co2RegistryError:")
                && fault.text.contains("not registered")
        );
        let from_elsewhere = scene
            .call_from("127.0.0.2", "relay.relay", message(&satellite.id))
            .await;
        assert_eq!(from_elsewhere.unwrap_err().class(), REGISTRY_ERROR);
        let mut forged = message(&satellite.id);
        if let Value::Struct(members) = &mut forged[0] {
            members.insert(
                "client_address".to_owned(),
                Value::Array(vec![text("127.0.0.1"), Value::Integer(1)]),
            );
        }
        let from_elsewhere = scene.call_from("127.0.0.2", "relay.relay", forged).await;
        assert_eq!(from_elsewhere.unwrap_err().class(), REGISTRY_ERROR);
        for incomplete in [
            vec![],
            vec![members(&[("data", Value::Integer(1))])],
            vec![members(&[("host_id", text(&satellite.id))])],
        ] {
            let fault = scene.call("relay.relay", incomplete).await.unwrap_err();
            assert_eq!(fault.class(), REGISTRY_ERROR);
        }
        // Another port of the same machine may.
        assert_eq!(
            scene.call("relay.relay", message(&satellite.id)).await,
            Ok(text("OK"))
        );
    });
}

#[test]
fn only_its_own_machine_deregisters_a_satellite() {
    run(async {
        let scene = Scene::start();
        let id = scene.register(2104).await.unwrap();
        let about = || vec![members(&[("host_id", text(&id))])];
        let fault = scene
            .call_from("127.0.0.2", "relay.deregister", about())
            .await;
        assert_eq!(fault.unwrap_err().class(), REGISTRY_ERROR);
        assert_eq!(
            scene.call("relay.deregister", about()).await,
            Ok(text("OK"))
        );
        let fault = scene.call("relay.deregister", about()).await.unwrap_err();
        assert_eq!(fault.class(), KEY_ERROR);
        let fault = scene
            .call("relay.get_satellite_props", about())
            .await
            .unwrap_err();
        assert_eq!(fault.class(), KEY_ERROR);
    });
}

#[test]
fn every_name_of_a_question_has_the_same_answer() {
    run(async {
        let scene = Scene::start();
        let id = scene.register(2104).await.unwrap();
        let about = || vec![members(&[("host_id", text(&id))])];
        for (names, arguments) in [
            (
                "relay.get_satellite_props co2.get_satellite_props web.get_satellite_props co2.get_satellite",
                about(),
            ),
            (
                "relay.get_satellite_ctime co2.get_satellite_ctime web.get_satellite_ctime",
                about(),
            ),
            (
                "relay.get_satellite_props_raw co2.get_satellite_props_raw web.get_satellite_props_raw",
                about(),
            ),
            (
                "co2.get_method_names co2.co2_get_method_names sys.listMethods system.listMethods web.get_method_names",
                vec![],
            ),
        ] {
            let mut names = names.split(' ');
            let first = scene
                .call(names.next().unwrap(), arguments.clone())
                .await
                .unwrap();
            for name in names {
                assert_eq!(
                    scene.call(name, arguments.clone()).await.as_ref(),
                    Ok(&first),
                    "{name}"
                );
            }
        }
        let Value::Array(methods) = scene.ask("system.listMethods").await else {
            panic!("no array")
        };
        for method in methods {
            let Value::String(name) = &method else {
                panic!("no text")
            };
            for about in ["system.methodHelp", "system.methodSignature"] {
                assert!(
                    scene.call(about, vec![method.clone()]).await.is_ok(),
                    "{name}"
                );
            }
        }
        let ctime = scene
            .call("relay.get_satellite_ctime", about())
            .await
            .unwrap();
        assert!(matches!(ctime, Value::Double(seconds) if seconds > 1e9));
        for name in ["sys", "system", "web"] {
            let properties = scene.ask(&format!("{name}.get_properties")).await;
            assert!(matches!(properties, Value::Struct(members) if members.len() == 14));
        }
        let fault = scene.call("no.such", vec![]).await.unwrap_err();
        assert_eq!(
            fault.text,
            "exceptions.Exception:method \"no.such\" is not supported"
        );
    });
}

#[test]
fn pings_are_measured_and_told() {
    run(async {
        let mut scene = Scene::start_with(|bench| bench.option("pingInterval", 0.3));
        let satellite = Satellite::registered(&scene, "").await;
        let before = scene.properties(&satellite.id).await;
        if before["ping_count"] == Value::Integer(0) {
            assert_eq!(before["ping_current"], Value::Double(-1.0));
        }
        let id = satellite.id.clone();
        scene
            .until(
                &id,
                |now| matches!(now["ping_current"], Value::Double(time) if time >= 0.0),
            )
            .await;
        let after = scene.properties(&id).await;
        assert!(
            matches!(after["ping_count"], Value::Integer(1..)),
            "{after:?}"
        );
        assert_eq!(after["ping_fails"], Value::Integer(0));
        // Once it is gone, pings fail.
        satellite.leave().await;
        scene
            .until(&id, |now| now["ping_fails"] == Value::Integer(1))
            .await;
        assert_eq!(scene.states(2), ["registered", "failing"]);
    });
}

#[test]
fn one_that_answers_no_pings_is_dropped_and_told_about() {
    run(async {
        let mut scene =
            Scene::start_with(|bench| bench.option("pingInterval", 0.05).option("dropAfter", 2));
        let id = scene
            .register(kozo_abi::bench::reserve_port().unwrap())
            .await
            .unwrap();
        assert_eq!(scene.states(3), ["registered", "failing", "lost"]);
        assert_eq!(
            scene.ask("relay.get_num_satellites").await,
            Value::Integer(0)
        );
        let message = vec![members(&[
            ("host_id", text(&id)),
            ("data", Value::Integer(1)),
        ])];
        let fault = scene.call("relay.relay", message).await.unwrap_err();
        assert!(fault.text.contains("not registered"), "{fault}");
    });
}

#[test]
fn who_registers_twice_gets_each_message_once() {
    run(async {
        let mut scene = Scene::start();
        let sender = Satellite::registered(&scene, "").await;
        let mut satellite = Satellite::registered(&scene, "").await;
        let again = scene.register(satellite.port).await.unwrap();
        assert_ne!(again, satellite.id);
        assert_eq!(
            scene.ask("relay.get_num_satellites").await,
            Value::Integer(2)
        );
        for number in 0..2 {
            scene.send(&sender, Value::Integer(number)).await.unwrap();
        }
        for number in 0..2 {
            assert_eq!(satellite.next().await["data"], Value::Integer(number));
        }
        assert_eq!(
            scene.states(4),
            ["registered", "registered", "replaced", "registered"]
        );
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
        for number in 1..=67 {
            scene.send(&sender, Value::Integer(number)).await.unwrap();
        }
        scene
            .until_property(&stalled.id, "missed_count", &Value::Integer(3))
            .await;
        let logged = scene.role.logged();
        let says =
            |(_, line): &&(_, String)| line.contains(&stalled.id) && line.contains("dropped");
        assert_eq!(logged.iter().filter(says).count(), 3, "{logged:?}");
        // The oldest are those that are missing.
        stalled.go_on();
        assert_eq!(stalled.next().await["data"], Value::Integer(4));
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
fn satellites_of_the_dump_go_on_with_a_relay_that_was_started_again() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let dump = folder.path().join("relay.xml");
        let mut scene = Scene::start_with(|bench| bench.option("dump", dump.to_str().unwrap()));
        let sender = Satellite::registered(&scene, "").await;
        let mut other = Satellite::registered(&scene, "secret").await;
        let mode = std::fs::metadata(&dump).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        scene.send(&sender, Value::Integer(1)).await.unwrap();
        other.next().await;
        scene.role.stop().unwrap();
        let port = scene.port;
        drop(scene);

        let mut scene = Scene::start_at(port, |bench| bench.option("dump", dump.to_str().unwrap()));
        scene.send(&sender, Value::Integer(2)).await.unwrap();
        let notify = other.next().await;
        assert_eq!(notify["data"], Value::Integer(2));
        assert_eq!(notify["notify_pass"], text("secret"));
        assert_eq!(scene.states(2), ["restored", "restored"]);
        let properties = scene.properties(&sender.id).await;
        assert_eq!(properties["send_count"], Value::Integer(2));
    });
}

#[test]
fn a_dump_that_is_damaged_or_open_is_put_aside_and_the_relay_goes_on() {
    run(async {
        for (text, mode, says) in [("<params>", 0o600, "damaged"), ("<params/>", 0o644, "644")] {
            let folder = tempfile::tempdir().unwrap();
            let dump = folder.path().join("relay.xml");
            std::fs::write(&dump, text).unwrap();
            std::fs::set_permissions(&dump, std::fs::Permissions::from_mode(mode)).unwrap();
            let mut scene = Scene::start_with(|bench| bench.option("dump", dump.to_str().unwrap()));
            scene.register(2104).await.unwrap();
            let logged = scene.role.logged();
            assert!(
                logged
                    .iter()
                    .any(|(_, line)| line.contains(says) && line.contains("relay.xml.refused")),
                "{logged:?}"
            );
            assert_eq!(
                std::fs::read_to_string(folder.path().join("relay.xml.refused")).unwrap(),
                text
            );
            assert!(std::fs::read_to_string(&dump).unwrap().contains("2104"));
        }
        // Nor does it stand still where it cannot write.
        let mut scene = Scene::start_with(|bench| bench.option("dump", "/proc/no/relay.xml"));
        scene.register(2104).await.unwrap();
        let logged = scene.role.logged();
        assert!(
            logged
                .iter()
                .any(|(_, line)| line.contains("cannot write the dump")),
            "{logged:?}"
        );
    });
}

#[test]
fn a_port_that_is_taken_is_said_clearly() {
    run(async {
        let scene = Scene::start();
        let error = scene::bench(scene.port).start().err().unwrap().to_string();
        assert!(
            error.contains("already does") && error.contains(&scene.port.to_string()),
            "{error}"
        );
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
fn pages_show_what_satellites_call_themselves_as_text() {
    run(async {
        let scene = Scene::start();
        let registration = members(&[
            ("port", Value::Integer(2104)),
            ("nick", text("<script>x</script>")),
        ]);
        scene
            .call("relay.register", vec![registration])
            .await
            .unwrap();
        let page = scene.page("/satellites").await;
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script"),
            "{page}"
        );
        assert!(
            scene
                .page("/methods")
                .await
                .contains("co2.co2_get_method_names")
        );
        assert!(scene.page("/").await.contains("operating_system"));
        assert!(scene.page("/none").await.contains(" 404 "));
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
