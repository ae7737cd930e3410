//! How roles live, fail, stop, and live again.

use std::sync::atomic::AtomicUsize;

use super::*;
use kozo_status::RoleState;

/// Tells of every message's text.
fn listener(told: &Told) -> Script {
    let told = told.clone();
    Script::new().on_run(move |host| {
        if let Some(message) = host.receive() {
            told.say(message.data::<String>()?)?;
        }
        Ok(())
    })
}

#[test]
fn messages_reach_a_role_in_order() {
    let (told, heard) = Told::new();
    let stage = listener(&told).start();
    for text in ["one", "two", "three"] {
        stage.push(text);
    }
    heard.expect(["one", "two", "three"]);
    assert_eq!(stage.status().state, RoleState::Running);
    stage.stop();
    let status = stage.status();
    assert_eq!(status.state, RoleState::Stopped);
    assert_eq!((status.restarts, status.failures), (0, 0));
}

#[test]
fn a_slow_role_costs_only_itself() {
    let (told, heard) = Told::new();
    let (slow_told, slow_heard) = Told::new();
    let gate = Gate::default();
    let closed = gate.clone();
    let slow = Script::new()
        .on_run(move |host| {
            if let Some(message) = host.receive() {
                slow_told.say(message.data::<String>()?)?;
                closed.wait();
            }
            Ok(())
        })
        .start_with(|setup| setup.inbox.length = 2);
    let quick = listener(&told).start();
    slow.push("first");
    slow_heard.expect(["first"]);
    for number in 0..100 {
        slow.push(&number.to_string());
        quick.push(&number.to_string());
        assert_eq!(heard.next(), number.to_string());
    }
    assert_eq!(slow.status().inbox.dropped_by_limit, 98);
    assert_eq!(quick.status().inbox.dropped_by_limit, 0);
    gate.open();
    slow_heard.expect(["98", "99"]);
    slow.stop();
    quick.stop();
}

#[test]
fn a_role_that_panics_is_made_anew_and_loses_no_message() {
    let (told, heard) = Told::new();
    let script = Script::new().told_to(&told).on_run(move |host| {
        let Some(message) = host.receive() else {
            return Ok(());
        };
        match message.data::<String>()?.as_str() {
            "panic" => panic!("at work"),
            "error" => Err("no sensor".into()),
            text => told.say(text),
        }
    });
    let stage = script.start();
    for text in ["panic", "one", "error", "two"] {
        stage.push(text);
    }
    heard.expect(["new", "drop", "new", "one", "drop", "new", "two"]);
    let status = stage.status();
    assert_eq!((status.restarts, status.failures), (2, 2));
    assert_eq!(status.last_error.as_deref(), Some("no sensor"));
    stage.stop();
    heard.expect(["stop", "drop"]);
}

#[test]
fn a_panic_is_the_last_error_with_its_text() {
    let stage = Script::new()
        .on_run(|_| panic!("line one\nline two"))
        .start_with(|setup| setup.restart.first = LONG)
        .waiting();
    let error = stage.status().last_error.unwrap();
    assert!(error.ends_with("panicked: line one\\nline two"), "{error}");
    stage.stop();
}

impl Stage {
    /// Once the role waits after a failure.
    fn waiting(self) -> Self {
        eventually(|| self.status().state == RoleState::Waiting);
        self
    }
}

#[test]
fn a_role_that_cannot_be_made_is_tried_again() {
    let (told, heard) = Told::new();
    let tries = AtomicUsize::new(0);
    let stage = listener(&told)
        .on_new(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Err("the port is in use".into()),
            1 => panic!("odd"),
            _ => Ok(()),
        })
        .start();
    stage.push("kept");
    heard.expect(["kept"]);
    assert_eq!(stage.status().failures, 2);
    stage.stop();
}

#[test]
fn the_module_is_asked_for_again_at_each_life() {
    let (told, heard) = Told::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let stage = listener(&told).start_from(
        |_| (),
        move || match count.fetch_add(1, Ordering::Relaxed) {
            0 => Err("the file is gone".to_owned()),
            1 => panic!("the loader is broken"),
            _ => Ok(module()),
        },
    );
    stage.push("one");
    heard.expect(["one"]);
    assert_eq!(stage.status().failures, 2);
    let error = stage.status().last_error.unwrap();
    assert!(error.contains("the loader is broken"), "{error}");
    stage.role.restart().unwrap();
    stage.push("two");
    heard.expect(["two"]);
    stage.stop();
    assert!(asked.load(Ordering::Relaxed) >= 4);
}

