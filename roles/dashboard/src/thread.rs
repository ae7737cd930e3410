//! The thread of the server, and of what asks the node for it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::site::Site;
use crate::{server, watch as watching};

/// How many questions to the node are under way at once; others wait.
const MAX_QUESTIONS: usize = 8;

/// How long a thread that asked a question stays for the next one.
const IDLE_THREAD: Duration = Duration::from_secs(10);

/// How long a name in `bindAddress` may take to be looked up.
const BIND_TIME: Duration = Duration::from_secs(20);

/// How long questions that are under way have when the server stops.
const LAST_QUESTIONS: Duration = Duration::from_millis(500);

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(
        "cannot listen on {0}: another program or role already does; end it, or choose another `port`"
    )]
    InUse(String),
    #[error("cannot listen on {0}: this machine has no such address; correct `bindAddress`")]
    NotOurs(String),
    #[error("cannot listen on {0}: {1}")]
    Listen(String, #[source] io::Error),
    #[error("`bindAddress` could not be looked up in {} s: give it as an IP address", BIND_TIME.as_secs())]
    Slow,
    #[error("there is no thread for the server: {0}")]
    Thread(#[from] io::Error),
}

/// A server at work. It is told to stop, and waited for, when this is dropped.
pub(crate) struct ServerThread {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    /// Listens on an address and a port, 0 being any, and serves the site there.
    pub(crate) fn start(address: &str, port: u16, site: Site) -> Result<Self, StartError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(MAX_QUESTIONS)
            .thread_keep_alive(IDLE_THREAD)
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (bound, is_bound) = mpsc::channel();
        let address = address.to_owned();
        let thread = std::thread::Builder::new()
            .name("dashboard".to_owned())
            .spawn(move || run(runtime, &address, port, site, stopped, &bound))?;
        let address = is_bound
            .recv_timeout(BIND_TIME)
            .map_err(|_| StartError::Slow)??;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it works; it always does, unless there is a mistake in it.
    pub(crate) fn is_at_work(&self) -> bool {
        let thread = self.thread.as_ref();
        thread.is_some_and(|thread| !thread.is_finished())
    }

    /// Tells it to stop, and waits for it.
    pub(crate) fn stop(&mut self) {
        // An error is that it has ended.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // What panicked was told when it did.
            let _ = thread.join();
        }
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(
    runtime: Runtime,
    address: &str,
    port: u16,
    site: Site,
    stopped: watch::Receiver<bool>,
    bound: &mpsc::Sender<Result<SocketAddr, StartError>>,
) {
    runtime.block_on(async {
        match listen(address, port).await {
            Ok((listener, address)) => {
                // An error is that it took too long, and is not wanted any more.
                if bound.send(Ok(address)).is_err() {
                    return;
                }
                let site = Arc::new(site);
                let (hub, host) = (&site.hub, &site.host);
                let asking = [
                    tokio::spawn(watching::own(Arc::clone(hub), host.clone())),
                    tokio::spawn(watching::network(Arc::clone(hub), host.clone())),
                    tokio::spawn(watching::messages(Arc::clone(hub), host.clone())),
                ];
                server::serve(listener, site, stopped).await;
                asking.iter().for_each(tokio::task::JoinHandle::abort);
            }
            Err(error) => drop(bound.send(Err(error))),
        }
    });
    runtime.shutdown_timeout(LAST_QUESTIONS);
}

async fn listen(address: &str, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let shown = match address.contains(':') {
        true => format!("[{address}]:{port}"),
        false => format!("{address}:{port}"),
    };
    let bound = match TcpListener::bind((address, port)).await {
        Ok(listener) => listener.local_addr().map(|address| (listener, address)),
        Err(error) => Err(error),
    };
    bound.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse(shown),
        io::ErrorKind::AddrNotAvailable => StartError::NotOurs(shown),
        _ => StartError::Listen(shown, error),
    })
}
