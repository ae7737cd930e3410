//! Links of the real role, through real servers, NAT and a kernel, with a peer that others wrote and with itself. As
//! root; each network is in namespaces of its own.
//!
//! The program and the module have to be built: `cargo build -p kozo -p kozo-role-ipop-tincan`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_testnet::{
    Host, Ipv6, Nat, Network, Peer, PeerOptions, Pings, Process, Relay, Server, Unavailable, Xmpp,
    wait_until,
};

const ALICE: Node = Node {
    account: "alice",
    uid: "437e4c0475866c6030734fef0187b095078832d3",
    ip4: "172.31.0.100",
    ip6: "fd50:dbc:41f2:4a3c:437e:4c04:7586:6c60",
};
const BOB: Node = Node {
    account: "bob",
    uid: "6e25917a5bf25897c8dd05e7cef95687455e32b0",
    ip4: "172.31.0.103",
    ip6: "fd50:dbc:41f2:4a3c:6e25:917a:5bf2:5897",
};

/// How long pings of a peer may take on a machine that has much to do.
const LIMIT: Duration = Duration::from_secs(90);

#[derive(Clone, Copy)]
struct Node {
    account: &'static str,
    uid: &'static str,
    ip4: &'static str,
    ip6: &'static str,
}

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

/// A network with its servers.
struct Scene {
    network: Network,
    xmpp: Xmpp,
    _relay: Relay,
}

impl Scene {
    fn start(nat: Nat, ipv6: Ipv6) -> Result<Self, Unavailable> {
        if !Path::new("/dev/net/tun").exists() {
            return Err(Unavailable("there is no /dev/net/tun".to_owned()));
        }
        let network = Network::start(nat, ipv6)?;
        let xmpp = network.xmpp(Server::Prosody, &["alice", "bob"])?;
        let _relay = network.relay()?;
        Ok(Self {
            network,
            xmpp,
            _relay,
        })
    }

    /// A node with a tincan at `host`; with these options besides.
    fn daemon(&self, host: Host, node: Node, options: &str) -> Process {
        let folder = self.network.folder().join(node.account);
        fs::create_dir_all(&folder).unwrap();
        let key = folder.join("node.key");
        if !key.exists() {
            self.network
                .run(
                    host,
                    kozo().to_str().unwrap(),
                    &["keygen", key.to_str().unwrap()],
                )
                .unwrap();
        }
        let public = fs::read_to_string(key.with_extension("key.pub")).unwrap();
        let public: Vec<_> = public.split_whitespace().take(2).collect();
        let text = format!(
            "system:\n  {name}:\n    privateKey: {key}\n    publicKey: {public}\n    roles:\n      \
             ipop-tincan: {{caFile: {ca}{options}}}\n",
            name = node.account,
            key = key.display(),
            public = public.join(" "),
            ca = self.xmpp.ca().display(),
        );
        let file = self.network.folder().join(format!("{}.yml", node.account));
        fs::write(&file, text).unwrap();
        let control = self.network.folder().join(format!("{}.sock", node.account));
        let arguments = [
            "--log",
            "debug",
            "run",
            "--control",
            control.to_str().unwrap(),
            file.to_str().unwrap(),
            node.account,
        ];
        self.network.spawn(host, node.account, kozo(), &arguments)
    }

    /// A controller at that host.
    fn controller(&self, host: Host, node: Node, more: &[&str]) -> Process {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controller.py");
        let account = format!("{}@kozo.test", node.account);
        let mut arguments = vec![
            script.to_str().unwrap(),
            "--account",
            &account,
            "--host",
            "203.0.113.1",
            "--uid",
            node.uid,
            "--ip4",
            node.ip4,
            "--stun",
            "203.0.113.1:3478",
            "--turn",
            "203.0.113.1:3478,turner,secret",
        ];
        arguments.extend(more);
        let name = format!("{}-controller", node.account);
        self.network
            .spawn(host, &name, Path::new("python3"), &arguments)
    }

    /// Bob, as others wrote him.
    fn peer(&self, more: &[&str], pings: Pings) -> Result<Peer, Unavailable> {
        self.network.peer(
            Host::B,
            &PeerOptions {
                account: BOB.account,
                uid: BOB.uid,
                ip4: BOB.ip4,
                ca: self.xmpp.ca(),
                more,
                pings,
            },
        )
    }

