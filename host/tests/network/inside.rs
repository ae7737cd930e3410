//! A daemon inside the test program, on a thread of its own: nothing of it is a process, so a test
//! that needs no signals, no log and no death of a process starts faster and sees panics. Its port is that
//! of the scene: both ends read it in one file, so the system cannot choose it when the node listens.

use std::path::Path;
use std::thread::JoinHandle;

use kozo::config::Document;
use kozo::daemon::{self, Setup, StartError};
use kozo::modules::{Environment, Registry, SearchFolders, TrustedWriters};
use kozo_ground::names::NodeName;
use tokio::sync::oneshot;

use super::scene::Scene;

/// A running daemon; it is told to stop when dropped, and not waited for then.
pub(crate) struct Daemon {
    shutdown: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), StartError>>,
}

impl Daemon {
    /// Writes the scene's file and starts a node's daemon.
    pub(crate) fn start(scene: &Scene, node: &str) -> Self {
        let setup = setup(&scene.write(), node, &scene.control(node));
        let (shutdown, asked) = oneshot::channel();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let result = runtime.block_on(daemon::run(setup, async {
                // That the test is over is as good as its word.
                let _ = asked.await;
            }));
            runtime.shutdown_background();
            result
        };
        let thread = std::thread::Builder::new()
            .name(format!("daemon {node}"))
            .spawn(run)
            .unwrap();
        Self { shutdown, thread }
    }

    /// Stops it; panics with the reason when it did not start, or did not stop in order.
    pub(crate) fn stop(self) {
        let _ = self.shutdown.send(());
        self.thread.join().unwrap().unwrap();
    }
}

fn setup(file: &Path, node: &str, control: &Path) -> Setup {
    let node = NodeName::new(node).unwrap();
    let document = Document::read(file).unwrap();
    let environment = Environment {
        // The tests' modules are beside the program, not beside the test.
        build_tree: Path::new(env!("CARGO_BIN_EXE_kozo"))
            .parent()
            .map(Path::to_owned),
        ..Environment::default()
    };
    let folders = SearchFolders::new(&environment, &document.search_paths(Some(&node)));
    let registry = Registry::scan(folders, TrustedWriters::of_this_process());
    let (network, _) = document.network_to_run(&registry, &node).unwrap();
    Setup {
        network,
        file: file.to_owned(),
        node,
        registry,
        control: Some(control.to_owned()),
    }
}
