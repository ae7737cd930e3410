//! Transports that are loaded and driven.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kozo::modules::{
    CallError, Inspected, PeerDescription, TransportInstance, TransportModule, TransportServices,
};
use kozo_abi::{Level, Priority};

use crate::support::bench::{Bench, make_transport, transport_options};
use crate::support::build::fixture;
use crate::support::{code, loader, source};

fn module() -> Arc<TransportModule> {
    let path = fixture("transport_probe");
    let bytes = std::fs::read(&path).unwrap();
    let inspected = Inspected::new(&path, &bytes).unwrap();
    let name = &inspected.metadata.name;
    loader()
        .transport(source(name, &path, &code(&bytes), &inspected.image))
        .unwrap()
}

fn peer(module: &str) -> PeerDescription {
    PeerDescription {
        node: "far".to_owned(),
        name: "probe2".to_owned(),
        module: module.to_owned(),
        options: transport_options("example:1", ""),
    }
}

#[test]
fn a_transport_is_driven_through_its_whole_life() {
    let bench = Arc::new(Bench::default());
    let transport = make_transport(&module(), &bench, "").unwrap();
    transport.local_init().unwrap();
    assert_eq!(transport.priority(), Ok(Priority::Good));
    assert_eq!(transport.can_accept(), Ok(true));
    assert_eq!(transport.can_connect(&peer("probe")), Ok(true));
    assert_eq!(transport.can_connect(&peer("other")), Ok(false));
    let addresses = transport.addresses(&peer("probe")).unwrap();
    assert_eq!(addresses, ["example:1", "probe2@far"]);

    assert_eq!(transport.accept().unwrap_err().to_string(), "not bound");
    transport.bind().unwrap();
    let (level, address) = bench.notes().log.last().unwrap().clone();
    assert_eq!(level, Level::Warn);

    // Both ends of a connection, through two calls at the same time.
    let (accepted, connected) = std::thread::scope(|scope| {
        let accepting = scope.spawn(|| transport.accept());
        let timeout = Duration::from_secs(20);
        let connected = transport.connect(&peer("probe"), &address, timeout);
        (accepting.join().unwrap(), connected.unwrap())
    });
    let accepted = accepted.unwrap().unwrap();
    assert_eq!(connected.address, address);
    let (mut one, mut other) = (
        TcpStream::from(accepted.stream),
        TcpStream::from(connected.stream),
    );
    assert_eq!(one.peer_addr().unwrap().to_string(), accepted.address);
    one.write_all(b"bytes").unwrap();
    drop(one);
    let mut text = String::new();
    other.read_to_string(&mut text).unwrap();
    assert_eq!(text, "bytes");

    transport.stop().unwrap();
    drop(transport);
    assert_eq!(Arc::strong_count(&bench), 1);
}

#[test]
fn what_a_transport_is_about_reaches_the_host() {
    let bench = Arc::new(Bench::default());
    let transport = make_transport(&module(), &bench, "").unwrap();
    transport.local_init().unwrap();
    let said = bench.notes().log.last().unwrap().clone();
    assert_eq!(said, (Level::Debug, "status: getting up: 45 %".to_owned()));
}

#[test]
fn an_address_is_asked_for_without_making_a_transport() {
    let bench = Arc::new(Bench::default());
    let ask = |address: &str, fault: &str| {
        let services: Arc<dyn TransportServices> = bench.clone();
        module().own_address(services, &transport_options(address, fault))
    };
    let address = ask("", "").unwrap();
    assert_eq!(address.as_deref(), Some("/state/there.probe1/key"));
    assert_eq!(ask("given", ""), Ok(None));
    let error = ask("", "own_address").unwrap_err().to_string();
    assert!(error.contains("no good own_address"), "{error}");
    // It was not made, for then it would have said so.
    assert_eq!(bench.notes().log, []);
    assert_eq!(Arc::strong_count(&bench), 1);
}

