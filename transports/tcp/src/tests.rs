use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use kozo_abi::bench::{StartedTransport, TransportBench, reserve_port};
use kozo_abi::{Connection, Error, Level};

use super::Tcp;

/// An address of Tor's.
const ONION: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

/// A transport that listens on `bind_address` and says that it is reached at `address`.
fn listening(address: &str, bind_address: &str) -> Result<StartedTransport, Error> {
    let transport = TransportBench::<Tcp>::new()
        .node("alice")
        .option("address", address)
        .option("bindAddress", bind_address)
        .option("port", reserve_port()?)
        .start()?;
    transport.bind()?;
    Ok(transport)
}

/// Another node's transport, which only connects.
fn dialling() -> TransportBench<Tcp> {
    TransportBench::new()
        .node("bob")
        .option("address", "bob.invalid")
}

/// Connects `from` to the first address of `to`: both ends.
fn link(from: &StartedTransport, to: &StartedTransport) -> Result<(Connection, Connection), Error> {
    let address = &from.addresses(&to.peer())?[0];
    let near = from.connect(&to.peer(), address, LIMIT)?;
    let far = to.accept()?.ok_or("it is being stopped")?;
    Ok((near, far))
}

fn stream(connection: Connection) -> TcpStream {
    TcpStream::from(connection.stream)
}

/// Whether bytes go both ways.
fn carries(near: Connection, far: Connection) -> Result<bool, Error> {
    let (mut near, mut far) = (stream(near), stream(far));
    let mut got = [0; 4];
    near.write_all(b"ping")?;
    far.read_exact(&mut got)?;
    let there = &got == b"ping";
    far.write_all(b"pong")?;
    near.read_exact(&mut got)?;
    Ok(there && &got == b"pong" && near.nodelay()? && far.nodelay()?)
}

/// Whether this machine has IPv6.
fn has_ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        println!("skipped: this machine has no IPv6");
    }
    has
}

#[test]
fn two_nodes_connect_over_ipv4() -> Result<(), Error> {
    let (alice, bob) = (listening("127.0.0.1", "127.0.0.1")?, dialling().start()?);
    let (near, far) = link(&bob, &alice)?;
    let local = stream(near).local_addr()?;
    assert_eq!(far.address, local.to_string());
    let (near, far) = link(&bob, &alice)?;
    assert_eq!(near.address, bob.addresses(&alice.peer())?[0]);
    assert!(carries(near, far)?);
    Ok(())
}

#[test]
fn two_nodes_connect_over_ipv6() -> Result<(), Error> {
    if !has_ipv6() {
        return Ok(());
    }
    let (alice, bob) = (listening("::1", "::1")?, dialling().start()?);
    let (near, far) = link(&bob, &alice)?;
    assert!(far.address.starts_with("[::1]:"), "{}", far.address);
    assert!(carries(near, far)?);
    Ok(())
}

#[test]
fn all_interfaces_are_both_families() -> Result<(), Error> {
    let alice = listening("127.0.0.1, ::1", "")?;
    let bob = dialling().start()?;
    let addresses = bob.addresses(&alice.peer())?;
    let families = if has_ipv6() { 2 } else { 1 };
    for address in &addresses[..families] {
        let near = bob.connect(&alice.peer(), address, LIMIT)?;
        let far = alice.accept()?.ok_or("it is being stopped")?;
        // An IPv4 client is shown by its IPv4 address.
        let host = address.rsplit_once(':').ok_or("it has a port")?.0;
        assert!(far.address.starts_with(host), "{}", far.address);
        assert!(carries(near, far)?);
    }
    Ok(())
}

