//! Who comes in, when and for how long.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use kozo_abi::Error;
use kozo_abi::bench::Incoming;

use super::{LIMIT, Report, Scene, default, lines_until, text, wait_until};
use crate::gate::MAX_SESSIONS;

#[test]
fn nothing_listens_before_the_order() -> Result<(), Error> {
    let mut scene = default()?;
    scene.bench.run()?;
    assert!(TcpStream::connect(("127.0.0.1", scene.port)).is_err());
    assert!(!scene.bench.deliver(Incoming::event("debug")));
    assert!(!scene.bench.deliver(Incoming::order("test")));
    Ok(())
}

#[test]
fn an_order_opens_a_console_and_tells_how_to_know_it() -> Result<(), Error> {
    let mut scene = default()?;
    let report = scene.order()?;
    assert!(
        report
            .addresses
            .contains(&format!("127.0.0.1:{}", scene.port))
    );
    assert!(report.fingerprint.starts_with("SHA256:"));
    let said = scene.said()?;
    assert!(said.contains(&report.fingerprint), "{said}");
    assert!(said.contains("only this machine is let in"), "{said}");
    let output = scene.run(&["time"])?;
    assert!(
        text(&output.stdout).starts_with("the console is closed in 9m "),
        "{output:?}"
    );
    assert!(output.status.success(), "{output:?}");
    let known = Command::new("ssh-keygen")
        .args(["-l", "-f"])
        .arg(scene.folder.path().join("known"))
        .output()?;
    assert!(
        text(&known.stdout).contains(&report.fingerprint),
        "{known:?}"
    );
    // Another opening has the same key, so the client has no reason to warn.
    scene.bench.stop()?;
    let mut other = default()?;
    assert_eq!(other.order()?.fingerprint, report.fingerprint);
    Ok(())
}

#[test]
fn orders_may_have_a_channel_or_name_whom_they_mean() -> Result<(), Error> {
    let mut scene = Scene::new(|bench| bench.option("channel", "attic"))?;
    assert!(
        !scene
            .bench
            .deliver(Incoming::order("debug").channel("cellar"))
    );
    assert!(!scene.bench.deliver(Incoming::order("debug")));
    for (field, other) in [("node", "cellar"), ("role", "timer")] {
        let data = std::collections::BTreeMap::from([(field, other)]);
        assert!(
            scene
                .bench
                .deliver(Incoming::order("debug").channel("attic").data(&data))
        );
        scene.bench.run()?;
        assert!(scene.event()?.is_none(), "{field}");
    }
    let data = std::collections::BTreeMap::from([("node", "hall"), ("role", "debugger")]);
    assert!(
        scene
            .bench
            .deliver(Incoming::order("debug").channel("attic").data(&data))
    );
    scene.bench.run()?;
    assert!(scene.event()?.is_some());
    Ok(())
}

#[test]
fn wrong_passwords_are_refused_and_soon_not_even_heard() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let started = Instant::now();
    let output = scene.ssh("wrong", &["time"])?.output()?;
    assert_eq!(output.status.code(), Some(255), "{output:?}");
    assert!(text(&output.stdout).is_empty());
    // Three were given, and each refusal takes a second.
    assert!(started.elapsed() >= Duration::from_secs(3));
    // The right one comes too late now.
    let output = scene.run(&["time"])?;
    assert_eq!(output.status.code(), Some(255), "{output:?}");
    let said = scene.said()?;
    assert_eq!(said.matches("gave a wrong password").count(), 3, "{said}");
    assert!(
        said.contains("its address has to wait for 30 s now"),
        "{said}"
    );
    assert!(said.contains("its address gave wrong passwords"), "{said}");
    Ok(())
}

#[test]
fn only_passwords_open_the_door() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let output = scene
        .ssh(
            "kozo",
            &[
                "-v",
                "-o",
                "PreferredAuthentications=none,publickey,keyboard-interactive",
                "time",
            ],
        )?
        .output()?;
    let shown = text(&output.stderr);
    assert!(shown.contains("Permission denied (password)"), "{shown}");
    Ok(())
}

#[test]
fn a_password_of_ones_own_lets_others_in_unless_that_is_forbidden() -> Result<(), Error> {
    let mut scene = Scene::new(|bench| bench.option("password", "secret"))?;
    let report = scene.order()?;
    let any = |report: &Report| {
        report
            .addresses
            .iter()
            .any(|one| !one.contains("127.0.0.1") && !one.contains("[::1]"))
    };
    assert!(any(&report), "{report:?}");
    assert!(!scene.said()?.contains("only this machine"));
    assert!(scene.ssh("secret", &["time"])?.output()?.status.success());
    let mut scene = Scene::new(|bench| {
        bench
            .option("password", "secret")
            .option("allowRemote", false)
    })?;
    let report = scene.order()?;
    assert!(!any(&report), "{report:?}");
    assert!(scene.said()?.contains("`allowRemote` is off"));
    Ok(())
}

