//! Machines that neither answer nor refuse, as those do that are switched off.

use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

use super::scene::Scene;

/// An address that neither answers nor refuses: as many connections wait there as may.
struct Silent {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        // The system lets a few more wait than it was asked to.
        let waiting = (0..8).map(|_| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let kind = SocketType::STREAM;
            let socket =
                rustix::net::socket_with(AddressFamily::INET, kind, flags, Some(ipproto::TCP));
            let socket = socket.unwrap();
            // It is under way, and will never be there.
            let _ = rustix::net::connect(&socket, &address);
            socket.into()
        });
        Self {
            address,
            _waiting: waiting.collect(),
            _listener: listener,
        }
    }
}

#[test]
fn a_hundred_machines_that_are_switched_off_delay_none_that_runs() {
    let silent = Silent::new();
    let off: Vec<_> = (0..100).map(|number| format!("off{number}")).collect();
    let mut names: Vec<_> = off.iter().map(String::as_str).collect();
    // They are dialled in the order of their names, and `zz` does not dial by itself.
    names.extend(["clock", "zz"]);
    let mut scene = Scene::new(&names);
    for node in &off {
        scene.tcp(node, &format!("address: '{}'", silent.address));
    }
    scene.node_option("zz", "selfToOthersConnectPolicy: never");
    let mut zz = scene.start("zz");
    zz.wait_for_text("kozo", "started");
    let mut clock = scene.start("clock");
    clock.wait_for_link("zz");
    // Not one of the tries to the others was over before.
    assert!(!clock.has_said("cannot be reached"));
}
