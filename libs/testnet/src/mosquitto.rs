//! A Mosquitto on loopback, as any user.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::local::{free_port, program};
use crate::network::lasting;
use crate::process::{Process, Unavailable, wait_until};

/// A broker, which ends with the thread that started it, with a listener of its own for whoever watches, and whatever
/// else the test says.
#[derive(Debug)]
pub struct Mosquitto {
    process: Process,
    folder: TempDir,
    program: PathBuf,
    watched: u16,
    port: u16,
}

impl Mosquitto {
    /// Starts one whose second listener has these lines, in which `FOLDER` is its folder; those that begin with `all ` are
    /// for the whole broker.
    ///
    /// # Errors
    /// There is none here.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(lines: &str) -> Result<Self, Unavailable> {
        Self::with(lines, |_| {})
    }

    /// The same, with files that are made first in its folder.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    ///
    /// # Panics
    /// It does not start.
    pub fn with(lines: &str, prepare: impl FnOnce(&Path)) -> Result<Self, Unavailable> {
        let program = program("mosquitto").ok_or_else(|| {
            Unavailable("there is no `mosquitto`: install Debian's package `mosquitto`".to_owned())
        })?;
        let folder = tempfile::Builder::new()
            .prefix("kozo-mosquitto-")
            .tempdir()
            .expect("there can be a folder");
        prepare(folder.path());
        let (watched, port) = (free_port(), free_port());
        let at = folder.path().display().to_string();
        let lines = lines.replace("FOLDER", &at);
        let (all, own): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.starts_with("all "));
        let all: String = all.iter().map(|line| format!("{}\n", &line[4..])).collect();
        // As root it would become somebody else, who may read nothing here.
        let text = format!(
            "per_listener_settings true\nuser root\nset_tcp_nodelay true\n{all}\
             listener {watched} 127.0.0.1\nallow_anonymous true\n\
             listener {port} 127.0.0.1\n{}\n",
            own.join("\n")
        );
        fs::write(folder.path().join("mosquitto.conf"), text).expect("a file can be written");
        let process = launch(&program, folder.path());
        let broker = Self {
            process,
            folder,
            program,
            watched,
            port,
        };
        broker.wait();
        Ok(broker)
    }

    /// The port of what the test has set up.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port for whoever watches, without a password.
    pub fn watched(&self) -> u16 {
        self.watched
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The broker's process, to be killed, frozen and thawed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again at the same ports, after it was ended. It remembers nothing.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        self.process.stop();
        self.process = launch(&self.program, self.folder.path());
        self.wait();
    }

    fn wait(&self) {
        wait_until("Mosquitto listens", || {
            TcpStream::connect(("127.0.0.1", self.watched)).ok()
        });
    }
}

fn launch(program: &Path, folder: &Path) -> Process {
    let mut command = lasting("KILL", program);
    command.arg("-c").arg(folder.join("mosquitto.conf"));
    Process::start(command, folder, "mosquitto")
}
