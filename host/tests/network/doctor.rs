//! `kozo doctor` on real networks: what is wrong is found, and named where it is.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::hub::Hub;
use super::process::skipped;
use super::scene::Scene;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kozo"));
    for variable in ["KOZOROLEPATH", "KOZOTRANSPORTPATH", "KOZOIMPORTPATH"] {
        command.env_remove(variable);
    }
    command.arg("doctor").stdin(Stdio::null());
    command
}

/// What the command finds about a node, with the daemon asked where the scene's daemons put their sockets.
pub(super) fn doctor(scene: &Scene, node: &str) -> Value {
    let mut command = command();
    command.arg(scene.folder().join("kozo.yml")).arg(node);
    command.arg("--control").arg(scene.control(node));
    found(&command.arg("--json").output().unwrap())
}

/// The report, whose severity the exit code tells, too.
fn found(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let code = match report["severity"].as_str().unwrap() {
        "fault" => 2,
        "warning" => 1,
        _ => 0,
    };
    assert_eq!(output.status.code(), Some(code), "{report}");
    report
}

/// What was found about a subject: severity, what was looked at, and all words.
fn of(report: &Value, subject: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = report["nodes"].as_array().unwrap().iter();
    let sections = nodes.flat_map(|node| node["sections"].as_array().unwrap());
    let findings = sections
        .filter(|section| section["subject"] == subject)
        .flat_map(|section| section["findings"].as_array().unwrap());
    findings
        .map(|finding| {
            let parts = ["found", "matters", "advice"].map(|part| text(&finding[part]));
            let looked_at = text(&finding["looked_at"]);
            (text(&finding["severity"]), looked_at, parts.join("\n"))
        })
        .collect()
}

/// That a subject has a finding of this severity about something, with these words.
#[track_caller]
pub(super) fn assert_found(
    report: &Value,
    subject: &str,
    severity: &str,
    looked_at: &str,
    words: &str,
) {
    let findings = of(report, subject);
    let fits = |(of, at, said): &(String, String, String)| {
        of == severity && at.contains(looked_at) && said.contains(words)
    };
    assert!(
        findings.iter().any(fits),
        "no {severity} of {looked_at} with `{words}`: {findings:#?}"
    );
}

/// That nothing is wrong with these subjects.
#[track_caller]
fn assert_fine(report: &Value, subjects: &[&str]) {
    for subject in subjects {
        let findings = of(report, subject);
        assert!(!findings.is_empty(), "{subject}: {report}");
        let is_fine = |(severity, ..): &(String, String, String)| severity == "fine";
        assert!(findings.iter().all(is_fine), "{subject}: {findings:#?}");
    }
}

#[test]
fn of_a_pair_that_is_linked_everything_that_is_its_own_is_fine() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "timer", "{tick: 1}");
    let metrics = format!("127.0.0.1:{}", kozo_abi::bench::reserve_port().unwrap());
    scene.node_option("clock", &format!("metrics: {metrics}"));
    let [mut clock, mut scribe] = ["clock", "scribe"].map(|node| scene.start(node));
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
    let report = doctor(&scene, "clock");
    assert_fine(
        &report,
        &[
            "file",
            "keys",
            "ports",
            "reachability",
            "storage",
            "modules",
            "daemon",
            "other-files",
        ],
    );
    let here = format!("127.0.0.1:{}", scene.port("clock"));
    assert_found(&report, "ports", "fine", &here, "the daemon listens");
    let metrics = format!("{metrics} (metrics)");
    assert_found(&report, "ports", "fine", &metrics, "the daemon listens");
    let there = format!("scribe over `tcp` at 127.0.0.1:{}", scene.port("scribe"));
    assert_found(&report, "reachability", "fine", &there, "a node answers");
    assert_found(
        &report,
        "daemon",
        "fine",
        "link with `scribe`",
        "up over `tcp`",
    );
    assert_found(&report, "other-files", "fine", "scribe", "the same file");
    // Nothing of this is in the file.
    for subject in ["tor", "bluetooth", "devices"] {
        assert_eq!(of(&report, subject), [], "{subject}");
    }
}

