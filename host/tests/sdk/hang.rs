//! Transports and buses that do not come back, or not from everything.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Process, wait_until};
use super::scene::Scene;
use super::toolchain::{install_fixture, with_transport};

/// Gives these nodes `hang` beside the transport that they have.
fn add_hang(scene: &Scene, nodes: &[&str], file: &Path) -> PathBuf {
    // As tcp has it, and as other transports have it.
    let ports: Vec<[String; 2]> = nodes
        .iter()
        .map(|node| scene.port(node))
        .map(|port| [format!("port: {port}}}"), format!(":{port}'")])
        .collect();
    let mut text = String::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        text += &format!("{line}\n");
        if ports.as_flattened().iter().any(|port| line.contains(port)) {
            text += "      hang: {address: none}\n";
        }
    }
    assert_eq!(text.matches("hang: {address: none}").count(), nodes.len());
    scene.write_as("kozo.yml", &text)
}

#[test]
fn a_better_transport_that_hangs_does_not_keep_a_worse_one_from_linking_the_same_nodes() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    install_fixture("transport-tls", modules.path());
    let nodes = ["clock", "scribe"];
    let mut scene = Scene::new(&nodes);
    let log = scene.folder().join("scribe.log");
    let logger = format!("{{file: {}, flushEvery: 1}}", log.display());
    scene.role("scribe", "logger", &logger);
    scene.role("clock", "timer1", "{type: timer, tick: 0.1}");
    let tls = with_transport(&scene, &nodes, "tls", |_| "");
    let file = add_hang(&scene, &nodes, &tls);
    let [mut clock, scribe] = nodes.map(|node| {
        let arguments = ["run", file.to_str().unwrap(), node];
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules.path())])
    });
    for process in [&clock, &scribe] {
        // The better one was tried, and hangs still: it was not given up. The other node may have made
        // the link before this one tried.
        process.wait_for_any_text("hangs in connect");
        process.wait_for_any("the link", |line| line["message"] == "up");
        assert!(!process.has_said("does not come back"));
    }
    wait_until("ticks are logged", || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains("<timer1@clock>").then_some(())
    });
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}

#[test]
fn a_transport_that_hangs_delays_no_other_link_and_no_shutdown() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    let scene = Scene::new(&["clock", "scribe", "stuck"]);
    // `clock` can reach `scribe` by tcp, and `stuck` only by what hangs.
    let file = with_transport(&scene, &["stuck"], "hang", |_| "");
    let file = add_hang(&scene, &["clock"], &file);

    let start = |node| {
        let arguments = ["run", file.to_str().unwrap(), node];
        Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules.path())])
    };
    let mut clock = start("clock");
    let mut hangs = std::collections::HashSet::new();
    while hangs.len() < 2 {
        let line = clock.wait_for("what hangs", |line| line.to_string().contains("hangs in"));
        hangs.insert(line["message"].to_string());
    }
    let mut scribe = start("scribe");
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
    // And once more, after that link was cut.
    scribe.kill();
    clock.wait_for_text("link", "down");
    let mut scribe = start("scribe");
    scribe.wait_for_link("clock");
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
    clock.wait_for_text("kozo", "stopped");
}

#[test]
fn a_bus_that_hangs_delays_no_link_and_no_shutdown() {
    let modules = TempDir::new().unwrap();
    install_fixture("bus-hang", modules.path());
    let scene = Scene::new(&["clock", "scribe"]);
    // `scribe` is not on the bus, so the two have a link.
    let tcp = tcp_of(&scene, "clock");
    let text = scene
        .text()
        .replace(&tcp, &format!("{tcp}      hang: {{}}\n"));
    let text = format!("{text}buses: {{hang: {{hangsIn: run subscribe stop drop}}}}\n");
    let file = scene.write_as("kozo.yml", &text);
    let mut clock = start_with(&file, "clock", modules.path());
    clock.wait_for_any_text("hangs in run");
    clock.wait_for_any_text("hangs in subscribe");
    let mut scribe = start_with(&file, "scribe", modules.path());
    clock.wait_for_link("scribe");
    scribe.wait_for_link("clock");
    wait_until("the bus counts as down", || {
        let status = ask(&file, "clock", &["status", "--json"])?;
        let status: Value = serde_json::from_str(&status).unwrap();
        (status["buses"][0]["state"] == "down").then_some(())
    });
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
    clock.wait_for_text("kozo", "stopped");
}

