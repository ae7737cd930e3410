use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Mutex;

use super::*;

/// How long anything that a test waits for may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// More datagrams than the queue of any system holds.
const ENOUGH: usize = 5_000;

/// A service manager: what it hears, a datagram at a time.
struct Manager {
    socket: UnixDatagram,
    _folder: tempfile::TempDir,
    invitation: Invitation,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self {
            socket,
            _folder: folder,
            invitation: Invitation {
                socket: Some(path.into()),
                ..Invitation::default()
            },
        }
    }

    fn service(&self) -> Arc<Service> {
        Arc::new(Service::new(Channel::open(&self.invitation).unwrap()))
    }

    fn hear(&self) -> String {
        hear(&self.socket)
    }

    /// Listens until the stop is told.
    fn hear_stop(&self) {
        let told = (0..ENOUGH).any(|_| self.hear().ends_with(STOP));
        assert!(told, "the stop is not among {ENOUGH} datagrams");
    }

    /// Fills its queue, which stays full until it reads; returns how many datagrams that took.
    fn fill(&self) -> usize {
        let noise = UnixDatagram::unbound().unwrap();
        noise.set_nonblocking(true).unwrap();
        let address = self.socket.local_addr().unwrap();
        noise.connect_addr(&address).unwrap();
        std::iter::from_fn(|| noise.send(b"noise").ok()).count()
    }
}

fn hear(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// Runs `listen` on a thread of its own beside a service that attends to `counts`.
fn attended(
    service: &Arc<Service>,
    counts: Arc<Mutex<Counts>>,
    listen: impl FnOnce(&Notify) + Send + 'static,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let changed = Arc::new(Notify::new());
    let attending =
        Arc::clone(service).attend(Arc::clone(&changed), move || *counts.lock().unwrap());
    runtime.block_on(async {
        tokio::select! {
            () = attending => panic!("it ends by itself"),
            heard = tokio::task::spawn_blocking(move || listen(&changed)) => heard.unwrap(),
        }
    });
}

#[test]
fn it_is_told_once_that_the_node_is_there_and_then_what_changes() {
    let manager = Manager::new();
    let service = manager.service();
    let counts = Arc::new(Mutex::new(Counts {
        roles: 2,
        nodes: 1,
        ..Counts::default()
    }));
    attended(&Arc::clone(&service), Arc::clone(&counts), move |changed| {
        assert_eq!(
            manager.hear(),
            "READY=1\nSTATUS=2 roles, 0 of 1 nodes linked"
        );
        // A change that changes nothing is no news.
        changed.notify_one();
        counts.lock().unwrap().linked = 1;
        changed.notify_one();
        assert_eq!(manager.hear(), "STATUS=2 roles, 1 of 1 nodes linked");
        service.stopping();
        assert_eq!(manager.hear(), "STOPPING=1\nSTATUS=stopping");
    });
}

#[test]
fn a_watchdog_gets_signs_of_life_also_while_the_node_stops() {
    let mut manager = Manager::new();
    manager.invitation.watchdog = Some("20000".into());
    let service = manager.service();
    attended(&Arc::clone(&service), Arc::default(), move |_| {
        assert!(manager.hear().starts_with("READY=1\nWATCHDOG=1\nSTATUS="));
        assert_eq!(manager.hear(), "WATCHDOG=1\n");
        assert_eq!(manager.hear(), "WATCHDOG=1\n");
        service.stopping();
        manager.hear_stop();
        assert_eq!(manager.hear(), "WATCHDOG=1\n");
    });
}

#[test]
fn a_thread_that_is_stuck_gives_no_sign_of_life() {
    let mut manager = Manager::new();
    manager.invitation.watchdog = Some("1000".into());
    let service = manager.service();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.spawn(service.attend(Arc::default(), Counts::default));
    // Nobody drives the runtime from here on: that is what a stuck thread looks like.
    runtime.block_on(tokio::task::yield_now());
    manager.socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 256];
    while manager.socket.recv(&mut buffer).is_ok() {}
    manager.socket.set_nonblocking(false).unwrap();
    let limit = Duration::from_millis(50);
    manager.socket.set_read_timeout(Some(limit)).unwrap();
    assert!(manager.socket.recv(&mut buffer).is_err());
}

#[test]
fn a_manager_that_does_not_listen_yet_hears_it_later() {
    let manager = Manager::new();
    let service = manager.service();
    let waiting = manager.fill();
    assert!(service.channel.as_ref().unwrap().send("STATUS=x").is_err());
    attended(&service, Arc::default(), move |_| {
        for _ in 0..waiting {
            assert_eq!(manager.hear(), "noise");
        }
        assert!(manager.hear().starts_with("READY=1\n"));
    });
}

#[test]
fn a_stop_that_cannot_be_told_at_once_is_told_with_the_next_sign_of_life() {
    let mut manager = Manager::new();
    manager.invitation.watchdog = Some("20000".into());
    let service = manager.service();
    attended(&Arc::clone(&service), Arc::default(), move |_| {
        assert!(manager.hear().starts_with("READY=1\n"));
        manager.fill();
        service.stopping();
        manager.hear_stop();
        assert_eq!(manager.hear(), "WATCHDOG=1\n");
    });
}

#[test]
fn a_name_in_the_abstract_namespace_is_understood() {
    let name = format!("kozo-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let invitation = Invitation {
        socket: Some(format!("@{name}").into()),
        ..Invitation::default()
    };
    let channel = Channel::open(&invitation).unwrap().unwrap();
    channel.send("READY=1").unwrap();
    assert_eq!(hear(&socket), "READY=1");
}

#[test]
fn only_the_process_that_is_meant_gives_signs_of_life() {
    let manager = Manager::new();
    let watchdog = |limit: &str, process: Option<&str>| {
        let invitation = Invitation {
            watchdog: Some(limit.into()),
            watchdog_process: process.map(Into::into),
            process: 42,
            ..manager.invitation.clone()
        };
        Channel::open(&invitation).map(|channel| channel.unwrap().watchdog())
    };
    let second = Some(Duration::from_secs(1));
    assert_eq!(watchdog("1000000", None).unwrap(), second);
    assert_eq!(watchdog("1000000", Some("42")).unwrap(), second);
    assert_eq!(watchdog("1000000", Some("43")).unwrap(), None);
    assert_eq!(watchdog("0", None).unwrap(), None);
    let error = watchdog("soon", None).unwrap_err().to_string();
    assert_eq!(error, "the variable `WATCHDOG_USEC` is no number: `soon`");
}

#[test]
fn without_a_manager_nothing_is_told_and_a_wrong_socket_is_named() {
    assert!(Channel::open(&Invitation::default()).unwrap().is_none());
    for name in ["relative/path", "vsock:2:1234"] {
        let invitation = Invitation {
            socket: Some(name.into()),
            ..Invitation::default()
        };
        let error = Channel::open(&invitation).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}
