//! A node as a process of its own: signals, the service manager, limits of the process, and an end in
//! time.

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::descriptors;
use super::error::StartError;
use super::node::{Daemon, Setup};
use super::parts::on_a_thread;
use super::service::Service;
use super::signals::{self, SignalRequest, Signals};
use crate::modules::{self, ExitWatch};

/// How long it may take to stop before the process ends by force: less than systemd waits.
const END_LIMIT: Duration = Duration::from_secs(18);

/// A process that can run a node. It heeds signals from the moment on that it is made.
pub(crate) struct Process {
    runtime: tokio::runtime::Runtime,
    signals: Signals,
}

impl Process {
    /// # Errors
    /// The system refuses what every daemon needs.
    pub(crate) fn new() -> Result<Self, StartError> {
        modules::return_large_pieces();
        // One thread for all links: handing messages between threads costs more than they do.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartError::system("cannot make the runtime"))?;
        let signals = runtime
            .block_on(async { Signals::new() })
            .map_err(StartError::system("cannot catch signals"))?;
        Ok(Self { runtime, signals })
    }

    /// Prepares a node, and runs it until SIGINT or SIGTERM; a second one ends the process at once.
    /// SIGHUP makes roles open their files again. What is read for a node may lie on a disk that
    /// does not answer, and its modules may not come back: a signal ends that, too.
    ///
    /// # Errors
    /// What `prepare` says, or why the node does not start.
    pub(crate) fn run<E>(
        self,
        prepare: impl FnOnce() -> Result<Setup, E> + Send + 'static,
    ) -> Result<(), E>
    where
        E: From<StartError> + Send + 'static,
    {
        let Self {
            runtime,
            mut signals,
        } = self;
        descriptors::raise();
        // Whatever modules do, it ends when it is asked to, and only then.
        signals::hold();
        let _watch = ExitWatch::start();
        let result = runtime.block_on(async {
            let start = async {
                let setup = on_a_thread(prepare).await?;
                Ok::<_, E>(Daemon::start(setup, Service::of_this_process).await?)
            };
            let daemon = tokio::select! {
                daemon = start => daemon?,
                () = signals.stop() => {
                    tracing::info!(target: "kozo", "stopped before the node was there");
                    return Ok(());
                }
            };
            tokio::spawn(signals::keep());
            modules::give_back();
            obey(daemon, signals).await;
            Ok(())
        });
        // A transport that hangs in a thread keeps nobody from going.
        runtime.shutdown_background();
        result
    }
}

/// Does what signals ask for, until the daemon has stopped.
async fn obey(mut daemon: Daemon, mut signals: Signals) {
    loop {
        match signals.next().await {
            SignalRequest::Reopen => daemon.reopen(),
            SignalRequest::Stop(name) => {
                tracing::info!(target: "kozo", signal = name, "stopping");
                break;
            }
        }
    }
    end_in_time();
    tokio::select! {
        () = daemon.stop() => {}
        () = signals.stop() => {
            tracing::warn!(target: "kozo", "a second signal: stopping at once");
        }
    }
}

/// Ends the process by force when it has not ended in [`END_LIMIT`], whatever keeps it.
fn end_in_time() {
    let end = || {
        std::thread::sleep(END_LIMIT);
        tracing::error!(target: "kozo", "something keeps it from ending: it is killed");
        crate::log::finish();
        // Nothing else ends a process of which some thread hangs while it ends.
        let _ = kill_process(getpid(), Signal::KILL);
    };
    // Without a thread it does without.
    let _ = std::thread::Builder::new()
        .name("end".to_owned())
        .spawn(end);
}
