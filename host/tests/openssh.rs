//! The real `ssh` as a client of a node: what it gets, and what it does not get.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kozo_auth::algorithms::Algorithms;
use kozo_auth::identity::{Identity, TrustedKeys};
use kozo_auth::keys::{MIN_RSA_BITS, NewKey, PrivateKey, generate, public_line, write_private};
use kozo_auth::secured::{Receiver, Refused};
use kozo_auth::ssh::{self, Endpoint, MAX_PACKET};
use kozo_ground::names::NodeName;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc as queue, oneshot};

/// The longest that one run of `ssh` may take.
const DEADLINE: Duration = Duration::from_secs(180);

/// The name of the node that listens.
const CELLAR: &str = "cellar";

/// Whether there is an `ssh` to test with; says so when there is none.
fn has_ssh() -> bool {
    let found = Command::new("ssh").arg("-V").stderr(Stdio::null()).status();
    if found.is_err() {
        eprintln!("skipped: there is no `ssh` here");
    }
    found.is_ok()
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

/// Sends back what arrives.
struct Echo(queue::UnboundedSender<Bytes>);

impl Receiver for Echo {
    fn data(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let _ = self.0.send(Bytes::copy_from_slice(bytes));
        Ok(())
    }
}

/// What became of one connection: who it was, or why it was refused.
type Outcome = Result<String, String>;

/// A node that accepts links on a thread of its own and sends back what arrives.
struct Node {
    port: u16,
    outcomes: mpsc::Receiver<Outcome>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    fn start(endpoint: Endpoint) -> Self {
        let (port_sender, port) = mpsc::channel();
        let (outcome_sender, outcomes) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                port_sender
                    .send(listener.local_addr().unwrap().port())
                    .unwrap();
                let listen = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        tokio::spawn(serve(stream, endpoint.clone(), outcome_sender.clone()));
                    }
                };
                tokio::select! {
                    () = listen => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            port: port.recv_timeout(DEADLINE).unwrap(),
            outcomes,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// What became of the next connection.
    fn outcome(&self) -> Outcome {
        self.outcomes.recv_timeout(DEADLINE).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(stream: tokio::net::TcpStream, endpoint: Endpoint, outcomes: mpsc::Sender<Outcome>) {
    let (echo, mut to_send) = queue::unbounded_channel();
    let accepting = ssh::accept(stream, &endpoint, |_| Echo(echo));
    let secured = match tokio::time::timeout(DEADLINE, accepting).await {
        Ok(Ok(secured)) => secured,
        Ok(Err(error)) => return outcomes.send(Err(error.to_string())).unwrap_or(()),
        Err(_) => return outcomes.send(Err("timed out".to_owned())).unwrap_or(()),
    };
    let _ = outcomes.send(Ok(secured.peer.to_string()));
    while let Some(bytes) = to_send.recv().await {
        if secured.sender.send(bytes).await.is_err() {
            break;
        }
    }
    secured.session.ended().await;
}

/// The keys of a small network on disk, and a node `cellar` of it that listens.
struct Network {
    folder: TempDir,
    node: Node,
}

/// The nodes that may call, one with each kind of key.
const CALLERS: [&str; 3] = ["attic", "boiler", "carport"];

fn keys() -> &'static [(&'static str, PrivateKey)] {
    static KEYS: OnceLock<Vec<(&str, PrivateKey)>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let bits = MIN_RSA_BITS;
        let kinds = [NewKey::Ed25519, NewKey::Rsa { bits }, NewKey::EcdsaP256];
        let mut keys: Vec<_> = CALLERS
            .into_iter()
            .zip(kinds)
            .map(|(node, kind)| (node, generate(kind, node).unwrap()))
            .collect();
        keys.push((CELLAR, generate(NewKey::Ed25519, CELLAR).unwrap()));
        keys
    })
}

impl Network {
    fn start() -> Self {
        Self::start_with(&Algorithms::default())
    }

