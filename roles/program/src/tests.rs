//! Real programs on a bench. The protocol's lines are JSON, so a shell can put one into another.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use kozo_abi::bench::{Incoming, RoleBench, StartedRole};
use kozo_abi::{Kind, Level, Message};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{ProgramRole, said};

/// How long something may take that should take no time, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(60);

/// Tells all that it hears.
const ECHO: &str = r#"while read -r line; do echo "{\"event\":\"heard\",\"data\":$line}"; done"#;

fn bench(script: &str) -> RoleBench<ProgramRole> {
    RoleBench::new()
        .node("hall")
        .name("doorbell")
        .option("command", ["/bin/sh", "-c", script])
        .option(
            "interests",
            json!([{"kind": "event"}, {"kind": "order"}, {"kind": "log"}]),
        )
}

fn started(script: &str) -> StartedRole {
    bench(script).start().unwrap()
}

/// Lets the role work until it has sent so many messages.
fn sent(role: &mut StartedRole, count: usize) -> Vec<Message> {
    let mut sent = Vec::new();
    until("messages", || {
        role.run().unwrap();
        sent.extend(role.sent());
        sent.len() >= count
    });
    sent
}

/// What it sent, as JSON.
fn data(message: &Message) -> Value {
    kozo_data::to_value(message.data_bytes()).unwrap()
}

