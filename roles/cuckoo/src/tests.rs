use kozo_abi::bench::{Incoming, RoleBench, StartedRole};
use kozo_abi::{Error, Kind, Level};

use super::{Cuckoo, Tick};

fn tick(role: &str, node: &str) -> Incoming {
    Incoming::event("tick")
        .from(role, node)
        .data(&("Ping!", "12:34:56"))
}

fn remembered() -> Tick {
    Tick {
        node: "clock".to_owned(),
        role: "timer1".to_owned(),
        message: "Ping!".to_owned(),
        time: "11:11:11".to_owned(),
        received: 1_000,
    }
}

fn logged(bench: &mut StartedRole) -> Vec<String> {
    bench.logged().into_iter().map(|(_, text)| text).collect()
}

#[test]
fn a_tick_is_printed_sent_to_the_log_and_stored() -> Result<(), Error> {
    let mut bench = RoleBench::<Cuckoo>::new().start()?;
    assert_eq!(logged(&mut bench), ["last cuckoo: never"]);
    assert_eq!(bench.sent()[0].data::<String>()?, "last cuckoo: never");

    assert!(bench.deliver(tick("timer1", "clock")));
    bench.run()?;
    let text = "Cuckoo! Ping! 12:34:56 (of timer1@clock)";
    assert_eq!(logged(&mut bench), [text]);
    let sent = bench.sent();
    assert_eq!((sent.len(), sent[0].kind()), (1, Kind::Log));
    assert_eq!(sent[0].data::<String>()?, text);

    let stored = bench.stored::<Tick>()?.expect("it was stored");
    assert_eq!((&*stored.node, &*stored.role), ("clock", "timer1"));
    assert_eq!((&*stored.message, &*stored.time), ("Ping!", "12:34:56"));
    assert!(stored.received > 1_000_000_000);
    Ok(())
}

#[test]
fn the_last_cuckoo_is_remembered_across_starts() -> Result<(), Error> {
    let mut bench = RoleBench::<Cuckoo>::new().store(&remembered()).start()?;
    assert_eq!(
        logged(&mut bench),
        ["last cuckoo: Ping! 11:11:11 (of timer1@clock)"]
    );
    Ok(())
}

#[test]
fn a_memory_of_another_shape_is_forgotten_with_a_warning() -> Result<(), Error> {
    let mut bench = RoleBench::<Cuckoo>::new().store(&"cuckoo").start()?;
    let logged = bench.logged();
    assert_eq!(logged[0].0, Level::Warn);
    assert!(logged[0].1.starts_with("the last cuckoo is forgotten: "));
    assert_eq!(logged[1].1, "last cuckoo: never");
    Ok(())
}

#[test]
fn only_the_timer_that_is_named_is_heard() -> Result<(), Error> {
    let mut bench = RoleBench::<Cuckoo>::new()
        .option("timer", "timer1")
        .start()?;
    assert!(bench.deliver(tick("timer1", "clock")));
    assert!(!bench.deliver(tick("timer2", "clock")));
    assert!(!bench.deliver(Incoming::event("tock").from("timer1", "clock")));
    assert!(!bench.deliver(Incoming::order("tick").from("timer1", "clock")));

    let mut any = RoleBench::<Cuckoo>::new().start()?;
    assert!(any.deliver(tick("timer2", "tower")));
    Ok(())
}

#[test]
fn without_log_nothing_is_sent() -> Result<(), Error> {
    let mut bench = RoleBench::<Cuckoo>::new().option("log", false).start()?;
    bench.deliver(tick("timer1", "clock"));
    bench.run()?;
    assert!(bench.sent().is_empty());
    assert_eq!(logged(&mut bench).len(), 2);
    Ok(())
}

#[test]
fn a_strange_tick_does_not_stop_it() -> Result<(), Error> {
    let mut bench = RoleBench::<Cuckoo>::new().start()?;
    bench.deliver(Incoming::event("tick").from("timer1", "clock").data(&7));
    bench.logged();
    bench.run()?;
    let logged = bench.logged();
    assert_eq!(logged[0].0, Level::Warn);
    assert!(logged[0].1.contains("event `tick` of timer1@clock"));
    assert_eq!(bench.stored::<Tick>()?, None);
    Ok(())
}

#[test]
fn a_storage_that_fails_is_reported_once_and_when_it_works_again() -> Result<(), Error> {
    let mut bench = RoleBench::<Cuckoo>::new().option("log", false).start()?;
    bench.logged();
    bench.fail_storage(Some("no space left"));
    for _ in 0..2 {
        bench.deliver(tick("timer1", "clock"));
        bench.run()?;
    }
    bench.fail_storage(None);
    bench.deliver(tick("timer1", "clock"));
    bench.run()?;
    let logged: Vec<String> = logged(&mut bench)
        .into_iter()
        .filter(|text| !text.starts_with("Cuckoo!"))
        .collect();
    assert_eq!(
        logged,
        [
            "cuckoos cannot be remembered: no space left",
            "cuckoos are remembered again"
        ]
    );
    assert!(bench.stored::<Tick>()?.is_some());
    Ok(())
}
