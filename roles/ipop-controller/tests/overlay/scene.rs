//! Two homes, servers between them, and daemons.

use std::cell::RefCell;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kozo_testnet::{
    Host, Ipv6, Nat, Network, Peer, PeerOptions, Pings, Process, Relay, Server, Unavailable, Xmpp,
    XmppOptions, wait_until,
};

pub(crate) const ALICE: Node = Node {
    account: "alice",
    uid: "437e4c0475866c6030734fef0187b095078832d3",
    ip4: "172.31.0.100",
    ip6: "fd50:dbc:41f2:4a3c:437e:4c04:7586:6c60",
};
pub(crate) const BOB: Node = Node {
    account: "bob",
    uid: "6e25917a5bf25897c8dd05e7cef95687455e32b0",
    ip4: "172.31.0.103",
    ip6: "fd50:dbc:41f2:4a3c:6e25:917a:5bf2:5897",
};

pub(crate) const CAROL: Node = Node {
    account: "carol",
    uid: "36970ad9b2cf08e561de38c247d0328997453807",
    ip4: "172.31.0.2",
    ip6: "fd50:dbc:41f2:4a3c:3697:ad9:b2cf:8e5",
};

/// The port of the transport `tcp`, where there is one.
const PORT: u16 = 6020;

/// A machine and who it is on XMPP.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) account: &'static str,
    pub(crate) uid: &'static str,
    pub(crate) ip4: &'static str,
    pub(crate) ip6: &'static str,
}

/// Says past the capture of output why a test did not do all.
pub(crate) fn skipped(reason: &Unavailable) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

/// A network with its servers.
pub(crate) struct Scene {
    pub(crate) network: Network,
    server: Server,
    xmpp: RefCell<Option<Xmpp>>,
    ca: PathBuf,
    password: PathBuf,
    relay: RefCell<Option<Relay>>,
}

/// A daemon.
pub(crate) struct Daemon {
    pub(crate) process: Process,
    control: PathBuf,
}

impl Scene {
    pub(crate) fn start(nat: Nat, ipv6: Ipv6, server: Server) -> Result<Self, Unavailable> {
        let all = ["alice", "bob"];
        Self::start_with(nat, ipv6, server, &all, XmppOptions::default())
    }

    pub(crate) fn start_with(
        nat: Nat,
        ipv6: Ipv6,
        server: Server,
        accounts: &[&str],
        options: XmppOptions,
    ) -> Result<Self, Unavailable> {
        if !Path::new("/dev/net/tun").exists() {
            return Err(Unavailable("there is no /dev/net/tun".to_owned()));
        }
        let network = Network::start(nat, ipv6)?;
        let xmpp = network.xmpp_with(server, accounts, options)?;
        let relay = network.relay()?;
        let password = network.folder().join("password");
        fs::write(&password, "secret\n").unwrap();
        Ok(Self {
            network,
            server,
            ca: xmpp.ca().to_owned(),
            xmpp: RefCell::new(Some(xmpp)),
            password,
            relay: RefCell::new(Some(relay)),
        })
    }

    pub(crate) fn ca(&self) -> &Path {
        &self.ca
    }

    pub(crate) fn password(&self) -> &str {
        self.password.to_str().unwrap()
    }

    pub(crate) fn stop_xmpp(&self) {
        self.xmpp.borrow_mut().take();
    }

    pub(crate) fn start_xmpp(&self, options: XmppOptions) -> Result<(), Unavailable> {
        let xmpp = self
            .network
            .xmpp_with(self.server, &["alice", "bob"], options)?;
        self.xmpp.borrow_mut().replace(xmpp);
        Ok(())
    }

    pub(crate) fn stop_relay(&self) {
        self.relay.borrow_mut().take();
    }

    pub(crate) fn start_relay(&self) -> Result<(), Unavailable> {
        let relay = self.network.relay()?;
        self.relay.borrow_mut().replace(relay);
        Ok(())
    }

    /// Both roles; `more` are options of the controller. What is in braces is of the node.
    ///
    /// A peer that says nothing is known to be gone after 15 seconds, and one that was started again meanwhile is only
    /// asked for a link in its first eight rounds: so long have rounds to be.
    pub(crate) fn both(&self, more: &str) -> String {
        format!(
            "      ipop-tincan: {{caFile: {ca}}}\n      ipop-controller: {{ip4: {{ip4}}, xmppUser: \
             {{account}}@kozo.test, xmppHost: 203.0.113.1, xmppPasswordFile: {password}, stun: [203.0.113.1:3478], turn: \
             [{{server: 203.0.113.1:3478, user: turner, passwordFile: {password}}}], waitTime: 4{more}}}\n",
            ca = self.ca.display(),
            password = self.password.display(),
        )
    }

    /// The file of a network with these nodes and their roles. More than one reach each other over the overlay.
    pub(crate) fn network_file(&self, nodes: &[(Node, String)]) -> String {
        let mut text = "system:\n".to_owned();
        for (node, roles) in nodes {
            let key = self.network.folder().join(format!("{}.key", node.account));
            if !key.exists() {
                let made = Command::new(kozo())
                    .arg("keygen")
                    .arg(&key)
                    .output()
                    .unwrap();
                assert!(made.status.success(), "{made:?}");
            }
            let public = fs::read_to_string(key.with_extension("key.pub")).unwrap();
            let public: Vec<_> = public.split_whitespace().take(2).collect();
            let storage = self
                .network
                .folder()
                .join(format!("{}-storage", node.account));
            fs::create_dir_all(&storage).unwrap();
            text += &format!(
                "  {}:\n    privateKey: {}\n    publicKey: {}\n    roleStorage: {}\n    roles:\n{}",
                node.account,
                key.display(),
                public.join(" "),
                storage.display(),
                roles
                    .replace("{ip4}", node.ip4)
                    .replace("{account}", node.account)
                    .replace("{uid}", node.uid)
            );
            if nodes.len() > 1 {
                text += &format!(
                    "    transports:\n      tcp: {{address: \"{}\", bindAddress: \"::\", port: {PORT}}}\n",
                    node.ip6
                );
            }
        }
        text + "connectionRetry: 2\n"
    }

