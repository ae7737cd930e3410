//! The listening side: a socket, and an announcement that is made again whenever it was lost.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kozo_abi::{Error, TransportHost};
use kozo_bluetooth::rfcomm::{self, Listener, Stream};
use kozo_bluetooth::{Address, Announcement, Bluetooth, Reach, Runtime, Task};
use tokio::sync::watch;

use crate::Place;

/// The name that others see the service by.
const NAME: &str = "kozo";

/// How long to wait before what is missing is looked for again.
const RETRY: Duration = Duration::from_secs(2);

/// A service that listens. The socket stays while the daemon or the adapter is gone: it is the
/// kernel's, and works again as soon as they are back.
pub(crate) struct Service {
    sockets: watch::Receiver<Arc<Socket>>,
    keeping: Mutex<Option<Task<()>>>,
}

/// What is listened on.
struct Socket {
    local: Address,
    channel: u8,
    listener: Listener,
}

/// A service that listens, but that nobody looks after yet.
pub(crate) struct Opened {
    keeper: Keeper,
    socket: Arc<Socket>,
    announcement: Announcement,
}

impl Opened {
    /// Keeps the service up from now on, until `stopping` is set.
    pub(crate) fn keep(self, runtime: &Runtime, stopping: watch::Receiver<bool>) -> Service {
        let (sender, sockets) = watch::channel(self.socket);
        let keeping = self.keeper.keep(sender, self.announcement, stopping);
        Service {
            sockets,
            keeping: Mutex::new(Some(runtime.spawn(keeping))),
        }
    }
}

impl Service {
    /// Listens and announces the service.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) async fn open(
        bluetooth: Arc<Bluetooth>,
        place: Place,
        backlog: u16,
        host: TransportHost,
    ) -> kozo_bluetooth::Result<Opened> {
        let keeper = Keeper {
            bluetooth,
            place,
            backlog,
            host,
        };
        let socket = Arc::new(keeper.listen().await?);
        let announcement = keeper.announce(socket.channel).await?;
        keeper.report(&announcement, socket.channel).await;
        Ok(Opened {
            keeper,
            socket,
            announcement,
        })
    }

    /// The next connection, and the address of the device at its other end.
    pub(crate) fn accept(
        &self,
    ) -> impl Future<Output = Result<(Stream, Address), Error>> + Send + use<> {
        let mut sockets = self.sockets.clone();
        async move {
            loop {
                let socket = Arc::clone(&sockets.borrow_and_update());
                let accepted = tokio::select! {
                    accepted = socket.listener.accept() => accepted,
                    Ok(()) = sockets.changed() => continue,
                };
                match accepted {
                    Ok((stream, from)) => return Ok((stream, from.addr)),
                    // It went while it waited.
                    Err(error) if is_passing(error.kind()) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// Waits until the announcement is taken back, which begins when `stopping` is set.
    pub(crate) fn close(&self, limit: Duration) {
        let keeping = self
            .keeping
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        keeping.and_then(|keeping| keeping.wait_for(limit));
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionReset | Interrupted)
}

/// What it takes to listen.
struct Keeper {
    bluetooth: Arc<Bluetooth>,
    place: Place,
    backlog: u16,
    host: TransportHost,
}

impl Keeper {
    async fn listen(&self) -> kozo_bluetooth::Result<Socket> {
        let local = self.bluetooth.local_address().await?;
        let (listener, channel) = rfcomm::listen(local, self.backlog)?;
        Ok(Socket {
            local,
            channel,
            listener,
        })
    }

    async fn announce(&self, channel: u8) -> kozo_bluetooth::Result<Announcement> {
        let reach = match self.place.address {
            Some(_) => Reach::Connectable,
            None => Reach::Discoverable,
        };
        Announcement::publish(&self.bluetooth, self.place.uuid, NAME, channel, reach).await
    }

    /// Says where others find this node.
    async fn report(&self, announcement: &Announcement, channel: u8) {
        let adapter = announcement.adapter();
        let name = adapter.name();
        // An error: it has just gone, which is found out soon.
        let address = adapter.address().await.ok();
        let shown = address.map_or("unknown address".to_owned(), |address| address.to_string());
        let discoverable = match self.place.address {
            Some(_) => "",
            None => ", discoverable",
        };
        let place = format!("`{name}` ({shown}{discoverable})");
        let text = format!("listening on channel {channel} of {place}");
        self.host.info(&text);
        match (address, self.place.address) {
            (Some(address), Some(wanted)) if address != wanted => {
                let text = format!(
                    "`address` is `{wanted}`, but that of the adapter `{name}` is `{address}`: other \
                     nodes will not find this one"
                );
                self.host.warn(&text);
                self.host.set_status(&text);
            }
            _ => self.host.set_status(&format!("in reach on {place}")),
        }
    }

    /// Says why others do not find this node.
    fn report_missing(&self, text: &str) {
        self.host
            .warn(&format!("cannot be found by other nodes for now: {text}"));
        self.host.set_status(&format!("not in reach: {text}"));
    }

    /// Announces the service again and again, whenever that was lost. What is missing is said once.
    async fn keep(
        self,
        sockets: watch::Sender<Arc<Socket>>,
        announcement: Announcement,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut announcement = Some(announcement);
        tokio::select! {
            // An error: the transport is dropped.
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = self.keep_going(&sockets, &mut announcement) => {}
        }
        if let Some(announcement) = announcement {
            if let Err(error) = announcement.withdraw(&self.bluetooth).await {
                self.host.debug(&error.to_string());
            }
        }
    }

    async fn keep_going(
        &self,
        sockets: &watch::Sender<Arc<Socket>>,
        announcement: &mut Option<Announcement>,
    ) {
        let mut missing = None;
        loop {
            let failure = match announcement {
                Some(present) => present.watch(&self.bluetooth).await.err(),
                None => None,
            };
            *announcement = None;
            let again = match failure {
                Some(error) => Err(error),
                None => self.listen_again(sockets).await,
            };
            match again {
                Ok((present, channel)) => {
                    self.report(&present, channel).await;
                    *announcement = Some(present);
                    missing = None;
                }
                Err(error) => {
                    let text = error.to_string();
                    if missing.as_ref() != Some(&text) {
                        self.report_missing(&text);
                    }
                    missing = Some(text);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Announces the service, on a new socket if the adapter is another one.
    async fn listen_again(
        &self,
        sockets: &watch::Sender<Arc<Socket>>,
    ) -> kozo_bluetooth::Result<(Announcement, u8)> {
        let mut socket = Arc::clone(&sockets.borrow());
        if self.bluetooth.local_address().await? != socket.local {
            socket = Arc::new(self.listen().await?);
        }
        let announcement = self.announce(socket.channel).await?;
        let channel = socket.channel;
        sockets.send_replace(socket);
        Ok((announcement, channel))
    }
}
