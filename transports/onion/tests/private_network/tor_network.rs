//! A Tor network on this machine: directory authorities and relays of the `tor` program, on
//! 127.0.0.1, for nobody but these tests.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kozo_abi::bench::reserve_port;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::wait::{DEADLINE, wait_or_explain, wait_until};

/// Who votes on what the network looks like: three are the least of which two are a majority.
const AUTHORITIES: usize = 3;

/// Relays besides: a circuit to an onion service takes up to eight hops, none of them twice in its
/// own half.
const RELAYS: usize = 5;

/// How often the authorities vote, in seconds. Half an hour has to be a multiple of it.
const VOTING_INTERVAL: u64 = 20;

/// How long a vote, and its distribution, may take, in seconds. On a busy machine, the authorities
/// miss each other's votes when it is 2.
const VOTING_DELAY: u64 = 4;

/// How long the relays need from their start until a vote can have them, in seconds.
const REGISTERING: u64 = 7;

/// A running network. It ends when this is dropped, and with this process at the latest.
pub(crate) struct TorNetwork {
    folder: PathBuf,
    authority_lines: String,
    relays: Vec<Relay>,
}

/// A way into the network that it does not list. It ends when this is dropped.
pub(crate) struct Bridge {
    /// What describes it, as Tor's own configuration does.
    pub(crate) line: String,
    _relay: Relay,
}

/// How often onion services change the places where the network knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Periods {
    /// Once a day, as in the public network; so never while a test runs.
    Days,
    /// As often as a `tor` of a testing network believes, which asks nobody.
    OfTesting,
}

/// One `tor` process that is a relay, or an authority as well.
struct Relay {
    name: String,
    folder: PathBuf,
    or_port: u16,
    /// Where an authority's documents are.
    directory_port: Option<u16>,
    periods: Periods,
    process: Option<Child>,
}

impl TorNetwork {
    /// Starts a network, and waits until all of it is known to all.
    pub(crate) fn start(folder: PathBuf, periods: Periods) -> Self {
        make_private(&folder);
        let relay = |number: usize| {
            let authority = number < AUTHORITIES;
            let name = format!("relay{number}");
            let folder = folder.join(&name);
            make_private(&folder);
            make_private(&folder.join("keys"));
            Relay {
                name,
                folder,
                or_port: reserve_port().unwrap(),
                directory_port: authority.then(|| reserve_port().unwrap()),
                periods,
                process: None,
            }
        };
        let mut network = Self {
            relays: (0..AUTHORITIES + RELAYS).map(relay).collect(),
            folder: folder.clone(),
            authority_lines: String::new(),
        };
        // Making keys takes a busy machine longer than ports are reserved.
        let held: Vec<_> = network.relays.iter().flat_map(Relay::hold_ports).collect();
        network.make_keys();
        network.describe();
        wait_for_the_right_moment();
        for relay in &mut network.relays {
            fs::write(
                relay.configuration_file(),
                relay.configuration(&network.authority_lines),
            )
            .unwrap();
            relay.process = Some(start_tor(&relay.configuration_file()));
        }
        wait_or_explain(
            "the network agrees on all of its relays",
            DEADLINE,
            || network.missing().is_none().then_some(()),
            || network.missing().unwrap_or_default(),
        );
        drop(held);
        network
    }

    /// The file that describes the network to the transport.
    pub(crate) fn description(&self) -> PathBuf {
        self.folder.join("network.toml")
    }

    /// Starts a bridge, which is a relay that the network does not list.
    pub(crate) fn start_bridge(&self, folder: PathBuf) -> Bridge {
        make_private(&folder);
        let mut relay = Relay {
            name: "bridge".to_owned(),
            folder,
            or_port: reserve_port().unwrap(),
            directory_port: None,
            periods: self.relays[0].periods,
            process: None,
        };
        let mut configuration = relay.configuration(&self.authority_lines);
        configuration.push_str("BridgeRelay 1\nPublishServerDescriptor 0\n");
        fs::write(relay.configuration_file(), configuration).unwrap();
        relay.process = Some(start_tor(&relay.configuration_file()));
        wait_until("the bridge knows the network", DEADLINE, || {
            let log = fs::read_to_string(relay.folder.join("log")).ok()?;
            log.contains("Bootstrapped 100%").then_some(())
        });
        let (fingerprint, _) = relay.identities();
        Bridge {
            line: format!("127.0.0.1:{} {fingerprint}", relay.or_port),
            _relay: relay,
        }
    }

    /// What describes it to a `tor` that is no relay.
    pub(crate) fn client_configuration(&self) -> String {
        format!(
            "{COMMON}EnforceDistinctSubnets 0\nClientRejectInternalAddresses 0\nDirAllowPrivateAddresses 1\n{}",
            self.authority_lines
        )
    }

