use std::time::{Duration, Instant};

use kozo_abi::bench::faces::{Input, Reading};
use kozo_abi::bench::{Incoming, RoleBench, StartedRole};
use kozo_abi::{Error, Kind, Level};
use kozo_gpio::fake::{Fake, FakeChip};

use super::GpioOutput;

type Bench = RoleBench<GpioOutput<Fake>>;

impl kozo_abi::export::Described for GpioOutput<Fake> {
    const METADATA: &'static str = include_str!("../module.yaml");
}

/// How long anything that a test waits for may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A role called `garage` on line 4 of a chip of its own.
fn bench(chip: &str) -> (FakeChip, Bench) {
    let bench = Bench::new()
        .name("garage")
        .option("pin", 4)
        .option("chip", chip);
    (FakeChip::new(chip), bench)
}

fn order(type_name: &str) -> Incoming {
    Incoming::order(type_name)
        .channel("garage")
        .from("button", "hall")
}

/// Delivers an order, and lets the role carry it out.
fn obey(bench: &mut StartedRole, order: Incoming) -> Result<(), Error> {
    assert!(bench.deliver(order));
    bench.run()
}

/// The events and lines that were sent.
fn sent(bench: &mut StartedRole) -> Result<(Vec<bool>, Vec<String>), Error> {
    let mut events = Vec::new();
    let mut lines = Vec::new();
    for message in bench.sent() {
        if message.kind() == Kind::Log {
            lines.push(message.data()?);
        } else {
            assert_eq!(
                (message.kind(), message.type_name()),
                (Kind::Event, "gpio state")
            );
            assert_eq!(message.channel(), Some("garage"));
            events.push(message.data()?);
        }
    }
    Ok((events, lines))
}

#[test]
fn orders_set_the_pin_and_its_state_is_told() -> Result<(), Error> {
    let (chip, bench) = bench("orders");
    let mut bench = bench.start()?;
    assert_eq!(chip.levels(4), [false]);
    assert_eq!(sent(&mut bench)?, (vec![false], vec![]), "at the start");

    obey(&mut bench, order("gpio set").data(&true))?;
    assert!(chip.is_high(4));
    let line = "garage: on, as button@hall ordered".to_owned();
    assert_eq!(sent(&mut bench)?, (vec![true], vec![line]));

    obey(&mut bench, order("gpio set").data(&true))?;
    assert_eq!(
        sent(&mut bench)?,
        (vec![true], vec![]),
        "an answer, no change"
    );

    obey(&mut bench, order("gpio toggle"))?;
    assert!(!chip.is_high(4));
    assert_eq!(sent(&mut bench)?.0, [false]);
    Ok(())
}

#[test]
fn a_pulse_ends_by_itself() -> Result<(), Error> {
    for length in [None, Some(0.02)] {
        let (chip, bench) = bench("pulse");
        let mut bench = bench.option("pulse", 0.01).option("log", false).start()?;
        obey(&mut bench, order("gpio pulse").data(&length))?;
        let deadline = Instant::now() + DEADLINE;
        while chip.is_high(4) {
            assert!(Instant::now() < deadline, "the pulse does not end");
            bench.run()?;
        }
        assert_eq!(chip.levels(4), [false, true, false]);
        assert_eq!(sent(&mut bench)?, (vec![false, true, false], vec![]));
    }
    Ok(())
}

#[test]
fn orders_for_others_are_not_heard() -> Result<(), Error> {
    let (_chip, bench) = bench("others");
    let mut bench = bench.start()?;
    assert!(!bench.deliver(Incoming::order("gpio set").channel("cellar").data(&true)));
    assert!(!bench.deliver(Incoming::order("gpio set").data(&true)));
    assert!(!bench.deliver(Incoming::event("gpio set").channel("garage").data(&true)));
    Ok(())
}