#[test]
fn other_versions_of_the_file_are_told_of_with_their_digests() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    let mut clock = scene.start("clock");
    clock.wait_for_text("kozo", "started");
    // Daemons read it at their start only.
    scene.option("messageMaxAge", "61");
    let mut scribe = scene.start("scribe");
    scribe.wait_for_link("clock");
    clock.wait_for_link("scribe");
    let report = doctor(&scene, "clock");
    let words = "the daemon runs with another version of it, whose digest is ";
    assert_found(&report, "file", "warning", "kozo.yml", words);
    let words = "another version of the file";
    assert_found(&report, "other-files", "warning", "scribe", words);
    let report = doctor(&scene, "scribe");
    let (file, others) = (of(&report, "file"), of(&report, "other-files"));
    assert!(
        file.iter().all(|(severity, ..)| severity == "fine"),
        "{file:?}"
    );
    assert!(others[0].2.contains("whose digest is "), "{others:?}");
}

#[test]
fn a_running_daemon_is_found_with_its_file() {
    let scene = Scene::new(&["clock"]);
    let mut clock = scene.start("clock");
    clock.wait_for_text("kozo", "started");
    // Where a service of systemd would have its sockets.
    let mut command = command();
    command.env("RUNTIME_DIRECTORY", scene.folder());
    let report = found(&command.arg("--json").output().unwrap());
    let nodes = report["nodes"].as_array().unwrap().iter();
    let file = scene.folder().join("kozo.yml").display().to_string();
    let mut ours = nodes.filter(|node| node["config"] == file.as_str());
    let node = ours.next().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(node["node"], "clock");
    assert!(
        node["chosen"]
            .as_str()
            .unwrap()
            .starts_with("it runs, as process ")
    );
}

#[test]
fn the_node_of_a_file_is_told_by_the_key_that_is_here() {
    let scene = Scene::new(&["clock", "scribe"]);
    std::fs::remove_file(scene.key_path("clock")).unwrap();
    let mut command = command();
    let output = command.arg(scene.write()).arg("--json").output().unwrap();
    let report = found(&output);
    assert_eq!(report["nodes"][0]["node"], "scribe", "{report}");
}

#[test]
fn a_peer_that_is_down_or_has_no_address_is_named_with_why() {
    let mut scene = Scene::new(&["clock", "scribe", "attic"]);
    scene.tcp("attic", "address: attic.invalid");
    let mut clock = scene.start("clock");
    clock.wait_for_text("kozo", "started");
    let report = doctor(&scene, "clock");
    let there = format!("scribe over `tcp` at 127.0.0.1:{}", scene.port("scribe"));
    assert_found(&report, "reachability", "warning", &there, "nobody listens");
    assert_found(
        &report,
        "names",
        "fault",
        "attic.invalid",
        "it does not resolve",
    );
    assert_found(
        &report,
        "reachability",
        "warning",
        "attic.invalid",
        "its name has no address",
    );
    let reason = "There is no link between clock and scribe";
    assert_found(&report, "daemon", "warning", "link with `scribe`", reason);
    assert_eq!(report["severity"], "fault");
}

#[test]
fn only_addresses_that_the_node_would_dial_are_looked_at() {
    let hub = Hub::start();
    let mut scene = hub.mixed(&["clock", "scribe", "attic", "shy", "field"]);
    scene.on_bus("field", "fleet", "{}").without_tcp("field");
    for (node, address) in [("attic", "attic.invalid"), ("shy", "shy.invalid")] {
        scene.tcp(node, &format!("address: {address}"));
    }
    scene.node_option("shy", "othersToSelfConnectPolicy: never");
    scene.on_bus("attic", "fleet", "{}");
    scene.write();
    let names = |node: &str| {
        let named = of(&doctor(&scene, node), "names").into_iter();
        let mut named: Vec<_> = named.map(|(severity, name, _)| (severity, name)).collect();
        named.sort();
        named
    };
    let fault = |name: &str| ("fault".to_owned(), name.to_owned());
    // On the bus alone, it dials nobody, though `attic` is there as well.
    assert_eq!(names("field"), []);
    assert_eq!(names("clock"), [fault("attic.invalid")]);
}

#[test]
fn something_else_at_the_port_of_a_peer_is_called_by_its_greeting() {
    let scene = Scene::new(&["clock", "scribe"]);
    scene.write();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, scene.port("scribe"))).unwrap();
    let greeter = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
    });
    let report = doctor(&scene, "clock");
    greeter.join().unwrap();
    let words = "something else answers: `SSH-2.0-OpenSSH_9.2`";
    assert_found(&report, "reachability", "fault", "scribe", words);
    assert_found(
        &report,
        "daemon",
        "warning",
        "daemon",
        "the node does not run",
    );
}