    /// The voting keys of the authorities first: what they are called is in every configuration.
    fn make_keys(&mut self) {
        let authorities = self
            .relays
            .iter()
            .filter(|relay| relay.directory_port.is_some());
        // All at once, for they take long.
        let making: Vec<_> = authorities.map(Relay::make_voting_key).collect();
        for mut making in making {
            assert!(
                making.wait().unwrap().success(),
                "tor-gencert cannot make a voting key"
            );
        }
        // A testing network has to have an authority, also where only a name is asked for.
        let placeholder = format!(
            "DirAuthority none orport=1 no-v2 v3ident={} 127.0.0.1:2 {}\n",
            "A".repeat(40),
            "B".repeat(40)
        );
        let naming: Vec<_> = self
            .relays
            .iter()
            .map(|relay| {
                fs::write(
                    relay.configuration_file(),
                    relay.configuration(&placeholder),
                )
                .unwrap();
                Command::new("tor")
                    .args(["--quiet", "--list-fingerprint", "-f"])
                    .arg(relay.configuration_file())
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for mut naming in naming {
            assert!(
                naming.wait().unwrap().success(),
                "tor cannot make a relay's keys"
            );
        }
        self.authority_lines = self
            .relays
            .iter()
            .filter_map(Relay::authority_line)
            .collect();
    }

    /// Writes [`description`](Self::description).
    fn describe(&self) {
        let authorities = || {
            self.relays
                .iter()
                .filter(|relay| relay.directory_port.is_some())
        };
        let voters: Vec<_> = authorities()
            .map(|authority| format!("\"{}\"", authority.voting_identity()))
            .collect();
        let mut text = format!(
            "[tor_network.authorities]\nv3idents = [{}]\n",
            voters.join(", ")
        );
        // A relay that is no authority may not have the documents yet.
        for authority in authorities() {
            let (rsa, ed25519) = authority.identities();
            writeln!(
                text,
                "\n[[tor_network.fallback_caches]]\nrsa_identity = \"{rsa}\"\ned_identity = \"{ed25519}\"\norports = [\"127.0.0.1:{}\"]",
                authority.or_port
            )
            .unwrap();
        }
        // All relays are on one machine.
        text.push_str(
            "\n[path_rules]\nipv4_subnet_family_prefix = 33\nipv6_subnet_family_prefix = 129\n",
        );
        fs::write(self.description(), text).unwrap();
    }

    /// What an authority lacks yet; none when each knows all relays, and that others agree.
    fn missing(&self) -> Option<String> {
        let mut authorities = self.relays.iter().filter_map(|relay| relay.directory_port);
        authorities.find_map(|port| {
            let document = fetch(port, "/tor/status-vote/current/consensus-microdesc");
            let Some(document) = document else {
                return Some(format!("the authority at port {port} does not answer"));
            };
            let count = |fits: &dyn Fn(&str) -> bool| document.lines().filter(|l| fits(l)).count();
            let listed = count(&|line| line.starts_with("r "));
            let directories = count(&|line| line.starts_with("s ") && line.contains("HSDir"));
            let signatures = count(&|line| line.starts_with("directory-signature "));
            let stable = count(&|line| line.starts_with("s ") && line.contains("Stable"));
            let is_complete = listed == self.relays.len()
                && [directories, stable] == [listed; 2]
                && signatures > AUTHORITIES / 2;
            (!is_complete).then(|| {
                format!(
                    "the authority at port {port} lists {listed} relays, {directories} as \
                     directories and {stable} as stable, with {signatures} signatures"
                )
            })
        })
    }
}

/// What every `tor` of a testing network has to know.
const COMMON: &str = "TestingTorNetwork 1
AssumeReachable 1
PathsNeededToBuildCircuits 0.67
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingDirAuthVoteGuard *
V3AuthNIntervalsValid 3
";

impl Relay {
    /// Keeps others from its ports, but not the `tor` that is to listen there.
    fn hold_ports(&self) -> Vec<OwnedFd> {
        let ports = self.directory_port.into_iter().chain([self.or_port]);
        let hold = |port: u16| {
            let held = socket_with(
                AddressFamily::INET,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )
            .unwrap();
            set_socket_reuseaddr(&held, true).unwrap();
            bind(&held, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
            held
        };
        ports.map(hold).collect()
    }

    fn configuration_file(&self) -> PathBuf {
        self.folder.join("torrc")
    }

    fn configuration(&self, authority_lines: &str) -> String {
        let (name, folder, or_port) = (&self.name, self.folder.display(), self.or_port);
        let mut text = format!(
            "{COMMON}DataDirectory {folder}
Nickname {name}
Address 127.0.0.1
ORPort 127.0.0.1:{or_port} IPv4Only
SocksPort 0
ShutdownWaitLength 0
Log notice file {folder}/log
ContactInfo nobody@example.invalid
ExitRelay 1
ExitPolicyRejectPrivate 0
ExitPolicy reject *:*
DirAllowPrivateAddresses 1
ExtendAllowPrivateAddresses 1
EnforceDistinctSubnets 0
NumCPUs 1
BandwidthRate 1 GBytes
BandwidthBurst 1 GBytes
{authority_lines}"
        );
        if let Some(port) = self.directory_port {
            // Only stable relays are in the middle of a service's circuits. The few that there are
            // would be those which started a moment before the others.
            write!(
                text,
                "DirPort 127.0.0.1:{port} IPv4Only
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
V3AuthVotingInterval {VOTING_INTERVAL}
V3AuthVoteDelay {VOTING_DELAY}
V3AuthDistDelay {VOTING_DELAY}
TestingV3AuthInitialVotingInterval {VOTING_INTERVAL}
TestingV3AuthInitialVoteDelay {VOTING_DELAY}
TestingV3AuthInitialDistDelay {VOTING_DELAY}
TestingMinExitFlagThreshold 0
AuthDirVoteStableGuaranteeMinUptime 1
AuthDirVoteStableGuaranteeMTBF 1
ConsensusParams cc_alg=2 guard-min-filtered-sample-size=3 guard-max-sample-size=5 cbtinitialtimeout=5000{}
",
                match self.periods {
                    Periods::Days => String::new(),
                    // In minutes; `tor` takes 24 votes.
                    Periods::OfTesting => format!(" hsdir_interval={}", VOTING_INTERVAL * 24 / 60),
                }
            )
            .unwrap();
        }
        text
    }

    /// Begins to make the key that an authority votes with.
    fn make_voting_key(&self) -> Child {
        let key = |name: &str| self.folder.join("keys").join(format!("authority_{name}"));
        let mut process = Command::new("tor-gencert")
            .args([
                "--create-identity-key",
                "-m",
                "12",
                "--passphrase-fd",
                "0",
                "-a",
            ])
            .arg(format!("127.0.0.1:{}", self.directory_port.unwrap()))
            .arg("-i")
            .arg(key("identity_key"))
            .arg("-s")
            .arg(key("signing_key"))
            .arg("-c")
            .arg(key("certificate"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // An empty passphrase.
        process.stdin.take().unwrap().write_all(b"\n").unwrap();
        process
    }

    fn voting_identity(&self) -> String {
        let certificate = self.folder.join("keys/authority_certificate");
        let text = fs::read_to_string(certificate).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("fingerprint "));
        line.unwrap().to_owned()
    }

    /// Its RSA and its Ed25519 identity.
    fn identities(&self) -> (String, String) {
        let second_word = |file: &str| {
            let text = fs::read_to_string(self.folder.join(file)).unwrap();
            let word = text.split_whitespace().nth(1).unwrap();
            word.trim_end_matches('=').to_owned()
        };
        (
            second_word("fingerprint"),
            second_word("fingerprint-ed25519"),
        )
    }

    fn authority_line(&self) -> Option<String> {
        let port = self.directory_port?;
        Some(format!(
            "DirAuthority {} orport={} no-v2 v3ident={} 127.0.0.1:{port} {}\n",
            self.name,
            self.or_port,
            self.voting_identity(),
            self.identities().0
        ))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Starts a `tor` that ends when this process does, however that ends.
pub(crate) fn start_tor(configuration: &Path) -> Child {
    Command::new("tor")
        .args(["--quiet", "-f"])
        .arg(configuration)
        .arg("__OwningControllerProcess")
        .arg(std::process::id().to_string())
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Makes a folder that is its owner's alone, which `tor` insists on.
pub(crate) fn make_private(folder: &Path) {
    DirBuilder::new().mode(0o700).create(folder).unwrap();
}

/// The first vote should have all relays: a client that meets a network of authorities alone keeps
/// that for a while. Votes are at multiples of the interval.
fn wait_for_the_right_moment() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let interval = Duration::from_secs(VOTING_INTERVAL);
    let phase = Duration::from_nanos((now.as_nanos() % interval.as_nanos()) as u64);
    let latest = Duration::from_secs(VOTING_INTERVAL - 2 * VOTING_DELAY - REGISTERING);
    if phase > latest {
        std::thread::sleep(interval - phase);
    }
}

fn fetch(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