#[test]
fn a_name_is_listened_on_and_reached_in_both_families() -> Result<(), Error> {
    let alice = listening("localhost", "localhost")?;
    let bob = dialling().start()?;
    let (near, far) = link(&bob, &alice)?;
    assert!(carries(near, far)?);
    let listening = &alice.logged()[0].1;
    assert!(listening.starts_with("listening on "));
    for address in ["127.0.0.1:", "[::1]:"] {
        if listening.contains(address) {
            let port = listening.rsplit_once(':').ok_or("it has a port")?.1;
            let near = bob.connect(&alice.peer(), &format!("{address}{port}"), LIMIT)?;
            let far = alice.accept()?.ok_or("it is being stopped")?;
            assert!(carries(near, far)?);
        }
    }
    Ok(())
}

#[test]
fn addresses_are_listed_in_order_with_their_ports() -> Result<(), Error> {
    let alice = TransportBench::<Tcp>::new()
        .option("address", "clock.local, 192.0.2.1:7000,2001:db8::1")
        .start()?;
    let addresses = alice.addresses(&alice.peer())?;
    assert_eq!(
        addresses,
        ["clock.local:6020", "192.0.2.1:7000", "[2001:db8::1]:6020"]
    );
    let list = TransportBench::<Tcp>::new()
        .option("address", ["a", "b"])
        .option("port", 7000)
        .start()?;
    assert_eq!(alice.addresses(&list.peer())?, ["a:7000", "b:7000"]);
    assert_eq!(alice.priority()?, 4);
    assert!(alice.can_accept()? && alice.can_connect(&list.peer())?);
    Ok(())
}

#[test]
fn options_that_cannot_work_are_refused_at_the_start() {
    let error = |bench: TransportBench<Tcp>| bench.older_host().start().unwrap_err().to_string();
    let missing = error(TransportBench::new());
    assert!(missing.contains("a transport of type `tcp` needs the option `address`"));
    let address = error(TransportBench::new().option("address", "good, bad:0"));
    assert!(address.starts_with("`address`: `bad:0` has a port"));
    let proxy = error(dialling().option("socksProxy", "127.0.0.1"));
    assert_eq!(
        proxy,
        "`socksProxy`: `127.0.0.1` has no port: write `host:port`"
    );
    let onion = error(dialling().option("socksProxy", format!("{ONION}:9050")));
    assert_eq!(onion, "`socksProxy` is itself an .onion address");
    let both = dialling().option("socksProxy", "127.0.0.1:9050");
    let both = error(both.option("transparentOnion", true));
    assert_eq!(
        both,
        "`socksProxy` and `transparentOnion` exclude each other"
    );
}

#[test]
fn where_to_listen_is_checked_at_the_start_on_the_node_itself() -> Result<(), Error> {
    let bench = |address: &str| dialling().option("bindAddress", address).older_host();
    for (address, reason) in [
        ("999.1.1.1", "is no IPv4 address"),
        ("[::1]", "has brackets"),
        ("127.0.0.1:6020", "has a port behind it"),
        ("fe80::1", "is a link-local address"),
    ] {
        let error = bench(address).start().unwrap_err().to_string();
        let expected = format!("`bindAddress`: `{address}` {reason}");
        assert!(error.starts_with(&expected), "{error}");
    }
    bench("999.1.1.1").local(false).start()?;
    Ok(())
}

#[test]
fn a_port_in_use_is_named_and_can_be_bound_once_it_is_free() -> Result<(), Error> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let alice = TransportBench::<Tcp>::new()
        .option("address", "127.0.0.1")
        .option("bindAddress", "127.0.0.1")
        .option("port", port)
        .start()?;
    let error = alice.bind().unwrap_err().to_string();
    let expected = format!("cannot listen on 127.0.0.1:{port}: Address already in use");
    assert!(error.starts_with(&expected), "{error}");
    assert!(
        error.ends_with("another program has this `port`"),
        "{error}"
    );
    assert_eq!(
        alice.accept().unwrap_err().to_string(),
        "it does not listen yet"
    );

    drop(taken);
    alice.bind()?;
    let (near, far) = link(&alice, &alice)?;
    assert!(carries(near, far)?);
    Ok(())
}