#[test]
fn the_end_of_the_time_ends_sessions_that_are_attached() -> Result<(), Error> {
    let mut scene = Scene::new(|bench| bench.option("debugTimeout", 4))?;
    scene.order()?;
    let mut session = scene.session()?;
    let _input = session.stdin.take();
    let output = session.wait_with_output()?;
    let shown = text(&output.stdout);
    assert!(shown.contains("The console is closed in"), "{shown}");
    assert!(
        shown.contains("The time of this console is over."),
        "{shown}"
    );
    let closed = wait_until("the role has noticed", || {
        scene.bench.run().unwrap();
        scene.event().unwrap()
    });
    assert!(!closed.open);
    scene.wait_until_nobody_listens();
    assert!(
        scene
            .said()?
            .contains("its time is over; there were 1 logins")
    );
    // And it can be opened again.
    scene.order()?;
    assert!(scene.run(&["time"])?.status.success());
    Ok(())
}

#[test]
fn a_further_order_gives_the_time_anew() -> Result<(), Error> {
    let mut scene = Scene::new(|bench| bench.option("debugTimeout", 6))?;
    scene.order()?;
    let opened = Instant::now();
    wait_until("some time is over", || {
        (opened.elapsed() > Duration::from_secs(4)).then_some(())
    });
    scene.order()?;
    assert!(scene.said()?.contains("ordered it again"));
    wait_until("the first time is over", || {
        (opened.elapsed() > Duration::from_secs(7)).then_some(())
    });
    assert!(scene.run(&["time"])?.status.success());
    Ok(())
}

#[test]
fn garbage_on_the_port_harms_nobody() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let mut idle = Vec::new();
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0xff; 100_000],
        b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff",
        b"SSH-2.0-x\r\n\0\0\x80\0\x04\x14",
        b"",
    ] {
        for _ in 0..4 {
            let mut stranger = TcpStream::connect(("127.0.0.1", scene.port))?;
            stranger.set_read_timeout(Some(LIMIT))?;
            // It may have been hung up on already.
            let _ = stranger.write_all(garbage);
            idle.push(stranger);
        }
    }
    assert!(scene.run(&["time"])?.status.success());
    // Those who came first had to go.
    let mut rest = Vec::new();
    let _ = idle[0].read_to_end(&mut rest);
    assert!(scene.run(&["time"])?.status.success());
    Ok(())
}

#[test]
fn a_client_that_sends_without_end_is_cut_off_and_one_that_reads_nothing_holds_up_nobody()
-> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let mut deaf = scene.session()?;
    let mut input = deaf.stdin.take().ok_or("no input")?;
    let flood = std::thread::spawn(move || {
        for _ in 0..64 {
            if input.write_all("help\r".repeat(20_000).as_bytes()).is_err() {
                break;
            }
        }
    });
    assert!(scene.run(&["time"])?.status.success());
    deaf.kill()?;
    deaf.wait()?;
    flood.join().map_err(|_| "the flood failed")?;
    assert!(scene.run(&["time"])?.status.success());
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_told_of_and_the_next_order_tries_again() -> Result<(), Error> {
    let mut scene = default()?;
    let other = std::net::TcpListener::bind(("127.0.0.1", scene.port))?;
    assert!(scene.bench.deliver(Incoming::order("debug")));
    scene.bench.run()?;
    assert!(scene.said()?.contains("another `port` may be free"));
    drop(other);
    scene.wait_until_nobody_listens();
    scene.order()?;
    Ok(())
}

#[test]
fn stopping_the_role_closes_everything() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let mut session = scene.session()?;
    let mut input = session.stdin.take().ok_or("no input")?;
    input.write_all(b"time\r")?;
    let mut output = session.stdout.take().ok_or("no output")?;
    let mut shown = [0; 1024];
    assert!(output.read(&mut shown)? > 0);
    scene.bench.stop()?;
    scene.wait_until_nobody_listens();
    session.wait()?;
    Ok(())
}

#[test]
fn only_so_many_are_in_at_a_time_and_each_keeps_its_place() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let mut sessions = Vec::new();
    for _ in 0..MAX_SESSIONS {
        let mut session = scene.session()?;
        let mut output = session.stdout.take().ok_or("no output")?;
        let input = session.stdin.take();
        lines_until(&mut output, "hall> ")?;
        sessions.push((session, input, output));
    }
    let refused = scene.run(&["time"])?;
    assert_eq!(refused.status.code(), Some(255), "{refused:?}");
    assert!(scene.said()?.contains("too many are logged in"));
    let (mut session, input, mut output) = sessions.swap_remove(0);
    let mut input = input.ok_or("no input")?;
    input.write_all(b"time\r")?;
    lines_until(&mut output, "the console is closed in")?;
    input.write_all(b"\x04")?;
    assert!(session.wait()?.success());
    wait_until("there is a place", || {
        scene
            .run(&["time"])
            .is_ok_and(|output| output.status.success())
            .then_some(())
    });
    for (mut session, ..) in sessions {
        session.kill()?;
        session.wait()?;
    }
    Ok(())
}
