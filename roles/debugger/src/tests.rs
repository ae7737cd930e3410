//! The role with OpenSSH's client, on a host that is none.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kozo_abi::bench::{Incoming, RoleBench, StartedRole, reserve_port};
use kozo_abi::{Error, Kind};
use serde::Deserialize;
use tempfile::TempDir;

use super::Debugger;

/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
struct Report {
    open: bool,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    fingerprint: String,
}

/// The role, with a port of its own.
struct Scene {
    bench: StartedRole,
    port: u16,
    folder: TempDir,
    said: Vec<String>,
}

impl Scene {
    fn new(
        options: impl FnOnce(RoleBench<Debugger>) -> RoleBench<Debugger>,
    ) -> Result<Self, Error> {
        let port = reserve_port()?;
        let bench = RoleBench::<Debugger>::new()
            .node("hall")
            .option("port", port);
        Ok(Self {
            bench: options(bench).start()?,
            port,
            folder: TempDir::new()?,
            said: Vec::new(),
        })
    }

    /// Orders the console, as somebody on the network would.
    fn order(&mut self) -> Result<Report, Error> {
        assert!(self.bench.deliver(Incoming::order("debug").data(&())));
        self.bench.run()?;
        let report = self.event()?.ok_or("it has sent no event")?;
        assert!(report.open);
        Ok(report)
    }

    /// The event that it has sent since the last call; what it has logged is kept.
    fn event(&mut self) -> Result<Option<Report>, Error> {
        let mut report = None;
        for message in self.bench.sent() {
            match message.kind() {
                Kind::Log => self.said.push(message.data()?),
                _ if message.type_name() == "debugger" => report = Some(message.data()?),
                _ => {}
            }
        }
        Ok(report)
    }

    /// What it has logged.
    fn said(&mut self) -> Result<String, Error> {
        self.event()?;
        Ok(self.said.join("\n"))
    }

    /// OpenSSH's client, which gives this password whenever it is asked for one.
    fn ssh(&self, password: &str, words: &[&str]) -> Result<Command, Error> {
        let asker = self.folder.path().join(format!("ask-{}", password.len()));
        fs::write(&asker, format!("#!/bin/sh\necho '{password}'\n"))?;
        fs::set_permissions(&asker, fs::Permissions::from_mode(0o700))?;
        let mut ssh = Command::new("ssh");
        let known = format!(
            "UserKnownHostsFile={}",
            self.folder.path().join("known").display()
        );
        ssh.args(["-F", "none", "-p", &self.port.to_string(), "-o", &known])
            .args([
                "-o",
                "StrictHostKeyChecking=accept-new",
                "-o",
                "LogLevel=ERROR",
            ])
            .args(["-o", "PubkeyAuthentication=no", "anybody@127.0.0.1"])
            .args(words)
            .env("SSH_ASKPASS", asker)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdin(Stdio::null());
        Ok(ssh)
    }

    fn run(&self, words: &[&str]) -> Result<Output, Error> {
        Ok(self.ssh("kozo", words)?.output()?)
    }

    /// Types into a terminal's session, and returns all that it shows until it ends.
    fn type_into(&self, typed: &str) -> Result<String, Error> {
        let mut child = self.session()?;
        let mut input = child.stdin.take().ok_or("no input")?;
        input.write_all(typed.as_bytes())?;
        let output = child.wait_with_output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn session(&self) -> Result<Child, Error> {
        let mut ssh = self.ssh("kozo", &["-tt"])?;
        Ok(ssh
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?)
    }
}

fn default() -> Result<Scene, Error> {
    Scene::new(|bench| bench)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn wait_until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

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
fn commands_are_typed_at_a_terminal() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let shown = scene.type_into("hepl\x7f\x7flp\r\x1b[A\x01x\rfoo\x03\x04")?;
    assert!(shown.contains("This is debugger@hall."), "{shown}");
    assert!(shown.contains("hall> "), "{shown}");
    assert!(shown.contains("ends the session"), "{shown}");
    assert!(shown.contains("there is no command `xhelp`"), "{shown}");
    Ok(())
}

#[test]
fn scripts_run_commands_and_get_their_exit_codes() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let failed = scene.run(&["dance \x1b[31m"])?;
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(
        text(&failed.stdout),
        "error: there is no command `dance`: try `help`\n"
    );
    let failed = scene.run(&["\x1b[31m"])?;
    assert_eq!(
        text(&failed.stdout),
        "error: there is no command `\\u{1b}[31m`: try `help`\n"
    );
    let mut piped = scene
        .ssh("kozo", &["-T"])?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    piped
        .stdin
        .take()
        .ok_or("no input")?
        .write_all(b"time\nhelp quit\ntime")?;
    let output = piped.wait_with_output()?;
    let shown = text(&output.stdout);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[1], "quit: ends the session");
    assert_eq!(output.status.code(), Some(0));
    Ok(())
}

#[test]
fn messages_are_sent() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let output = scene.run(&["send order 'gpio set' channel=garage {on: true}"])?;
    assert!(output.status.success(), "{output:?}");
    let sent = wait_until("the order is sent", || {
        let sent = scene.bench.sent();
        sent.into_iter()
            .find(|message| message.kind() == Kind::Order)
    });
    assert_eq!(
        (sent.type_name(), sent.channel()),
        ("gpio set", Some("garage"))
    );
    // {"on": true}
    assert_eq!(sent.data_bytes(), b"\x81\xa2on\xc3");
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
    assert!(TcpStream::connect(("127.0.0.1", scene.port)).is_err());
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
fn a_hanging_threads_stack_is_shown_by_name() -> Result<(), Error> {
    let mut scene = default()?;
    scene.order()?;
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let hangs = std::thread::Builder::new()
        .name("camera".to_owned())
        .spawn(move || hang_like_a_camera(&receiver))?;
    let shown = wait_until("the thread hangs", || {
        let output = scene.run(&["threads camera"]).ok()?;
        let shown = text(&output.stdout);
        shown.contains("hang_like_a_camera").then_some(shown)
    });
    assert!(shown.contains("`camera`: waits in futex"), "{shown}");
    let shown = text(&scene.run(&["threads"])?.stdout);
    assert!(
        shown.contains("camera") && shown.contains("futex"),
        "{shown}"
    );
    drop(sender);
    hangs.join().map_err(|_| "the thread failed")?;
    Ok(())
}

#[inline(never)]
fn hang_like_a_camera(receiver: &std::sync::mpsc::Receiver<()>) -> u64 {
    match receiver.recv() {
        Ok(()) => 1,
        Err(_) => 2,
    }
}

#[test]
fn a_port_that_is_taken_is_told_of_and_the_next_order_tries_again() -> Result<(), Error> {
    let mut scene = default()?;
    let other = std::net::TcpListener::bind(("127.0.0.1", scene.port))?;
    assert!(scene.bench.deliver(Incoming::order("debug")));
    scene.bench.run()?;
    assert!(scene.said()?.contains("another `port` may be free"));
    drop(other);
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
    assert!(TcpStream::connect(("127.0.0.1", scene.port)).is_err());
    session.wait()?;
    Ok(())
}
