//! Pings, the dump, and the port: what happens while the relay lives, and from one life to the next.

use std::os::unix::fs::PermissionsExt;

use kozo_co2::Value;

use super::scene::{Satellite, Scene, bench, members, run, text};

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
    });
}

#[test]
fn a_dump_that_cannot_be_written_is_told_at_the_start_and_the_relay_goes_on() {
    run(async {
        let mut scene = Scene::start_with(|bench| bench.option("dump", "/proc/no/relay.xml"));
        scene.until_logged("cannot write the dump").await;
        scene.register(2104).await.unwrap();
    });
}

#[test]
fn what_is_no_file_is_neither_moved_nor_replaced_by_a_dump() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("co2");
        std::fs::create_dir(&home).unwrap();
        let port = kozo_abi::bench::reserve_port().unwrap();
        let started = bench(port).option("dump", home.to_str().unwrap()).start();
        let error = started.err().unwrap().to_string();
        assert!(
            error.starts_with("`dump`: ") && error.contains("no file"),
            "{error}"
        );
        assert!(home.is_dir());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    });
}

#[test]
fn a_port_that_is_taken_is_said_clearly() {
    run(async {
        let scene = Scene::start();
        let error = bench(scene.port).start().err().unwrap().to_string();
        assert!(
            error.contains("already does") && error.contains(&scene.port.to_string()),
            "{error}"
        );
    });
}
