//! Reaches other nodes through Tor.
//!
//! ```text
//!                  ┌─ own ──▶ arti in this process: hosts the .onion address, connects
//!   Onion ─▶ Tor ──┤
//!                  └─ system ▶ the machine's Tor: forwards to a local port, SOCKS proxy
//! ```
//!
//! What goes through the streams is none of its business: the host puts SSH on them.

use std::time::{Duration, Instant};

use kozo_abi::{Connection, Error, Peer, Transport, TransportHost, export_transport};

mod address;
mod bridges;
mod options;
mod own;
mod system;
#[cfg(test)]
mod tests;

use options::{Options, Settings, Way};
use own::OwnTor;
use system::SystemTor;

/// How long before the host gives a connection up it is told why there is none: its own clock for
/// that began earlier.
const LAST_WORD: Duration = Duration::from_secs(1);

struct Onion {
    settings: Settings,
    tor: Box<dyn Tor>,
}

/// A way to use Tor. All calls may block, and come from several threads at once.
trait Tor: Send + Sync {
    /// Gets ready to connect and to listen, and returns soon.
    fn prepare(&self) -> Result<(), Error>;

    /// Begins to listen.
    fn listen(&self) -> Result<(), Error>;

    /// Waits for a connection; none when the transport is being stopped.
    fn accept(&self) -> Result<Option<Connection>, Error>;

    /// Connects to a node's address, until `deadline` at the latest.
    fn connect(&self, target: &options::Target, deadline: Instant) -> Result<Connection, Error>;

    /// Makes every call that still waits return.
    fn stop(&self);
}

impl Transport for Onion {
    type Options = Options;

    fn init(options: Options, host: &TransportHost) -> Result<Self, Error> {
        let settings = options.checked()?;
        settings.has_address()?;
        let tor: Box<dyn Tor> = match &settings.way {
            Way::Own(own) => Box::new(OwnTor::new(own.clone(), &settings, host)),
            Way::System { proxy } => Box::new(SystemTor::new(proxy.clone(), &settings, host)),
        };
        Ok(Self { settings, tor })
    }

    fn own_address(options: &Options, host: &TransportHost) -> Result<Option<String>, Error> {
        let settings = options.checked()?;
        match settings.way {
            Way::Own(_) if settings.accepts => own::address(&host.state_dir()?).map(Some),
            // The machine's Tor knows it; a node that only connects has none.
            _ => Ok(None),
        }
    }

    fn local_init(&self) -> Result<(), Error> {
        self.tor.prepare()
    }

    fn bind(&self) -> Result<(), Error> {
        self.tor.listen()
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        self.tor.accept()
    }

    fn addresses(&self, peer: &Peer<'_>) -> Result<Vec<String>, Error> {
        let target = peer.options::<Options>()?.checked()?.target(peer)?;
        Ok(vec![target.to_string()])
    }

    fn connect(
        &self,
        peer: &Peer<'_>,
        _address: &str,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let deadline = Instant::now()
            .checked_add(timeout - LAST_WORD.min(timeout / 10))
            .ok_or("the timeout is too long")?;
        let target = peer.options::<Options>()?.checked()?.target(peer)?;
        self.tor.connect(&target, deadline)
    }

    fn can_accept(&self) -> bool {
        self.settings.accepts
    }

    fn can_connect(&self, peer: &Peer<'_>) -> bool {
        self.settings.connects && peer.is_same_module()
    }

    fn stop(&self) {
        self.tor.stop();
    }
}

export_transport!(Onion);