/// How the scene has the transport of a node.
pub(super) fn tcp_of(scene: &Scene, node: &str) -> String {
    let port = scene.port(node);
    format!("      tcp: {{address: 127.0.0.1, bindAddress: 127.0.0.1, port: {port}}}\n")
}

pub(super) fn start_with(file: &Path, node: &str, modules: &Path) -> Process {
    let control = file.with_extension(format!("{node}.sock"));
    let [file, control] = [file, &control].map(|path| path.to_str().unwrap());
    let arguments = ["run", file, node, "--control", control];
    Process::start_with(&arguments, &[("KOZOTRANSPORTPATH", modules)])
}

/// What `kozo` says when it is asked about that node.
pub(super) fn ask(file: &Path, node: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(words)
        .arg("--control")
        .arg(file.with_extension(format!("{node}.sock")))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(text)
}

/// The state of a node's transport, and what is wrong with it.
fn state_of(file: &Path, node: &str, transport: &str) -> Option<(String, String)> {
    let status: Value = serde_json::from_str(&ask(file, node, &["status", "--json"])?).unwrap();
    let all = status["transports"].as_array().unwrap();
    let one = all.iter().find(|other| other["name"] == transport).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some((text(&one["state"]), text(&one["error"])))
}

#[test]
fn a_transport_that_hangs_is_shown_as_failing_and_is_asked_again_when_it_has_come_back() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    let scene = Scene::new(&["clock", "stuck"]);
    let until = scene.folder().join("until");
    let hang = format!(
        "      hang: {{address: there, hangsIn: accept addresses, until: {}}}\n",
        until.display()
    );
    let mut text = scene.text();
    for node in ["clock", "stuck"] {
        text = text.replace(&tcp_of(&scene, node), &hang);
    }
    let file = scene.write_as("kozo.yml", &text);
    let mut clock = start_with(&file, "clock", modules.path());
    clock.wait_for_any_text("hangs in addresses");
    let (_, error) = wait_until("the transport is shown as failing", || {
        state_of(&file, "clock", "hang").filter(|(state, _)| state == "failing")
    });
    assert!(
        error.starts_with("`addresses` for `hang` of stuck has not come back for "),
        "{error}"
    );
    // It is tried again and again, and each time it is not asked.
    let refused = "an earlier `addresses` for `hang` of stuck has not come back";
    wait_until("several tries", || (clock.count(refused) > 2).then_some(()));
    assert_eq!(clock.count("hangs in addresses"), 1);
    let why = ask(&file, "clock", &["why", "stuck"]).unwrap();
    let expected = format!("`hang` to its `hang` is not tried at present: {refused}");
    assert!(why.contains(&expected), "{why}");
    let warnings = clock.count_lines(|line| {
        let text = line["message"].as_str().unwrap_or_default();
        line["level"] == "WARN" && text.contains("`addresses` for `hang`")
    });
    assert_eq!(warnings, 1);

    std::fs::write(&until, "").unwrap();
    clock.wait_for_text("transport", "every call has come back");
    clock.wait_for("a new answer", |line| {
        line["target"] == "link" && line.to_string().contains("it has come back from addresses")
    });
    wait_until("the transport is shown as failing no longer", || {
        state_of(&file, "clock", "hang").filter(|(_, error)| !error.contains("addresses` for"))
    });
}