    /// Whether the kernel of that host gets answers from this address.
    fn pings(&self, host: Host, address: &str) -> bool {
        let arguments = ["-c", "3", "-i", "0.2", "-W", "5", address];
        self.network.run(host, "ping", &arguments).is_ok()
    }
}

fn kozo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("kozo")
}

/// Waits until the daemon says that the link is up, and returns which way.
fn path(daemon: &mut Process, peer: Node) -> String {
    let text = format!("the link with {} is up: ", peer.uid);
    daemon
        .wait_for(&text)
        .unwrap_or_else(|error| panic!("{error}"));
    let output = daemon.output();
    let (_, path) = output.rsplit_once(&text).unwrap();
    path.lines().next().unwrap().to_owned()
}

/// A link with the peer that others wrote: both kernels' worth of pings go through it. Returns which way it takes.
fn with_foreign_peer(
    nat: Nat,
    ipv6: Ipv6,
    more: &[&str],
    api: &str,
) -> Result<String, Unavailable> {
    let scene = Scene::start(nat, ipv6)?;
    let mut daemon = scene.daemon(Host::A, ALICE, "");
    daemon.wait_for("waits for a controller").unwrap();
    let plain = more.contains(&"--plain");
    let options = ["--api", api, "--plain"];
    let _controller = scene.controller(Host::A, ALICE, &options[..if plain { 3 } else { 2 }]);
    let mut peer = scene.peer(more, Pings::None)?;
    let path = path(&mut daemon, BOB);
    peer.wait_for("online")
        .unwrap_or_else(|error| panic!("{error}\n{}", daemon.output()));
    assert!(scene.pings(Host::A, BOB.ip4), "{}", daemon.output());
    assert!(scene.pings(Host::A, BOB.ip6), "{}", daemon.output());
    drop(peer);
    // Now it asks, and the kernel answers.
    let mut peer = scene.peer(more, Pings::Then(3))?;
    peer.wait_for_pongs(LIMIT)
        .unwrap_or_else(|error| panic!("{error}\n{}", daemon.output()));
    Ok(path)
}

#[test]
fn a_foreign_peer_without_nat_is_reached_directly() {
    let path = or_skip!(with_foreign_peer(
        Nat::None,
        Ipv6::No,
        &["--no-relay"],
        "14.07"
    ));
    assert!(path.starts_with("direct"), "{path}");
}

#[test]
fn holes_are_punched_through_the_usual_routers() {
    let path = or_skip!(with_foreign_peer(
        Nat::Cone,
        Ipv6::No,
        &["--no-relay"],
        "14.01"
    ));
    assert!(path.starts_with("through NAT"), "{path}");
}

#[test]
fn through_symmetric_routers_the_relay_helps() {
    let path = or_skip!(with_foreign_peer(Nat::Symmetric, Ipv6::No, &[], "14.07"));
    assert!(path.starts_with("relayed"), "{path}");
}

#[test]
fn a_foreign_peer_is_reached_over_ipv6() {
    let path = or_skip!(with_foreign_peer(
        Nat::Symmetric,
        Ipv6::Yes,
        &["--no-relay"],
        "14.07"
    ));
    assert!(
        path.starts_with("direct") && path.contains("2001:db8"),
        "{path}"
    );
}

#[test]
fn links_can_be_plain_where_both_want_that() {
    or_skip!(with_foreign_peer(
        Nat::None,
        Ipv6::No,
        &["--plain"],
        "14.07"
    ));
}

