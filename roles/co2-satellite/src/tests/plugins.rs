//! Plug-ins in a real Python.

use std::os::unix::fs::PermissionsExt;

use kozo_abi::bench::RoleBench;
use kozo_co2::Value;

use super::relay::Relay;
use super::{Running, folder, members, pythons, text};
use crate::Satellite;

/// Packages as people have them, for Python 2 and 3.
const PACKAGES: &[(&str, &str)] = &[
    ("ham/__init__.py", "__all__ = ['spam']\n"),
    ("ham/spam_config.py", "greeting = 'shrubbery'\n"),
    (
        "ham/spam.py",
        r#"
import os, plugin

class X_Spam(plugin.Co2Plugin):
    def __init__(self, var_dict):
        plugin.Co2Plugin.__init__(self, var_dict)
        self.heard = 0

    def receive(self, data_dict):
        self.heard += 1
        self.log("receive", data_dict["host_id"])
        if data_dict["data"] == "nih!":
            self.send({"data": ({"john": "cleese"}, "nih!", 0.815), "host_id": "forged"})

    def x_call_me(self, param_dict):
        """how many messages were heard"""
        return {"heard": self.heard, "greeting": self.greeting, "process": os.getpid()}

    def __exit__(self):
        self.send({"data": "goodbye"})
"#,
    ),
    ("slow/__init__.py", "__all__ = ['sleeper']\n"),
    (
        "slow/sleeper.py",
        r#"
import threading, plugin

class X_Sleeper(plugin.Co2Plugin):
    def receive(self, data_dict):
        if data_dict["data"] == "sleep":
            threading.Event().wait(600)
"#,
    ),
    ("sys/__init__.py", "raise AssertionError('loaded')\n"),
    ("old/__init__.py", "__all__ = ['printer']\n"),
    ("old/printer.py", "import plugin\nprint 'I am of 2003'\n"),
];

fn start(python: &str, relay: &Relay, files: &tempfile::TempDir, packages: &[&str]) -> Running {
    let url = relay.url();
    let mut running = Running::start(|bench| {
        bench
            .option("relay", url)
            .option("python", python)
            .option("pluginPath", files.path())
            .option("plugins", packages)
    });
    running.until_logged("registered as");
    running
}

fn process(running: &Running) -> Result<Value, String> {
    match running.call("ham.spam.call_me", members([]))? {
        Value::Struct(mut result) => result.remove("process").ok_or_else(String::new),
        _ => Err(String::new()),
    }
}

#[test]
fn plugins_receive_send_are_called_and_say_goodbye_before_the_satellite_does() {
    for python in pythons() {
        let relay = Relay::start();
        let files = folder(PACKAGES);
        let mut running = start(&python, &relay, &files, &["ham"]);
        let (_, registration) = relay.satellites().pop().unwrap();
        assert_eq!(
            registration["plugins"],
            Value::Array(vec![text("ham.spam.X_Spam")])
        );

        assert_eq!(relay.notify(text("nih!")), Ok(text("OK")));
        let john = members([("john", text("cleese"))]);
        let answer = Value::Array(vec![john, text("nih!"), Value::Double(0.815)]);
        running.until("answer", |_| {
            (relay.relayed() == [answer.clone()]).then_some(())
        });
        running.until_logged("ham.spam: receive: 124571645@192.0.2.7:2004");

        let help = running.call("co2.get_method_help", text("ham.spam.call_me"));
        assert_eq!(help, Ok(text("how many messages were heard")));
        let signature = running
            .call("co2.get_method_signature", text("ham.spam.call_me"))
            .unwrap();
        assert!(
            matches!(signature, Value::Struct(members) if members["args"] == Value::Array(vec![text("param_dict")]))
        );
        let Ok(Value::Struct(result)) = running.call("ham.spam.call_me", members([])) else {
            panic!("no struct");
        };
        assert_eq!(
            (&result["heard"], &result["greeting"]),
            (&Value::Integer(1), &text("shrubbery"))
        );

        let logged = running.stop();
        assert!(
            logged.iter().any(|line| line == "deregistered"),
            "{logged:?}"
        );
        assert_eq!(relay.relayed().last(), Some(&text("goodbye")));
        assert!(relay.satellites().is_empty());
    }
}

