//! The role with a real Mosquitto.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::real::{Authority, Mosquitto, Running, Watcher, is_there, role};

/// Files for TLS: an authority, the broker's certificate, one for the role.
fn certificates(folder: &Path) {
    let authority = Authority::new();
    authority.write(&folder.join("ca.crt"));
    authority.sign(folder, "broker", "127.0.0.1", false);
    authority.sign(folder, "role", "role", false);
}

#[test]
fn it_works_with_both_versions_of_mqtt_and_takes_leave() {
    if !is_there() {
        return;
    }
    for protocol in ["5", "3.1.1"] {
        let broker = Mosquitto::new("allow_anonymous true");
        let watcher = broker.watch();
        let url = format!("mqtt://127.0.0.1:{}", broker.port);
        let mut running = Running::start(role(&[&url]).option("protocol", protocol));
        running.works(&watcher);
        running.until_it_says(&format!("as `kozo-hub-mqtt`, MQTT {protocol}, since 20"));
        running.0.stop().unwrap();
        let status = "kozo/bridge/hub/status";
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while watcher.last(status).as_deref() != Some("offline") {
            assert!(std::time::Instant::now() < until, "it took no leave");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        // With 3.1.1 it hears what it says itself: that is no reason to hide anything.
        assert!(
            !running.0.status().contains("hidden"),
            "{}",
            running.0.status()
        );
    }
}

#[test]
fn it_works_through_websockets_and_tls_and_with_a_certificate_of_its_own() {
    if !is_there() {
        return;
    }
    let tls = "allow_anonymous true\ncafile FOLDER/ca.crt\ncertfile FOLDER/broker.crt\nkeyfile FOLDER/broker.key\n";
    let own = "require_certificate true\nuse_identity_as_username false\n";
    for (scheme, lines) in [
        ("ws", "allow_anonymous true\nprotocol websockets".to_owned()),
        ("mqtts", tls.to_owned()),
        ("wss", format!("{tls}protocol websockets")),
        ("mqtts", format!("{tls}{own}")),
    ] {
        for protocol in ["5", "3.1.1"] {
            let broker = Mosquitto::with(&lines, certificates);
            let watcher = broker.watch();
            let url = format!("{scheme}://127.0.0.1:{}", broker.port);
            let mut bench = role(&[&url]).option("protocol", protocol);
            if scheme.ends_with('s') && scheme != "ws" {
                bench = bench.option("caFile", broker.file("ca.crt"));
            }
            if lines.contains("require_certificate") {
                bench = bench
                    .option("certificateFile", broker.file("role.crt"))
                    .option("keyFile", broker.file("role.key"));
            }
            Running::start(bench).works(&watcher);
        }
    }
}

#[test]
fn what_is_wrong_is_said_in_words() {
    if !is_there() {
        return;
    }
    let tls = "allow_anonymous true\ncafile FOLDER/ca.crt\ncertfile FOLDER/broker.crt\nkeyfile FOLDER/broker.key\n";
    let other = |folder: &Path| {
        certificates(folder);
        Authority::new().write(&folder.join("other.crt"));
        let authority = Authority::new();
        authority.write(&folder.join("ca.crt"));
        authority.sign(folder, "broker", "127.0.0.1", true);
    };
    let named = |folder: &Path| {
        let authority = Authority::new();
        authority.write(&folder.join("ca.crt"));
        authority.sign(folder, "broker", "broker.example", false);
    };
    let good = Mosquitto::with(tls, certificates);
    let asking = Mosquitto::with(&format!("{tls}require_certificate true\n"), certificates);
    let expired = Mosquitto::with(tls, other);
    let misnamed = Mosquitto::with(tls, named);
    let says = |broker: &Mosquitto, ca: Option<String>, words: &str| {
        let url = format!("mqtts://127.0.0.1:{}", broker.port);
        let mut bench = role(&[&url]);
        if let Some(ca) = ca {
            bench = bench.option("caFile", ca);
        }
        Running::start(bench).until_it_says(words);
    };
    says(
        &good,
        Some(expired.file("other.crt")),
        "an authority that is not known here",
    );
    says(&good, Some(good.file("none.crt")), "cannot be read");
    says(
        &good,
        Some(good.file("broker.key")),
        "there is no certificate in it",
    );
    says(
        &asking,
        Some(asking.file("ca.crt")),
        "does not take this end's certificate",
    );
    says(&expired, Some(expired.file("ca.crt")), "has expired");
    says(
        &misnamed,
        Some(misnamed.file("ca.crt")),
        "is for another name",
    );
    // TLS where there is none, and none where there is.
    let url = format!("mqtts://127.0.0.1:{}", good.watched);
    Running::start(role(&[&url]).option("caFile", good.file("ca.crt")))
        .until_it_says("not connected: mqtts");
    let url = format!("mqtt://127.0.0.1:{}", good.port);
    Running::start(role(&[&url])).until_it_says("not connected: mqtt");
}

#[test]
fn a_password_is_needed_and_a_wrong_one_is_said() {
    if !is_there() {
        return;
    }
    let users = |folder: &Path| {
        fs::write(folder.join("right"), "se cret\n").unwrap();
        fs::write(folder.join("wrong"), "secret\n").unwrap();
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(folder.join("users"))
            .args(["role", "se cret"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    let broker = Mosquitto::with("allow_anonymous false\npassword_file FOLDER/users", users);
    let watcher = broker.watch();
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    for protocol in ["5", "3.1.1"] {
        let bench = || role(&[&url]).option("protocol", protocol);
        let mut refused = Running::start(
            bench()
                .option("user", "role")
                .option("passwordFile", broker.file("wrong")),
        );
        refused.until("it says why", |bench| {
            let status = bench.status();
            status.contains("the user and the password") || status.contains("this user")
        });
        drop(refused);
        Running::start(bench()).until_it_says("`user`");
        let right = bench()
            .option("user", "role")
            .option("passwordFile", broker.file("right"));
        Running::start(right).works(&watcher);
    }
}

#[test]
fn a_broker_that_lets_it_write_only_some_topics_is_said() {
    if !is_there() {
        return;
    }
    let rules = |folder: &Path| {
        fs::write(folder.join("rules"), "topic read #\ntopic write kozo/#\n").unwrap();
    };
    let broker = Mosquitto::with("allow_anonymous true\nacl_file FOLDER/rules", rules);
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let mut running = Running::start(role(&[&url]));
    running.until_it_says("publications refused by the broker");
    let log = running.0.logged();
    let told = log
        .iter()
        .filter(|(_, line)| line.contains("NotAuthorized") && line.contains("`discoveryPrefix`"));
    assert_eq!(told.count(), 1, "{log:?}");
}

#[test]
fn a_broker_that_was_killed_has_everything_again_and_the_next_one_is_tried() {
    if !is_there() {
        return;
    }
    let mut broker = Mosquitto::new("allow_anonymous true");
    let watcher = broker.watch();
    let nobody = kozo_abi::bench::reserve_port().unwrap();
    let nobody = format!("mqtt://127.0.0.1:{nobody}");
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let mut running = Running::start(role(&[&nobody, &url]));
    running.works(&watcher);
    drop(watcher);
    broker.kill();
    running.until_it_says("nothing listens there");
    // Of what happens meanwhile the newest state counts, and some of the events.
    for number in 0..500 {
        running.event("lamp state", &(number % 2 == 0));
        running.event("rang", &number);
        running.0.run().unwrap();
    }
    broker.start();
    let watcher = broker.watch();
    running.until("it is there again", |_| {
        watcher.last("kozo/bridge/hub/status").as_deref() == Some("online")
    });
    running.works(&watcher);
    assert!(watcher.count("kozo/node/hub/lamp/bell/event") <= 64);
    running.until_it_says("events dropped");
}

#[test]
fn another_client_with_the_same_identifier_is_said() {
    if !is_there() {
        return;
    }
    let broker = Mosquitto::new("allow_anonymous true");
    let watcher = broker.watch();
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let mut running = Running::start(role(&[&url]));
    running.works(&watcher);
    // It comes back again and again, as the role does.
    let (mut twin, mut turns) = (None, 0);
    running.until("it is said", |bench| {
        turns += 1;
        if turns % 100 == 0 {
            twin.replace(Watcher::new(broker.port, "kozo-hub-mqtt"));
        }
        let log = bench.logged();
        log.iter().any(|(_, line)| line.contains("another client"))
    });
}

#[test]
fn a_shared_subscription_is_refused_with_what_to_write() {
    let follow = serde_json::json!([{"topic": "$share/house/doors/#", "event": "door"}]);
    let started = role(&["mqtt://127.0.0.1"]).option("follow", follow).start();
    let error = started.err().map(|error| error.to_string());
    let error = error.unwrap_or_default();
    assert!(
        error.contains("a shared subscription") && error.contains("give the topics alone"),
        "{error}"
    );
}
