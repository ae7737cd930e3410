use std::io::Read;
use std::os::unix::net::UnixStream;

use super::*;
use crate::auth::algorithms::Algorithms;
use crate::auth::identity::{Identity, Trust};
use crate::auth::keys::{NewKey, generate};
use crate::auth::ssh::Endpoint;
use crate::clock::Moment;
use crate::link::Delivery;
use crate::link::io::Arrivals;
use crate::wire::RoleInterests;

/// How long a test waits for what has to happen.
const DEADLINE: Duration = Duration::from_secs(60);

struct Nobody;

impl Arrivals for Nobody {
    fn deliver(&self, _: &NodeName, _: &[Delivery], _: Moment) {}
    fn learn(&self, _: &NodeName, _: Vec<RoleInterests>) {}
    fn room(&self) {}
}

fn listener(limits: AcceptLimits) -> Listener {
    let identity = Identity {
        node: NodeName::new("clock").unwrap(),
        key: Arc::new(generate(NewKey::Ed25519, "clock").unwrap()),
    };
    let trust = Arc::new(Trust::from_iter([]));
    let dialling = Dialling {
        endpoint: Endpoint::new(identity, trust, &Algorithms::default(), 65_535),
        arrivals: Arc::new(Nobody),
    };
    Listener::new(Peers::new(), dialling, limits)
}

/// A connection from an address; returns the caller's end.
fn call(listener: &Listener, address: &str) -> UnixStream {
    call_over(listener, "tcp", address)
}

fn call_over(listener: &Listener, transport: &str, address: &str) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = address.to_owned();
    let stream = theirs.into();
    let authenticated = None;
    listener.accept(
        transport,
        Connection {
            stream,
            address,
            authenticated,
        },
    );
    ours
}

fn taken(listener: &Listener) -> usize {
    listener.shared.unproven.lock().unwrap().values().sum()
}

/// Whether the other end has hung up without a word.
fn is_refused(mut caller: UnixStream) -> bool {
    caller.set_nonblocking(true).unwrap();
    matches!(caller.read(&mut [0; 16]), Ok(0))
}

#[tokio::test]
async fn strangers_have_few_places_in_all_and_fewer_for_each_address() {
    let listener = listener(AcceptLimits {
        total: 5,
        per_address: 2,
        ..AcceptLimits::default()
    });
    let mut callers = Vec::new();
    for address in [
        "192.0.2.1:1",
        "192.0.2.1:2",
        "[2001:db8::1]:1",
        "[2001:db8::ffff:2]:1",
    ] {
        callers.push(call(&listener, address));
    }
    assert_eq!(taken(&listener), 4);
    // The same machine, as IPv6 may show it, and another address of the same network.
    assert!(is_refused(call(&listener, "192.0.2.1:3")));
    assert!(is_refused(call(&listener, "[::ffff:192.0.2.1]:4")));
    assert!(is_refused(call(&listener, "[2001:db8::3]:1")));
    callers.push(call(&listener, "01:23:45:67:89:AB"));
    assert_eq!(taken(&listener), 5);
    assert!(is_refused(call(&listener, "198.51.100.1:1")));
}

#[tokio::test]
async fn the_strangers_of_one_transport_leave_places_for_those_of_others() {
    let listener = listener(AcceptLimits {
        per_transport: 3,
        ..AcceptLimits::default()
    });
    let callers = [1, 2, 3].map(|circuit| {
        let address = format!("circuit {circuit}");
        call_over(&listener, "onion", &address)
    });
    assert!(is_refused(call_over(&listener, "onion", "circuit 4")));
    let tcp = call_over(&listener, "tcp", "192.0.2.1:1");
    assert_eq!(taken(&listener), 4);
    drop((callers, tcp));
}

#[tokio::test]
async fn who_does_not_say_who_it_is_in_time_loses_its_place() {
    let listener = listener(AcceptLimits {
        time: Duration::from_millis(1),
        ..AcceptLimits::default()
    });
    let mut caller = call(&listener, "192.0.2.1:1");
    assert_eq!(taken(&listener), 1);
    let all = tokio::task::spawn_blocking(move || caller.read_to_end(&mut Vec::new()));
    let closed = tokio::time::timeout(DEADLINE, all).await.unwrap().unwrap();
    closed.unwrap();
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
    let connection = Connection {
        stream,
        address: "192.0.2.1:1".to_owned(),
        authenticated: None,
    };
    let unsecured = secure(&listener.shared, "tcp", connection)
        .await
        .unwrap_err();
    let reason = unsecured.reason();
    assert!(reason.contains("endpoint is not connected"), "{reason}");
}
