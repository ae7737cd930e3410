//! Two ways to a node, of which the better one comes and goes.

use std::io::{self, copy};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use kozo_abi::bench::reserve_port;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

use crate::Stage;
use crate::daemon::Daemon;
use crate::scene::Scene;

pub(super) fn tcp_takes_over_when_it_appears_and_tor_when_it_goes(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("takeover"), &["alice", "bob"]);
    let network = stage.network.description();
    let (wall, port) = (Wall::build(), reserve_port().unwrap());
    for node in ["alice", "bob"] {
        scene.onion(node, &network, "");
    }
    // Bob is reached at the gate; Alice is not reached by TCP at all.
    let tcp = |address: u16, port: u16| {
        format!("address: '127.0.0.1:{address}', bindAddress: 127.0.0.1, port: {port}")
    };
    scene.transport("bob", "tcp", &tcp(wall.port, port));
    scene.transport("alice", "tcp", &tcp(9, reserve_port().unwrap()));
    let (alice, bob) = (scene.start("alice"), scene.start("bob"));
    let mut sent = Vec::new();
    alice.wait_for_link_over("bob", "onion");
    send(&alice, &bob, &mut sent);

    let gate = wall.open_gate(port);
    send(&alice, &bob, &mut sent);
    alice.wait_for_link_over("bob", "tcp");
    send(&alice, &bob, &mut sent);

    // With messages on their way.
    drop(gate);
    send(&alice, &bob, &mut sent);
    alice.wait_for_link_over("bob", "onion");
    send(&alice, &bob, &mut sent);
    bob.wait_for_lines(&alice, &sent);
    alice.wait_for_lines(&bob, &sent);
}

fn send(alice: &Daemon, bob: &Daemon, sent: &mut Vec<String>) {
    for _ in 0..5 {
        let text = format!("line {}", sent.len());
        alice.send(&text);
        bob.send(&text);
        sent.push(text);
    }
}

/// A port of this machine at which nobody gets any further, and that nobody else can have.
struct Wall {
    socket: OwnedFd,
    port: u16,
}

impl Wall {
    fn build() -> Self {
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        let port = address.port();
        Self { socket, port }
    }

    /// From now on the port leads to another one.
    fn open_gate(self, to: u16) -> Gate {
        listen(&self.socket, 16).unwrap();
        Gate::open(self.socket.into(), self.port, to)
    }
}

/// Forwards a port of this machine to another one. It cuts everything off when it is dropped.
struct Gate {
    closed: Arc<AtomicBool>,
    through: Arc<Mutex<Vec<TcpStream>>>,
    port: u16,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Gate {
    fn open(listener: TcpListener, port: u16, to: u16) -> Self {
        let closed = Arc::new(AtomicBool::new(false));
        let through = Arc::<Mutex<Vec<TcpStream>>>::default();
        let thread = std::thread::spawn({
            let (closed, through) = (Arc::clone(&closed), Arc::clone(&through));
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if closed.load(Ordering::SeqCst) {
                        return;
                    }
                    if let Ok(pair) = forward(stream, to) {
                        through.lock().unwrap().extend(pair);
                    }
                }
            }
        });
        Self {
            closed,
            through,
            port,
            thread: Some(thread),
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for stream in self.through.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn forward(stream: TcpStream, to: u16) -> io::Result<[TcpStream; 2]> {
    let other = TcpStream::connect(("127.0.0.1", to))?;
    for (from, to) in [(&stream, &other), (&other, &stream)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        std::thread::spawn(move || {
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok([stream, other])
}