    fn start_with(algorithms: &Algorithms) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut trust = Vec::new();
        for (node, key) in keys() {
            write_private(&folder.path().join(node), key).unwrap();
            trust.push((name(node), vec![key.public_key().clone()]));
        }
        let stranger = generate(NewKey::Ed25519, "stranger").unwrap();
        write_private(&folder.path().join("stranger"), &stranger).unwrap();
        let (_, key) = keys().iter().find(|(node, _)| *node == CELLAR).unwrap();
        let identity = Identity {
            node: name(CELLAR),
            key: Arc::new(key.clone()),
        };
        let trust: Arc<TrustedKeys> = Arc::new(trust.into_iter().collect());
        let node = Node::start(Endpoint::new(identity, trust, algorithms, MAX_PACKET));
        let known_host = format!("[127.0.0.1]:{} {}\n", node.port, public_line(key));
        fs::write(folder.path().join("known_hosts"), known_host).unwrap();
        Self { folder, node }
    }

    fn key_file(&self, node: &str) -> PathBuf {
        self.folder.path().join(node)
    }

    /// `ssh` with the key of `key`, as `user`; nothing on this machine has a say in it.
    fn ssh(&self, key: &str, user: &str) -> Command {
        let mut command = Command::new("ssh");
        let known_hosts = self.folder.path().join("known_hosts");
        command
            .args(["-F", "none", "-l", user, "-p", &self.node.port.to_string()])
            .arg("-i")
            .arg(self.key_file(key))
            .args(option("UserKnownHostsFile", &known_hosts))
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
            .args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"])
            .args(["-o", "LogLevel=INFO"]);
        command
    }

    /// Runs `ssh ARGUMENTS 127.0.0.1 COMMAND` as `attic`, with no input.
    fn attic(&self, arguments: &[&str], command: &[&str]) -> Finished {
        let mut ssh = self.ssh("attic", "attic");
        ssh.args(arguments).arg("127.0.0.1").args(command);
        run(ssh)
    }
}

fn option(key: &str, path: &Path) -> [String; 2] {
    ["-o".to_owned(), format!("{key}={}", path.display())]
}

/// How a run of `ssh` ended.
struct Finished {
    code: Option<i32>,
    said: String,
}

/// Kills a child that outlives its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn finish(mut self) -> Finished {
        drop(self.0.stdin.take());
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "`ssh` should have ended by now");
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        Finished {
            code: status.code(),
            said,
        }
    }
}

fn run(command: Command) -> Finished {
    Running::start(command).finish()
}

/// Opens the subsystem, sends a line, waits for it to come back, ends the input.
fn echo(mut command: Command) -> Finished {
    command.args(["-s", "127.0.0.1", ssh::SUBSYSTEM]);
    let mut running = Running::start(command);
    let mut stdin = running.0.stdin.take().unwrap();
    let stdout = running.0.stdout.take().unwrap();
    stdin.write_all(b"tick\n").unwrap();
    let (sender, line) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let _ = sender.send(line);
    });
    let line = line.recv_timeout(DEADLINE).unwrap();
    drop(stdin);
    let finished = running.finish();
    assert_eq!(line, "tick\n", "{}", finished.said);
    finished
}

#[test]
fn a_node_key_of_each_kind_reaches_the_subsystem() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    for caller in CALLERS {
        let finished = echo(network.ssh(caller, caller));
        assert_eq!(finished.code, Some(0), "{caller}: {}", finished.said);
        assert_eq!(network.node.outcome(), Ok(caller.to_owned()));
    }
}

#[test]
fn the_old_cipher_and_mac_reach_the_subsystem() {
    if !has_ssh() {
        return;
    }
    let old = Algorithms::new(&["aes256-ctr"], &["hmac-sha1"]).unwrap();
    for algorithms in [Algorithms::default(), old] {
        let network = Network::start_with(&algorithms);
        let mut command = network.ssh("attic", "attic");
        command.args(["-c", "aes256-ctr", "-m", "hmac-sha1"]);
        let finished = echo(command);
        assert_eq!(finished.code, Some(0), "{}", finished.said);
    }
}

#[test]
fn every_cipher_and_mac_works_with_openssh() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    for cipher in kozo_auth::algorithms::CIPHERS {
        let mut command = network.ssh("attic", "attic");
        command.args(["-c", cipher]);
        assert_eq!(echo(command).code, Some(0), "{cipher}");
    }
    // `hmac-sha1-etm` is left out of what is offered unless the file names it.
    let all = kozo_auth::algorithms::MACS;
    let network = Network::start_with(&Algorithms::new(&["aes128-ctr"], &all).unwrap());
    for mac in all {
        let mut command = network.ssh("attic", "attic");
        command.args(["-m", mac]);
        assert_eq!(echo(command).code, Some(0), "{mac}");
    }
}

