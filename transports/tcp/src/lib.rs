//! Reaches other nodes over TCP.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use kozo_abi::{
    Connection, Error, Peer, Priority, Readiness, Transport, TransportHost, export_transport,
};
use kozo_addresses::{Endpoint, check_listening};
use serde::Deserialize;

mod dial;
mod listen;
mod socks;
#[cfg(test)]
mod tests;

use listen::Listeners;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    address: Vec<String>,
    port: u16,
    bind_address: String,
    socket_connection_backlog: u16,
    socks_proxy: Option<String>,
    transparent_onion: bool,
}

impl Options {
    /// Where the node is reached.
    fn endpoints(&self) -> Result<Vec<Endpoint>, Error> {
        self.address
            .iter()
            .map(|address| Endpoint::parse(address, Some(self.port)))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("`address`: {error}").into())
    }
}

struct Tcp {
    options: Options,
    onion: Onion,
    host: TransportHost,
    listeners: OnceLock<Listeners>,
    /// The addresses of which the log knows already that they are left out.
    left_out: Mutex<HashSet<String>>,
}

/// How `.onion` addresses are reached.
enum Onion {
    Proxy(Endpoint),
    Resolver,
    Never,
}

impl Transport for Tcp {
    type Options = Options;

    fn init(options: Options, host: &TransportHost) -> Result<Self, Error> {
        options.endpoints()?;
        // Where another node listens is its own affair.
        if host.is_local() && !options.bind_address.is_empty() {
            check_listening(&options.bind_address)
                .map_err(|error| format!("`bindAddress`: {error}"))?;
        }
        let onion = match (&options.socks_proxy, options.transparent_onion) {
            (Some(_), true) => {
                return Err("`socksProxy` and `transparentOnion` exclude each other".into());
            }
            (Some(proxy), false) => {
                let proxy = Endpoint::parse(proxy, None)
                    .map_err(|error| format!("`socksProxy`: {error}"))?;
                if proxy.is_onion() {
                    return Err("`socksProxy` is itself an .onion address".into());
                }
                Onion::Proxy(proxy)
            }
            (None, true) => Onion::Resolver,
            (None, false) => Onion::Never,
        };
        Ok(Self {
            options,
            onion,
            host: host.clone(),
            listeners: OnceLock::new(),
            left_out: Mutex::new(HashSet::new()),
        })
    }

    fn bind(&self) -> Result<(), Error> {
        let Options {
            bind_address,
            port,
            socket_connection_backlog,
            ..
        } = &self.options;
        let listeners = Listeners::open(bind_address, *port, *socket_connection_backlog)?;
        self.host.info(&format!("listening on {listeners}"));
        // They are kept until the transport is dropped, so this cannot be the second time.
        let _ = self.listeners.set(listeners);
        Ok(())
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        let listeners = self.listeners.get().ok_or("it does not listen yet")?;
        loop {
            match self.host.wait_readable(listeners.as_fd(), None)? {
                Readiness::Stopping => return Ok(None),
                Readiness::TimedOut => {}
                // None: somebody else was faster, or the client is gone again. Any other error, a
                // lack of descriptors say, is the host's, which calls again after a while.
                Readiness::Ready => {
                    if let Some((stream, address)) = listeners.accept()? {
                        stream.set_nodelay(true)?;
                        return Ok(Some(Connection::new(stream, address.to_string())));
                    }
                }
            }
        }
    }

    fn addresses(&self, peer: &Peer<'_>) -> Result<Vec<String>, Error> {
        let (mut reachable, mut left_out) = (Vec::new(), Vec::new());
        for endpoint in peer.options::<Options>()?.endpoints()? {
            if endpoint.is_onion() && matches!(self.onion, Onion::Never) {
                left_out.push(endpoint);
            } else {
                reachable.push(endpoint.to_string());
            }
        }
        for endpoint in &left_out {
            self.report_left_out(endpoint, peer);
        }
        match (reachable.is_empty(), left_out.is_empty()) {
            (true, true) => Err(format!("{peer} has no address").into()),
            (true, false) => Err(format!("{peer} has .onion addresses only").into()),
            (false, _) => Ok(reachable),
        }
    }

    fn connect(
        &self,
        _peer: &Peer<'_>,
        address: &str,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let deadline = Instant::now()
            .checked_add(timeout)
            .ok_or("the timeout is too long")?;
        let endpoint = Endpoint::parse(address, Some(self.options.port))?;
        let stream = match (&self.onion, endpoint.is_onion()) {
            (_, false) | (Onion::Resolver, true) => dial::connect(&endpoint, deadline),
            (Onion::Proxy(proxy), true) => socks::connect(proxy, &endpoint, deadline),
            (Onion::Never, true) => Err("it needs `socksProxy` or `transparentOnion`".into()),
        }
        .map_err(|error| format!("cannot connect to `{endpoint}`: {error}"))?;
        stream.set_nodelay(true)?;
        // Behind a proxy, the socket's own address is only that of the proxy.
        let address = match stream.peer_addr() {
            Ok(address) if !endpoint.is_onion() => address.to_string(),
            _ => endpoint.to_string(),
        };
        Ok(Connection::new(stream, address))
    }

    fn priority(&self) -> Priority {
        Priority::Best
    }
}

impl Tcp {
    /// Says so once for each address.
    fn report_left_out(&self, endpoint: &Endpoint, peer: &Peer<'_>) {
        let text = format!(
            "`{endpoint}` of {peer} is left to other transports: `socksProxy` or \
             `transparentOnion` would let tcp reach it"
        );
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if left_out.insert(text.clone()) {
            self.host.info(&text);
        }
    }
}

export_transport!(Tcp);
