//! The role `program` of a running daemon: scripts that hear and say things.

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::checked::check;
use super::process::{Process, wait_until};
use super::scene::Scene;

/// Writes down what it hears, in a file named like its role.
const LISTENER: &str = r#"
echo $$ >>"$1.pids"
while read -r line; do echo "$line" >>"$1.heard"; done
"#;

/// Answers each tick with an event, an order that waits for room, and a line for the log of the network.
const BELL: &str = r#"
read -r hello
while read -r line; do
    case $line in
    *'"event":"tick"'*)
        echo '{"event":"rang","channel":"front","data":[1,{"loud":true}]}'
        echo '{"order":"open","data":"please","wait":5,"id":"opened"}'
        echo '{"log":"it rang"}'
        ;;
    *'"answer":"opened"'*) echo "$line" >>bell.answers ;;
    esac
done
"#;

/// Stores one more than it stored last.
const COUNTER: &str = r#"
read -r hello
echo '{"load":true,"id":"l"}'
read -r answer
echo "$answer" >>counter.loaded
last=${answer##*:}
last=${last%\}}
[ "$last" = null ] && last=0
echo "{\"store\":$((last + 1)),\"id\":\"s\"}"
read -r answer
echo "$answer" >>counter.stored
while read -r line; do :; done
"#;

struct Hall(Scene);

impl Hall {
    fn new() -> Self {
        let scene = Scene::new(&["hall", "guest"]);
        for (name, script) in [("listener", LISTENER), ("bell", BELL), ("counter", COUNTER)] {
            std::fs::write(scene.folder().join(name), script).unwrap();
        }
        Self(scene)
    }

    /// A program that is one of the scripts.
    fn role(&mut self, name: &str, script: &str, more: &str) -> &mut Self {
        let block = format!("{{type: program, command: [/bin/sh, ./{script}, {name}], {more}}}");
        self.0.role("hall", name, &block);
        self
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.folder().join(name)
    }

    /// The lines of a file, once there are so many.
    fn lines(&self, name: &str, count: usize) -> Vec<Value> {
        wait_until(&format!("{count} lines in {name}"), || {
            let text = std::fs::read_to_string(self.file(name)).ok()?;
            let whole = text.ends_with('\n').then_some(text)?;
            let lines: Vec<Value> = whole
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            (lines.len() >= count).then_some(lines)
        })
    }
}

fn stop(mut daemon: Process) {
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end().code(), Some(0));
}

#[test]
fn messages_go_through_programs_in_both_directions() {
    let mut hall = Hall::new();
    hall.0.role("hall", "timer", "{tick: 0.2}");
    hall.role("bell", "bell", "interests: [{type: tick, role: timer}]")
        .role(
            "door",
            "listener",
            "interests: [{role: bell}], options: {width: 1.5}",
        );
    let daemon = hall.0.start("hall");
    let heard = hall.lines("door.heard", 4);
    let hello = json!({"hello": 1, "node": "hall", "role": "door", "options": {"width": 1.5},
        "interests": [{"role": ["bell"]}]});
    assert_eq!(heard[0], hello);
    let message = |from: usize, expected: &Value| {
        let mut message = heard[from].clone();
        let message = message.as_object_mut().unwrap();
        assert!(message.remove("age").unwrap().as_f64() >= Some(0.0));
        assert!(message.remove("time").unwrap().as_f64() > Some(1.7e9));
        assert_eq!(message.remove("node").unwrap(), "hall");
        assert_eq!(message.remove("role").unwrap(), "bell");
        assert_eq!(message, expected.as_object().unwrap());
    };
    let data = json!([1, {"loud": true}]);
    message(
        1,
        &json!({"event": "rang", "channel": "front", "data": data}),
    );
    message(2, &json!({"order": "open", "data": "please"}));
    message(3, &json!({"log": "it rang"}));
    assert_eq!(
        hall.lines("bell.answers", 1)[0],
        json!({"answer": "opened", "value": true})
    );
    stop(daemon);
}