/// What an echo has heard: so many lines, behind the first.
fn heard(role: &mut StartedRole, count: usize) -> Vec<Value> {
    sent(role, count + 1).iter().skip(1).map(data).collect()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Lets the role work until it fails.
fn failure(role: &mut StartedRole) -> String {
    let mut failure = None;
    until("the failure", || {
        failure = role.run().err();
        failure.is_some()
    });
    failure.unwrap().to_string()
}

fn start_error(bench: RoleBench<ProgramRole>) -> String {
    bench.start().unwrap_err().to_string()
}

/// Lets the role work until the log has so many lines.
fn logged(role: &mut StartedRole, count: usize) -> Vec<(Level, String)> {
    let mut logged = Vec::new();
    until("lines of the log", || {
        role.run().unwrap();
        logged.extend(role.logged());
        logged.len() >= count
    });
    logged
}

#[test]
fn a_program_is_told_who_it_is_and_gets_messages() {
    let mut role = bench(ECHO)
        .option("options", json!({"chime": "ding", "times": [1, 2.5]}))
        .option(
            "interests",
            json!([{"kind": "event", "type": "tick"}, {"role": ["timer", "bell*"]}]),
        )
        .start()
        .unwrap();
    let hello = data(&sent(&mut role, 1)[0]);
    let options = json!({"chime": "ding", "times": [1, 2.5]});
    assert_eq!(
        hello,
        json!({"hello": 1, "node": "hall", "role": "doorbell", "options": options,
            "interests": [{"kind": "event", "type": ["tick"]}, {"role": ["timer", "bell*"]}]})
    );

    role.deliver(
        Incoming::event("tick")
            .channel("x")
            .data(&[1, 2])
            .from("timer", "clock"),
    );
    role.deliver(Incoming::order("ring").from("timer", "clock"));
    role.deliver(Incoming::log("here I am").from("timer", "clock"));
    let mut told = sent(&mut role, 3).iter().map(data).collect::<Vec<_>>();
    for told in &mut told {
        let told = told.as_object_mut().unwrap();
        assert!(told.remove("age").unwrap().as_f64().unwrap() >= 0.0);
        assert!(told.remove("time").unwrap().as_f64().unwrap() >= 1e9);
    }
    let from = |mut told: Value| {
        told["node"] = "clock".into();
        told["role"] = "timer".into();
        told
    };
    assert_eq!(
        told[0],
        from(json!({"event": "tick", "channel": "x", "data": [1, 2]}))
    );
    assert_eq!(told[1], from(json!({"order": "ring", "data": null})));
    assert_eq!(told[2], from(json!({"log": "here I am"})));
    role.stop().unwrap();
}

#[test]
fn what_it_says_is_sent_and_answered() {
    let script = format!(
        r#"
        echo '{{"event":"rang","channel":"front","data":{{"base64":"AAE="}}}}'
        echo '{{"order":"open","data":2.5,"id":"o"}}'
        echo '{{"log":"it rang","wait":1,"id":5}}'
        {ECHO}"#
    );
    let mut role = started(&script);
    let sent = sent(&mut role, 6);
    assert_eq!(
        (sent[0].kind(), sent[0].type_name(), sent[0].channel()),
        (Kind::Event, "rang", Some("front"))
    );
    assert_eq!(sent[0].data_bytes(), [0xc4, 2, 0, 1]);
    assert_eq!(
        (sent[1].kind(), sent[1].type_name(), sent[1].channel()),
        (Kind::Order, "open", None)
    );
    assert_eq!(data(&sent[1]), json!(2.5));
    assert_eq!(
        (sent[2].kind(), data(&sent[2])),
        (Kind::Log, json!("it rang"))
    );
    assert_eq!(data(&sent[4]), json!({"answer": "o", "value": true}));
    assert_eq!(data(&sent[5]), json!({"answer": 5, "value": true}));
}

#[test]
fn a_paced_send_without_room_is_answered_with_false() {
    let script = format!(r#"read go; echo '{{"event":"e","wait":0.5,"id":1}}'; {ECHO}"#);
    // The script takes the first line for its go, so the echo hears only the answer.
    let mut role = started(&script);
    role.room(false);
    assert_eq!(
        data(&sent(&mut role, 1)[0]),
        json!({"answer": 1, "value": false})
    );
    let mut role = started(r#"read go; echo '{"event":"e","wait":0.5}'; read on"#);
    role.room(false);
    let (level, text) = logged(&mut role, 1).remove(0);
    assert_eq!(
        (level, &*text),
        (Level::Warn, "there was no room for the message in time")
    );
}

#[test]
fn storage_and_questions_are_answered_under_their_ids() {
    let script = format!(
        r#"
        echo '{{"ask":{{"request":"status"}},"id":"a"}}'
        echo '{{"load":true,"id":1}}'
        echo '{{"store":{{"n":1}},"id":2}}'
        {ECHO}"#
    );
    let mut role = bench(&script)
        .answer("status", &json!({"node": "hall"}))
        .start()
        .unwrap();
    let mut answers = heard(&mut role, 3);
    answers.sort_by_key(|answer| answer["answer"].to_string());
    assert_eq!(
        answers[0],
        json!({"answer": "a", "value": {"node": "hall"}})
    );
    // The bench has no storage for roles that need not have one.
    for (answer, id) in answers[1..].iter().zip([1, 2]) {
        assert_eq!(answer["answer"], id);
        assert!(
            answer["error"].as_str().unwrap().contains("storage"),
            "{answer}"
        );
    }
    let asked: Vec<Value> = role.asked().unwrap();
    assert_eq!(asked, [json!({"request": "status"})]);
}

#[test]
fn what_cannot_be_sent_is_told_to_the_program_or_else_to_the_log() {
    let script = format!(
        r#"
        echo '{{"event":5,"id":1}}'
        echo '{{"event":5}}'
        echo '{{"event":"e","wait":-1}}'
        {ECHO}"#
    );
    let mut role = started(&script);
    let answers = heard(&mut role, 1);
    assert!(
        answers[0]["error"]
            .as_str()
            .unwrap()
            .contains("expected a string"),
        "{answers:?}"
    );
    let logged = logged(&mut role, 2);
    assert!(
        logged[0].1.contains("expected a string") && logged[0].1.ends_with(r#": `{"event":5}`"#),
        "{logged:?}"
    );
    assert!(logged[1].1.contains("`wait` is -1"), "{logged:?}");
}

#[test]
fn garbage_is_dropped_and_told_and_harms_nothing() {
    let script = r#"
        echo hello
        printf '\377\376\n'
        echo
        head -c 10485760 /dev/zero | tr '\0' x
        echo
        echo '{"what":"is this"}'
        echo '{"event":"alive"}'
        read on; read on"#;
    let mut role = started(script);
    assert_eq!(sent(&mut role, 1)[0].type_name(), "alive");
    let logged = role.logged();
    let texts: Vec<&str> = logged.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts[0],
        "a line of the program is dropped, for it is no JSON object: `hello`"
    );
    assert!(texts[1].starts_with("a line of the program is dropped, for it is no JSON object: "));
    assert!(
        texts[2].contains("it has 10485760 bytes, and `maxLine` is 1048576: `xxxx"),
        "{}",
        texts[2]
    );
    assert!(texts[2].len() < 300);
    assert!(texts[3].contains("none of the keys"));
    assert_eq!(texts.len(), 4);
}

#[test]
fn a_line_that_is_too_long_is_answered_when_its_id_comes_first() {
    let script = format!(
        r#"
        printf '{{"id":7,"store":"%s"}}\n' "$(head -c 2000 /dev/zero | tr '\0' x)"
        {ECHO}"#
    );
    let mut role = bench(&script).option("maxLine", 1024).start().unwrap();
    assert_eq!(
        heard(&mut role, 1)[0],
        json!({"answer": 7, "error": "it has 2019 bytes, and `maxLine` is 1024"})
    );
}

#[test]
fn a_flood_of_garbage_is_told_a_few_times_and_counted() {
    let script = "i=0; while [ $i -lt 1000 ]; do echo garbage; i=$((i+1)); done; echo '{\"event\":\"alive\"}'; read on; read on";
    let mut role = started(script);
    sent(&mut role, 1);
    let before = role.logged().len();
    assert!(before < 50, "{before}");
    role.stop().unwrap();
    let logged = role.logged();
    assert!(
        logged
            .iter()
            .any(|(_, text)| text.contains("more warnings, which were left out")),
        "{logged:?}"
    );
}

#[test]
fn its_lines_for_the_log_have_levels_and_its_error_output_warns() {
    let script = r#"echo '{"print":"p"}'; echo '{"print":"q","level":"error"}'; read go; echo oops >&2; echo >&2; read on"#;
    let mut role = started(script);
    let mut logged = logged(&mut role, 3);
    // Two threads read what it writes.
    logged.sort();
    let expected = [
        (Level::Error, "q"),
        (Level::Warn, "oops"),
        (Level::Info, "p"),
    ];
    assert_eq!(
        logged,
        expected.map(|(level, text)| (level, text.to_owned()))
    );
}

#[test]
fn what_cannot_be_started_is_told_in_a_sentence() {
    let with = |command: &[&str]| RoleBench::<ProgramRole>::new().option("command", command);
    assert_eq!(
        start_error(with(&["/no/such/program"])),
        "there is no program `/no/such/program`: check its path (option `command`)"
    );
    let error = start_error(with(&["python3 bell.py"]));
    assert!(
        error.starts_with("no program `python3 bell.py` in the folders of `PATH` ("),
        "{error}"
    );
    assert!(
        error.ends_with("are a list, `[PROGRAM, ARGUMENT]` (option `command`)"),
        "{error}"
    );
    assert!(start_error(with(&[""])).contains("the option `command` is empty"));
    let error = start_error(bench("true").option("directory", "/no/such/folder"));
    assert!(
        error.starts_with("it cannot run in the folder `/no/such/folder`: No such file"),
        "{error}"
    );
    let error = start_error(bench("true").option("environment", json!({"PORT": 12})));
    assert_eq!(
        error,
        "the option `environment` has `12` for `PORT`, which is no text: put it in quotes"
    );
    let error = start_error(bench("true").option("environment", json!({"A=B": "c"})));
    assert!(error.contains("no name of one"), "{error}");
    let error = start_error(bench("true").option("options", json!([1])));
    assert!(error.contains("`options` has to be a map"), "{error}");
}

#[test]
fn its_folder_and_variables_are_those_of_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"echo "{\"event\":\"e\",\"data\":[\"$PWD\",\"$COLOUR\"]}"; read on; read on"#;
    let mut role = bench(script)
        .option("directory", folder.path().to_str().unwrap())
        .option("environment", json!({"COLOUR": "red"}))
        .start()
        .unwrap();
    let place = folder.path().canonicalize().unwrap();
    assert_eq!(data(&sent(&mut role, 1)[0]), json!([place, "red"]));
}

#[test]
fn how_it_ended_is_told_with_its_last_words() {
    let mut role = started("echo one >&2; echo the last one >&2; exit 3");
    assert_eq!(
        failure(&mut role),
        "its program `/bin/sh` ended by itself, with exit code 3; the last line of its error output: `the last one`"
    );
    let mut role = started("kill -KILL $$");
    assert_eq!(
        failure(&mut role),
        "its program `/bin/sh` ended by signal 9 (SIGKILL)"
    );
    let mut role = started("exit 0");
    assert_eq!(
        failure(&mut role),
        "its program `/bin/sh` ended by itself, with exit code 0, and should run until it is told to stop"
    );
}

#[test]
fn what_it_said_before_it_ended_is_still_sent() {
    let mut role =
        started("i=0; while [ $i -lt 500 ]; do echo '{\"event\":\"e\"}'; i=$((i+1)); done; exit 1");
    failure(&mut role);
    assert_eq!(role.sent().len(), 500);
}

#[test]
fn it_is_told_to_open_its_files_again_and_to_stop() {
    let script = format!(r#"{ECHO}; echo '{{"event":"end of input"}}'"#);
    let mut role = started(&script);
    sent(&mut role, 1);
    role.reopen().unwrap();
    assert_eq!(data(&sent(&mut role, 1)[0]), json!({"reopen": true}));
    role.stop().unwrap();
    let sent = role.sent();
    assert_eq!(data(&sent[0]), json!({"stop": true}));
    assert_eq!(sent[1].type_name(), "end of input");
    assert_eq!(role.logged(), []);
}

#[test]
fn one_that_does_not_stop_is_asked_and_then_killed() {
    let mut role =
        bench("trap 'exit 0' TERM; echo '{\"event\":\"e\"}'; while :; do sleep 0.01; done")
            .option("stopLimit", 0.1)
            .start()
            .unwrap();
    sent(&mut role, 1);
    let error = role.stop().unwrap_err().to_string();
    assert_eq!(
        error,
        "its program `/bin/sh` did not end within 100.0ms of being told to stop, but by SIGTERM"
    );

    let mut role = bench("trap '' TERM; echo '{\"event\":\"e\"}'; while :; do sleep 0.01; done")
        .option("stopLimit", 0)
        .start()
        .unwrap();
    sent(&mut role, 1);
    let error = role.stop().unwrap_err().to_string();
    assert!(error.ends_with("nor by SIGTERM, and was killed"), "{error}");

    let mut role = started("read hello; read stop; exit 4");
    role.run().unwrap();
    let error = role.stop().unwrap_err().to_string();
    assert_eq!(
        error,
        "its program `/bin/sh` ended by itself, with exit code 4 when it was told to stop"
    );
}

#[test]
fn one_that_never_reads_keeps_nobody_from_stopping() {
    let mut role = bench("exec sleep 600")
        .option("stopLimit", 0.1)
        .start()
        .unwrap();
    let text = "x".repeat(100_000);
    // More than the pipe and the outbox hold together.
    for _ in 0..10 {
        role.deliver(Incoming::event("e").data(&text));
        role.run().unwrap();
    }
    // The rest stays in the inbox, where the host drops and counts.
    role.interrupt();
    role.run().unwrap();
    let error = role.stop().unwrap_err().to_string();
    assert!(
        error.ends_with("of being told to stop, but by SIGTERM"),
        "{error}"
    );
}

#[test]
fn one_that_has_closed_its_input_is_told_nothing_and_that_is_counted() {
    let script =
        "exec <&-; echo '{\"event\":\"e\"}'; trap 'exit 0' TERM; while :; do sleep 0.01; done";
    let mut role = bench(script).option("stopLimit", 0).start().unwrap();
    sent(&mut role, 1);
    for _ in 0..3 {
        role.deliver(Incoming::event("e"));
        role.run().unwrap();
    }
    assert!(role.stop().is_err());
    let logged = role.logged();
    let has = |part: &str| logged.iter().any(|(_, text)| text.contains(part));
    assert!(has("has closed its standard input: it hears"), "{logged:?}");
    assert!(
        has("3 messages were for a program that had closed its standard input"),
        "{logged:?}"
    );
}

#[test]
fn what_waits_while_one_does_not_read_is_not_lost_with_it() {
    let mut role = started("echo '{\"event\":\"e\"}'; sleep 0.3; exit 3");
    sent(&mut role, 1);
    role.deliver(Incoming::event("large").data(&"x".repeat(300_000)));
    role.run().unwrap();
    // It waits in the inbox, for the program that comes next.
    role.deliver(Incoming::event("kept"));
    failure(&mut role);
    let logged = role.logged();
    let is_lost = |(_, text): &(Level, String)| text.contains("messages were for a program");
    assert!(!logged.iter().any(is_lost), "{logged:?}");
}

/// Whether there is such a process, and it has not ended.
fn is_alive(process: &Value) -> bool {
    let path = Path::new("/proc").join(process.to_string()).join("stat");
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

#[test]
fn what_it_has_started_ends_with_it() {
    let script = r#"
        setsid sleep 600 &
        echo "{\"event\":\"e\",\"data\":$!}"
        sleep 600 &
        echo "{\"event\":\"e\",\"data\":$!}"
        read hello; read stop"#;
    for ends_by_itself in [false, true] {
        let mut role = started(script);
        let processes: Vec<Value> = sent(&mut role, 2).iter().map(data).collect();
        assert!(processes.iter().all(is_alive));
        if ends_by_itself {
            // For it, any second line is the end.
            role.deliver(Incoming::event("e"));
            failure(&mut role);
            drop(role);
        } else {
            role.stop().unwrap();
        }
        until("they have ended", || !processes.iter().any(is_alive));
    }
}

#[test]
fn one_that_floods_waits_for_its_turn_and_loses_nothing() {
    let mut role = bench("i=0; while [ $i -lt 25 ]; do echo \"{\\\"event\\\":\\\"e\\\",\\\"data\\\":$i}\"; i=$((i+1)); done; read on; read on")
        .option("maxRate", 20)
        .start()
        .unwrap();
    let came: Vec<Value> = sent(&mut role, 25).iter().map(data).collect();
    assert_eq!(came, (0..25).map(Value::from).collect::<Vec<_>>());
    role.stop().unwrap();

    let mut role = bench("yes '{\"event\":\"e\"}'")
        .option("stopLimit", 0)
        .start()
        .unwrap();
    sent(&mut role, 1000);
    assert!(role.stop().is_err());
}

#[test]
fn what_it_says_at_its_end_does_not_wait_for_its_turn() {
    let last = "for i in 1 2 3 4 5; do echo '{\"event\":\"e\"}'; done";
    let slow = |script: String| bench(&script).option("maxRate", 0.01).start().unwrap();
    let mut role = slow(format!("read hello; read stop; {last}"));
    role.stop().unwrap();
    assert_eq!(role.sent().len(), 5);
    let mut role = slow(format!("{last}; exit 1"));
    failure(&mut role);
    assert_eq!(role.sent().len(), 5);
}

#[test]
fn its_memory_is_limited() {
    let script = r#"read hello; set -- $(grep 'Max data size' /proc/self/limits); echo "{\"event\":\"e\",\"data\":$4}"; read on"#;
    let mut role = bench(script).option("maxMemory", 64 << 20).start().unwrap();
    assert_eq!(data(&sent(&mut role, 1)[0]), json!(64 << 20));
}

proptest! {
    #[test]
    fn garbage_is_refused_and_harms_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = said::read(&bytes);
        let _ = said::beginning(&bytes);
    }

    #[test]
    fn whatever_is_near_to_a_line_harms_nothing(
        at in any::<prop::sample::Index>(),
        put in prop::collection::vec(prop::sample::select(&b"{}[]\",:0-.eE\\u \xff"[..]), 0..4),
        cut in 0_usize..4,
    ) {
        let mut line = br#"{"event":"tick","channel":"x","data":{"base64":"AAA="},"wait":1.5,"id":"q"}"#.to_vec();
        let at = at.index(line.len());
        let end = (at + cut).min(line.len());
        line.splice(at..end, put);
        let _ = (said::read(&line), said::first_id(&line));
    }
}
