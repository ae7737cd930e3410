//! The role `debugger` of a running daemon, opened as the manual says: by an order that
//! `message_injector` sends.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;

use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::injector::Injector;
use super::process::{DEADLINE, Process};
use super::scene::{Scene, gate_folder, start_with_roles};
use super::ssh::text;

/// A daemon with a debugger, and what it takes to reach it.
struct Debugged {
    scene: Scene,
    daemon: Process,
    injector: u16,
    port: u16,
}

impl Debugged {
    /// Starts a node with these further roles.
    fn start(roles: &[(&str, &str)]) -> Self {
        let mut scene = Scene::new(&["hall"]);
        let injector = Injector::on(&mut scene, "hall");
        let port = kozo_abi::bench::reserve_port().unwrap();
        let grant = "grant: [status, messages, control]";
        let block = format!("{{port: {port}, log: false, {grant}}}");
        scene.role("hall", "debugger", &block);
        for (name, block) in roles {
            scene.role("hall", name, block);
        }
        let daemon = start_with_roles(&scene.write(), "hall", &gate_folder());
        Self {
            scene,
            daemon,
            injector,
            port,
        }
    }

    /// Injects the order, and waits until the console is open.
    fn open(&mut self) {
        Injector::connect(self.injector).send("('order', 'debug', None)");
        self.daemon
            .wait_for_text("role", "a console is open for 600 s");
    }

    /// OpenSSH's client with a command, which gives the manual's password.
    fn ssh(&self, command: &str) -> Command {
        let asker = self.scene.folder().join("ask");
        std::fs::write(&asker, "#!/bin/sh\necho kozo\n").unwrap();
        std::fs::set_permissions(&asker, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut ssh = Command::new("ssh");
        ssh.args([
            "-F",
            "none",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "LogLevel=ERROR",
        ])
        .args([
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "PubkeyAuthentication=no",
        ])
        .args(["-p", &self.port.to_string(), "debug@127.0.0.1", command])
        .env("SSH_ASKPASS", asker)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .stdin(Stdio::null());
        ssh
    }

    /// What it gets.
    fn ask(&self, command: &str) -> Output {
        let output = self.ssh(command).output().unwrap();
        assert!(output.status.code() != Some(255), "{output:?}");
        output
    }

    /// The first lines that a command shows which goes on and on.
    fn first_lines(&self, command: &str, count: usize) -> Vec<String> {
        let mut child = self.ssh(command).stdout(Stdio::piped()).spawn().unwrap();
        let shown = BufReader::new(child.stdout.take().unwrap());
        let lines = shown.lines().take(count).map(Result::unwrap).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        lines
    }

    /// What it shows, once that has all of these texts.
    fn shows(&self, command: &str, parts: &[&str]) -> String {
        let mut last = String::new();
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            last = text(&self.ask(command).stdout);
            if parts.iter().all(|part| last.contains(part)) {
                return last;
            }
        }
        panic!("`{command}` shows:\n{last}");
    }
}

/// A gate that is told to open and never does: it waits for a hinge that is nowhere.
fn hang(debugged: &Debugged) {
    Injector::connect(debugged.injector).send("('order', 'open', 'and hang')");
}

#[test]
fn the_stack_of_a_role_that_hangs_is_shown_by_name() {
    let mut debugged = Debugged::start(&[
        ("garage", "{type: gate, hinge: /nowhere}"),
        ("cellar", "{type: gate, hinge: /nowhere, isolate: true}"),
    ]);
    debugged.open();
    hang(&debugged);
    // The program has the names of its functions, and the fixture none, but places in its file.
    let hangs = [
        "kozo::roles::inbox::InboxReader::sleep",
        "kozo::modules::role_host::sleep",
        " gate+0x",
        "kozo::modules::role::RoleInstance::run",
        "kozo::roles::thread::",
    ];
    debugged.shows(
        "threads garage",
        &[&["`garage`: waits in futex"], &hangs[..]].concat(),
    );
    let isolated = [
        "`cellar` of the isolated role cellar: waits in futex",
        "kozo::roles::isolated::child::",
        "kozo::modules::role_host::sleep",
        " gate+0x",
        "kozo::modules::role::RoleInstance::run",
    ];
    debugged.shows("threads cellar", &isolated);
    // Modules have theirs as well, as they are built here.
    let own = ["<debugger::Debugger as kozo_abi::role::Role>::run  (debugger)"];
    debugged.shows("threads debugger", &own);
    let all = debugged.shows("threads", &["garage", "cellar", "debugger"]);
    let daemon = debugged.daemon.id().to_string();
    assert!(
        all.lines()
            .any(|line| line.starts_with(&daemon) && line.contains("garage")),
        "{all}"
    );
    // Nothing of that was noticed.
    assert!(!debugged.daemon.has_said("panicked"));
    assert_eq!(
        text(&debugged.ask("threads attic").stdout).lines().count(),
        1
    );
}

