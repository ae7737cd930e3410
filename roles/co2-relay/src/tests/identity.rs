//! Who may do what in whose name, and what is asked about satellites.

use kozo_co2::Value;
use kozo_co2::fault::{KEY_ERROR, REGISTRY_ERROR};

use super::scene::{Satellite, Scene, members, run, text};

/// How many seconds a browser has for a page.
const BROWSER_SECONDS: &str = "100";

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
            // One class is enough.
            assert!(!fault.reason().contains("KeyError"), "{fault}");
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

/// The documents of pages, as a browser makes them of what it is sent.
fn in_a_browser(url: &str) -> Option<String> {
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let profile = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("timeout")
        .args(["-s", "KILL", BROWSER_SECONDS, &browser])
        // Whoever runs tests as root has no sandbox; the page is that of the test.
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--dump-dom", url])
        .output()
        .unwrap();
    if output.status.code() == Some(127) {
        eprintln!("skipped: there is no `{browser}`");
        return None;
    }
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_satellites_call_themselves_does_nothing_in_a_browser() {
    run(async {
        let scene = Scene::start();
        let script = "document.title = 'taken'";
        let nick =
            format!("</td><script>{script}</script><img src=x onerror=\"{script}\"><b>bold</b>");
        let registration = members(&[("port", Value::Integer(2104)), ("nick", text(&nick))]);
        scene
            .call("relay.register", vec![registration])
            .await
            .unwrap();
        let url = format!("http://127.0.0.1:{}/satellites", scene.port);
        let Some(document) = in_a_browser(&url) else {
            return;
        };
        assert!(document.contains("&lt;b&gt;bold&lt;/b&gt;"), "{document}");
        for part in ["<title>taken", "<b>", "<img", "<script"] {
            assert!(!document.contains(part), "{part} in\n{document}");
        }
    });
}