#[test]
fn an_order_that_makes_no_sense_changes_nothing_and_stops_nothing() -> Result<(), Error> {
    let (chip, bench) = bench("nonsense");
    let mut bench = bench.option("maximumOn", 5).start()?;
    sent(&mut bench)?;
    chip.levels(4);
    let nonsense = [
        (order("gpio set"), "true or false"),
        (order("gpio set").data(&1), "true or false"),
        (order("gpio set").data(&"on"), "true or false"),
        (
            order("gpio pulse").data(&"long"),
            "a number of seconds, or null",
        ),
        (order("gpio pulse").data(&0), "above 0"),
        (order("gpio pulse").data(&-1.0), "above 0"),
        (order("gpio pulse").data(&f64::NAN), "above 0"),
        (order("gpio pulse").data(&f64::INFINITY), "above 0"),
        (order("gpio pulse").data(&5.001), "longer than 5 s"),
    ];
    for (order, why) in nonsense {
        obey(&mut bench, order)?;
        let logged = bench.logged();
        assert_eq!((logged.len(), logged[0].0), (1, Level::Warn), "{why}");
        assert!(logged[0].1.contains("of button@hall"), "{}", logged[0].1);
        assert!(logged[0].1.contains(why), "{}", logged[0].1);
    }
    assert_eq!(chip.levels(4), []);
    assert_eq!(sent(&mut bench)?, (vec![], vec![]));
    obey(&mut bench, order("gpio set").data(&true))?;
    assert!(chip.is_high(4));
    Ok(())
}

#[test]
fn it_ends_in_its_safe_state() -> Result<(), Error> {
    let (chip, bench) = bench("safe");
    let mut bench = bench
        .option("initialState", true)
        .option("safeState", false)
        .start()?;
    assert!(chip.is_high(4));
    sent(&mut bench)?;
    bench.stop()?;
    assert!(!chip.is_high(4));
    let line = "garage: in its safe state, the role ends".to_owned();
    assert_eq!(sent(&mut bench)?, (vec![false], vec![line]));
    Ok(())
}

#[test]
fn it_falls_back_to_its_safe_state_when_it_is_dropped_without_a_word() -> Result<(), Error> {
    let (chip, bench) = bench("dropped");
    let bench = bench.option("safeState", true).start()?;
    assert!(!chip.is_high(4));
    drop(bench);
    assert!(chip.is_high(4));
    assert!(!chip.is_open(4));
    Ok(())
}

#[test]
fn a_low_level_may_be_on() -> Result<(), Error> {
    let (chip, bench) = bench("low");
    let mut bench = bench.option("activeLow", true).start()?;
    obey(&mut bench, order("gpio toggle"))?;
    assert_eq!(chip.levels(4), [true, false], "high at once: it is off");
    assert_eq!(sent(&mut bench)?.0, [false, true]);
    Ok(())
}

#[test]
fn a_chip_that_goes_ends_the_role_with_an_error() -> Result<(), Error> {
    let (chip, bench) = bench("gone");
    let mut bench = bench.start()?;
    chip.fail(4, true);
    bench.deliver(order("gpio toggle"));
    let error = bench.run().unwrap_err();
    assert!(error.to_string().contains("the chip is gone"), "{error}");
    Ok(())
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let (_chip, bench) = bench("refused");
    let error = bench.option("maximumOn", 0.1).start().unwrap_err();
    assert!(error.to_string().contains("`maximumOn`"), "{error}");
    let error = Bench::new().option("chip", "refused").start().unwrap_err();
    assert!(error.to_string().contains("`pin`"), "{error}");
    let error = Bench::new().option("pin", -1).start().unwrap_err();
    assert!(error.to_string().contains(": pin: "), "{error}");
}

#[test]
fn its_face_switches_the_pin_and_shows_its_state() -> Result<(), Error> {
    let (chip, bench) = bench("face");
    // Also on another channel than that of its name.
    let mut bench = bench
        .option("channel", "lamp")
        .option("log", false)
        .start()?;
    bench.sent();
    for (input, high, reading) in [
        (Input::On, true, Reading::On),
        (Input::Off, false, Reading::Off),
    ] {
        assert!(bench.use_face("output", input)?);
        bench.run()?;
        assert_eq!(chip.is_high(4), high);
        let sent = bench.sent();
        assert_eq!(bench.shown("output", &sent[0])?, Some(reading));
    }
    assert!(bench.use_face("pulse", Input::Press)?);
    bench.run()?;
    assert!(chip.is_high(4));
    let names: Vec<_> = bench
        .faces()
        .iter()
        .map(|face| (face.name.as_str(), face.enabled))
        .collect();
    assert_eq!(names, [("garage", true), ("garage pulse", false)]);
    Ok(())
}