#[test]
fn an_address_of_another_machine_cannot_be_bound() -> Result<(), Error> {
    let error = listening("127.0.0.1", "192.0.2.1").unwrap_err().to_string();
    assert!(
        error.contains("`bindAddress` is no address of this machine"),
        "{error}"
    );
    let error = listening("127.0.0.1", "no-such-name.invalid")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is no address and no name of this machine"),
        "{error}"
    );
    Ok(())
}

#[test]
fn stopping_ends_every_waiting_accept() -> Result<(), Error> {
    let alice = listening("127.0.0.1", "localhost")?;
    thread::scope(|scope| {
        let accept = || alice.accept().map(|connection| connection.is_none());
        let waiting = [scope.spawn(accept), scope.spawn(accept)];
        alice.stop()?;
        for accept in waiting {
            assert!(accept.join().expect("it does not panic")?);
        }
        Ok(())
    })
}

#[test]
fn a_client_that_is_gone_already_does_not_end_accepting() -> Result<(), Error> {
    let (alice, bob) = (listening("127.0.0.1", "127.0.0.1")?, dialling().start()?);
    let address = &bob.addresses(&alice.peer())?[0];
    TcpStream::connect(address)?.shutdown(Shutdown::Both)?;
    let near = bob.connect(&alice.peer(), address, LIMIT)?;
    let gone = alice.accept()?.ok_or("it is being stopped")?;
    assert_eq!(stream(gone).read(&mut [0; 1])?, 0);
    let far = alice.accept()?.ok_or("it is being stopped")?;
    assert!(carries(near, far)?);
    Ok(())
}

#[test]
fn a_refused_connection_says_where_and_why() -> Result<(), Error> {
    let bob = dialling().start()?;
    let address = format!("127.0.0.1:{}", reserve_port()?);
    let error = bob.connect(&bob.peer(), &address, LIMIT).unwrap_err();
    let expected = format!("cannot connect to `{address}`: Connection refused");
    assert!(error.to_string().starts_with(&expected), "{error}");
    Ok(())
}

/// A SOCKS 5 proxy for one connection; it answers with the two texts, and echoes what follows.
fn proxy(greeting: &'static [u8], reply: &'static [u8]) -> Result<Proxy, Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let thread = thread::spawn(move || -> Result<Vec<u8>, Error> {
        let (mut client, _) = listener.accept()?;
        client.set_read_timeout(Some(LIMIT))?;
        let mut hello = [0; 3];
        client.read_exact(&mut hello)?;
        client.write_all(greeting)?;
        let mut request = vec![0; 5];
        client.read_exact(&mut request)?;
        let mut rest = vec![0; usize::from(request[4]) + 2];
        client.read_exact(&mut rest)?;
        request.extend(rest);
        // In pieces, as a network may deliver it.
        for byte in reply {
            client.write_all(&[*byte])?;
        }
        let mut text = [0; 4];
        if client.read_exact(&mut text).is_ok() {
            client.write_all(&text)?;
        }
        Ok(request)
    });
    Ok(Proxy { address, thread })
}

struct Proxy {
    address: String,
    thread: thread::JoinHandle<Result<Vec<u8>, Error>>,
}

/// A node that is reached at an onion address, too.
fn onion_peer() -> Result<StartedTransport, Error> {
    TransportBench::<Tcp>::new()
        .node("hidden")
        .local(false)
        .option("address", format!("{ONION}:7000, 127.0.0.1"))
        .start()
}

