//! A TCP proxy on the loopback interface whose connections can be reset, on purpose.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use kozo_ground::lock::LockAnyway;

/// Leads from a port of its own to another one, for as long as the program runs.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// The connections that are open, both ends of each.
    open: Arc<Mutex<Vec<[TcpStream; 2]>>>,
}

impl Proxy {
    /// A proxy that leads to this port.
    pub(crate) fn start(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let open = Arc::new(Mutex::new(Vec::new()));
        thread::spawn({
            let open = Arc::clone(&open);
            move || {
                for near in listener.incoming().map_while(Result::ok) {
                    // Nobody listens there yet: the one who dials shall see that.
                    if let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                        let _ = join(near, far, &open);
                    }
                }
            }
        });
        Ok(Self { address, open })
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
