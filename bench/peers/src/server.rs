//! A server as a child process.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Failure, Missing};

/// How long a server may take until it listens.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where Debian puts servers, which is not in every user's path.
const FOLDER: &str = "/usr/sbin";

/// A running server, killed when dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts a program that is told its configuration file with `option`, and waits until it
    /// listens.
    pub(crate) fn start(name: &str, option: &str, file: &Path, port: u16) -> Result<Self, Failure> {
        let installed = Path::new(FOLDER).join(name);
        let program = if installed.exists() {
            installed.as_path()
        } else {
            Path::new(name)
        };
        let child = Command::new(program)
            .arg(option)
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Missing(format!("there is no `{name}` here: {error}")))?;
        let mut server = Self(child);
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if server.0.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(format!("`{name}` does not listen").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
