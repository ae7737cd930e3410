use std::time::Duration;

use kozo_abi::bench::RoleBench;
use kozo_abi::bench::faces::Reading;
use kozo_abi::{Error, Kind, Pace};

use super::Timer;

#[test]
fn a_tick_carries_the_message_and_the_time() -> Result<(), Error> {
    let mut bench = RoleBench::<Timer>::new().start()?;
    bench.run()?;
    let sent = bench.sent();
    assert_eq!((sent[0].kind(), sent[0].type_name()), (Kind::Event, "tick"));
    assert_eq!(sent[0].channel(), None);
    let (message, time) = sent[0].data::<(String, String)>()?;
    assert_eq!(message, "Ping!");
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "00:00:00");

    assert_eq!(sent[1].kind(), Kind::Log);
    assert_eq!(sent[1].data::<String>()?, format!("Ping! {time}"));
    assert_eq!(sent.len(), 2);
    Ok(())
}

#[test]
fn options_set_the_pace_the_message_and_the_log() -> Result<(), Error> {
    let mut bench = RoleBench::<Timer>::new()
        .option("tick", 0.5)
        .option("message", "Pong")
        .option("log", false)
        .start()?;
    assert_eq!(bench.pace()?, Pace::Every(Duration::from_millis(500)));
    bench.run()?;
    bench.run()?;
    let sent = bench.sent();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|message| message.kind() == Kind::Event));
    assert_eq!(sent[0].data::<(String, String)>()?.0, "Pong");
    Ok(())
}

#[test]
fn a_tick_that_is_no_time_is_refused() {
    for tick in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        let error = RoleBench::<Timer>::new().option("tick", tick).start();
        assert!(
            error.unwrap_err().to_string().contains(": tick: "),
            "{tick}"
        );
    }
}

#[test]
fn its_face_shows_when_a_tick_was_sent() -> Result<(), Error> {
    let mut bench = RoleBench::<Timer>::new().option("log", false).start()?;
    bench.run()?;
    let sent = bench.sent();
    assert_eq!(bench.shown("tick", &sent[0])?, Some(Reading::Sent));
    let [face] = bench.faces() else {
        return Err("it has not one face".into());
    };
    assert_eq!(
        (face.class.as_deref(), face.enabled),
        (Some("timestamp"), false)
    );
    assert_eq!(face.category.as_deref(), Some("diagnostic"));
    Ok(())
}