#[test]
fn a_message_goes_out_as_the_debuggers_own() {
    let mut debugged = Debugged::start(&[("garage", "{type: gate}")]);
    debugged.open();
    assert!(debugged.ask("send order open 'by hand'").status.success());
    debugged
        .daemon
        .wait_for_text("role", "told to open by debugger@hall: by hand");
    let refused = debugged.ask("send order '' x");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn what_the_node_knows_is_asked_by_what_the_file_grants() {
    let mut debugged = Debugged::start(&[("ticker", "{type: timer, tick: 0.1, message: now}")]);
    debugged.open();
    debugged.shows(
        "status",
        &["hall: Kōzō", "ticker", "tcp", "orders refused: 0"],
    );
    debugged.shows("queues", &["inbox of", "ticker"]);
    debugged.shows("options ticker", &["message: now", "tick: 0.1"]);
    let own = debugged.shows("options", &["debugger:", "debugTimeout: 600"]);
    assert!(!own.contains("password"), "{own}");
    debugged.shows("interests debugger", &["type:", "- debug"]);
    debugged.shows("storage ticker", &["ticker: null"]);
    debugged.shows("restart ticker", &["ticker is running now"]);
    debugged.shows("roles", &["ticker"]);
    debugged.shows("stop ticker", &["ticker is stopped now"]);
    debugged.shows("start ticker", &["ticker is running now"]);
    debugged.shows("log-level role=debug", &["role=debug"]);
    assert_eq!(debugged.ask("log-level role=loud").status.code(), Some(1));
    let unknown = debugged.ask("restart attic");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown.stdout).contains("hosts no role `attic`"),
        "{unknown:?}"
    );
    let passing = debugged.first_lines("messages type=tick role=ticker", 3);
    for line in passing {
        assert!(
            line.starts_with("event ticker@hall \"tick\" [\"now\","),
            "{line}"
        );
    }
}

#[test]
fn what_is_not_granted_is_refused_and_the_rest_works() {
    let mut scene = Scene::new(&["hall"]);
    let injector = Injector::on(&mut scene, "hall");
    let port = kozo_abi::bench::reserve_port().unwrap();
    scene.role("hall", "debugger", &format!("{{port: {port}}}"));
    let mut debugged = Debugged {
        daemon: scene.start("hall"),
        scene,
        injector,
        port,
    };
    debugged.open();
    for (command, grant) in [
        ("status", "status"),
        ("messages", "messages"),
        ("restart debugger", "control"),
    ] {
        let refused = debugged.ask(command);
        assert_eq!(refused.status.code(), Some(1), "{command}");
        let expected = format!("debugger is not granted `{grant}`: add it to `grant`");
        assert!(text(&refused.stdout).contains(&expected), "{refused:?}");
    }
    debugged.shows("threads debugger", &["`debugger`"]);
}

#[test]
fn it_is_opened_on_its_own_channel_only_and_says_where() {
    let mut scene = Scene::new(&["hall"]);
    let injector = Injector::on(&mut scene, "hall");
    let port = kozo_abi::bench::reserve_port().unwrap();
    let block = format!("{{port: {port}, channel: attic, password: secret, allowRemote: false}}");
    scene.role("hall", "debugger", &block);
    let mut hall = scene.start("hall");
    let mut injector = Injector::connect(injector);
    injector.send("('order', 'debug', 'cellar', None)");
    injector.send("('order', 'debug', None)");
    injector.send("('order', 'debug', 'attic', None)");
    let opened = hall.wait_for("it is open", |line: &Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("a console is open for"))
    });
    let opened = opened["message"].as_str().unwrap();
    assert!(opened.contains(&format!("127.0.0.1:{port}")), "{opened}");
    assert!(opened.contains("with the key SHA256:"), "{opened}");
    hall.wait_for_text("role", "`allowRemote` is off");
    assert_eq!(hall.count("a console is open for"), 1);
}
