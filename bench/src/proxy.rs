//! A TCP proxy on the loopback interface whose connections can be reset, on purpose.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto};

use kozo_ground::lock::LockAnyway;

/// Leads from a port of its own to another one, for as long as the program runs.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// The connections that are open, both ends of each.
    open: Arc<Mutex<Vec<[TcpStream; 2]>>>,
    /// When somebody connected since this was asked for last.
    first: Arc<Mutex<Option<Instant>>>,
}

impl Proxy {
    /// A proxy that leads to this port.
    pub(crate) fn start(port: u16) -> std::io::Result<Self> {
        Self::start_from(Ipv4Addr::LOCALHOST, port)
    }

    /// The same, from an address of this machine's.
    pub(crate) fn start_from(source: Ipv4Addr, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (open, first) = (Arc::default(), Arc::<Mutex<Option<Instant>>>::default());
        thread::spawn({
            let (open, first) = (Arc::clone(&open), Arc::clone(&first));
            move || {
                for near in listener.incoming().map_while(Result::ok) {
                    let now = Instant::now();
                    first.lock_anyway().get_or_insert(now);
                    // Nobody listens there yet: the one who dials shall see that.
                    if let Ok(far) = connect_from(source, port, SocketFlags::empty()) {
                        let _ = join(near, far, &open);
                    }
                }
            }
        });
        Ok(Self {
            address,
            open,
            first,
        })
    }

    /// When somebody connected for the first time since this was asked for last.
    pub(crate) fn first_connection(&self) -> Option<Instant> {
        self.first.lock_anyway().take()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets all its connections: both ends get a TCP reset at once.
    pub(crate) fn reset(&self) -> std::io::Result<()> {
        let mut open = self.open.lock_anyway();
        for end in open.drain(..).flatten() {
            // Taking a connected socket's peer away is what makes the system send a reset, also
            // while threads still read it.
            rustix::net::connect_unspec(&end)?;
        }
        Ok(())
    }
}

/// A connection with this port from an address of this machine's, of which 127.0.0.0/8 has many. One
/// that does not block may not be there yet.
pub(crate) fn connect_from(
    source: Ipv4Addr,
    port: u16,
    flags: SocketFlags,
) -> std::io::Result<TcpStream> {
    let flags = flags | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        flags,
        Some(ipproto::TCP),
    )?;
    rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match rustix::net::connect(&socket, &target) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

fn join(near: TcpStream, far: TcpStream, open: &Mutex<Vec<[TcpStream; 2]>>) -> std::io::Result<()> {
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let mut open = open.lock_anyway();
    open.push([near.try_clone()?, far.try_clone()?]);
    drop(open);
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        thread::spawn(move || {
            let _ = std::io::copy(&mut &from, &mut &to);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
