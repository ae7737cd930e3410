//! Three NATS servers that know each other, on the loopback interface.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::Failure;
use crate::daemon::DEADLINE;
use crate::network::reserve_port;

/// How many there are.
const SERVERS: usize = 3;

/// How often it is looked whether they know each other.
const POLL: Duration = Duration::from_millis(20);

/// What a server says of itself to whoever connects.
#[derive(Deserialize)]
struct Info {
    version: String,
    #[serde(default)]
    connect_urls: Vec<String>,
}

/// Running servers, killed when dropped.
pub(crate) struct Servers {
    program: PathBuf,
    folder: TempDir,
    /// Where clients find them.
    pub(crate) addresses: Vec<SocketAddr>,
    children: Vec<Child>,
    /// Which version they are of.
    pub(crate) version: String,
}

impl Servers {
    /// The program of the server, if it is installed here. `KOZO_NATS_SERVER` names another one.
    pub(crate) fn program() -> Option<PathBuf> {
        if let Some(path) = std::env::var_os("KOZO_NATS_SERVER") {
            return Some(path.into());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Where only root looks for programs.
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        folders
            .map(|folder| folder.join("nats-server"))
            .find(|file| file.is_file())
    }

    /// Starts them, and waits until each knows the others.
    pub(crate) fn start(program: PathBuf) -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        let reserve = |_| reserve_port().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let addresses: Vec<_> = (0..SERVERS).map(reserve).collect::<Result<_, _>>()?;
        let routes: Vec<_> = (0..SERVERS).map(reserve).collect::<Result<_, _>>()?;
        let all: Vec<_> = routes.iter().map(|at| format!("nats://{at}")).collect();
        for (number, (address, route)) in addresses.iter().zip(&routes).enumerate() {
            let text = format!(
                "server_name: n{number}\nlisten: \"{address}\"\nmax_connections: 65536\n\
                 cluster {{ name: fleet, listen: \"{route}\", routes: {all:?} }}\n"
            );
            std::fs::write(config(folder.path(), number), text)?;
        }
        let mut servers = Self {
            program,
            folder,
            addresses,
            children: Vec::new(),
            version: String::new(),
        };
        servers.launch()?;
        Ok(servers)
    }

    fn launch(&mut self) -> Result<(), Failure> {
        for number in 0..SERVERS {
            let child = Command::new(&self.program)
                .arg("-c")
                .arg(config(self.folder.path(), number))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            self.children.push(child);
        }
        let deadline = Instant::now() + DEADLINE;
        for address in &self.addresses {
            loop {
                match info(*address) {
                    Ok(info) if info.connect_urls.len() == SERVERS => {
                        self.version = info.version;
                        break;
                    }
                    _ if Instant::now() > deadline => {
                        return Err("the NATS servers do not find each other".into());
                    }
                    _ => std::thread::sleep(POLL),
                }
            }
        }
        Ok(())
    }

    /// Kills all of them, and starts them anew.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        self.kill();
        self.launch()
    }

    fn kill(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
        }
        for mut child in self.children.drain(..) {
            let _ = child.wait();
        }
    }

    /// How much memory all of them have (RSS), in KiB.
    pub(crate) fn memory(&self) -> Result<f64, Failure> {
        let mut sum = 0.0;
        for child in &self.children {
            sum += crate::daemon::kernel_figure(child.id(), "status", "VmRSS:")?;
        }
        Ok(sum)
    }

    /// The processor time that all of them have used since they were started.
    pub(crate) fn processor_time(&self) -> Result<Duration, Failure> {
        let times = self.children.iter();
        let times = times.map(crate::daemon::processor_time);
        times.sum()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.kill();
    }
}

fn config(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("n{number}.conf"))
}

fn info(address: SocketAddr) -> Result<Info, Failure> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let json = line.strip_prefix("INFO ").ok_or("no NATS server")?;
    Ok(serde_json::from_str(json)?)
}