#[test]
fn two_tincans_have_a_link_that_returns_after_one_was_killed() {
    let scene = or_skip!(Scene::start(Nat::Cone, Ipv6::No));
    let mut alice = scene.daemon(Host::A, ALICE, "");
    let mut bob = scene.daemon(Host::B, BOB, "");
    alice.wait_for("waits for a controller").unwrap();
    bob.wait_for("waits for a controller").unwrap();
    let _controller = scene.controller(Host::A, ALICE, &[]);
    let mut other = scene.controller(Host::B, BOB, &["--api", "14.01"]);
    // What comes up over the relay goes through the routers before long.
    let way = wait_until("a way without the relay", || {
        let way = path(&mut alice, BOB);
        (!way.starts_with("relayed")).then_some(way)
    });
    assert!(way.starts_with("through NAT"), "{way}");
    path(&mut bob, ALICE);
    for (host, peer) in [(Host::A, BOB), (Host::B, ALICE)] {
        assert!(scene.pings(host, peer.ip4), "{}", alice.output());
        assert!(scene.pings(host, peer.ip6), "{}", alice.output());
    }
    // The network is told, and may order.
    let control = scene.network.folder().join("alice.sock");
    let control = control.to_str().unwrap();
    let kozo = kozo();
    let arguments = [
        "tail",
        "--control",
        control,
        "--type",
        "ipop-peer",
        "--json",
    ];
    let tail = scene.network.spawn(Host::A, "tail", &kozo, &arguments);
    let trim = ["send", "--control", control, "order", "ipop-trim", BOB.uid];
    // An event that came before it was listened for is missed: then the link is ended once more, when it is up again.
    let mut ended_after = 0;
    let is_trimmed = || {
        let ups = alice.output().matches(" is up: ").count();
        if ups > ended_after {
            ended_after = ups;
            let program = kozo.to_str().unwrap();
            scene.network.run(Host::A, program, &trim).unwrap();
        }
        tail.output().contains("offline").then_some(())
    };
    wait_until("the event of a link that was ended", is_trimmed);
    // The one that was ended last comes back, too.
    wait_until("the link is up again", || {
        (alice.output().matches(" is up: ").count() > ended_after).then_some(())
    });
    wait_until("the event of a link that is up again", || {
        let output = tail.output();
        let ended = output.rfind("offline")?;
        output[ended..].contains("online").then_some(())
    });
    let output = tail.output();
    assert!(
        output.contains(BOB.uid) && output.contains("dtls"),
        "{output}"
    );
    bob.kill();
    other.kill();
    let down = format!("the link with {} is down", BOB.uid);
    alice
        .wait_for(&down)
        .unwrap_or_else(|error| panic!("{error}"));
    let mut bob = scene.daemon(Host::B, BOB, "");
    bob.wait_for("waits for a controller").unwrap();
    let _other = scene.controller(Host::B, BOB, &[]);
    path(&mut bob, ALICE);
    wait_until("pings pass again", || {
        scene.pings(Host::A, BOB.ip6).then_some(())
    });
}

/// Waits until the daemon says that it has dropped something of this name.
fn wait_for_dropped(daemon: &Process, name: &str) {
    wait_until(name, || {
        let output = daemon.output();
        let mut lines = output
            .lines()
            .filter(|line| line.contains("dropped since the last status"));
        lines.any(|line| line.contains(name)).then_some(())
    });
}

#[test]
fn who_has_another_certificate_or_uid_gets_nothing_through() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No));
    let mut daemon = scene.daemon(Host::A, ALICE, "");
    daemon.wait_for("waits for a controller").unwrap();
    let _controller = scene.controller(Host::A, ALICE, &[]);
    let peer = or_skip!(scene.peer(&["--wrong-fingerprint"], Pings::None));
    let failed = format!("the link with {} has failed: ", BOB.uid);
    daemon
        .wait_for(&failed)
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(!daemon.output().contains("is up"), "{}", daemon.output());
    drop(peer);
    let _peer = or_skip!(scene.peer(&["--foreign-frame"], Pings::None));
    path(&mut daemon, BOB);
    wait_for_dropped(&daemon, "frames with another's uid");
    assert!(scene.pings(Host::A, BOB.ip6), "{}", daemon.output());
}

