//! A real Mosquitto, and the role as a host runs it.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kozo_abi::Message;
use kozo_abi::bench::{Incoming, RoleBench, StartedRole, reserve_port};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, SanType,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Mqtt;
use crate::connection::MAX_INCOMING;
use kozo_mqtt::{Access, Broker, Happening, Protocol, Publication, Sender, connect};

/// How long anything may take: the machine may have a lot to do.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether there is a Mosquitto; else the test says that it is skipped.
pub(super) fn is_there() -> bool {
    let found = mosquitto().is_some();
    if !found {
        eprintln!("skipped: there is no `mosquitto` here (Debian: `mosquitto`)");
    }
    found
}

fn mosquitto() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join("mosquitto"))
        .find(|file| file.exists())
}

/// A broker with a listener of its own for whoever watches, and whatever else the test says.
pub(super) struct Mosquitto {
    pub(super) folder: TempDir,
    /// Without a password.
    pub(super) watched: u16,
    /// What the test has set up.
    pub(super) port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// One whose second listener has these lines, in which `FOLDER` is its folder.
    pub(super) fn new(lines: &str) -> Self {
        Self::with(lines, |_| {})
    }

    /// The same, with files that are made first.
    pub(super) fn with(lines: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (watched, port) = (reserve_port().unwrap(), reserve_port().unwrap());
        let at = folder.path().display().to_string();
        // As root it would become somebody else, who may read nothing here.
        let text = format!(
            "per_listener_settings true\nuser root\nmax_inflight_messages 200\n\
             listener {watched} 127.0.0.1\nallow_anonymous true\n\
             listener {port} 127.0.0.1\n{}\n",
            lines.replace("FOLDER", &at)
        );
        fs::write(folder.path().join("mosquitto.conf"), text).unwrap();
        let mut broker = Self {
            folder,
            watched,
            port,
            child: None,
        };
        broker.start();
        broker
    }

    pub(super) fn start(&mut self) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new(mosquitto().unwrap())
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let until = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", self.watched)).is_err() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// As `kill -9` does it. It remembers nothing.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn watch(&self) -> Watcher {
        Watcher::new(self.watched, "watcher")
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client that sees everything.
pub(super) struct Watcher {
    sender: Sender,
    heard: Arc<Mutex<Vec<(String, String, bool)>>>,
}

impl Watcher {
    pub(super) fn new(port: u16, client_id: &str) -> Self {
        let access = Access {
            broker: Broker::parse(&format!("mqtt://127.0.0.1:{port}")).unwrap(),
            protocol: Protocol::V5,
            client_id: client_id.to_owned(),
            user: None,
            password: None,
            tls: None,
            keep_alive: Duration::from_secs(30),
            will: None,
            max_incoming: MAX_INCOMING,
        };
        let (sender, mut receiver) = connect(&access).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        sender.subscribe(&["#".to_owned()], true).unwrap();
        let hearing = Arc::clone(&heard);
        thread::spawn(move || {
            loop {
                match receiver.wait() {
                    Happening::Message {
                        topic,
                        payload,
                        retained,
                        ..
                    } => {
                        let text = String::from_utf8_lossy(&payload).into_owned();
                        hearing.lock().unwrap().push((topic, text, retained));
                    }
                    Happening::Lost(_) => return,
                    _ => {}
                }
            }
        });
        Self { sender, heard }
    }

    pub(super) fn publish(&self, topic: &str, payload: &str) {
        let publication = Publication {
            topic: topic.to_owned(),
            payload: payload.to_owned().into(),
            acknowledged: true,
            retained: false,
        };
        self.sender.publish(&publication).unwrap();
    }

    /// The last payload of a topic.
    pub(super) fn last(&self, topic: &str) -> Option<String> {
        let heard = self.heard.lock().unwrap();
        let mut found = heard.iter().rev().filter(|(at, ..)| at == topic);
        found.next().map(|(_, payload, _)| payload.clone())
    }

    /// How often something came on a topic.
    pub(super) fn count(&self, topic: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(at, ..)| at == topic).count()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.sender.close();
    }
}