#[test]
fn a_role_that_hangs_is_left_behind_and_harms_no_other() {
    let (told, heard) = Told::new();
    let gate = Gate::default();
    let closed = gate.clone();
    let (hanging_told, hanging_heard) = Told::new();
    let hanging = Script::new()
        .on_run(move |_| {
            hanging_told.say("run")?;
            closed.wait();
            Ok(())
        })
        .start_with(|setup| setup.stop_limit = Duration::from_millis(20));
    let other = listener(&told).start();
    hanging_heard.expect(["run"]);
    let asked = clock::now();
    hanging.role.stop();
    assert!(!hanging.role.join(asked));
    assert_eq!(hanging.status().state, RoleState::Stopping);
    other.push("still here");
    heard.expect(["still here"]);
    other.stop();
    gate.open();
    eventually(|| hanging.status().state == RoleState::Stopped);
}

#[test]
fn a_stop_ends_waits_and_is_the_last_call() {
    let (told, heard) = Told::new();
    let run = told.clone();
    let receiving = Script::new().told_to(&told).on_run(move |host| {
        run.say("run")?;
        let message = host.receive_timeout(LONG);
        run.say(format!("{} {}", message.is_some(), host.stopping()))
    });
    let stage = receiving.start();
    heard.expect(["new", "run"]);
    stage.stop();
    heard.expect(["false true", "stop", "drop"]);

    let run = told.clone();
    let sleeping = Script::new().told_to(&told).on_run(move |host| {
        run.say("run")?;
        run.say(host.sleep(LONG).to_string())
    });
    let stage = sleeping.start();
    heard.expect(["new", "run"]);
    stage.stop();
    heard.expect(["false", "stop", "drop"]);
    heard.expect_silence();
}

#[test]
fn a_role_can_finish_what_waits_when_it_is_stopped() {
    let (told, heard) = Told::new();
    let gate = Gate::default();
    let closed = gate.clone();
    let rest = told.clone();
    let mut script = Script::new().on_run(move |_| {
        told.say("run")?;
        closed.wait();
        Ok(())
    });
    script.on_stop = Box::new(move |host| {
        while let Some(message) = host.try_receive() {
            rest.say(message.data::<String>()?)?;
        }
        Ok(())
    });
    let stage = script.start();
    heard.expect(["run"]);
    stage.push("one");
    stage.push("two");
    stage.role.stop();
    stage.push("too late");
    gate.open();
    heard.expect(["one", "two"]);
    assert!(stage.role.join(clock::now()));
    heard.expect_silence();
    assert_eq!(stage.status().inbox.dropped_by_stop, 1);
}

#[test]
fn a_role_that_waits_after_a_failure_stops_at_once_and_restarts_on_request() {
    let (told, heard) = Told::new();
    let lives = AtomicUsize::new(0);
    let stage = listener(&told)
        .on_new(move |_| match lives.fetch_add(1, Ordering::Relaxed) {
            0 | 2 => Err("no sensor".into()),
            _ => Ok(()),
        })
        .start_with(|setup| {
            setup.restart.first = LONG;
            setup.restart.ceiling = LONG;
        })
        .waiting();
    let restart_in = stage.status().restart_in_seconds.unwrap();
    assert!(restart_in > LONG.as_secs_f64() / 3.0 && restart_in <= LONG.as_secs_f64());
    stage.push("kept");
    stage.role.restart().unwrap();
    heard.expect(["kept"]);
    stage.role.restart().unwrap();
    let stage = stage.waiting();
    assert_eq!(stage.status().restarts, 2);
    stage.stop();
}

#[test]
fn a_halted_role_is_gone_with_what_waits_until_it_is_resumed() {
    let (told, heard) = Told::new();
    let gate = Gate::default();
    let closed = gate.clone();
    let run = told.clone();
    let stage = Script::new()
        .told_to(&told)
        .on_run(move |host| {
            if let Some(message) = host.receive() {
                run.say(message.data::<String>()?)?;
                closed.wait();
            }
            Ok(())
        })
        .start();
    stage.push("one");
    heard.expect(["new", "one"]);
    stage.push("two");
    stage.role.halt();
    assert_eq!(stage.status().state, RoleState::Stopping);
    gate.open();
    heard.expect(["stop", "drop"]);
    eventually(|| stage.status().state == RoleState::Stopped);
    stage.push("three");
    let inbox = stage.status().inbox;
    assert_eq!((inbox.waiting, inbox.dropped_by_stop), (0, 2));
    stage.role.resume().unwrap();
    heard.expect(["new"]);
    stage.push("four");
    heard.expect(["four"]);
    let status = stage.status();
    assert_eq!((status.restarts, status.failures), (1, 0));
    // One that is halted can be stopped for good.
    stage.role.halt();
    eventually(|| stage.status().state == RoleState::Stopped);
    stage.stop();
}