    /// A daemon with these roles, in a network of its own.
    pub(crate) fn daemon(&self, host: Host, node: Node, roles: &str) -> Daemon {
        self.run(host, node, &self.network_file(&[(node, roles.to_owned())]))
    }

    /// A daemon for this node of a file.
    pub(crate) fn run(&self, host: Host, node: Node, text: &str) -> Daemon {
        let file = self.network.folder().join(format!("{}.yml", node.account));
        fs::write(&file, text).unwrap();
        let control = file.with_extension("sock");
        let (file, socket) = (file.to_str().unwrap(), control.to_str().unwrap());
        let arguments = ["run", file, node.account, "--control", socket];
        let process = self.network.spawn(host, node.account, kozo(), &arguments);
        Daemon { process, control }
    }

    /// Bob, as others wrote him.
    pub(crate) fn peer(&self, more: &[&str], pings: Pings) -> Result<Peer, Unavailable> {
        self.network.peer(
            Host::B,
            &PeerOptions {
                account: BOB.account,
                uid: BOB.uid,
                ip4: BOB.ip4,
                ca: &self.ca,
                more,
                pings,
            },
        )
    }

    /// Whether the kernel of that host gets answers from this address.
    pub(crate) fn pings(&self, host: Host, address: &str) -> bool {
        let arguments = ["-c", "3", "-i", "0.2", "-W", "5", address];
        self.network.run(host, "ping", &arguments).is_ok()
    }

    /// Makes the overlay's device of a node a port of a bridge, and puts a host with this address behind that.
    pub(crate) fn host_behind(&self, host: Host, node: Node, address: &str) -> Process {
        let mut behind = self.network.spawn(
            host,
            "behind",
            "unshare",
            &["--net", "sh", "-c", "echo up; exec sleep 600"],
        );
        behind.wait_for("up").unwrap();
        let run = |command: &str| {
            let words: Vec<_> = command.split_whitespace().collect();
            self.network.run(host, words[0], &words[1..]).unwrap()
        };
        let target = behind.id();
        run("ip link add br0 type bridge");
        run("ip link set br0 up");
        run(&format!(
            "ip link add behind type veth peer name eth0 netns {target}"
        ));
        run("ip link set behind master br0 up");
        // What the device had is the bridge's from here on.
        run("ip address flush dev ipop");
        run("ip link set ipop master br0");
        run(&format!("ip address add {}/16 dev br0", node.ip4));
        run(&format!("ip address add {}/64 dev br0 nodad", node.ip6));
        run(&format!(
            "nsenter --net --target {target} ip address add {address} dev eth0"
        ));
        run(&format!(
            "nsenter --net --target {target} ip link set eth0 up"
        ));
        behind
    }

    /// How many bits a second TCP gets from the first home to this address of the second one. None without `iperf3`.
    pub(crate) fn throughput(&self, address: &str) -> Option<f64> {
        self.network.run(Host::A, "which", &["iperf3"]).ok()?;
        let mut server = self.network.spawn(
            Host::B,
            "iperf3",
            "iperf3",
            &["--server", "--one-off", "--forceflush"],
        );
        server.wait_for("listening").unwrap();
        let arguments = ["--client", address, "--time", "3", "--json"];
        let output = self.network.run(Host::A, "iperf3", &arguments).unwrap();
        let report: serde_json::Value = serde_json::from_str(&output).unwrap();
        report["end"]["sum_received"]["bits_per_second"].as_f64()
    }

    /// Sends the daemon at the first home as many datagrams as it can, at all its UDP ports: to those for controllers from
    /// its own machine, to the others from the second home.
    pub(crate) fn flood(&self, daemon: &Daemon, time: Duration) {
        let ports = self.network.run(Host::A, "ss", &["-Hulnp"]).unwrap();
        let own = format!("pid={},", daemon.process.id());
        let mut seconds = vec![time.as_secs().to_string()];
        let ports = ports.lines().filter(|line| line.contains(&own));
        let addresses = ports.filter_map(|line| line.split_whitespace().nth(3));
        let addresses: Vec<String> = addresses
            .map(|address| address.replace("0.0.0.0", "127.0.0.1"))
            .collect();
        assert!(addresses.len() >= 3, "{addresses:?}");
        seconds.extend(addresses);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/overlay/flood.py");
        let mut arguments = vec![script.to_str().unwrap()];
        arguments.extend(seconds.iter().map(String::as_str));
        let said = self.network.run(Host::A, "python3", &arguments).unwrap();
        eprintln!("{}", said.trim());
    }
}

impl Daemon {
    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// What `kozo status` prints; nothing as long as the daemon does not answer.
    pub(crate) fn status(&self) -> String {
        let mut command = Command::new(kozo());
        command.arg("status").arg("--control").arg(&self.control);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn wait_for_status(&self, text: &str) {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(&format!("the status says `{text}`"), || {
                last = self.status();
                last.contains(text).then_some(())
            });
        }));
        assert!(found.is_ok(), "no `{text}`:\n{last}\n{}", self.output());
    }

    /// How much memory the daemon has, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// The program, which is beside the folder of the tests.
fn kozo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("kozo")
}
