//! Whoever knows an address may connect to it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use kozo_abi::bench::reserve_port;

use crate::Stage;
use crate::c_tor::CTor;
use crate::scene::Scene;
use crate::wait::{DEADLINE, wait_until};

pub(super) fn strangers_are_ended_and_keep_nobody_out(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("strangers"), &["alice", "bob"]);
    let network = stage.network.description();
    let address = scene.onion("alice", &network, ", incomingOnly: true");
    let options = format!("outgoingOnly: true, network: {}", network.display());
    scene.transport("bob", "onion", &options);
    let alice = scene.start("alice");
    alice.wait_for_status("reachable at ");
    let port = reserve_port().unwrap();
    let tor = CTor::start(&stage.network, &stage.folder("strangers-tor"), 80, port);
    let connect = || {
        wait_until("a stranger is let in", DEADLINE, || {
            tor.connect(&address, 6027)
        })
    };

    let mut silent = connect();
    let mut garbage = connect();
    garbage.write_all(&[0xa5; 4096]).unwrap();
    assert_ended(&mut garbage);
    let mut endless = connect();
    endless.write_all(b"SSH-2.0-endless\r\n").unwrap();
    assert_cut_off(&mut endless);
    // Nobody answers at another port.
    assert!(tor.connect(&address, 6028).is_none());
    // A node is let in beside them.
    let bob = scene.start("bob");
    bob.wait_for_link_over("alice", "onion");
    // The silent one has half a minute.
    assert_ended(&mut silent);
    alice.wait("all strangers are gone", |status| {
        (status["connections"]["unproven"] == 0).then_some(())
    });
    bob.wait_for_link_over("alice", "onion");
}

/// Waits until the other end closes the connection, whatever it says before.
#[track_caller]
fn assert_ended(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("a stranger was not ended: {error}"),
        }
    }
}

/// Sends zeros until they cannot be sent any more, because the other end has closed the connection.
#[track_caller]
fn assert_cut_off(stream: &mut TcpStream) {
    let error = loop {
        if let Err(error) = stream.write_all(&[0; 16 * 1024]) {
            break error;
        }
    };
    // Not that it waited for its limit.
    let ended = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(ended.contains(&error.kind()), "it was not ended: {error}");
}
