//! A machine without Bluetooth. What happens with it is in `hardware/cases`.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::process::Process;
use super::scene::Scene;

const UUID: &str = "0b0e5c3a-7b1f-4f6e-9f0b-1d8b1f3a2c45";

/// Two nodes with TCP; the first one has Bluetooth, too, according to the file.
fn file() -> (Scene, std::path::PathBuf) {
    let mut scene = Scene::new(&["shed", "house"]);
    scene.role("shed", "bluetooth-discover", "{adapter: none, cooldown: 1}");
    let transports = "    transports:\n";
    let with = format!("{transports}      bluetooth: {{uuid: {UUID}, adapter: none}}\n");
    let file = scene.write_as("kozo.yml", &scene.text().replacen(transports, &with, 1));
    (scene, file)
}

#[test]
fn a_file_with_bluetooth_is_checked_without_it() {
    let (_scene, file) = file();
    let output = Command::new(env!("CARGO_BIN_EXE_kozo"))
        .args(["check", file.to_str().unwrap(), "shed"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("0 errors"), "{text}");
}

#[test]
fn without_bluetooth_a_node_says_what_is_missing_and_does_all_else() {
    let (scene, file) = file();
    let control = scene.control("shed");
    let words = [
        file.as_os_str(),
        "shed".as_ref(),
        "--control".as_ref(),
        control.as_os_str(),
    ];
    let mut arguments = vec!["run"];
    arguments.extend(words.map(|word| word.to_str().unwrap()));
    // Whatever this machine has: there is no bus.
    let nowhere = ("DBUS_SYSTEM_BUS_ADDRESS", Path::new("unix:path=/nowhere"));
    let mut shed = Process::start_with(&arguments, &[nowhere]);
    let house = super::scene::start(&file, "house");
    shed.wait_for_text(
        "transport",
        "cannot listen, tried again later: D-Bus is not reached",
    );
    shed.wait_for_any("the role", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("cannot look for devices"))
    });
    shed.wait_for_any("a link", |line| {
        line["target"] == "link" && line["message"] == "up"
    });
    assert_eq!(shed.count("cannot look for devices"), 1);
    for mut node in [shed, house] {
        node.signal(Signal::TERM);
        assert_eq!(node.end().code(), Some(0));
    }
}
