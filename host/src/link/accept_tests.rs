use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use kozo_auth::algorithms::Algorithms;
use kozo_auth::identity::{Identity, TrustedKeys};
use kozo_auth::keys::{NewKey, generate};
use kozo_auth::ssh::Endpoint;
use kozo_ground::clock::Moment;
use kozo_link::Delivery;
use kozo_link::admission::STEPS;
use kozo_wire::RoleInterests;

use super::*;
use crate::link::{Arrivals, Entrance};

/// How long a test waits for what has to happen.
const DEADLINE: Duration = Duration::from_secs(60);

struct Nobody;

impl Arrivals for Nobody {
    fn deliver(&self, _: &NodeName, _: Vec<Delivery>, _: Moment) {}
    fn learn(&self, _: &NodeName, _: Vec<RoleInterests>) {}
    fn room(&self) {}
}

fn listener(limits: AcceptLimits) -> Listener {
    let identity = Identity {
        node: NodeName::new("clock").unwrap(),
        key: Arc::new(generate(NewKey::Ed25519, "clock").unwrap()),
    };
    let trust = Arc::new(TrustedKeys::default());
    let dialling = Dialling {
        endpoint: Endpoint::new(identity, trust, &Algorithms::default(), 65_535),
        arrivals: Arc::new(Nobody),
        entrance: Entrance::open(limits.admission),
    };
    Listener::new(Peers::new(), dialling, limits)
}

/// A connection from an address; returns the caller's end.
async fn call(listener: &Listener, address: &str) -> UnixStream {
    call_with(listener, address, b"").await
}

/// The same of one that has said something by then.
async fn call_with(listener: &Listener, address: &str, words: &[u8]) -> UnixStream {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(words).unwrap();
    ours.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = address.to_owned();
    let stream = theirs.into();
    let authenticated = None;
    let connection = TransportConnection {
        stream,
        address,
        authenticated,
    };
    listener.accept("tcp", connection).await;
    ours
}

fn taken(listener: &Listener) -> usize {
    listener.counts().unproven
}

/// Waits until a caller is cut off.
async fn is_cut_off(mut caller: UnixStream) {
    let all = tokio::task::spawn_blocking(move || caller.read_to_end(&mut Vec::new()));
    let closed = tokio::time::timeout(DEADLINE, all).await.unwrap().unwrap();
    closed.unwrap();
}

/// So many places for those who are silent.
fn places(count: usize) -> AcceptLimits {
    let admission = AdmissionLimits {
        places: [count; STEPS],
        quarters_per_transport: 4,
        ..AdmissionLimits::default()
    };
    AcceptLimits {
        admission,
        ..AcceptLimits::default()
    }
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_gets_that_of_a_machine_that_has_many() {
    // One machine as IPv4 and IPv6 show it, or the addresses of one network, count as one.
    for many in [
        ["192.0.2.1:1", "[::ffff:192.0.2.1]:2"],
        ["[2001:db8::1]:1", "[2001:db8::ffff:2]:1"],
    ] {
        let listener = listener(places(4));
        let [first, second] = many;
        let first = call(&listener, first).await;
        let second = call(&listener, second).await;
        let one = call(&listener, "198.51.100.1:1").await;
        let other = call(&listener, "01:23:45:67:89:AB").await;
        assert_eq!((taken(&listener), listener.counts().turned_away), (4, 0));
        let last = call(&listener, "203.0.113.1:1").await;
        is_cut_off(first).await;
        assert_eq!((taken(&listener), listener.counts().turned_away), (4, 1));
        drop((one, other, second, last));
        let freed = async {
            while taken(&listener) > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, freed).await.unwrap();
    }
}

#[tokio::test]
async fn nobody_who_has_spoken_is_turned_away_unheard_however_many_come_at_once() {
    const CALLERS: usize = 100;
    let mut limits = places(CALLERS);
    limits.admission.places[CallerStep::Silent as usize] = 8;
    let listener = listener(limits);
    // The links' thread has nothing but this to do: nobody is looked at but while this one waits.
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(call_with(&listener, "192.0.2.1:1", b"SSH-2.0-x\r\n").await);
    }
    assert_eq!(listener.counts().turned_away, 0);
    assert_eq!(taken(&listener), CALLERS);
}

#[tokio::test]
async fn who_does_not_say_who_it_is_in_time_loses_its_place() {
    let listener = listener(AcceptLimits {
        time: Duration::from_millis(1),
        ..AcceptLimits::default()
    });
    let caller = call(&listener, "192.0.2.1:1").await;
    assert_eq!(taken(&listener), 1);
    is_cut_off(caller).await;
    let freed = async {
        while taken(&listener) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, freed).await.unwrap();
}

#[tokio::test]
async fn why_a_connection_failed_is_not_lost() {
    let listener = listener(AcceptLimits::default());
    // A socket that is connected to nothing: the system refuses the first write with a reason.
    let (family, kind) = (
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
    );
    let stream = rustix::net::socket(family, kind, None).unwrap();
    let connection = TransportConnection {
        stream,
        address: "192.0.2.1:1".to_owned(),
        authenticated: None,
    };
    let (place, _stays) = CallerPlace::take(
        &listener.shared.dialling.entrance,
        "tcp",
        &connection.address,
    );
    let unseen = Arc::clone(&listener.shared.unseen);
    let unseen = unseen.acquire_owned().await.unwrap();
    let unsecured = secure(&listener.shared, "tcp", connection, &place, unseen)
        .await
        .unwrap_err();
    let reason = error_text(&unsecured);
    assert!(reason.contains("endpoint is not connected"), "{reason}");
}