#[test]
fn a_transport_that_is_stopped_accepts_nothing() {
    let bench = Bench::stopping();
    let transport = make_transport(&module(), &bench, "").unwrap();
    transport.bind().unwrap();
    assert!(transport.accept().unwrap().is_none());
}

#[test]
fn only_stream_sockets_are_taken() {
    let bench = Arc::new(Bench::default());
    let transport = make_transport(&module(), &bench, "").unwrap();
    let connect = |address| transport.connect(&peer("probe"), address, Duration::from_secs(1));
    assert_eq!(
        connect("udp").unwrap_err().to_string(),
        "the transport handed over a socket to `udp` that is no stream socket, a fault of its module"
    );
    let error = connect("file").unwrap_err().to_string();
    assert!(
        error.starts_with("the transport handed over a descriptor for `file` that is no socket"),
        "{error}"
    );
}

#[test]
fn an_error_of_the_system_is_the_transports_error() {
    // A port that nobody listens on, and that the system gives to nobody else.
    let address = format!("127.0.0.1:{}", kozo_abi::bench::reserve_port().unwrap());
    let bench = Arc::new(Bench::default());
    let transport = make_transport(&module(), &bench, "").unwrap();
    let error = transport.connect(&peer("probe"), &address, Duration::from_secs(5));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .to_lowercase()
            .contains("refused")
    );
}

#[test]
fn a_panic_in_any_call_of_a_transport_is_an_error() {
    type Call = fn(&TransportInstance) -> Result<(), CallError>;
    let calls: [(&str, Call); 9] = [
        ("local_init", |transport| transport.local_init()),
        ("bind", |transport| transport.bind()),
        ("accept", |transport| transport.accept().map(drop)),
        ("addresses", |transport| {
            transport.addresses(&peer("probe")).map(drop)
        }),
        ("connect", |transport| {
            let connected = transport.connect(&peer("probe"), "udp", Duration::from_secs(1));
            connected.map(drop)
        }),
        ("priority", |transport| transport.priority().map(drop)),
        ("can_accept", |transport| transport.can_accept().map(drop)),
        ("can_connect", |transport| {
            transport.can_connect(&peer("probe")).map(drop)
        }),
        ("stop", |transport| transport.stop()),
    ];
    let module = module();
    let bench = Arc::new(Bench::default());
    for (call, make_call) in calls {
        let transport = make_transport(&module, &bench, call).unwrap();
        let error = make_call(&transport).unwrap_err().to_string();
        assert!(error.starts_with("panicked at "), "{error}");
        assert!(error.contains(&format!("no good {call}")), "{error}");
    }
    let error = make_transport(&module, &bench, "init")
        .unwrap_err()
        .to_string();
    assert!(error.contains("no good init"), "{error}");

    drop(make_transport(&module, &bench, "drop").unwrap());
    let (level, text) = bench.notes().log.last().unwrap().clone();
    assert_eq!(level, Level::Error);
    assert!(
        text.starts_with("while the transport was dropped: panicked at "),
        "{text}"
    );
    assert_eq!(Arc::strong_count(&bench), 1);
}

#[test]
fn a_role_named_as_a_transport_is_refused() {
    let path = Path::new("/modules/libx.so");
    let bytes = crate::support::probe();
    let inspected = Inspected::new(path, &bytes).unwrap();
    let name = &inspected.metadata.name;
    let error = loader().transport(source(name, path, &code(&bytes), &inspected.image));
    let error = error.unwrap_err().to_string();
    let expected = "what it exports is `TransportModule` in one, `RoleModule` in the other";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_the_host_says_reaches_the_transport() {
    let bench = Arc::new(Bench::default());
    let services: Arc<dyn TransportServices> = bench.clone();
    let options = transport_options("", "");
    drop(module().create(services, &options).unwrap());
    assert_eq!(
        bench.notes().log,
        [(
            Level::Info,
            "probe1 of there (probe, local: true), next minor: None".to_owned()
        )]
    );
}