#[test]
fn what_hangs_with_many_peers_delays_no_peer_over_another_transport() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    let stuck: Vec<_> = (0..40).map(|number| format!("off{number}")).collect();
    let mut names: Vec<_> = stuck.iter().map(String::as_str).collect();
    // It is dialled last, and does not dial by itself.
    names.extend(["clock", "zz"]);
    let mut scene = Scene::new(&names);
    scene.node_option("zz", "selfToOthersConnectPolicy: never");
    let mut text = scene.text();
    let hang = "      hang: {address: there}\n";
    for node in &stuck {
        text = text.replace(&tcp_of(&scene, node), hang);
    }
    let tcp = tcp_of(&scene, "clock");
    text = text.replace(&tcp, &(tcp.clone() + hang));
    let file = scene.write_as("kozo.yml", &text);
    let mut clock = start_with(&file, "clock", modules.path());
    wait_until("all places that there are", || {
        (clock.count("hangs in connect") >= 32).then_some(())
    });
    let mut zz = start_with(&file, "zz", modules.path());
    zz.wait_for_text("kozo", "started");
    clock.wait_for_link("zz");
    // None of the other tries was given up before.
    assert!(!clock.has_line(|line| {
        let text = line.to_string();
        text.contains("cannot be reached") && text.contains("\"off")
    }));
    clock.signal(Signal::TERM);
    assert_eq!(clock.end().code(), Some(0));
}

#[test]
fn a_daemon_ends_in_order_whichever_call_of_a_transport_hangs() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    let scene = Scene::new(&["clock", "stuck"]);
    let start = |call: &str| {
        let text = ["clock", "stuck"].iter().fold(scene.text(), |text, node| {
            // Of the peer's transport nothing hangs.
            let calls = if *node == "clock" { call } else { "" };
            let hang = format!("      hang: {{address: there, hangsIn: '{calls}'}}\n");
            text.replace(&tcp_of(&scene, node), &hang)
        });
        // Only one daemon at a time has a folder.
        let name = call.replace(' ', "-");
        let storage = scene.folder().join(format!("{name}-storage"));
        std::fs::create_dir(&storage).unwrap();
        let storages = [scene.storage("clock"), storage].map(|path| path.display().to_string());
        let text = text.replace(&storages[0], &storages[1]);
        let file = scene.write_as(&format!("{name}.yml"), &text);
        start_with(&file, "clock", modules.path())
    };
    let at_the_start = [
        "init",
        "can_connect",
        "local_init",
        "bind",
        "accept",
        "addresses",
    ];
    let mut daemons: Vec<_> = at_the_start
        .iter()
        .map(|call| (*call, start(call)))
        .collect();
    for (call, daemon) in &mut daemons {
        daemon.wait_for_any_text(&format!("hangs in {call}"));
        daemon.signal(Signal::TERM);
    }
    let mut end_of_process = start("exit");
    end_of_process.wait_for_any_text("will hang in exit");
    end_of_process.wait_for_any_text("started");
    end_of_process.signal(Signal::TERM);
    let mut at_the_end = start("stop drop");
    at_the_end.wait_for_text("kozo", "started");
    at_the_end.signal(Signal::TERM);
    daemons.push(("stop drop", at_the_end));
    for (call, mut daemon) in daemons {
        assert_eq!(daemon.end().code(), Some(0), "{call}");
    }
    // It had stopped in order, and what hangs is killed.
    end_of_process.wait_for_text("kozo", "stopped");
    assert_eq!(end_of_process.end().code(), None);
}

#[test]
fn a_module_that_does_not_come_back_from_making_a_transport_costs_that_transport_alone() {
    let modules = TempDir::new().unwrap();
    install_fixture("transport-hang", modules.path());
    for call in ["init", "can_connect"] {
        let scene = Scene::new(&["clock", "scribe", "stuck"]);
        let mut text = scene.text();
        let tcp = tcp_of(&scene, "clock");
        let mut both = tcp.clone();
        writeln!(both, "      hang: {{address: there, hangsIn: {call}}}").unwrap();
        text = text.replace(&tcp, &both);
        text = text.replace(
            &tcp_of(&scene, "stuck"),
            "      hang: {address: there, hangsIn: ''}\n",
        );
        let file = scene.write_as("kozo.yml", &text);
        let mut clock = start_with(&file, "clock", modules.path());
        let mut scribe = start_with(&file, "scribe", modules.path());
        clock.wait_for_link("scribe");
        scribe.wait_for_link("clock");
        let (state, error) = wait_until("the state", || state_of(&file, "clock", "hang"));
        assert_eq!(state, "failing");
        let expected = format!(
            "`{call}` has not come back within 10 s, a fault of its module: it \
                                is left out until the daemon is started again"
        );
        assert_eq!(error, expected);
        clock.signal(Signal::TERM);
        assert_eq!(clock.end().code(), Some(0));
    }
}
