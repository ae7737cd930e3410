//! What the tests have in common.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use kozo_abi::Publish;
use kozo_abi::bench::{BusBench, StartedBus};
use kozo_testnet::NatsProgram;

use crate::Nats;

/// How long anything may take: the machine may have a lot to do.
pub(super) const LIMIT: Duration = Duration::from_secs(90);

/// All servers that there are here; says which are not.
pub(super) fn programs() -> Vec<NatsProgram> {
    let (programs, missing) = NatsProgram::all();
    for reason in missing {
        eprintln!("skipped: {reason}");
    }
    programs
}

/// The newest one; says if there is none.
pub(super) fn newest() -> Option<NatsProgram> {
    programs().into_iter().next()
}

/// A bus of a node with these servers.
pub(super) fn bus(node: &str, servers: &[&str]) -> BusBench<Nats> {
    BusBench::new()
        .node(node)
        .name("fleet")
        .option("servers", servers)
        .option("serverOrder", "listed")
}

/// One that is up.
#[track_caller]
pub(super) fn up(bench: BusBench<Nats>) -> StartedBus {
    let bus = bench.start().unwrap();
    bus.run_in_background();
    bus.wait_until_up(LIMIT).unwrap();
    bus
}

/// What keeps one from being up.
#[track_caller]
pub(super) fn reason(bench: BusBench<Nats>) -> String {
    bench.start().unwrap().run().unwrap_err().to_string()
}

/// Says something until it is heard: subscriptions travel.
#[track_caller]
pub(super) fn hears(from: &StartedBus, to: &StartedBus, subject: &str) {
    to.subscribe(subject, true).unwrap();
    until("it is heard", || {
        from.publish(subject, None, b"hello").unwrap();
        !to.received().is_empty()
    });
    // What is still on its way belongs to nothing that comes.
    until("it is quiet", || {
        std::thread::sleep(Duration::from_millis(20));
        to.received().is_empty()
    });
}

/// The number of what is accepted.
#[track_caller]
pub(super) fn accepted(publish: Publish) -> u64 {
    match publish {
        Publish::Accepted(number) => number,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A file that only its owner can read.
pub(super) fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