#[test]
fn a_port_that_somebody_else_has_is_a_fault_and_so_is_an_address_that_is_not_here() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.tcp("scribe", "address: 127.0.0.1, bindAddress: 192.0.2.1");
    scene.write();
    let port = scene.port("clock");
    let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let report = doctor(&scene, "clock");
    let own = format!("process {}", std::process::id());
    assert_found(
        &report,
        "ports",
        "fault",
        &format!("127.0.0.1:{port}"),
        &own,
    );
    let report = doctor(&scene, "scribe");
    let words = "this machine does not have that address";
    assert_found(&report, "ports", "fault", "192.0.2.1:", words);
    // And it is nobody's.
    assert_found(&report, "ports", "fine", "192.0.2.1:", "free");
}

#[test]
fn a_key_that_others_may_read_is_a_fault_with_what_to_do() {
    let scene = Scene::new(&["clock"]);
    scene.write();
    let key = scene.key_path("clock");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let report = doctor(&scene, "clock");
    let path = key.display().to_string();
    assert_found(&report, "keys", "fault", &path, "run `chmod 600");
    // Once is enough.
    assert_eq!(of(&report, "file").len(), 1, "{report}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_a_fault_where_a_role_stores() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene.role("clock", "cuckoo", "{}");
    scene.write();
    for node in ["clock", "scribe"] {
        std::fs::write(scene.storage(node), "in the way").unwrap();
    }
    let words = "is not a folder";
    let report = doctor(&scene, "clock");
    assert_found(&report, "storage", "fault", "(roleStorage)", words);
    let report = doctor(&scene, "scribe");
    assert_found(&report, "storage", "warning", "(roleStorage)", words);
    if rustix::process::geteuid().is_root() {
        return skipped("root may write to every folder");
    }
    std::fs::remove_file(scene.storage("clock")).unwrap();
    std::fs::create_dir(scene.storage("clock")).unwrap();
    std::fs::set_permissions(scene.storage("clock"), PermissionsExt::from_mode(0o500)).unwrap();
    let report = doctor(&scene, "clock");
    assert_found(
        &report,
        "storage",
        "fault",
        "(roleStorage)",
        "cannot be written to",
    );
}

#[test]
fn a_file_with_mistakes_is_a_fault_and_the_rest_waits() {
    let scene = Scene::new(&["clock"]);
    scene.write_as(
        "kozo.yml",
        &scene.text().replace("heartbeat: 10", "heartbeat: x"),
    );
    let report = doctor(&scene, "clock");
    assert_found(&report, "file", "fault", "kozo.yml", "it cannot be used");
    assert_found(&report, "file", "fault", "(heartbeat)", "");
    assert_eq!(of(&report, "ports"), []);
    let nowhere = command().args(["/nowhere.yml", "clock", "--json"]).output();
    let report = found(&nowhere.unwrap());
    assert_found(
        &report,
        "file",
        "fault",
        "/nowhere.yml",
        "there is no such file",
    );
}

#[test]
fn a_bundle_has_what_a_report_needs_and_no_secret() {
    let mut scene = Scene::new(&["clock", "scribe"]);
    scene
        .role("clock", "timer", "{tick: 1}")
        .role(
            "scribe",
            "bridge",
            "{type: mystery, url: 'mqtt://rosebud@host', apiToken: sesame}",
        )
        .role(
            "scribe",
            "console",
            "{type: debugger, password: correct-horse-battery}",
        );
    let text = scene.text() + "# the door's code is 4711-0815\n";
    scene.write_as("kozo.yml", &text);
    let bundle = scene.folder().join("bundle.txt");
    let run = |home: &Path| {
        let mut command = command();
        command.env("HOME", home);
        command.arg(scene.folder().join("kozo.yml")).arg("clock");
        command.arg("--bundle").arg(&bundle).output().unwrap()
    };
    let output = run(scene.folder());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("Not in it: contents of private keys"),
        "{said}"
    );
    let text = std::fs::read_to_string(&bundle).unwrap();
    let mode = std::fs::metadata(&bundle).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for part in [
        "===== Findings =====",
        "  clock:",
        "tick: 1",
        "interface 1.",
        "ssh-ed25519",
        "~/clock.key",
        "password: (left out)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut secrets: Vec<String> = ["rosebud", "sesame", "correct-horse-battery", "4711-0815"]
        .map(str::to_owned)
        .into();
    for node in ["clock", "scribe"] {
        let key = std::fs::read_to_string(scene.key_path(node)).unwrap();
        secrets.extend(key.lines().map(str::to_owned));
    }
    secrets.push(scene.folder().display().to_string());
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{secret}: {text}");
    }
    // What is there stays there.
    let again = run(scene.folder());
    assert_eq!(again.status.code(), Some(5));
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("is not overwritten"), "{said}");
}
