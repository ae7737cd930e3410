//! What the host does for roles.

use std::io;

use kozo_abi::SendError;
use tempfile::TempDir;

use super::*;
use crate::log::WINDOW;
use crate::roles::line::{LINES, RoleLog};
use crate::storage::Storage;

/// Runs `call` once, and returns what it told, with the role still running.
fn once(
    change: impl FnOnce(&mut RoleSetup),
    call: impl Fn(&RoleHost) -> Result<String, Error> + Send + Sync + 'static,
) -> (Stage, String) {
    let (told, heard) = Told::new();
    let stage = Script::new()
        .on_run(move |host| {
            told.say(call(host).unwrap_or_else(|error| format!("error: {error}")))?;
            host.sleep(LONG);
            Ok(())
        })
        .start_with(change);
    let text = heard.next();
    (stage, text)
}

#[test]
fn a_role_sees_where_a_message_comes_from_and_how_old_it_is() {
    let (told, heard) = Told::new();
    let stage = Script::new()
        .on_run(move |host| {
            let Some(message) = host.receive() else {
                return Ok(());
            };
            let age = message.age();
            assert!(age >= LONG && age < LONG * 2, "{age:?}");
            assert!(message.timestamp().elapsed().is_ok());
            told.say(format!("{message} {:?} {:?}", message.channel(), host))
        })
        .start();
    let mut old = incoming("x");
    old.age = LONG;
    stage.inbox.push(old);
    heard.expect(["event `tick` of timer1@cottage None RoleHost(scripted1@clock)"]);
    stage.stop();
}

#[test]
fn an_order_that_waited_too_long_never_reaches_the_role() {
    let (told, heard) = Told::new();
    let stage = Script::new()
        .on_run(move |host| match host.receive() {
            Some(message) => told.say(message.data::<String>()?),
            None => Ok(()),
        })
        .start();
    let mut old = incoming("open the garage");
    old.expires = clock::now();
    stage.inbox.push(old);
    stage.push("fresh");
    heard.expect(["fresh"]);
    assert_eq!(stage.status().inbox.dropped_by_age, 1);
    stage.stop();
}

#[test]
fn a_role_waits_for_messages_no_longer_than_the_configuration_says() {
    let (stage, text) = once(
        |setup| setup.longest_wait = Duration::from_millis(1),
        |host| {
            let none = host.receive().is_none() && host.receive_timeout(LONG).is_none();
            Ok(format!("{none} {}", host.stopping()))
        },
    );
    assert_eq!(text, "true false");
    stage.stop();
}

#[test]
fn what_a_role_sends_goes_to_the_router() {
    let (stage, text) = once(
        |_| (),
        |host| {
            host.event("motion").channel("hall").send(&true)?;
            host.order("open").paced(LONG).send(&("garage", 1))?;
            host.send_log("a line")?;
            let long = "x".repeat(300);
            let error = host.send_event(&long, &()).unwrap_err();
            Ok(error.to_string())
        },
    );
    assert!(text.contains("the type has 300 bytes"), "{text}");
    let sent = stage.dispatcher.sent.lock().unwrap().clone();
    let kinds: Vec<_> = sent
        .iter()
        .map(|message| (message.kind(), message.type_name(), message.channel()))
        .collect();
    let expected = [
        (Kind::Event, "motion", Some("hall")),
        (Kind::Order, "open", None),
        (Kind::Log, "", None),
    ];
    assert_eq!(kinds, expected);
    assert!(sent[0].timestamp() > 1e9);
    stage.stop();
}

#[test]
fn messages_are_sent_at_once_all_of_them_or_none() {
    let (stage, text) = once(
        |_| (),
        |host| {
            let all = host.event("motion").channel("hall").send_many([1, 2, 3])?;
            let bytes: &[&[u8]] = &[b"\x01", b"\x02\x02"];
            let error = host.event("motion").send_many_bytes(bytes).unwrap_err();
            Ok(format!("{all}, then {error}"))
        },
    );
    assert!(text.starts_with("3, then "), "{text}");
    let sent = stage.dispatcher.sent.lock().unwrap().clone();
    let data: Vec<_> = sent.iter().map(Message::data).collect();
    assert_eq!(data, [[1], [2], [3]]);
    stage.stop();
}