/// What the node says of a network with a lamp in the hall.
fn status() -> Value {
    let lamp = json!({
        "face": "lamp", "kind": "switch", "name": "Lamp", "state": {"event": "lamp state"},
        "command": {"order": "lamp set", "channel": "one"},
    });
    let bell = json!({
        "face": "bell", "kind": "event", "name": "Bell", "types": ["rang"], "state": {"event": "rang"},
    });
    json!({
        "node": "hub", "version": "1", "peers": [],
        "roles": [{"name": "lamp", "state": "running", "faces": [lamp, bell]}],
    })
}

/// The role, on a bench, with a broker at this URL.
pub(super) fn role(brokers: &[&str]) -> RoleBench<Mqtt> {
    RoleBench::new()
        .node("hub")
        .name("mqtt")
        .option("broker", brokers)
        .answer("changed", &json!({"version": 1, "status": status()}))
        .answer(
            "network",
            &json!({"nodes": [{"node": "hub", "status": status()}]}),
        )
}

/// A role that runs.
pub(super) struct Running(pub(super) StartedRole);

impl Running {
    pub(super) fn start(bench: RoleBench<Mqtt>) -> Self {
        Self(bench.start().unwrap())
    }

    /// Runs it until that is so.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut StartedRole) -> bool) {
        let until = Instant::now() + LIMIT;
        loop {
            self.0.run().unwrap();
            if is_so(&mut self.0) {
                return;
            }
            let log = self.0.logged();
            assert!(
                Instant::now() < until,
                "{what}; it says: {}; {log:?}",
                self.0.status()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs it until it says this of itself.
    #[track_caller]
    pub(super) fn until_it_says(&mut self, words: &str) {
        self.until(words, |bench| bench.status().contains(words));
    }

    /// Whether all is there: announced, shown, obeyed.
    #[track_caller]
    pub(super) fn works(&mut self, watcher: &Watcher) {
        let config = "homeassistant/device/kozo__hub__hub__lamp/config";
        self.until("it is announced", |_| {
            watcher.last(config).is_some()
                && watcher.last("kozo/bridge/hub/status").as_deref() == Some("online")
        });
        for on in [true, false, true] {
            self.event("lamp state", &on);
            let shown = if on { "ON" } else { "OFF" };
            self.until("it is shown", |_| {
                watcher.last("kozo/node/hub/lamp/lamp/state").as_deref() == Some(shown)
            });
        }
        watcher.publish("kozo/node/hub/lamp/lamp/set", "OFF");
        let mut sent: Vec<Message> = Vec::new();
        self.until("it is obeyed", |bench| {
            sent.extend(bench.sent());
            !sent.is_empty()
        });
        assert_eq!((sent.len(), sent[0].type_name()), (1, "lamp set"));
        assert_eq!(sent[0].channel(), Some("one"));
        assert!(!sent[0].data::<bool>().unwrap());
    }

    pub(super) fn event(&mut self, type_name: &str, data: &impl serde::Serialize) {
        let message = Incoming::event(type_name).from("lamp", "hub").data(data);
        assert!(self.0.deliver(message));
    }
}

/// An authority, and what it has signed.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Each has a name of its own, or it is taken for another one.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    /// Its own certificate.
    pub(super) fn write(&self, file: &Path) {
        fs::write(file, self.issuer.pem()).unwrap();
    }

    /// A certificate for this name, and its key, beside each other: `NAME.crt` and `NAME.key`.
    pub(super) fn sign(&self, folder: &Path, file: &str, name: &str, expired: bool) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = match name.parse() {
            Ok(address) => vec![SanType::IpAddress(address)],
            Err(_) => vec![SanType::DnsName(name.to_owned().try_into().unwrap())],
        };
        if expired {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, KeyPair> = &self.issuer;
        let certificate = params.signed_by(&key, issuer).unwrap();
        fs::write(folder.join(format!("{file}.crt")), certificate.pem()).unwrap();
        let file = folder.join(format!("{file}.key"));
        fs::write(&file, key.serialize_pem()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