#[test]
fn floods_of_nonsense_do_no_harm() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No));
    let mut daemon = scene.daemon(Host::A, ALICE, ", digest: sha-256");
    daemon.wait_for("waits for a controller").unwrap();
    let _controller = scene.controller(Host::A, ALICE, &[]);
    let mut peer = or_skip!(scene.peer(&["--digest", "sha256"], Pings::None));
    let way = path(&mut daemon, BOB);
    peer.wait_for("online")
        .unwrap_or_else(|error| panic!("{error}"));
    let (_, local) = way.split_once("host ").unwrap();
    let local = format!("udp:{}", local.split(' ').next().unwrap());
    let before = memory(&daemon);
    let flood = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flood.py");
    let flood = flood.to_str().unwrap();
    let targets = [
        "udp:[::1]:5800",
        "udp:127.0.0.1:5800",
        "device:ipop",
        &local,
    ];
    let arguments = [&[flood, "5", "10000"], &targets[..]].concat();
    let sent = scene.network.run(Host::A, "python3", &arguments);
    let sent = sent.unwrap_or_else(|error| panic!("{error}"));
    wait_for_dropped(&daemon, "datagrams that are no requests");
    wait_for_dropped(&daemon, "datagrams of strangers");
    wait_until("pings pass", || scene.pings(Host::A, BOB.ip6).then_some(()));
    // Buffers were filled once; nothing grows with what came.
    let grown = memory(&daemon).saturating_sub(before);
    assert!(
        grown < 32 * 1024,
        "{grown} KiB more after the flood: {sent}"
    );
    assert!(
        !daemon.output().contains("has failed"),
        "{}",
        daemon.output()
    );
}

/// How much memory a process has, in KiB.
fn memory(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn what_cannot_be_is_refused_with_words() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No));
    let mut first = scene.daemon(Host::A, ALICE, "");
    first.wait_for("waits for a controller").unwrap();
    // Another one on the same machine has to have another port and another device.
    for (options, words) in [
        (
            "",
            "cannot listen on the UDP port 127.0.0.1:5800: it is taken",
        ),
        (", port: 5810", "there is one already, of another tincan"),
    ] {
        let mut second = scene.daemon(Host::A, BOB, options);
        second
            .wait_for(words)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let mut second = scene.daemon(Host::A, BOB, ", port: 5810, interface: ipop2");
    second
        .wait_for("waits for a controller")
        .unwrap_or_else(|error| panic!("{error}"));
    // Its overlay would have a network that the machine is in.
    let arguments = ["address", "add", "172.31.0.7/16", "dev", "eth0"];
    scene.network.run(Host::A, "ip", &arguments).unwrap();
    let _controller = scene.controller(Host::A, BOB, &["--port", "5810"]);
    second
        .wait_for("overlaps with 172.31.0.7/16 of the interface `eth0`")
        .unwrap_or_else(|error| panic!("{error}"));
    let arguments = ["address", "del", "172.31.0.7/16", "dev", "eth0"];
    scene.network.run(Host::A, "ip", &arguments).unwrap();
    let _controller = scene.controller(Host::A, ALICE, &["--password", "wrong"]);
    first
        .wait_for("not logged in to XMPP: ")
        .unwrap_or_else(|error| panic!("{error}"));
    let control = scene.network.folder().join("alice.sock");
    let arguments = ["status", "--control", control.to_str().unwrap()];
    wait_until("the status says so", || {
        let program = kozo();
        let status = scene
            .network
            .run(Host::A, program.to_str().unwrap(), &arguments);
        status
            .unwrap()
            .contains("not logged in to XMPP: ")
            .then_some(())
    });
}

#[test]
fn it_takes_one_capability_and_says_so() {
    let scene = or_skip!(Scene::start(Nat::None, Ipv6::No));
    let file = {
        // It writes the file and the keys.
        let mut daemon = scene.daemon(Host::A, ALICE, "");
        daemon.wait_for("waits for a controller").unwrap();
        daemon.stop();
        scene.network.folder().join("alice.yml")
    };
    for (set, words) in [
        ("-all", "it takes the capability CAP_NET_ADMIN"),
        ("-all,+net_admin", "waits for a controller"),
    ] {
        let program = kozo();
        let control = scene.network.folder().join("alice.sock");
        let arguments = [
            "--bounding-set",
            set,
            program.to_str().unwrap(),
            "run",
            "--control",
            control.to_str().unwrap(),
            file.to_str().unwrap(),
            "alice",
        ];
        let mut daemon =
            scene
                .network
                .spawn(Host::A, "capabilities", Path::new("setpriv"), &arguments);
        daemon
            .wait_for(words)
            .unwrap_or_else(|error| panic!("{error}"));
        daemon.stop();
    }
}
