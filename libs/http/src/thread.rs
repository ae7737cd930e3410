//! A thread with a server, and with whatever else its role does at the same time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::{ListenError, Listener};

/// How long names of addresses to listen on may take.
const BIND_TIME: Duration = Duration::from_secs(20);

/// How long whatever still blocks has when the thread ends: a disk that hangs, or a name that is looked up.
const BLOCKING_END: Duration = Duration::from_millis(500);

/// Why there is no such thread.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot be listened there.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A name is not found in time.
    #[error("`bindAddress` could not be looked up in {} s: give it as an IP address", BIND_TIME.as_secs())]
    Slow,
    /// The system has no thread for it.
    #[error("there is no thread for the network: {0}")]
    System(#[from] io::Error),
}

/// A thread at work. It is told to stop, and waited for, when this is dropped.
#[derive(Debug)]
pub struct ServerThread {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    /// Listens on an address and a port, as [`Listener::bind`] does, and then does the work, which ends soon after what
    /// it is given turns true. What blocks in it has `blocking` threads at most, where that is given.
    ///
    /// # Errors
    /// It cannot be listened there, or there is no thread to be had.
    pub fn start<Work, Done>(
        name: &str,
        (address, port): (&str, u16),
        blocking: Option<usize>,
        work: Work,
    ) -> Result<Self, StartError>
    where
        Work: FnOnce(Listener, watch::Receiver<bool>) -> Done + Send + 'static,
        Done: Future<Output = ()>,
    {
        let mut builder = Builder::new_current_thread();
        builder.enable_all();
        if let Some(blocking) = blocking {
            builder.max_blocking_threads(blocking);
        }
        let runtime = builder.build()?;
        let (stop, stopped) = watch::channel(false);
        let (bound, is_bound) = mpsc::channel();
        let address = address.to_owned();
        let body = move || {
            let all = async move {
                match Listener::bind(&address, port).await {
                    Ok(listener) => {
                        // An error is that it took too long, and is not wanted any more.
                        if bound.send(Ok(listener.address())).is_ok() {
                            work(listener, stopped).await;
                        }
                    }
                    Err(error) => drop(bound.send(Err(error))),
                }
            };
            LocalSet::new().block_on(&runtime, all);
            runtime.shutdown_timeout(BLOCKING_END);
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)?;
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
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it works; it always does, unless there is a mistake in it.
    pub fn is_at_work(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }

    /// Tells it to stop, and waits for it.
    pub fn stop(&mut self) {
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
