//! Tor in this process.
//!
//! ```text
//!   prepare ──▶ state folder, configuration, address ──▶ client ──▶ bootstrap (in the background)
//!   listen ───▶ waits for it ──▶ service ──▶ circuits ──▶ streams ──▶ accept
//!   connect ──▶ waits for it ──▶ dialer ───────────────▶ stream
//! ```
//!
//! The client runs on a runtime of its own, and ends with that: when the clock was set, another one
//! takes its place. The rest is on a runtime which ends with the transport. Each stream is connected
//! with one end of a socket pair; the host gets the other one.

mod clock;
mod config;
mod dialer;
mod failure;
mod life;
mod maker;
mod pipe;
mod probe;
mod report;
mod service;

use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arti_client::{KeystoreSelector, TorClient, TorClientConfig};
use kozo_abi::{Connection, Error, TransportHost};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tor_rtcompat::tokio::TokioRustlsRuntime;

use crate::Tor;
use crate::address::OnionAddress;
use crate::options::{OwnSettings, Settings, Target};
use dialer::Dialer;
use life::Life;
use maker::Maker;
use service::Service;

/// Threads of the transport's own, which copy what the client's have worked on.
const WORKERS: usize = 1;

/// How long tasks may take to end when the transport does.
const END_LIMIT: Duration = Duration::from_secs(1);

/// The file in the state folder that the process which uses it has locked.
const LOCK_FILE: &str = "lock";

type Client = TorClient<TokioRustlsRuntime>;

/// The transport that speaks with the Tor network by itself.
pub(crate) struct OwnTor {
    own: OwnSettings,
    settings: Settings,
    host: TransportHost,
    /// There once it is prepared.
    running: Mutex<Option<Arc<Running>>>,
    prepared: Condvar,
    stop: watch::Sender<bool>,
}

/// What runs once the transport is prepared.
struct Running {
    life: Life,
    dialer: Dialer,
    service: Arc<Service>,
    /// None only while this is dropped.
    runtime: Option<Runtime>,
    /// The last field, so that nothing uses the folder any more when it is given up.
    _claim: File,
}

impl OwnTor {
    pub(crate) fn new(own: OwnSettings, settings: &Settings, host: &TransportHost) -> Self {
        Self {
            own,
            settings: settings.clone(),
            host: host.clone(),
            running: Mutex::default(),
            prepared: Condvar::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Waits for [`prepare`](Tor::prepare), which the host may have begun after it dials.
    fn running(&self, deadline: Instant) -> Result<Arc<Running>, Error> {
        let mut running = lock(&self.running);
        loop {
            if let Some(running) = &*running {
                return Ok(Arc::clone(running));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || *self.stop.borrow() {
                return Err("the transport is not ready yet".into());
            }
            running = self
                .prepared
                .wait_timeout(running, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// What is done as far as [`prepare`](Tor::prepare).
    fn present(&self) -> Result<Arc<Running>, Error> {
        let running = lock(&self.running);
        running
            .clone()
            .ok_or_else(|| "the transport is not ready yet".into())
    }

    /// Lets the runtime do something, unless the transport is stopped before: none then.
    fn wait<T>(&self, running: &Running, what: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.subscribe();
        running.runtime().block_on(async {
            tokio::select! {
                _ = stop.wait_for(|stopped| *stopped) => None,
                done = what => Some(done),
            }
        })
    }
}

impl Tor for OwnTor {
    fn prepare(&self) -> Result<(), Error> {
        let folder = self.host.state_dir()?;
        use_ring();
        let config = config::client(&folder, &self.own)?;
        if let Some(given) = self.settings.address {
            let own = identity(&config, &folder)?;
            if own != given {
                return Err(format!(
                    "`address` is `{given}`, but the key in `{}` makes `{own}`: write that into the file, or bring the key of the other one back",
                    folder.display()
                )
                .into());
            }
        }
        let claim = claim(&folder)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("onion")
            .enable_all()
            .build()?;
        let maker = Maker { config, folder };
        let service = Arc::new(Service::new(&self.settings));
        let life = Life::begin(&runtime, maker, Arc::clone(&service), &self.host)?;
        *lock(&self.running) = Some(Arc::new(Running {
            life,
            dialer: Dialer::default(),
            service,
            runtime: Some(runtime),
            _claim: claim,
        }));
        self.prepared.notify_all();
        Ok(())
    }

    fn listen(&self) -> Result<(), Error> {
        let running = self.present()?;
        let Running { life, service, .. } = &*running;
        let launching = async { service.launch(&life.ready().await, life.reporter()) };
        self.wait(&running, launching).unwrap_or(Ok(()))
    }

    fn accept(&self) -> Result<Option<Connection>, Error> {
        let running = self.present()?;
        Ok(self.wait(&running, running.service.next()).flatten())
    }

    fn connect(&self, target: &Target, deadline: Instant) -> Result<Connection, Error> {
        let running = self.running(deadline)?;
        let Running { life, dialer, .. } = &*running;
        let connecting = async {
            let until = tokio::time::Instant::from_std(deadline);
            match tokio::time::timeout_at(until, life.ready()).await {
                Ok(client) => dialer.connect(&client, target, until).await,
                Err(_) => Err(format!("Tor is not ready yet: {}", life.text()).into()),
            }
        };
        self.wait(&running, connecting)
            .unwrap_or_else(|| Err("the transport is being stopped".into()))
    }

    fn stop(&self) {
        self.stop.send_replace(true);
        self.prepared.notify_all();
    }
}

impl Running {
    fn runtime(&self) -> &Runtime {
        let runtime = self.runtime.as_ref();
        runtime.expect("it is taken only when this is dropped")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(END_LIMIT);
        }
    }
}

/// The address of the node that keeps its keys in `folder`; they are made if need be. It takes no
/// network, and does no harm to another process that runs on the folder.
pub(crate) fn address(folder: &Path) -> Result<String, Error> {
    use_ring();
    let config = config::client(folder, &OwnSettings::default())?;
    Ok(identity(&config, folder)?.to_string())
}

fn identity(config: &TorClientConfig, folder: &Path) -> Result<OnionAddress, Error> {
    let service =
        TorClient::<TokioRustlsRuntime>::create_onion_service(config, config::service(&[])?)
            .map_err(|error| failure::of_folder(&error, folder))?;
    let id = service
        .generate_identity_key(KeystoreSelector::Primary)
        .map_err(|error| failure::of_keys(&error, folder))?;
    Ok(id.into())
}

/// Keeps other processes off the folder, for as long as the result lives. Two services of one key
/// would take turns in being reachable.
fn claim(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK_FILE);
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(|error| format!("cannot use `{}`: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(failure::in_use(folder)),
        Err(TryLockError::Error(error)) => {
            Err(format!("cannot lock `{}`: {error}", path.display()).into())
        }
    }
}

/// TLS asks for the cryptography to use once a process; the module's copy of it is its own.
fn use_ring() {
    // It fails when it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A lock whose holder panicked guards nothing that could be half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