#[test]
fn onion_addresses_go_through_the_proxy_by_name() -> Result<(), Error> {
    let reply = b"\x05\x00\x00\x03\x04name\x00\x00";
    let proxy = proxy(b"\x05\x00", reply)?;
    let bob = dialling().option("socksProxy", &proxy.address).start()?;
    let hidden = onion_peer()?;
    let addresses = bob.addresses(&hidden.peer())?;
    assert_eq!(
        addresses,
        [format!("{ONION}:7000"), "127.0.0.1:6020".to_owned()]
    );
    let connection = bob.connect(&hidden.peer(), &addresses[0], LIMIT)?;
    assert_eq!(connection.address, format!("{ONION}:7000"));
    let mut stream = stream(connection);
    assert_eq!(
        (stream.read_timeout()?, stream.write_timeout()?),
        (None, None)
    );
    stream.write_all(b"ping")?;
    let mut echo = [0; 4];
    stream.read_exact(&mut echo)?;
    assert_eq!(&echo, b"ping");
    let request = proxy.thread.join().expect("it does not panic")?;
    let name = ONION.as_bytes();
    assert_eq!(
        request,
        [b"\x05\x01\x00\x03\x3e", name, b"\x1b\x58"].concat()
    );
    Ok(())
}

#[test]
fn a_proxy_that_fails_says_why() -> Result<(), Error> {
    for (greeting, reply, reason) in [
        (
            &b"\x05\x00"[..],
            &b"\x05\x04\x00\x01"[..],
            "it cannot connect: host unreachable",
        ),
        (
            b"\x05\x00",
            b"\x05\xf0\x00\x01",
            "the onion service is not found",
        ),
        (b"\x05\x00", b"\x05\x63\x00\x01", "reply 99"),
        (
            b"\x05\x00",
            b"\x05\x00\x00\x09",
            "an address of an unknown type",
        ),
        (b"\x05\xff", b"", "it wants a password"),
        (b"HTTP", b"", "it does not speak SOCKS 5"),
    ] {
        let proxy = proxy(greeting, reply)?;
        let bob = dialling().option("socksProxy", &proxy.address).start()?;
        let error = bob.connect(&onion_peer()?.peer(), &format!("{ONION}:1"), LIMIT);
        let error = error.unwrap_err().to_string();
        let expected = format!(
            "cannot connect to `{ONION}:1`: the proxy at `{}`: ",
            proxy.address
        );
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.ends_with(reason), "{error}");
    }
    Ok(())
}

#[test]
fn a_proxy_that_says_nothing_is_given_up() -> Result<(), Error> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let bob = dialling()
        .option("socksProxy", silent.local_addr()?.to_string())
        .start()?;
    // Time enough to reach the proxy, which says something else when it is over.
    let soon = Duration::from_secs(3);
    let error = bob.connect(&onion_peer()?.peer(), &format!("{ONION}:1"), soon);
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("it did not answer in time"), "{error}");
    Ok(())
}

#[test]
fn without_a_way_onion_addresses_are_left_out_and_mentioned_once() -> Result<(), Error> {
    let (bob, hidden) = (dialling().start()?, onion_peer()?);
    for _ in 0..2 {
        assert_eq!(bob.addresses(&hidden.peer())?, ["127.0.0.1:6020"]);
    }
    let logged = bob.logged();
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0].0, Level::Info);
    assert!(
        logged[0]
            .1
            .starts_with(&format!("`{ONION}:7000` of tcp@hidden is left"))
    );
    let error = bob
        .connect(&hidden.peer(), &format!("{ONION}:1"), LIMIT)
        .unwrap_err();
    assert!(error.to_string().contains("it needs `socksProxy`"));

    let only = TransportBench::<Tcp>::new()
        .option("address", ONION)
        .start()?;
    let error = bob.addresses(&only.peer()).unwrap_err().to_string();
    assert_eq!(error, "tcp@node has .onion addresses only");
    Ok(())
}

#[test]
fn with_a_resolver_for_them_onion_addresses_are_dialled_like_others() -> Result<(), Error> {
    let bob = dialling().option("transparentOnion", true).start()?;
    let addresses = bob.addresses(&onion_peer()?.peer())?;
    assert_eq!(
        addresses,
        [format!("{ONION}:7000"), "127.0.0.1:6020".to_owned()]
    );
    Ok(())
}
