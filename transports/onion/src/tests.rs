//! The transport on the bench, without any network.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use kozo_abi::Error;
use kozo_abi::bench::{StartedTransport, TransportBench, reserve_port};

use crate::Onion;

/// The address of some key.
const ADDRESS: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

/// Long enough for whatever happens on this machine.
const LIMIT: Duration = Duration::from_secs(120);

fn bench() -> TransportBench<Onion> {
    TransportBench::new()
}

fn refused(bench: TransportBench<Onion>) -> String {
    bench.older_host().start().unwrap_err().to_string()
}

#[test]
fn options_that_do_not_fit_together_are_refused() {
    let good = || bench().option("address", ADDRESS);
    good().start().unwrap();
    bench().option("outgoingOnly", true).start().unwrap();
    good().option("incomingOnly", true).start().unwrap();

    let both = bench()
        .option("incomingOnly", true)
        .option("outgoingOnly", true);
    assert_eq!(
        refused(both),
        "`incomingOnly` and `outgoingOnly` exclude each other"
    );
    let error = refused(good().option("outgoingOnly", true));
    assert!(error.contains("remove one of the two"), "{error}");
    let error = refused(bench());
    assert!(error.contains("`kozo address CONFIG NODE`"), "{error}");
    let error = refused(bench().option("service", "system"));
    assert!(error.contains("`HiddenServiceDir`"), "{error}");
    let error = refused(bench().option("address", "clock.local"));
    assert!(
        error.starts_with("`address`: `clock.local` does not end"),
        "{error}"
    );
    let error = refused(good().option("bridgePrograms", ["obfs4proxy"]));
    assert!(error.contains("of the form `NAME=PATH`"), "{error}");
    let error = refused(good().option("onlyFor", ["bob"]));
    assert!(error.starts_with("`onlyFor`: `bob` is no key"), "{error}");
    let system = || good().option("service", "system");
    let error = refused(system().option("bridges", ["192.0.2.1:1"]));
    assert!(
        error.starts_with("`bridges` is for `service: host`"),
        "{error}"
    );
    let error = refused(system().option("socksProxy", "localhost"));
    assert!(error.contains("of the form `host:port`"), "{error}");
    assert!(refused(good().option("onionPort", 0)).contains(": onionPort: "));
}

#[test]
fn who_accepts_and_who_connects_is_as_the_options_say() -> Result<(), Error> {
    let both = bench().option("address", ADDRESS).start()?;
    let out = bench().option("outgoingOnly", true).start()?;
    let into = bench()
        .option("address", ADDRESS)
        .option("incomingOnly", true)
        .start()?;
    assert!(both.can_accept()? && both.can_connect(&into.peer())?);
    assert!(!out.can_accept()? && out.can_connect(&both.peer())?);
    assert!(into.can_accept()? && !into.can_connect(&both.peer())?);
    assert_eq!(both.priority()?, 2);
    Ok(())
}

#[test]
fn a_peer_is_reached_at_its_address_and_onion_port() -> Result<(), Error> {
    let own = bench().option("outgoingOnly", true).start()?;
    let peer = |onion_port: Option<u16>| {
        let peer = bench().option("address", ADDRESS).option("port", 7001);
        match onion_port {
            Some(port) => peer.option("onionPort", port),
            None => peer,
        }
        .start()
    };
    assert_eq!(
        own.addresses(&peer(None)?.peer())?,
        [format!("{ADDRESS}:7001")]
    );
    assert_eq!(
        own.addresses(&peer(Some(22))?.peer())?,
        [format!("{ADDRESS}:22")]
    );
    let error = own.addresses(&own.peer()).unwrap_err().to_string();
    assert!(error.ends_with("takes no connections"), "{error}");
    Ok(())
}

#[test]
fn a_nodes_address_is_made_once_and_stays() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let ask = || bench().state_dir(folder.path()).own_address();
    let address = ask()?.expect("a node that accepts has an address");
    assert!(
        address.ends_with(".onion") && address.len() == 62,
        "{address}"
    );
    assert_eq!(ask()?, Some(address));
    let other = tempfile::tempdir()?;
    assert_ne!(bench().state_dir(other.path()).own_address()?, ask()?);

    let none = || bench().state_dir(folder.path());
    assert_eq!(none().option("outgoingOnly", true).own_address()?, None);
    assert_eq!(none().option("service", "system").own_address()?, None);
    Ok(())
}

#[test]
fn a_backed_up_key_keeps_the_address() -> Result<(), Error> {
    let (old, new) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let address = bench().state_dir(old.path()).own_address()?;
    copy_folder(old.path(), new.path())?;
    assert_eq!(bench().state_dir(new.path()).own_address()?, address);
    Ok(())
}

/// Not by a program: until that has begun, it has the locks of other tests' transports.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&copy)?;
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), &copy)?;
        }
    }
    Ok(())
}

#[test]
fn an_address_of_another_key_is_refused_with_the_right_one() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let own = bench().state_dir(folder.path()).own_address()?.unwrap();
    let onion = bench()
        .state_dir(folder.path())
        .option("address", ADDRESS)
        .start()?;
    let error = onion.local_init().unwrap_err().to_string();
    assert!(error.contains(ADDRESS) && error.contains(&own), "{error}");
    Ok(())
}

