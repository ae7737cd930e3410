//! What `kozo check` says of a file is what `kozo run` makes of it.

use std::process::Command;

use super::control::status;
use super::process::Process;
use super::scene::Scene;

/// What the command prints, and its exit code.
fn check(scene: &Scene, node: Option<&str>) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .env_remove("KOZOROLEPATH")
        .env_remove("KOZOTRANSPORTPATH")
        .arg("check")
        .arg(scene.write())
        .args(node)
        .output()
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

fn started(process: &mut Process) {
    process.wait_for_text("kozo", "started");
}

#[test]
fn an_address_that_cannot_be_costs_the_way_to_its_node_and_no_other_node_its_start() {
    let mut scene = Scene::new(&["hall", "attic", "guest"]);
    scene.tcp("attic", "address: 'tcp://192.0.2.5:6020'");
    for node in [None, Some("hall"), Some("attic")] {
        let (report, code) = check(&scene, node);
        assert_eq!(code, Some(3), "{report}");
        let expected =
            "system.attic.transports.tcp.address: `tcp://192.0.2.5:6020` begins with `tcp://`";
        assert!(report.contains(expected), "{report}");
        assert!(report.ends_with("1 error, 0 warnings\n"), "{report}");
    }
    let mut hall = scene.start("hall");
    let warned = hall.wait_for_text("start", "begins with `tcp://`");
    assert_eq!(warned["level"], "WARN");
    started(&mut hall);
    let mut guest = scene.start("guest");
    hall.wait_for_link("guest");
    guest.wait_for_link("hall");
    let status = status(&scene, "hall").unwrap();
    let peers = status["peers"].as_array().unwrap();
    let attic = peers.iter().find(|peer| peer["peer"] == "attic").unwrap();
    let reason = attic["unusable"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("`address`: `tcp://192.0.2.5:6020` begins"),
        "{reason}"
    );
    // The node itself does not start: nobody could reach it.
    assert_eq!(scene.start("attic").end().code(), Some(3));
}

#[test]
fn addresses_that_cannot_be_are_refused_by_check_and_run() {
    for address in [
        "192.0.2.300",
        "192.0.2",
        "“192.0.2.1”",
        "<ADDRESS>",
        "${ADDRESS}",
        "192.0.2.*",
        "a..b",
        "0.0.0.0",
        "127.0.0.010",
        "fe80::1",
    ] {
        let mut scene = Scene::new(&["hall"]);
        scene.tcp("hall", &format!("address: ['{address}']"));
        let (report, code) = check(&scene, None);
        assert_eq!(code, Some(3), "{report}");
        assert!(
            report.contains(&format!("system.hall.transports.tcp.address: `{address}` ")),
            "{report}"
        );
        assert_eq!(scene.start("hall").end().code(), Some(3), "{address}");
    }
}