#[test]
fn a_process_that_is_killed_comes_back_with_all_plugins() {
    let relay = Relay::start();
    let files = folder(PACKAGES);
    let mut running = start("python3", &relay, &files, &["ham"]);
    let Ok(Value::Integer(first)) = process(&running) else {
        panic!("no process");
    };
    let killed = std::process::Command::new("kill")
        .args(["-9", &first.to_string()])
        .status();
    assert!(killed.unwrap().success());
    let line = running.until_logged("the process of the plug-ins");
    assert!(
        line.contains("SIGKILL") && line.contains("starting it again"),
        "{line}"
    );
    let second = running.until("second life", |this| process(this).ok());
    assert_ne!(second, Value::Integer(first));
    assert_eq!(relay.notify(text("nih!")), Ok(text("OK")));
    running.until("answer", |_| (relay.relayed().len() == 1).then_some(()));
}

#[test]
fn while_the_process_is_away_calls_are_faults_and_messages_are_counted() {
    let relay = Relay::start();
    let files = folder(PACKAGES);
    let python = files.path().join("python");
    let gone = files.path().join("gone");
    let script = format!(
        "[ -e '{}' ] && exit 3\nexec python3 \"$@\"\n",
        gone.display()
    );
    std::fs::write(&python, format!("#!/bin/sh\n{script}")).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&python, executable).unwrap();
    let mut running = start(python.to_str().unwrap(), &relay, &files, &["ham"]);
    let Ok(Value::Integer(first)) = process(&running) else {
        panic!("no process");
    };
    std::fs::write(&gone, "").unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-9", &first.to_string()])
        .status();
    assert!(killed.unwrap().success());
    running.until_logged("starting it again in");
    let fault = running.call("ham.spam.call_me", members([])).unwrap_err();
    assert!(fault.contains("process has ended"), "{fault}");
    assert_eq!(relay.notify(text("nih!")), Ok(text("OK")));
    running.until_logged("messages that plug-ins did not get, for their process had ended: 1");
    std::fs::remove_file(&gone).unwrap();
    running.until("another life", |this| process(this).ok());
}

#[test]
fn one_that_sleeps_is_named_and_the_others_go_on() {
    let relay = Relay::start();
    let files = folder(PACKAGES);
    let mut running = start("python3", &relay, &files, &["slow", "ham"]);
    assert_eq!(relay.notify(text("sleep")), Ok(text("OK")));
    for _ in 0..3 {
        assert_eq!(relay.notify(text("nih!")), Ok(text("OK")));
    }
    running.until("answers", |_| (relay.relayed().len() == 3).then_some(()));
    running.until_logged("plug-in slow.sleeper takes more than 1 s in receive");
    running.stop();
    assert_eq!(relay.relayed().last(), Some(&text("goodbye")));
}

#[test]
fn a_caller_without_the_password_does_not_reach_plugins() {
    let relay = Relay::start();
    let files = folder(PACKAGES);
    let mut running = start("python3", &relay, &files, &["ham"]);
    let argument = members([
        ("host_id", text("1@a:2")),
        ("data", text("nih!")),
        ("notify_pass", text("x")),
    ]);
    assert!(running.call("notify", argument).is_err());
    assert_eq!(relay.notify(text("something else")), Ok(text("OK")));
    running.until_logged("ham.spam: receive");
    let Ok(Value::Struct(result)) = running.call("ham.spam.call_me", members([])) else {
        panic!("no struct");
    };
    assert_eq!(result["heard"], Value::Integer(1));
    assert!(relay.relayed().is_empty());
}

