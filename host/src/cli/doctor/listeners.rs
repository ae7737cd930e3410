//! Who listens on TCP ports of this machine, as the kernel's tables have it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::machine::Machine;

/// The state of a socket that listens.
const LISTEN: &str = "0A";

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// Whose it is.
    pub(super) user: u32,
    /// Its number, by which the process is found that has it.
    inode: String,
}

/// All sockets that listen.
pub(super) fn listeners(machine: &Machine) -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| {
            let text = machine.read(table).unwrap_or_default();
            text.lines()
                .skip(1)
                .filter_map(listener)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (address, port) = fields[1].split_once(':')?;
    Some(Listener {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        user: fields.get(7)?.parse().ok()?,
        inode: (*fields.get(9)?).to_owned(),
    })
}

/// Words of 32 bits, each as this machine keeps a number: its bytes are those of the address.
fn parse_address(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for start in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

impl Listener {
    /// The process that has the socket; none where this user may not see it.
    pub(super) fn process(&self, machine: &Machine) -> Option<u32> {
        let link = format!("socket:[{}]", self.inode);
        machine.processes().find(|process| {
            let folder = format!("/proc/{process}/fd");
            let has = |name: &String| {
                let path = machine.path(&format!("{folder}/{name}"));
                std::fs::read_link(path).is_ok_and(|target| target.as_os_str() == link.as_str())
            };
            machine.names(&folder).iter().any(has)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_of_this_process_is_found_with_the_process() {
        let machine = Machine::this();
        for host in ["127.0.0.1:0", "[::1]:0"] {
            // There may be no IPv6.
            let Ok(socket) = TcpListener::bind(host) else {
                continue;
            };
            let address = socket.local_addr().unwrap();
            let all = listeners(&machine);
            let found = all
                .iter()
                .find(|one| (one.address, one.port) == (address.ip(), address.port()));
            let found = found.expect("the socket is in the table");
            assert_eq!(found.process(&machine), Some(std::process::id()));
            assert_eq!(found.user, rustix::process::geteuid().as_raw());
        }
    }

    #[test]
    fn other_states_and_broken_lines_are_passed_over() {
        for line in [
            "",
            "0: 0100007F:1784",
            "0: 0100007F:1784 0:0 01 0:0 0:0 0 0 0 1",
        ] {
            assert_eq!(listener(line), None, "{line}");
        }
    }
}
