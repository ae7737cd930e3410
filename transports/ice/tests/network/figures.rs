//! How fast it is, beside TCP. Only where `KOZO_FIGURES` is set, for it takes an optimised program (`KOZO_TEST_PROGRAM`)
//! and a machine with nothing else to do.

use std::fs;
use std::process::Command;

use kozo_testnet::{Host, Nat, XmppOptions};

use crate::daemon::program;
use crate::scene::Scene;

#[test]
fn figures() {
    if std::env::var_os("KOZO_FIGURES").is_none() {
        return;
    }
    let Some(mut scene) = Scene::start(Nat::None, XmppOptions::default()) else {
        return;
    };
    scene.options = "stun: []".to_owned();
    for transport in ["ice", "tcp"] {
        if transport == "tcp" {
            scene.others = "      tcp: {address: ADDRESS, port: {port}}\n".to_owned();
            scene.configure();
            let file = fs::read_to_string(scene.path("kozo.yml")).expect("it is there");
            // The first node dials the second one, which has a public address.
            let file =
                file.replacen("ADDRESS", "10.1.0.2", 1)
                    .replacen("ADDRESS", "203.0.113.1", 1);
            scene.write("kozo.yml", &file);
        } else {
            scene.configure();
        }
        let barn = scene.daemon(Host::Public, "barn");
        let cabin = scene.daemon(Host::A, "cabin");
        cabin.wait_for_link("barn", transport);
        for number in 0..2 {
            let output = Command::new(program())
                .args(["bench", "--control"])
                .args([scene.path("cabin.sock").as_os_str(), "barn".as_ref()])
                .output()
                .expect("the program can be run");
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            println!("{transport} {number}: {text}{errors}");
        }
        for daemon in [&cabin, &barn] {
            let status = fs::read_to_string(format!("/proc/{}/status", daemon.process.id()));
            let status = status.expect("it runs");
            let memory = status
                .lines()
                .find(|line| line.starts_with("VmRSS"))
                .unwrap_or_default();
            println!("{transport}, {}: {memory}", daemon.node);
        }
        let log = cabin.process.output();
        let of_link = |line: &&str| {
            line.contains("connected with")
                || line.contains("a way to")
                || line.contains("link: up")
        };
        log.lines()
            .filter(of_link)
            .for_each(|line| println!("{line}"));
    }
}
