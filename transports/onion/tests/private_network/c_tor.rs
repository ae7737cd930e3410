//! The machine's own Tor: one `tor` that forwards an onion address to a local port, and has a
//! SOCKS proxy.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;

use kozo_abi::bench::reserve_port;

use crate::tor_network::{TorNetwork, make_private, start_tor};
use crate::wait::{DEADLINE, wait_until};

pub(crate) struct CTor {
    process: Child,
    configuration: PathBuf,
    /// The port of its SOCKS proxy.
    pub(crate) socks_port: u16,
    /// The onion address that it hosts.
    pub(crate) address: String,
}

impl CTor {
    /// Starts it. It forwards `onion_port` of its address to the local `port`.
    pub(crate) fn start(network: &TorNetwork, folder: &Path, onion_port: u16, port: u16) -> Self {
        make_private(folder);
        let service = folder.join("service");
        let socks_port = reserve_port().unwrap();
        let configuration = format!(
            "{}DataDirectory {}\nSocksPort 127.0.0.1:{socks_port}\nLog notice file {}\nHiddenServiceDir {}\nHiddenServicePort {onion_port} 127.0.0.1:{port}\n",
            network.client_configuration(),
            folder.display(),
            folder.join("log").display(),
            service.display(),
        );
        let file = folder.join("torrc");
        fs::write(&file, configuration).unwrap();
        let process = start_tor(&file);
        let address = wait_until("the machine's Tor has an address", DEADLINE, || {
            let address = fs::read_to_string(service.join("hostname")).ok()?;
            address.ends_with(".onion\n").then_some(address)
        });
        Self {
            process,
            configuration: file,
            socks_port,
            address: address.trim().to_owned(),
        }
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it anew, with the same address.
    pub(crate) fn start_again(&mut self) {
        self.process = start_tor(&self.configuration);
    }

    /// Connects to an onion address as anybody may; none when it cannot be reached.
    pub(crate) fn connect(&self, address: &str, port: u16) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.socks_port)).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        let name = address.as_bytes();
        let length = u8::try_from(name.len()).unwrap();
        stream.write_all(&[5, 1, 0, 5, 1, 0, 3, length]).ok()?;
        stream.write_all(name).ok()?;
        stream.write_all(&port.to_be_bytes()).ok()?;
        let mut answer = [0; 2 + 10];
        stream.read_exact(&mut answer).ok()?;
        stream.set_write_timeout(Some(DEADLINE)).ok()?;
        (answer[3] == 0).then_some(stream)
    }
}

impl Drop for CTor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