#[test]
fn a_restart_stops_the_role_and_keeps_what_waits() {
    let (told, heard) = Told::new();
    let gate = Gate::default();
    let closed = gate.clone();
    let run = told.clone();
    let stage = Script::new()
        .told_to(&told)
        .on_run(move |host| {
            if let Some(message) = host.receive() {
                run.say(message.data::<String>()?)?;
                closed.wait();
            }
            Ok(())
        })
        .start();
    stage.push("one");
    heard.expect(["new", "one"]);
    stage.push("two");
    stage.role.restart().unwrap();
    gate.open();
    heard.expect(["stop", "drop", "new", "two"]);
    let status = stage.status();
    assert_eq!((status.restarts, status.failures), (1, 0));
    stage.stop();
}

#[test]
fn files_are_opened_again_between_two_runs() {
    let (told, heard) = Told::new();
    let run = told.clone();
    let stage = Script::new()
        .told_to(&told)
        .on_run(move |host| {
            run.say("run")?;
            host.receive_timeout(LONG);
            Ok(())
        })
        .start();
    heard.expect(["new", "run"]);
    stage.role.reopen();
    heard.expect(["reopen", "run"]);
    stage.role.reopen();
    heard.expect(["reopen", "run"]);
    stage.stop();
    heard.expect(["stop", "drop"]);
}

#[test]
fn a_role_that_cannot_open_its_files_again_is_made_anew() {
    let (told, heard) = Told::new();
    let mut script = Script::new().told_to(&told);
    script.on_reopen = Box::new(|_| Err("the folder is gone".into()));
    let stage = script.start();
    heard.expect(["new"]);
    stage.role.reopen();
    heard.expect(["drop", "new"]);
    assert_eq!(stage.status().failures, 1);
    stage.stop();
}

#[test]
fn a_thread_that_a_failed_life_left_behind_takes_no_messages() {
    let (told, heard) = Told::new();
    let (left_told, left_heard) = Told::new();
    let lives = AtomicUsize::new(0);
    let stage = listener(&told)
        .on_new(move |host| {
            if lives.fetch_add(1, Ordering::Relaxed) == 0 {
                let (host, told) = (host.clone(), left_told.clone());
                std::thread::spawn(move || {
                    let message = host.receive_timeout(LONG);
                    let waited = host.sleep(LONG);
                    let text = format!("{} {waited} {}", message.is_some(), host.stopping());
                    let _ = told.say(text);
                });
                return Err("it failed after it had started a thread".into());
            }
            Ok(())
        })
        .start();
    left_heard.expect(["false false true"]);
    stage.push("for the second life");
    heard.expect(["for the second life"]);
    stage.stop();
}

#[test]
fn a_role_may_join_its_threads_when_it_is_dropped() {
    let (told, heard) = Told::new();
    let worker = Arc::new(Mutex::new(None));
    let (started, joined) = (Arc::clone(&worker), told.clone());
    let mut script = Script::new()
        .on_new(move |host| {
            let host = host.clone();
            *started.lock().unwrap() = Some(std::thread::spawn(move || while host.sleep(LONG) {}));
            Ok(())
        })
        .on_run(|_| Err("no sensor".into()));
    script.on_drop = Box::new(move || {
        worker.lock().unwrap().take().unwrap().join().unwrap();
        let _ = joined.say("joined");
    });
    let stage = script.start_with(|setup| setup.restart.first = LONG);
    heard.expect(["joined"]);
    stage.stop();
}

#[test]
fn dropping_a_role_asks_it_to_stop() {
    let (told, heard) = Told::new();
    let stage = Script::new().told_to(&told).start();
    heard.expect(["new"]);
    drop(stage);
    heard.expect(["stop", "drop"]);
}

#[test]
fn a_role_that_fails_while_it_stops_has_stopped_all_the_same() {
    let mut script = Script::new();
    script.on_stop = Box::new(|_| panic!("the disk is full"));
    script.on_drop = Box::new(|| panic!("again"));
    let stage = script.start();
    eventually(|| stage.status().state == RoleState::Running);
    stage.stop();
}
