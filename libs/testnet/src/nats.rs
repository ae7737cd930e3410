//! NATS servers on loopback: single ones, clusters, leaf nodes. As any user; those that are there, and a present one
//! that is fetched.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::local::{fetched, free_port, program};
use crate::network::lasting;
use crate::process::{Process, Unavailable, wait_until};

/// A NATS server's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsProgram {
    path: PathBuf,
    version: String,
}

impl NatsProgram {
    /// All that there are here, the newest one first: that of the machine, and one that is fetched once into the
    /// target folder. And why one of them is not there, to be told as skipped.
    pub fn all() -> (Vec<Self>, Vec<Unavailable>) {
        static FOUND: OnceLock<(Vec<NatsProgram>, Vec<String>)> = OnceLock::new();
        let (programs, missing) = FOUND.get_or_init(|| {
            let fetched = fetched("nats-server");
            let installed = program("nats-server").ok_or_else(|| {
                let reason = "there is no `nats-server`: install Debian's package `nats-server`";
                Unavailable(reason.to_owned())
            });
            let (mut programs, mut missing) = (Vec::new(), Vec::new());
            for found in [fetched, installed] {
                match found.and_then(Self::at) {
                    Ok(program) if programs.contains(&program) => {}
                    Ok(program) => programs.push(program),
                    Err(Unavailable(reason)) => missing.push(reason),
                }
            }
            (programs, missing)
        });
        let missing = missing.iter().cloned().map(Unavailable);
        (programs.clone(), missing.collect())
    }

    /// The newest one.
    ///
    /// # Errors
    /// There is none.
    pub fn newest() -> Result<Self, Unavailable> {
        let (programs, mut missing) = Self::all();
        let none = || {
            missing
                .pop()
                .unwrap_or(Unavailable("there is no NATS server".to_owned()))
        };
        programs.into_iter().next().ok_or_else(none)
    }

    fn at(path: PathBuf) -> Result<Self, Unavailable> {
        let output = Command::new(&path)
            .arg("--version")
            .output()
            .map_err(|error| Unavailable(format!("{}: {error}", path.display())))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // `nats-server: v2.9.10`
        let version = text
            .trim()
            .rsplit('v')
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Self { path, version })
    }

    /// Its version: `2.9.10`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// A server, which ends with the thread that started it.
#[derive(Debug)]
pub struct Nats {
    process: Process,
    folder: TempDir,
    program: NatsProgram,
    port: u16,
    scheme: &'static str,
}

impl Nats {
    /// Starts one with these lines of configuration besides its port, in which `FOLDER` is its folder.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(program: &NatsProgram, lines: &str) -> Self {
        Self::with(program, lines, |_| {})
    }

    /// The same, with files that are made first in its folder.
    ///
    /// # Panics
    /// It does not start.
    pub fn with(program: &NatsProgram, lines: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kozo-nats-")
            .tempdir()
            .expect("there can be a folder");
        prepare(folder.path());
        let port = free_port();
        let process = Self::launch(program, folder.path(), port, lines);
        let server = Self {
            process,
            folder,
            program: program.clone(),
            port,
            scheme: match lines.lines().any(|line| line.starts_with("tls ")) {
                true => "tls",
                false => "nats",
            },
        };
        server.wait();
        server
    }

    fn launch(program: &NatsProgram, folder: &Path, port: u16, lines: &str) -> Process {
        write_config(folder, port, lines);
        let mut command = lasting("KILL", &program.path);
        command.arg("-c").arg(folder.join("nats.conf"));
        Process::start(command, folder, "nats")
    }

    /// Waits until it takes connections.
    fn wait(&self) {
        wait_until(&format!("a NATS server listens at {}", self.port), || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Its port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients find it: `nats://127.0.0.1:PORT`, or with `tls` if one of its lines begins with that.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The server's process, to be killed, frozen and thawed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Starts it again at the same port, after it was ended, with the same configuration.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart(&mut self) {
        self.process.stop();
        let mut command = lasting("KILL", &self.program.path);
        command.arg("-c").arg(self.file("nats.conf"));
        self.process = Process::start(command, self.folder.path(), "nats");
        self.wait();
    }

    /// Gives it other lines while it runs.
    ///
    /// # Panics
    /// It refuses them.
    pub fn reload(&mut self, lines: &str) {
        write_config(self.folder.path(), self.port, lines);
        let before = self
            .process
            .output()
            .matches("Reloaded server configuration")
            .count();
        self.process.hang_up();
        wait_until("a NATS server has taken its configuration", || {
            let output = self.process.output();
            (output.matches("Reloaded server configuration").count() > before).then_some(())
        });
    }

    /// What it says of itself to whoever connects.
    ///
    /// # Panics
    /// It says nothing of the kind.
    pub fn info(&self) -> Value {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a socket takes a timeout");
        let mut line = String::new();
        BufReader::new(stream)
            .read_line(&mut line)
            .expect("it says something");
        let json = line.strip_prefix("INFO ").expect("it says what it is");
        serde_json::from_str(json).expect("it says so in JSON")
    }
}

fn write_config(folder: &Path, port: u16, lines: &str) {
    let lines = lines.replace("FOLDER", &folder.display().to_string());
    let text = format!("listen: 127.0.0.1:{port}\n{lines}\n");
    fs::write(folder.join("nats.conf"), text).expect("a file can be written");
}

/// Servers that know each other.
#[derive(Debug)]
pub struct NatsCluster {
    /// Each of them, to be killed and restarted.
    pub servers: Vec<Nats>,
}

impl NatsCluster {
    /// So many servers with the same lines of configuration, in which `FOLDER` is the folder of each. It is there when
    /// each of them knows all others.
    ///
    /// # Panics
    /// They do not start.
    pub fn start(program: &NatsProgram, count: usize, lines: &str) -> Self {
        let ports: Vec<_> = (0..count).map(|_| free_port()).collect();
        let routes: Vec<_> = ports
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let routes = routes.join(", ");
        let servers = ports.iter().enumerate().map(|(number, port)| {
            let number = number + 1;
            let cluster = format!(
                "server_name: n{number}\ncluster {{ name: kozo, listen: 127.0.0.1:{port}, routes: [{routes}] }}\n{lines}"
            );
            Nats::start(program, &cluster)
        });
        let cluster = Self {
            servers: servers.collect(),
        };
        cluster.wait();
        cluster
    }

    /// Waits until each server knows all others.
    ///
    /// # Panics
    /// They do not find each other.
    pub fn wait(&self) {
        for server in &self.servers {
            wait_until("a cluster has come together", || {
                let info = server.info();
                let known = info["connect_urls"].as_array().map_or(0, Vec::len);
                (known == self.servers.len()).then_some(())
            });
        }
    }

    /// Where clients find them.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(Nats::url).collect()
    }
}

impl fmt::Display for NatsProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NATS {}", self.version)
    }
}
