//! What `kozo check` says of a file is what `kozo run` makes of it.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::control::status;
use super::doctor::{assert_found, doctor};
use super::hub::Hub;
use super::process::Process;
use super::scene::Scene;

/// What the command prints, and its exit code.
pub(super) fn check(scene: &Scene, node: Option<&str>) -> (String, Option<i32>) {
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

#[test]
fn what_two_have_that_only_one_can_is_told_by_check_and_run() {
    let mut scene = Scene::new(&["hall", "attic"]);
    scene
        .role("hall", "motion", "{type: motion-detect, pin: 4}")
        .role("hall", "lamp", "{type: gpio-output, pin: 4}");
    let port = scene.port("hall");
    let inject = format!("{{type: message_injector, bindAddress: localhost, bindPort: {port}}}");
    scene.role("hall", "inject", &inject);
    scene.tcp("attic", &format!("address: '127.0.0.1:{port}'"));
    let file = scene.write().display().to_string();
    let text = scene.text();
    let line = |of: &str| 1 + text.lines().position(|line| line.contains(of)).unwrap();
    let (motion, lamp, inject) = (line("motion:"), line("lamp:"), line("inject:"));
    let tcp: Vec<_> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("tcp:"))
        .collect();
    let [hall, attic] = [tcp[0].0 + 1, tcp[1].0 + 1];
    let told = [
        (
            format!("warning: {file}:{lamp}:38: system.hall.roles.lamp.pin: "),
            format!(
                "GPIO line 4 is used twice on this node: by `system.hall.roles.motion` on line {motion}, and here"
            ),
        ),
        (
            format!("warning: {file}:{hall}:"),
            format!(
                "TCP port {port} is listened on twice on this node: by `system.hall.roles.inject` on line {inject}, and here"
            ),
        ),
        (
            format!("warning: {file}:{attic}:22: system.attic.transports.tcp.address: "),
            format!(
                "`127.0.0.1:{port}` is given for two nodes: by `system.hall.transports.tcp` on line {hall}, and here"
            ),
        ),
    ];
    for node in [None, Some("hall"), Some("attic")] {
        let (report, code) = check(&scene, node);
        assert_eq!(code, Some(0), "{report}");
        for (beginning, message) in &told {
            let fits = |line: &str| line.starts_with(beginning) && line.ends_with(message);
            assert!(report.lines().any(fits), "{beginning}{message}\n{report}");
        }
        assert!(report.ends_with("0 errors, 3 warnings\n"), "{report}");
    }
    let mut hall = scene.start("hall");
    for (_, message) in &told {
        let line = hall.wait_for_text("start", message);
        assert_eq!(line["level"], "WARN");
    }
}

#[test]
fn an_interface_that_is_not_there_is_named_on_the_nodes_own_machine() {
    let mut scene = Scene::new(&["hall", "attic"]);
    scene
        .tcp("hall", "address: '127.0.0.1', bindAddress: 'fe80::1%wlan9'")
        .tcp(
            "attic",
            "address: ['127.0.0.1', 'fe80::2%wlan8', 'fe80::2%lo']",
        );
    let (report, code) = check(&scene, Some("hall"));
    assert_eq!(code, Some(0), "{report}");
    for expected in [
        "system.hall.transports.tcp.bindAddress: this machine has no interface `wlan9`\n    help: there are ",
        "system.attic.transports.tcp.address: this machine has no interface `wlan8`\n    help: there are ",
        "`lo`",
        "0 errors, 2 warnings\n",
    ] {
        assert!(report.contains(expected), "{expected}\n{report}");
    }
    // Where `attic` listens is seen there; how it is reached by others, from nowhere for sure.
    let (report, _) = check(&scene, Some("attic"));
    assert!(!report.contains("`wlan9`"), "{report}");
    assert!(report.contains("`wlan8`\n    help: there are "), "{report}");
    assert!(report.contains("right if it is one of theirs"), "{report}");
    let (report, _) = check(&scene, None);
    assert_eq!(report, "0 errors, 0 warnings\n");
    let mut hall = scene.start("hall");
    let line = hall.wait_for_text("start", "this machine has no interface `wlan9`");
    assert_eq!(line["level"], "WARN");
}