#[test]
fn damaged_keys_are_told_of_and_not_replaced() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    bench().state_dir(folder.path()).own_address()?;
    let keystore = folder.path().join("state/keystore/hss/kozo");
    for entry in fs::read_dir(&keystore)? {
        fs::write(entry?.path(), "damage")?;
    }
    let error = bench().state_dir(folder.path()).own_address().unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("is damaged") && error.contains("backup"),
        "{error}"
    );
    Ok(())
}

/// A node that is about to connect to a network that is not there.
fn offline(folder: &Path) -> Result<StartedTransport, Error> {
    let network = folder.join("net.toml");
    fs::write(&network, OFFLINE)?;
    let state = folder.join("state-folder");
    fs::create_dir_all(&state)?;
    let address = bench().state_dir(&state).own_address()?.unwrap();
    bench()
        .state_dir(&state)
        .option("address", address)
        .option("network", network.display().to_string())
        .start()
}

/// A network of one directory that nobody serves.
const OFFLINE: &str = r#"
[tor_network.authorities]
v3idents = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]

[[tor_network.fallback_caches]]
rsa_identity = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
ed_identity = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
orports = ["127.0.0.1:9"]
"#;

#[test]
fn without_a_network_it_starts_all_the_same_says_so_and_stops_when_it_is_told() -> Result<(), Error>
{
    let folder = tempfile::tempdir()?;
    let onion = offline(folder.path())?;
    let peer = onion.peer();
    let early = onion
        .connect(&peer, "", Duration::from_millis(50))
        .unwrap_err();
    assert_eq!(early.to_string(), "the transport is not ready yet");
    onion.local_init()?;
    assert!(
        onion
            .status()
            .starts_with("connecting to the Tor network: ")
    );
    let error = onion
        .connect(&peer, "", Duration::from_millis(50))
        .unwrap_err();
    assert!(
        error.to_string().starts_with("Tor is not ready yet: "),
        "{error}"
    );
    std::thread::scope(|scope| {
        let binding = scope.spawn(|| onion.bind());
        let connecting = scope.spawn(|| onion.connect(&peer, "", Duration::from_secs(3600)));
        onion.stop()?;
        binding.join().expect("it does not panic")?;
        let stopped = connecting.join().expect("it does not panic").unwrap_err();
        assert!(stopped.to_string().contains("stopped"), "{stopped}");
        Ok(())
    })
}

#[test]
fn a_second_process_on_the_same_folder_is_told_so() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let (one, other) = (offline(folder.path())?, offline(folder.path())?);
    one.local_init()?;
    let error = other.local_init().unwrap_err().to_string();
    assert!(error.starts_with("another process uses `"), "{error}");
    // When the first one has gone, it works.
    drop(one);
    other.local_init()
}

#[test]
fn the_machines_tor_forwards_to_a_local_port() -> Result<(), Error> {
    let port = reserve_port()?;
    let onion = bench()
        .option("address", ADDRESS)
        .option("service", "system")
        .option("port", port)
        .start()?;
    onion.local_init()?;
    onion.bind()?;
    let mut tor = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let accepted = onion.accept()?.expect("it is not stopped");
    tor.write_all(b"bytes")?;
    drop(tor);
    let mut text = String::new();
    TcpStream::from(accepted.stream).read_to_string(&mut text)?;
    assert_eq!(text, "bytes");
    Ok(())
}

#[test]
fn the_machines_tor_connects_through_its_proxy_or_says_why_not() -> Result<(), Error> {
    let proxy = TcpListener::bind("127.0.0.1:0")?;
    let onion = bench()
        .option("address", ADDRESS)
        .option("service", "system")
        .option("socksProxy", proxy.local_addr()?.to_string())
        .start()?;
    let connect = |reply: &'static [u8]| {
        let proxy = &proxy;
        std::thread::scope(|scope| {
            let asked = scope.spawn(move || -> std::io::Result<Vec<u8>> {
                let (mut client, _) = proxy.accept()?;
                client.read_exact(&mut [0; 3])?;
                client.write_all(&[5, 0])?;
                let mut request = vec![0; 5 + ADDRESS.len() + 2];
                client.read_exact(&mut request)?;
                client.write_all(reply)?;
                Ok(request)
            });
            let connected = onion.connect(&onion.peer(), "", LIMIT);
            (connected, asked.join().expect("it does not panic"))
        })
    };
    let (connected, asked) = connect(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00bytes");
    assert_eq!(
        asked?[5..],
        [ADDRESS.as_bytes(), &6027_u16.to_be_bytes()].concat()
    );
    let mut text = String::new();
    TcpStream::from(connected?.stream).read_to_string(&mut text)?;
    assert_eq!(text, "bytes");
    let (refused, _) = connect(b"\x05\xf0\x00\x01");
    let error = refused.unwrap_err().to_string();
    assert!(error.ends_with("Tor finds no such address"), "{error}");
    Ok(())
}
