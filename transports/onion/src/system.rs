//! The machine's own Tor: it forwards what comes to the .onion address to a port of this machine,
//! and connects through its SOCKS proxy.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kozo_abi::{Connection, Error, Readiness, TransportHost};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::Tor;
use crate::options::{Settings, Target};

mod socks;

/// The transport that leaves everything to the machine's Tor.
pub(crate) struct SystemTor {
    /// `host:port` of the SOCKS proxy.
    proxy: String,
    settings: Settings,
    host: TransportHost,
    listener: OnceLock<TcpListener>,
}

impl SystemTor {
    pub(crate) fn new(proxy: String, settings: &Settings, host: &TransportHost) -> Self {
        Self {
            proxy,
            settings: settings.clone(),
            host: host.clone(),
            listener: OnceLock::new(),
        }
    }
}

impl Tor for SystemTor {
    fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    fn listen(&self) -> Result<(), Error> {
        let Settings { port, backlog, .. } = self.settings;
        let listener = listen(port, backlog)
            .map_err(|error| format!("cannot listen on 127.0.0.1:{port} (`port`): {error}"))?;
        let text = format!(
            "listening on 127.0.0.1:{port} for the machine's Tor, which has to forward port {} of the address to it",
            self.settings.onion_port
        );
        self.host.info(&text);
        // It is kept until the transport is dropped, so this cannot be the second time.
        let _ = self.listener.set(listener);
        Ok(())
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        let listener = self.listener.get().ok_or("it does not listen yet")?;
        match self.host.wait_readable(listener.as_fd(), None)? {
            Readiness::Stopping => Ok(None),
            Readiness::Ready | Readiness::TimedOut => {
                let (stream, address) = listener.accept()?;
                stream.set_nodelay(true)?;
                // All of them come from Tor on this machine: so each port stands for a stranger.
                Ok(Some(Connection::new(
                    stream,
                    format!("Tor, port {}", address.port()),
                )))
            }
        }
    }

    fn connect(&self, target: &Target, deadline: Instant) -> Result<Connection, Error> {
        let stream = connect(&self.proxy, target, deadline).map_err(|error| {
            format!(
                "the proxy of the machine's Tor at `{}`: {error}",
                self.proxy
            )
        })?;
        Ok(Connection::new(stream, target.to_string()))
    }

    /// What waits here waits by the host's own means.
    fn stop(&self) {}
}

/// The standard library's own listener would ignore `backlog`.
fn listen(port: u16, backlog: u16) -> Result<TcpListener, Error> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // So that a restarted daemon has its port at once.
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    rustix::net::listen(&socket, i32::from(backlog))?;
    Ok(TcpListener::from(socket))
}

fn connect(proxy: &str, target: &Target, deadline: Instant) -> Result<TcpStream, Error> {
    let mut last: Error = "it has no address".into();
    for address in proxy.to_socket_addrs()? {
        let connected = left(deadline)
            .and_then(|left| Ok(TcpStream::connect_timeout(&address, left)?))
            .and_then(|stream| socks::through(stream, target, deadline));
        match connected {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The time until the deadline; there is some.
fn left(deadline: Instant) -> Result<Duration, Error> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err("it did not answer in time".into()),
        left => Ok(left),
    }
}
