//! What can be done inside.

use std::io::{BufReader, Write};
use std::process::Stdio;

use kozo_abi::Error;
use kozo_abi::Kind;
use serde_json::json;

use super::{Scene, default, lines_until, text, wait_until};

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
fn messages_pass_until_a_key_is_pressed_or_the_client_goes() -> Result<(), Error> {
    let message = json!({
        "kind": "event", "node": "hall", "role": "timer", "type": "tick", "data": [1, "\u{1b}[31m"],
    });
    let mut scene = Scene::new(|bench| {
        bench
            .answer("open-tap", &json!({"tap": 3}))
            .answer("tapped", &json!({"messages": [message], "left_out": 2}))
            .answer("close-tap", &())
    })?;
    scene.order()?;
    let mut session = scene.session()?;
    let mut input = session.stdin.take().ok_or("no input")?;
    let mut output = BufReader::new(session.stdout.take().ok_or("no output")?);
    input.write_all(b"messages type=tick\r")?;
    let shown = lines_until(&mut output, "(2 more passed that are not shown)")?;
    let expected = "event timer@hall \"tick\" [1,\"\\u001b[31m\"]";
    assert!(
        shown.iter().any(|line| line.starts_with(expected)),
        "{shown:?}"
    );
    input.write_all(b"x")?;
    lines_until(&mut output, "hall> ")?;
    input.write_all(b"time\r")?;
    lines_until(&mut output, "the console is closed in")?;
    input.write_all(b"\x04")?;
    assert!(session.wait()?.success());
    let asked: Vec<serde_json::Value> = scene.bench.asked()?;
    assert_eq!(
        asked[0],
        json!({"request": "open-tap", "interests": [{"type": ["tick"]}]})
    );
    assert_eq!(
        asked.last(),
        Some(&json!({"request": "close-tap", "tap": 3}))
    );

    // Without a terminal nobody presses keys; the tap is closed all the same once the client is gone.
    let mut client = scene
        .ssh("kozo", &["messages"])?
        .stdout(Stdio::piped())
        .spawn()?;
    lines_until(
        &mut BufReader::new(client.stdout.take().ok_or("no output")?),
        "(2 more",
    )?;
    client.kill()?;
    client.wait()?;
    wait_until("the tap is closed", || {
        let asked: Vec<serde_json::Value> = scene.bench.asked().ok()?;
        asked
            .iter()
            .any(|asked| asked["request"] == "close-tap")
            .then_some(())
    });
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
