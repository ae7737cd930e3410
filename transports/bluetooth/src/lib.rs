//! Reaches other nodes over Bluetooth: a stream of RFCOMM, at a service that is found by its UUID.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use kozo_abi::{Connection, Error, Peer, Priority, Transport, TransportHost, export_transport};
use kozo_bluetooth::{Address, Bluetooth, Runtime, Uuid, parse_address, parse_uuid, rfcomm};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

mod search;
mod service;
#[cfg(test)]
mod tests;

use search::Search;
use service::Service;

/// How long stopping may take to put the adapter back as it was.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    uuid: String,
    address: Option<String>,
    socket_connection_backlog: u16,
    adapter: Option<String>,
}

/// Where a node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    uuid: Uuid,
    /// None: it is to be searched for.
    address: Option<Address>,
}

impl Options {
    fn place(&self) -> Result<Place, Error> {
        let address = self.address.as_deref().map(parse_address).transpose();
        Ok(Place {
            uuid: parse_uuid(&self.uuid).map_err(|error| format!("`uuid`: {error}"))?,
            address: address.map_err(|error| format!("`address`: {error}"))?,
        })
    }
}

struct BluetoothTransport {
    options: Options,
    place: Place,
    host: TransportHost,
    radio: OnceLock<Radio>,
    /// Held while the radio is started.
    starting: Mutex<()>,
    service: OnceLock<Service>,
    stopping: watch::Sender<bool>,
}

/// What only the node that runs has.
struct Radio {
    runtime: Runtime,
    bluetooth: Arc<Bluetooth>,
    search: Arc<Search>,
}

impl Transport for BluetoothTransport {
    type Options = Options;

    fn init(options: Options, host: &TransportHost) -> Result<Self, Error> {
        Ok(Self {
            place: options.place()?,
            options,
            host: host.clone(),
            radio: OnceLock::new(),
            starting: Mutex::new(()),
            service: OnceLock::new(),
            stopping: watch::Sender::new(false),
        })
    }

    fn bind(&self) -> Result<(), Error> {
        let radio = self.radio()?;
        let opening = Service::open(
            Arc::clone(&radio.bluetooth),
            self.place,
            self.options.socket_connection_backlog,
            self.host.clone(),
        );
        let opened = self.run(opening)?.ok_or("it is being stopped")?;
        let service = opened?.keep(&radio.runtime, self.stopping.subscribe());
        // `bind` is not called again after it has worked.
        let _ = self.service.set(service);
        Ok(())
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        let service = self.service.get().ok_or("it does not listen yet")?;
        let Some(accepted) = self.run(service.accept())? else {
            return Ok(None);
        };
        let (stream, address) = accepted?;
        // Without the channel: all connections from one device count as from one machine.
        let descriptor = rfcomm::descriptor(&stream)?;
        Ok(Some(Connection::new(descriptor, address.to_string())))
    }

    fn addresses(&self, peer: &Peer<'_>) -> Result<Vec<String>, Error> {
        let place = peer.options::<Options>()?.place()?;
        Ok(vec![match place.address {
            Some(address) => address.to_string(),
            // One address for a search: known places are tried first within it.
            None => place.uuid.to_string(),
        }])
    }

    fn connect(
        &self,
        peer: &Peer<'_>,
        _address: &str,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let place = peer.options::<Options>()?.place()?;
        let search = Arc::clone(&self.radio()?.search);
        let connecting = async move {
            let deadline = Instant::now() + timeout;
            match place.address {
                Some(address) => search.direct(address, place.uuid, deadline).await,
                None => search.connect(place.uuid, deadline).await,
            }
        };
        let connected = self.run(connecting)?.ok_or("it is being stopped")?;
        let (stream, address) = connected?;
        let descriptor = rfcomm::descriptor(&stream)?;
        Ok(Connection::new(descriptor, address.to_string()))
    }

    fn priority(&self) -> Priority {
        Priority::Bad
    }

    fn stop(&self) {
        self.stopping.send_replace(true);
        if let Some(service) = self.service.get() {
            service.close(STOP_LIMIT);
        }
    }
}

impl BluetoothTransport {
    /// Runs a task to its end and waits for it. None when the transport is being stopped.
    fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let mut stopping = self.stopping.subscribe();
        let task = async move {
            tokio::select! {
                // An error: the transport is dropped.
                _ = stopping.wait_for(|stopping| *stopping) => None,
                result = task => Some(result),
            }
        };
        Ok(self.radio()?.runtime.run(task)?)
    }

    /// The radio, which is started by whoever needs it first.
    fn radio(&self) -> Result<&Radio, Error> {
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(radio) = self.radio.get() {
            return Ok(radio);
        }
        let runtime = Runtime::start(self.host.name())?;
        let adapter = self.options.adapter.clone();
        let bluetooth = Arc::new(Bluetooth::new(adapter, self.place.address));
        let search = Arc::new(Search::new(Arc::clone(&bluetooth)));
        Ok(self.radio.get_or_init(|| Radio {
            runtime,
            bluetooth,
            search,
        }))
    }
}

export_transport!(BluetoothTransport);