#[test]
fn packages_that_cannot_be_loaded_are_named_with_what_to_do() {
    let relay = Relay::start();
    let files = folder(PACKAGES);
    let running = start("python3", &relay, &files, &["sys", "nowhere", "old", "ham"]);
    let told = |line: &&String| line.contains("is not loaded");
    let reasons: Vec<_> = running.logged.iter().filter(told).cloned().collect();
    assert!(
        reasons[0].starts_with("plug-in sys is not loaded: CO2 has this name"),
        "{reasons:?}"
    );
    assert!(
        reasons[1].contains("plug-in nowhere is not loaded: there is no such package"),
        "{reasons:?}"
    );
    assert!(
        reasons[2].contains("printer.py, line 2") && reasons[2].contains("the option `python`"),
        "{reasons:?}"
    );
    assert!(process(&running).is_ok());
}

#[test]
fn there_is_a_limit_to_the_methods_of_plugins() {
    let relay = Relay::start();
    let many = "import plugin\nclass X_Many(plugin.Co2Plugin):\n    for i in range(1100):\n        \
                locals()['x_m%04d' % i] = lambda self, p: 'here'\n";
    let files = folder(&[
        ("a/__init__.py", "__all__ = ['many']\n"),
        ("a/many.py", many),
    ]);
    let mut running = start("python3", &relay, &files, &["a"]);
    running.read = 0;
    running.until_logged("is beyond the 1000 that there may be");
    assert_eq!(running.call("a.many.m0000", members([])), Ok(text("here")));
    let fault = running.call("a.many.m1099", members([])).unwrap_err();
    assert!(fault.contains("not supported"), "{fault}");
}

#[test]
fn a_python_that_is_not_there_is_named_and_the_rest_goes_on() {
    let relay = Relay::start();
    let files = folder(PACKAGES);
    let mut running = start("python2.0", &relay, &files, &["ham"]);
    running.read = 0;
    let line = running.until_logged("`python`");
    assert!(line.contains("no program `python2.0`"), "{line}");
    assert_eq!(relay.notify(text("nih!")), Ok(text("OK")));
    running.until_sent("notify");
}

#[test]
fn an_installation_gives_what_the_block_does_not() {
    for python in pythons() {
        let relay = Relay::start();
        let mut all: Vec<(String, &str)> = PACKAGES
            .iter()
            .map(|(name, text)| (format!("plugin/{name}"), *text))
            .collect();
        let config = format!(
            "import os\nhost = 'localhost:1'\nplugin_list = ['ham']\nnick = 'from ' + 'config'\nrelay = '{}'\nbackground = True\nmax_sats = 9\n",
            relay.url()
        );
        all.push(("config.py".to_owned(), &config));
        let all: Vec<_> = all
            .iter()
            .map(|(name, text)| (name.as_str(), *text))
            .collect();
        let files = folder(&all);
        let mut running = Running::start(|bench| {
            bench
                .option("python", &python)
                .option("config", files.path().join("config.py"))
        });
        let line = running.until_logged("config.py: taken");
        assert!(
            line.contains("`host` as `bindAddress` (\"localhost\")"),
            "{line}"
        );
        assert!(line.contains("given already: `port`"), "{line}");
        running.until_logged("registered as");
        let (_, registration) = relay.satellites().pop().unwrap();
        assert_eq!(registration["nick"], text("from config"));
        assert_eq!(
            registration["plugins"],
            Value::Array(vec![text("ham.spam.X_Spam")])
        );
    }
}

#[test]
fn a_configuration_that_cannot_be_had_is_one_clear_message() {
    let files = folder(&[
        ("broken.py", "host = \n"),
        (
            "ends.py",
            "import os, sys\nsys.stderr.write('no\\n')\nos._exit(3)\n",
        ),
    ]);
    let refused = |name: &str, python: &str| {
        let bench = RoleBench::<Satellite>::new().option("python", python);
        let started = bench.option("config", files.path().join(name)).start();
        started.map(drop).unwrap_err().to_string()
    };
    let text = refused("missing.py", "python3");
    assert!(text.contains("missing.py`: No such file"), "{text}");
    let text = refused("broken.py", "python3");
    assert!(text.contains("broken.py, line 1"), "{text}");
    let text = refused("ends.py", "python3");
    assert!(
        text.contains("exit code 3") && text.contains("`no`"),
        "{text}"
    );
    let text = refused("broken.py", "no-python-here");
    assert!(
        text.contains("`python`: no program `no-python-here`"),
        "{text}"
    );
}
