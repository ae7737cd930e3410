use std::time::Duration;

use kozo_abi::bench::faces::{FaceKind, Reading};
use kozo_abi::bench::{RoleBench, StartedRole};
use kozo_abi::{Error, Kind, Level, Pace};
use kozo_gpio::Pull;
use kozo_gpio::fake::{Fake, FakeChip};

use super::MotionDetect;

type Bench = RoleBench<MotionDetect<Fake>>;

impl kozo_abi::export::Described for MotionDetect<Fake> {
    const METADATA: &'static str = include_str!("../module.yaml");
}

/// The role on a chip of its own.
fn bench(chip: &str) -> (FakeChip, Bench) {
    (FakeChip::new(chip), Bench::new().option("chip", chip))
}

/// The events and lines that were sent.
fn sent(bench: &mut StartedRole) -> Result<(Vec<bool>, Vec<String>), Error> {
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for message in bench.sent() {
        if message.kind() == Kind::Log {
            lines.push(message.data()?);
        } else {
            assert_eq!(message.type_name(), "motion detection");
            assert_eq!((message.kind(), message.channel()), (Kind::Event, None));
            events.push(message.data()?);
        }
    }
    Ok((events, lines))
}

#[test]
fn each_period_sends_the_state_and_changes_are_logged() -> Result<(), Error> {
    let (chip, bench) = bench("period");
    let mut bench = bench.start()?;
    assert_eq!(bench.pace()?, Pace::Every(Duration::from_millis(500)));
    for high in [false, true, true, false] {
        chip.drive(18, high);
        bench.run()?;
    }
    let (events, lines) = sent(&mut bench)?;
    assert_eq!(events, [false, true, true, false]);
    assert_eq!(lines, ["motion started", "motion stopped"]);
    Ok(())
}

#[test]
fn without_log_only_events_are_sent() -> Result<(), Error> {
    let (chip, bench) = bench("no log");
    let mut bench = bench.option("log", false).start()?;
    chip.drive(18, true);
    bench.run()?;
    assert_eq!(sent(&mut bench)?, (vec![true], vec![]));
    Ok(())
}

#[test]
fn a_change_is_sent_at_once_and_only_then() -> Result<(), Error> {
    let (chip, bench) = bench("change");
    let mut bench = bench.option("onChange", true).start()?;
    assert_eq!(sent(&mut bench)?.0, [false], "the state at the start");

    chip.drive(18, true);
    chip.drive(18, false);
    chip.drive(18, true);
    let (events, lines) = sent(&mut bench)?;
    assert_eq!(events, [true, false, true]);
    assert_eq!(
        lines,
        ["motion started", "motion stopped", "motion started"]
    );

    bench.run()?;
    bench.run()?;
    assert_eq!(sent(&mut bench)?, (vec![], vec![]), "nothing has changed");
    Ok(())
}

#[test]
fn a_lost_interrupt_is_made_up_for_when_it_cannot_come_any_more() -> Result<(), Error> {
    let (chip, bench) = bench("lost");
    let mut bench = bench
        .option("onChange", true)
        .option("period", 0.5)
        .start()?;
    sent(&mut bench)?;
    chip.drive_unnoticed(18, true);
    for _ in 0..3 {
        bench.run()?;
        assert_eq!(sent(&mut bench)?.0, [], "it may still come");
    }
    bench.run()?;
    assert_eq!(sent(&mut bench)?.0, [true]);
    let logged = bench.logged();
    assert_eq!((logged.len(), logged[0].0), (1, Level::Warn));
    chip.drive(18, false);
    assert_eq!(sent(&mut bench)?.0, [false], "it is watched again");
    Ok(())
}

#[test]
fn an_interrupt_that_comes_late_is_no_lost_one() -> Result<(), Error> {
    let (chip, bench) = bench("late");
    let mut bench = bench.option("onChange", true).start()?;
    sent(&mut bench)?;
    for high in [true, true, true, false, true, true, true, false] {
        // Seen by looks before the interrupt is there, each time.
        chip.drive_unnoticed(18, high);
        bench.run()?;
    }
    assert_eq!(sent(&mut bench)?.0, []);
    assert_eq!(bench.logged(), []);
    Ok(())
}