#[test]
fn data_flows_both_ways_through_new_keys() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    let mut command = network.ssh("attic", "attic");
    command.args(["-o", "RekeyLimit=1M", "-s", "127.0.0.1", ssh::SUBSYSTEM]);
    let mut running = Running::start(command);
    let mut stdin = running.0.stdin.take().unwrap();
    let mut stdout = running.0.stdout.take().unwrap();
    let sent: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|i| (i % 251) as u8).collect();
    let expected = sent.clone();
    let (sender, echoed) = mpsc::channel();
    std::thread::spawn(move || {
        let mut read = vec![0; expected.len()];
        let whole = stdout.read_exact(&mut read).is_ok() && read == expected;
        let _ = sender.send(whole);
    });
    let writer = std::thread::spawn(move || {
        stdin.write_all(&sent).unwrap();
        stdin
    });
    assert!(echoed.recv_timeout(DEADLINE).unwrap());
    drop(writer.join().unwrap());
    let finished = running.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.said);
}

#[test]
fn a_shell_a_command_and_other_subsystems_are_refused() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    let requests: [(&[&str], &[&str], &str); 5] = [
        (&[], &[], "shell request failed"),
        (&["-tt"], &[], "PTY allocation request failed"),
        (&[], &["true"], "exec request failed"),
        (&["-s"], &["sftp"], "subsystem request failed"),
        (&["-A", "-X"], &["true"], "exec request failed"),
    ];
    for (arguments, command, answer) in requests {
        let finished = network.attic(arguments, command);
        assert_eq!(finished.code, Some(255), "{arguments:?} {command:?}");
        assert!(finished.said.contains(answer), "{}", finished.said);
        assert!(network.node.outcome().is_err(), "there was a link");
    }
}

#[test]
fn forwards_are_refused() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    // Standard input to a port: a channel of the kind `direct-tcpip`.
    let forward = format!("127.0.0.1:{}", network.node.port);
    let finished = network.attic(&["-W", &forward], &[]);
    assert_eq!(finished.code, Some(255));
    assert!(
        finished.said.contains("administratively prohibited"),
        "{}",
        finished.said
    );
    let socket = network.folder.path().join("socket");
    for forward in [
        "0:localhost:22".to_owned(),
        format!("{}:localhost:22", socket.display()),
    ] {
        let finished = network.attic(
            &["-o", "ExitOnForwardFailure=yes", "-N", "-R", &forward],
            &[],
        );
        assert_eq!(finished.code, Some(255), "{forward}");
        assert!(finished.said.contains("remote"), "{}", finished.said);
    }
    assert!(!socket.exists());
}

#[test]
fn who_is_no_node_is_refused_in_the_same_words() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    let mut answers = Vec::new();
    for (key, user) in [
        ("stranger", "attic"),
        ("stranger", "garage"),
        ("attic", "boiler"),
        ("attic", "garage"),
        (CELLAR, CELLAR),
    ] {
        let mut command = network.ssh(key, user);
        command.args(["-s", "127.0.0.1", ssh::SUBSYSTEM]);
        let finished = run(command);
        assert_eq!(finished.code, Some(255), "{key} as {user}");
        answers.push(finished.said.replace(user, "USER"));
        let refused = network.node.outcome().unwrap_err();
        assert!(refused.contains(user), "{refused}");
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].contains("(publickey)"), "{answers:?}");
}

#[test]
fn a_password_is_not_asked_for() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    let finished = network.attic(
        &[
            "-o",
            "PreferredAuthentications=password,keyboard-interactive",
            "-s",
        ],
        &[ssh::SUBSYSTEM],
    );
    assert_eq!(finished.code, Some(255));
    assert!(finished.said.contains("(publickey)"), "{}", finished.said);
}

#[test]
fn an_rsa_key_with_sha_1_is_refused() {
    if !has_ssh() {
        return;
    }
    let network = Network::start();
    for (algorithm, code) in [("ssh-rsa", 255), ("rsa-sha2-256", 0), ("rsa-sha2-512", 0)] {
        let mut command = network.ssh("boiler", "boiler");
        command.args(["-o", &format!("PubkeyAcceptedAlgorithms={algorithm}")]);
        command.args(["-s", "127.0.0.1", ssh::SUBSYSTEM]);
        let finished = run(command);
        assert_eq!(finished.code, Some(code), "{algorithm}: {}", finished.said);
    }
}
