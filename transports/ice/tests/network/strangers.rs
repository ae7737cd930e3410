//! Those who are not in the file, and what they send.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::thread;

use kozo_testnet::{Host, Nat, Network, PASSWORD, XMPP, XmppOptions, wait_until};
use kozo_xmpp::{Account, Password, Senders, Server, Settings, State, Trust};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::scene::{Scene, lines};

/// Runs something in a thread on a host.
fn on_host<T: Send>(network: &Network, host: Host, work: impl FnOnce() -> T + Send) -> T {
    let process = network.spawn(host, "on-host", "sleep", &["600"]);
    let path = |what: &str| format!("/proc/{}/{what}", process.id());
    // Until then it is on its way there.
    wait_until("the process is on the host", || {
        fs::read_to_string(path("comm"))
            .ok()
            .filter(|name| name == "sleep\n")
    });
    let namespace = File::open(path("ns/net")).expect("it is there");
    thread::scope(|scope| {
        let work = || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may go there");
            work()
        };
        scope.spawn(work).join().expect("it ends well")
    })
}

#[test]
fn strangers_are_refused_and_floods_do_no_harm() {
    let Some(scene) = Scene::start(Nat::None, XmppOptions::default()) else {
        return;
    };
    let (cabin, barn) = scene.daemons();
    cabin.wait_for_link("barn", "ice");

    // Somebody with an account on the same server, who is not in the file, and the account of a node, from a session
    // that is not that node's. The first are not heard at all, the others are no nodes.
    let (host, port) = XMPP.split_once(':').expect("an address and a port");
    let settings = |account: &str| Settings {
        account: format!("{account}@kozo.test").parse().expect("an account"),
        password: Password::Text(PASSWORD.to_owned()),
        resource: "stranger".to_owned(),
        server: Some(Server {
            host: host.to_owned(),
            port: port.parse().expect("a port"),
        }),
        trust: Trust::Anybody,
        namespace: "jabber:iq:kozo-ice".to_owned(),
        status: None,
        senders: Senders::Present,
    };
    let target = "alice@kozo.test/kozo/cabin/ice".parse().expect("a session");
    on_host(&scene.network, Host::Public, || {
        let account = Account::start(settings("bob"), || {}).expect("it starts");
        wait_until("the stranger is connected", || {
            matches!(account.state(), State::Online { .. }).then_some(())
        });
        for _ in 0..5 {
            let offer = [
                ("type", "offer"),
                ("user", "user"),
                ("password", "password"),
                ("candidates", "host 203.0.113.1:9 1 1"),
            ];
            account.send(&target, &offer).expect("it is sent");
            let nonsense = [("type", "offer"), ("candidates", "\u{1f600}")];
            account.send(&target, &nonsense).expect("it is sent");
        }
        cabin.wait_for_words("10 queries refused");
    });

    // Datagrams of anybody, at the ports that the daemon has.
    let ports = scene
        .network
        .run(Host::A, "ss", &["-HlnupO"])
        .expect("ports can be listed");
    let ports: Vec<u16> = ports
        .lines()
        .filter_map(|line| {
            line.split_whitespace()
                .nth(3)?
                .rsplit_once(':')?
                .1
                .parse()
                .ok()
        })
        .collect();
    assert!(!ports.is_empty());
    on_host(&scene.network, Host::A, || {
        let socket = UdpSocket::bind("10.1.0.2:0").expect("a socket");
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0..20_000 {
            let mut datagram: Vec<u8> = (0..random.usize(1..600)).map(|_| random.u8(..)).collect();
            match number % 3 {
                // The beginnings of a check of STUN, and of a connection of QUIC.
                0 => datagram
                    .splice(0..0, *b"\x00\x01\x00\x08\x21\x12\xa4\x42")
                    .count(),
                1 => datagram.splice(0..0, *b"\xc0\x00\x00\x00\x01\x08").count(),
                _ => 0,
            };
            // Some are lost, as they may be.
            let _ = socket.send_to(&datagram, ("10.1.0.2", ports[number % ports.len()]));
        }
    });
    let (there, back) = (lines("there", 20), lines("back", 20));
    cabin.send(&there);
    barn.send(&back);
    barn.wait_for_lines(&cabin, &there);
    cabin.wait_for_lines(&barn, &back);
}