#[test]
fn a_look_before_each_of_two_interrupts_is_no_lost_one() -> Result<(), Error> {
    let (chip, bench) = bench("two late");
    let mut bench = bench.option("onChange", true).start()?;
    sent(&mut bench)?;
    let look = |bench: &mut StartedRole| (0..3).try_for_each(|_| bench.run());
    chip.drive_unnoticed(18, true);
    look(&mut bench)?;
    // The first one comes, and with the second one it is the same again.
    chip.drive_unnoticed(18, false);
    chip.drive(18, true);
    chip.drive_unnoticed(18, false);
    look(&mut bench)?;
    assert_eq!(sent(&mut bench)?.0, [true]);
    assert_eq!(bench.logged(), []);
    Ok(())
}

#[test]
fn a_level_that_has_not_stood_for_debounce_is_no_lost_interrupt() -> Result<(), Error> {
    let (chip, bench) = bench("bounce");
    let mut bench = bench
        .option("onChange", true)
        .option("period", 0.5)
        .option("debounce", 1.0)
        .start()?;
    sent(&mut bench)?;
    // The registers show each bounce; an interrupt comes of none.
    for high in [
        true, true, true, true, true, false, true, true, true, true, true,
    ] {
        chip.drive_unnoticed(18, high);
        bench.run()?;
    }
    assert_eq!(sent(&mut bench)?.0, []);
    bench.run()?;
    assert_eq!(sent(&mut bench)?.0, [true], "it should have come by now");
    Ok(())
}

#[test]
fn options_choose_the_line_its_resistor_and_its_active_level() -> Result<(), Error> {
    let (chip, bench) = bench("options");
    let mut bench = bench
        .option("line", "4")
        .option("pull", "up")
        .option("activeLow", true)
        .option("onChange", true)
        .option("debounce", 0.05)
        .start()?;
    assert_eq!(chip.pull(4), Some(Pull::Up));
    assert_eq!(chip.debounce(4), Some(Duration::from_millis(50)));
    chip.drive(4, true);
    chip.drive(4, false);
    assert_eq!(sent(&mut bench)?.0, [true, false, true]);
    drop(bench);
    assert!(!chip.is_open(4), "the pin is given back");
    Ok(())
}

#[test]
fn a_pin_that_is_taken_is_an_error_that_names_it() -> Result<(), Error> {
    let (_chip, first) = bench("taken");
    let _first = first.start()?;
    let error = Bench::new().option("chip", "taken").start().unwrap_err();
    assert!(error.to_string().contains("line 18"), "{error}");
    Ok(())
}

#[test]
fn a_chip_that_goes_ends_the_role_with_an_error() -> Result<(), Error> {
    for on_change in [false, true] {
        let (chip, bench) = bench("gone");
        let mut bench = bench.option("onChange", on_change).start()?;
        chip.fail(18, true);
        let error = bench.run().unwrap_err();
        assert!(error.to_string().contains("the chip is gone"), "{error}");
    }
    Ok(())
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (name, value) in [
        ("period", 0.0),
        ("debounce", -1.0),
        ("pin", -1.0),
        ("pin", 1.5),
    ] {
        let error = Bench::new().option(name, value).start().unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    for (name, value) in [("pull", "off"), ("driver", "sysfs")] {
        let error = Bench::new().option(name, value).start().unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn without_pins_the_role_says_what_is_missing() {
    // Whatever this machine has, it has no chip of this name.
    let error = RoleBench::<super::MotionDetect<kozo_gpio::Hardware>>::new()
        .option("chip", "no such chip")
        .start()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`no such chip`") || text.contains("permission"),
        "{text}"
    );
}

#[test]
fn its_face_is_on_while_something_moves() -> Result<(), Error> {
    let (chip, bench) = bench("face");
    let mut bench = bench.option("log", false).start()?;
    for (high, reading) in [(true, Reading::On), (false, Reading::Off)] {
        chip.drive(18, high);
        bench.run()?;
        let sent = bench.sent();
        assert_eq!(bench.shown("motion", &sent[0])?, Some(reading));
    }
    let face = &bench.faces()[0];
    assert_eq!(
        (&face.kind, face.class.as_deref()),
        (&FaceKind::BinarySensor, Some("motion"))
    );
    Ok(())
}
