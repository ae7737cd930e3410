//! Two processes in homes of their own, with real routers and coturn between them. As root.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use kozo_testnet::{Host, Ipv6, Nat, Network, Process, Relay, Unavailable, wait_until};

/// Says past the capture of output why a test did nothing.
fn skipped(reason: &Unavailable) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

macro_rules! or_skip {
    ($value:expr) => {
        match $value {
            Ok(value) => value,
            Err(reason) => return skipped(&reason),
        }
    };
}

/// The example, which cargo builds for tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    folder.join("examples/link")
}

const STUN: [&str; 2] = ["--stun", "203.0.113.1:3478"];
const TURN: [&str; 2] = ["--turn", "203.0.113.1:3478,turner,secret"];

fn end(network: &Network, which: usize, more: &[&str]) -> Process {
    let names = ["a", "b"];
    let file = |which: usize| network.folder().join(format!("{}.link", names[which]));
    let mut command = network.command([Host::A, Host::B][which], program());
    command.arg(file(which)).arg(file(1 - which));
    command.arg(names[which]).args(STUN).args(more);
    network.keep(command, names[which])
}

/// Both ends, when they hear each other.
fn converse(network: &Network, more: &[&str]) -> [Process; 2] {
    let mut ends = [0, 1].map(|which| end(network, which, more));
    for end in &mut ends {
        end.wait_for("online").unwrap();
    }
    ends[0].wait_for("heard 0 is said").unwrap();
    ends
}

fn heard(end: &Process) -> usize {
    end.output().matches("heard").count()
}

/// The kind of way that is used in the end.
fn last_path(end: &Process) -> String {
    end.output()
        .lines()
        .filter_map(|line| {
            line.strip_prefix("path ").or_else(|| {
                line.strip_prefix("online ")?
                    .split_once(" ms ")
                    .map(|(_, path)| path)
            })
        })
        .next_back()
        .unwrap_or_default()
        .to_owned()
}

fn relay(network: &Network) -> Result<Relay, Unavailable> {
    network.relay()
}

#[test]
fn the_usual_routers_are_passed_without_the_relay() {
    let network = or_skip!(Network::start(Nat::Cone, Ipv6::No));
    let _relay = or_skip!(relay(&network));
    let mut ends = converse(&network, &TURN);
    wait_until("a way without the relay", || {
        ends.iter()
            .all(|end| last_path(end).starts_with("through NAT"))
            .then_some(())
    });
    // A router that lets nothing through for seconds is survived.
    let before = heard(&ends[0]);
    network.cut(Host::RouterA);
    std::thread::sleep(Duration::from_secs(5));
    network.mend(Host::RouterA);
    wait_until("more to be heard", || {
        (heard(&ends[0]) > before + 20).then_some(())
    });
    assert!(
        !ends[0].output().contains("offline"),
        "{}",
        ends[0].output()
    );
    assert!(ends.iter_mut().all(|end| end.ended().is_none()));
}

#[test]
fn a_relay_helps_where_nothing_else_does_and_its_loss_is_mended() {
    let network = or_skip!(Network::start(Nat::Symmetric, Ipv6::No));
    let relay_server = or_skip!(relay(&network));
    let ends = converse(&network, &TURN);
    for end in &ends {
        assert!(last_path(end).starts_with("relayed"), "{}", end.output());
    }
    drop(relay_server);
    let before = heard(&ends[0]);
    let _relay = or_skip!(relay(&network));
    // The new one knows nothing of the old one's relays.
    wait_until("more to be heard", || {
        (heard(&ends[0]) > before + 50).then_some(())
    });
}

#[test]
fn wrong_passwords_of_the_relay_are_told() {
    let network = or_skip!(Network::start(Nat::Symmetric, Ipv6::No));
    let _relay = or_skip!(relay(&network));
    let mut a = end(&network, 0, &["--turn", "203.0.113.1:3478,turner,wrong"]);
    let mut b = end(&network, 1, &["--turn", "203.0.113.9:3478,turner,secret"]);
    a.wait_for(
        "reason TURN server `203.0.113.1:3478` does not accept user `turner` or the password",
    )
    .unwrap();
    b.wait_for("reason no answer from TURN server `203.0.113.9:3478`")
        .unwrap();
    a.wait_for("pairs of addresses has worked so far").unwrap();
}

#[test]
fn relays_only_means_relays_only_without_dtls_as_well() {
    let network = or_skip!(Network::start(Nat::None, Ipv6::No));
    let _relay = or_skip!(relay(&network));
    let ends = converse(&network, &[TURN[0], TURN[1], "--relay-only", "--plain"]);
    for (end, name) in ends.iter().zip(["a", "b"]) {
        assert!(last_path(end).starts_with("relayed"), "{}", end.output());
        let told = std::fs::read_to_string(network.folder().join(format!("{name}.link"))).unwrap();
        assert!(!told.contains("10."), "{told}");
    }
}

#[test]
fn ipv6_is_used_where_both_have_it() {
    let network = or_skip!(Network::start(Nat::Symmetric, Ipv6::Yes));
    if !network.has_ipv6() {
        return skipped(&Unavailable("there is no IPv6 here".to_owned()));
    }
    let _relay = or_skip!(relay(&network));
    let ends = converse(&network, &TURN);
    wait_until("a way by IPv6", || {
        ends.iter()
            .all(|end| last_path(end).starts_with("direct (host [2001:db8:"))
            .then_some(())
    });
}

#[test]
fn one_that_is_killed_is_missed_and_found_again() {
    let network = or_skip!(Network::start(Nat::Cone, Ipv6::No));
    let _relay = or_skip!(relay(&network));
    let mut ends = converse(&network, &[TURN[0], TURN[1], "--plain"]);
    ends[1].kill();
    ends[0]
        .wait_for("offline the peer has been silent for")
        .unwrap();
    let before = heard(&ends[0]);
    ends[1] = end(&network, 1, &[TURN[0], TURN[1], "--plain"]);
    wait_until("more to be heard", || {
        (heard(&ends[0]) > before + 20).then_some(())
    });
}