#[test]
fn paths_that_lead_somewhere_from_the_working_folder_only_are_told_with_the_right_ones() {
    let mut scene = Scene::new(&["hall"]);
    let working = tempfile::TempDir::new().unwrap();
    let place = working.path().canonicalize().unwrap();
    for folder in ["keys", "logs", "roles"] {
        std::fs::create_dir(place.join(folder)).unwrap();
    }
    std::fs::rename(scene.key_path("hall"), place.join("keys/hall")).unwrap();
    scene
        .option("rolePath", "roles")
        .role("hall", "log", "{type: logger, file: logs/kozo.log}");
    let file = scene.write();
    let key = scene.key_path("hall").display().to_string();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(&key, "keys/hall")).unwrap();
    let check = |folder: &std::path::Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
            .env_remove("KOZOROLEPATH")
            .env_remove("KOZOTRANSPORTPATH")
            .current_dir(folder)
            .args([OsStr::new("check"), file.as_os_str(), OsStr::new("hall")])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let report = check(&place);
    for (path, severity) in [
        ("keys/hall", "error"),
        ("logs/kozo.log", "warning"),
        ("roles", "warning"),
    ] {
        let absent = file.with_file_name(path).display().to_string();
        let help = format!(
            "    help: a relative path starts at the folder of this file: write `{}`",
            place.join(path).display()
        );
        let mut lines = report.lines().skip_while(|line| !line.contains(&absent));
        assert!(
            lines.next().unwrap_or_default().starts_with(severity),
            "{report}"
        );
        assert_eq!(lines.next(), Some(help.as_str()), "{report}");
    }
    // From anywhere else, there is nothing to be told about.
    let elsewhere = check(scene.folder());
    assert!(!elsewhere.contains("a relative path"), "{elsewhere}");
    let file = file.to_str().unwrap();
    let control = scene.control("hall");
    let words = ["run", file, "hall", "--control", control.to_str().unwrap()];
    let mut hall = Process::start_through("env", &["-C", place.to_str().unwrap()], &words);
    let line = hall.wait_for_text("start", "but `keys/hall` is in the working folder");
    assert_eq!(line["level"], "WARN");
    assert_ne!(hall.end().code(), Some(0));
}

#[test]
fn the_secret_of_a_bus_is_judged_by_check_and_doctor_as_it_is_by_run() {
    let hub = Hub::start();
    let mut scene = hub.scene(&["clock"]);
    let secret = scene.folder().join("subjects");
    let socket = hub.socket().display();
    let block = format!("{{fleet: {{type: hub, socket: {socket}, subjectSecretFile: subjects}}}}");
    scene.option("buses", &block);
    let judged = |what: &str| {
        let (report, code) = check(&scene, Some("clock"));
        assert_eq!(code, Some(3), "{report}");
        assert!(
            report.contains("system.clock.transports.fleet: `subjectSecretFile`: `"),
            "{report}"
        );
        assert!(report.contains(what), "{report}");
        assert!(report.ends_with("1 error, 0 warnings\n"), "{report}");
        let (report, code) = check(&scene, None);
        assert_eq!(code, Some(0), "another machine may have it: {report}");
        let mut daemon = scene.start("clock");
        daemon.wait_for_text("start", what);
        assert_eq!(daemon.end().code(), Some(3));
        let report = doctor(&scene, "clock");
        let looked_at = format!("{} (system.clock.transports.fleet)", secret.display());
        assert_found(&report, "keys", "fault", &looked_at, what);
    };
    judged("it does not exist");
    std::fs::write(&secret, "short\n").unwrap();
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    judged("16 bytes");
    std::fs::write(&secret, "a secret that is long enough\n").unwrap();
    std::fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    judged("(mode 0644)");
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let (report, code) = check(&scene, Some("clock"));
    assert_eq!(code, Some(0), "{report}");
    let report = doctor(&scene, "clock");
    assert_found(&report, "keys", "fine", "subjects", "it can be read");
}
