//! Modules that panic, everywhere.

use std::process::Command;
use std::sync::Arc;

use kozo::modules::CallError;
use kozo_abi::{InboxLimits, Level};

use crate::support::bench::{Bench, keep_program_log, make, make_on, program_log};
use crate::support::build::cargo;
use crate::support::{load, loader, probe};

fn is_report(error: &str, call: &str) -> bool {
    error.starts_with("panicked at ")
        && error.contains("lib.rs:")
        && error.contains(&format!("no good {call}"))
}

#[track_caller]
fn assert_report<T: std::fmt::Debug>(outcome: Result<T, CallError>, call: &str) {
    let error = outcome.unwrap_err();
    assert!(is_report(&error.to_string(), call), "{call}: {error}");
}

#[test]
fn a_panic_in_any_call_is_an_error_that_says_what_and_where() {
    keep_program_log();
    let module = load(&loader(), &probe()).unwrap();
    let made = |fault: &str| make(&module, fault);
    assert_report(made("create").1, "create");
    assert_report(made("run").1.unwrap().run(), "run");
    assert_report(made("pace").1.unwrap().pace(), "pace");
    let limits = InboxLimits { length: 1, size: 1 };
    assert_report(made("inbox").1.unwrap().inbox(limits), "inbox");
    assert_report(made("reopen").1.unwrap().reopen(), "reopen");
    assert_report(made("stop").1.unwrap().stop(), "stop");

    let (bench, role) = made("filter");
    bench.notes().inbox.push_back("tick");
    assert_report(role.unwrap().run(), "filter");

    // Nobody waits for the outcome of the last call, so it goes to the role's log.
    let (bench, role) = made("drop");
    drop(role);
    let (level, text) = bench.notes().log.last().unwrap().clone();
    assert_eq!(level, Level::Error);
    let error = text.strip_prefix("while the role was dropped: ").unwrap();
    assert!(is_report(error, "drop"), "{text}");

    // And a thread of the module's own belongs to no role: to the program's log.
    made("thread").1.unwrap().run().unwrap();
    let log = program_log();
    let line = log
        .lines()
        .find(|line| line.contains("no good thread"))
        .unwrap();
    assert!(
        line.contains("ERROR kozo::module: thread `worker` panicked at "),
        "{line}"
    );
    assert!(line.ends_with("module=\"probe\""), "{line}");

    // The module works as before.
    made("").1.unwrap().run().unwrap();
}

#[test]
fn nothing_of_a_panic_is_written_to_stderr() {
    let test = "panics::a_panic_in_any_call_is_an_error_that_says_what_and_where";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("1 passed"), "{stdout}");
    // Cargo may have something to say about the fixtures, and says it through the test's panic.
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_error_of_a_role_is_its_text() {
    let module = load(&loader(), &probe()).unwrap();
    let bench = Arc::new(Bench::default());
    let failed = |call: &str| make_on(&module, &bench, call, false);
    assert_eq!(failed("create").unwrap_err().to_string(), "cannot create");
    assert_eq!(
        failed("run").unwrap().run().unwrap_err().to_string(),
        "cannot run"
    );
    assert_eq!(
        failed("stop").unwrap().stop().unwrap_err().to_string(),
        "cannot stop"
    );
}

#[test]
fn a_panic_of_the_host_does_not_reach_the_role() {
    keep_program_log();
    let module = load(&loader(), &probe()).unwrap();
    for (service, expected) in [
        (
            "send_many",
            "the message cannot be sent: the host failed; its log has more",
        ),
        ("load", "the host failed; its log has more"),
    ] {
        let bench = Bench::broken(service);
        let mut role = make_on(&module, &bench, "", true).unwrap();
        assert_eq!(role.run().unwrap_err().to_string(), expected);
        let line = format!("a fault of the host: `{service}` panicked: no {service} today");
        assert!(program_log().contains(&line), "{}", program_log());
    }
    for service in ["receive", "receive_many", "log"] {
        let bench = Bench::broken(service);
        make_on(&module, &bench, "", true).unwrap().run().unwrap();
    }
}

#[test]
fn a_module_that_would_abort_does_not_compile() {
    let output = cargo("rustc")
        .args(["--package", "fixture-role-abort", "--", "-C", "panic=abort"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    let expected = "a Kōzō module must unwind, so that its panics harm nobody else: remove `panic = \"abort\"`";
    assert!(text.contains(expected), "{text}");
}