#[test]
fn messages_that_wait_are_received_at_once() {
    let (told, heard) = Told::new();
    let stage = Script::new()
        .on_run(move |host| {
            let messages = host.receive_many(9, LONG);
            if messages.is_empty() {
                return Ok(());
            }
            let data = messages.iter().map(|message| message.data::<String>());
            told.say(data.collect::<Result<Vec<_>, _>>()?.join(" "))
        })
        .start();
    stage.inbox.push_all(["a", "b", "c"].map(incoming));
    heard.expect(["a b c"]);
    stage.push("d");
    heard.expect(["d"]);
    stage.stop();
}

#[test]
fn a_paced_send_ends_without_room_when_its_time_is_up_or_the_role_stops() {
    let (told, heard) = Told::new();
    let gate = Gate::default();
    let closed = gate.clone();
    let stage = Script::new()
        .on_run(move |host| {
            closed.wait();
            for limit in [Duration::from_millis(1), LONG] {
                let sent = host.order("fill").paced(limit).send(&1);
                assert_eq!(sent, Err(SendError::NoRoom));
                told.say("no room")?;
            }
            Ok(())
        })
        .start();
    stage.dispatcher.is_full.store(true, Ordering::Relaxed);
    gate.open();
    heard.expect(["no room"]);
    stage.stop();
    heard.expect(["no room"]);
    assert!(stage.dispatcher.sent.lock().unwrap().is_empty());
}

#[test]
fn a_stored_value_is_there_in_the_next_life() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(folder.path(), &NodeName::new("clock").unwrap()).unwrap();
    let (told, heard) = Told::new();
    let stage = Script::new()
        .on_new(move |host| {
            let last: Option<u32> = host.load()?;
            told.say(format!("{last:?}"))?;
            host.store(&last.map_or(1, |last| last + 1))
        })
        .start_with(|setup| setup.storage = Some(Arc::new(storage.role(&setup.name))));
    heard.expect(["None"]);
    stage.role.restart().unwrap();
    heard.expect(["Some(1)"]);
    stage.stop();
    let file = folder.path().join("clock.scripted1.kozo");
    assert_eq!(crate::storage::read(&file).unwrap().unwrap(), [2]);
}

#[test]
fn a_role_without_a_folder_is_told_of_the_option_when_it_stores() {
    let (stage, text) = once(
        |_| (),
        |host| {
            assert_eq!(host.load::<u32>()?, None);
            host.store(&1)?;
            Ok("stored".to_owned())
        },
    );
    assert!(
        text.contains("node `clock`") && text.contains("`roleStorage`"),
        "{text}"
    );
    stage.stop();
}

/// A log in memory.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_role_cannot_forge_lines_nor_flood_the_log() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::INFO)
        .finish();
    let name = RoleName::new("scripted1").unwrap();
    let module = ModuleName::new("scripted").unwrap();
    let log = RoleLog::new(name, module);
    let start = clock::now();
    let most = usize::try_from(LINES.at_once).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        log.role_line(kozo_abi::Level::Info, "x\nERROR forged", start);
        for _ in 0..most + 9 {
            log.role_line(kozo_abi::Level::Debug, "not shown, not counted", start);
        }
        for _ in 0..most + 9 {
            log.role_line(kozo_abi::Level::Warn, "flood", start);
        }
        log.settle(start);
        log.settle(start + WINDOW);
    });
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), most + 1);
    assert!(lines[0].contains("role: x\\nERROR forged"), "{}", lines[0]);
    assert!(
        lines[0].contains("role=\"scripted1\" module=\"scripted\""),
        "{}",
        lines[0]
    );
    assert!(lines[most].contains("10 lines of this role were left out"));
    assert_eq!(log.lines_left_out(), 10);
}

#[test]
fn what_a_role_says_that_it_is_about_is_shown_as_long_as_it_lives() {
    let (told, heard) = Told::new();
    let gate = Gate::default();
    let closed = gate.clone();
    let stage = Script::new()
        .on_run(move |host| {
            host.set_status("connected\nto much more");
            told.say("said")?;
            host.receive();
            closed.wait();
            Err("the end".into())
        })
        .start_with(|setup| {
            setup.restart.first = LONG;
            setup.restart.ceiling = LONG;
        });
    heard.expect(["said"]);
    assert_eq!(stage.status().status.as_deref(), Some("connected"));
    gate.open();
    stage.push("end");
    eventually(|| stage.status().failures > 0);
    assert_eq!(stage.status().status, None);
    stage.stop();
}