#[test]
fn what_a_program_stores_is_there_after_a_restart_of_the_daemon() {
    let mut hall = Hall::new();
    hall.role("counter", "counter", "");
    for (run, last) in [json!(null), json!(1), json!(2)].into_iter().enumerate() {
        let daemon = hall.0.start("hall");
        let stored = hall.lines("counter.stored", run + 1);
        assert_eq!(stored[run], json!({"answer": "s", "value": null}));
        let loaded = hall.lines("counter.loaded", run + 1);
        assert_eq!(loaded[run], json!({"answer": "l", "value": last}));
        stop(daemon);
    }
}

#[test]
fn a_program_is_told_of_signals_and_comes_back_when_it_is_killed() {
    let mut hall = Hall::new();
    hall.role("door", "listener", "");
    let mut daemon = hall.0.start("hall");
    hall.lines("door.heard", 1);
    daemon.signal(Signal::HUP);
    assert_eq!(hall.lines("door.heard", 2)[1], json!({"reopen": true}));

    let process = hall.lines("door.pids", 1)[0].as_i64().unwrap();
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    let told = daemon.wait_for_text("role", "it failed and is made anew in");
    let text = told["message"].as_str().unwrap();
    let how = "its program `/bin/sh` ended by signal 9 (SIGKILL)";
    assert!(text.ends_with(how), "{text}");
    assert_eq!(hall.lines("door.heard", 3)[2]["hello"], 1);

    stop(daemon);
    assert_eq!(hall.lines("door.heard", 4)[3..], [json!({"stop": true})]);
}

#[test]
fn a_killed_daemon_ends_the_input_of_its_programs() {
    let mut hall = Hall::new();
    hall.role("door", "listener", "");
    let mut daemon = hall.0.start("hall");
    let process = hall.lines("door.pids", 1)[0].to_string();
    daemon.kill();
    wait_until("the program ends", || {
        // One that nobody waits for stays as a zombie, with no command any more.
        let command = format!("/proc/{process}/cmdline");
        let command = std::fs::read(command).unwrap_or_default();
        command.is_empty().then_some(())
    });
}

#[test]
fn a_program_that_says_why_it_ends_is_quoted() {
    let mut hall = Hall::new();
    let block = "{type: program, command: [/bin/sh, -c, 'echo no bell >&2; exit 3']}";
    hall.0.role("hall", "bell", block);
    hall.0
        .role("hall", "lost", "{type: program, command: ./nothing}");
    let daemon = hall.0.start("hall");
    let failed = daemon.wait_for_any_text("ended by itself, with exit code 3");
    let text = failed["message"].as_str().unwrap();
    let quoted = "; the last line of its error output: `no bell`";
    assert!(text.ends_with(quoted), "{text}");
    let lost = hall.file("nothing");
    daemon.wait_for_any_text(&format!("there is no program `{}`", lost.display()));
    stop(daemon);
}

#[test]
fn a_program_can_be_isolated_as_any_role() {
    let mut hall = Hall::new();
    hall.role(
        "door",
        "listener",
        "isolate: true, interests: [{type: tick}]",
    );
    hall.0.role("hall", "timer", "{tick: 0.2}");
    let daemon = hall.0.start("hall");
    assert_eq!(hall.lines("door.heard", 2)[1]["event"], "tick");
    stop(daemon);
    let heard = hall.lines("door.heard", 3);
    assert_eq!(heard.last().unwrap(), &json!({"stop": true}));
}

#[test]
fn mistakes_in_its_options_are_found_by_a_check() {
    let mut hall = Hall::new();
    let scene = &mut hall.0;
    scene.role("hall", "one", "{type: program}");
    scene.role(
        "hall",
        "two",
        "{type: program, command: x, maxLine: 5, stopLimit: 60}",
    );
    scene.role(
        "hall",
        "three",
        "{type: program, command: x, interests: [{kind: noise}]}",
    );
    let (report, code) = check(scene, None);
    assert_eq!(code, Some(3), "{report}");
    for part in [
        "system.hall.roles.one.command: a role of type `program` needs",
        "system.hall.roles.two.maxLine: ",
        "system.hall.roles.two.stopLimit: ",
        "system.hall.roles.three.interests",
    ] {
        assert!(report.contains(part), "{part} in\n{report}");
    }
}
