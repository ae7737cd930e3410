//! The TCP ports that the node listens on: whether they are free, or the daemon's.

use std::net::UdpSocket;

use kozo_addresses::{Endpoint, Listening};
use kozo_description::{Claimed, ModuleKind};

use super::case::Case;
use super::finding::Finding;
use super::listeners::{Listener, listeners};
use super::resolving::as_number;

/// The first port that everybody may listen on, where the kernel does not say.
const FIRST_UNPRIVILEGED: u64 = 1024;

/// `CAP_NET_BIND_SERVICE`.
const MAY_BIND: u64 = 1 << 10;

const MATTERS: &str = "nobody can connect to the node there";

/// A port that the node listens on.
pub(super) struct OwnPort {
    /// Whose it is, in words.
    pub(super) of: String,
    /// A transport listens as long as the node runs; a role may do so for a while.
    pub(super) is_of_transport: bool,
    /// The address or name; empty: all addresses.
    pub(super) address: String,
    pub(super) port: u16,
}

impl OwnPort {
    /// As people write it.
    pub(super) fn shown(&self) -> String {
        match self.address.as_str() {
            "" => format!("port {} of all addresses", self.port),
            address => Endpoint {
                host: address.to_owned(),
                port: self.port,
            }
            .to_string(),
        }
    }
}

/// All of them.
pub(super) fn own_ports(case: &Case) -> Vec<OwnPort> {
    let claims = case.described().map(|it| it.claims()).unwrap_or_default();
    let ports = claims.into_iter().filter_map(|claim| match claim.claimed {
        Claimed::Port { address, port } => Some(OwnPort {
            of: claim.of,
            is_of_transport: claim.kind == ModuleKind::Transport,
            address: address.trim().to_owned(),
            port: port.parse().ok()?,
        }),
        _ => None,
    });
    ports.collect()
}

/// Where the node's metrics are collected, which is no way to the node for others.
fn metrics_port(case: &Case) -> Option<OwnPort> {
    let endpoint = case.described()?.node.metrics.as_ref()?;
    Some(OwnPort {
        of: "metrics".to_owned(),
        is_of_transport: false,
        address: endpoint.host.clone(),
        port: endpoint.port,
    })
}

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let all = listeners(&case.machine);
    let mut findings = Vec::new();
    for port in own_ports(case).into_iter().chain(metrics_port(case)) {
        let looked_at = format!("{} ({})", port.shown(), port.of);
        findings.extend(privileged(case, &port, &looked_at));
        findings.extend(absent_address(&port, &looked_at));
        findings.push(held(case, &port, &all, looked_at));
    }
    findings
}

fn held(case: &Case, port: &OwnPort, all: &[Listener], looked_at: String) -> Finding {
    let own = Listening::on(&port.address);
    let mut others = all.iter().filter(|listener| {
        listener.port == port.port && own.overlaps(&Listening::on(&listener.address.to_string()))
    });
    let daemon = case.status().map(|status| status.pid);
    let Some(listener) = others.next() else {
        return match daemon {
            None => Finding::fine(looked_at, "free for the daemon"),
            Some(_) if !port.is_of_transport => {
                Finding::fine(looked_at, "nobody listens at present")
            }
            Some(_) => Finding::fault(looked_at, "the daemon runs, and nobody listens")
                .matters(MATTERS)
                .advice("see under \"Running daemon\" what keeps the transport from it"),
        };
    };
    let Some(process) = listener.process(&case.machine) else {
        let user = listener.user;
        if daemon.is_some() && user == case.person.user.id {
            return Finding::fine(looked_at, "a process of the daemon's user listens");
        }
        let whose = case
            .machine
            .user_name(user)
            .unwrap_or_else(|| user.to_string());
        let found =
            format!("a process of the user `{whose}` listens; which one, this user may not see");
        return Finding::unknown(looked_at, found)
            .advice(format!("`sudo ss -ltnp sport = :{}` names it", port.port));
    };
    // An isolated role is a process that the daemon has started.
    let is_daemons = daemon
        .is_some_and(|daemon| process == daemon || case.machine.parent(process) == Some(daemon));
    if is_daemons {
        return Finding::fine(looked_at, "the daemon listens");
    }
    let program = case.machine.program(process).unwrap_or_default();
    Finding::fault(
        looked_at,
        format!("`{program}`, process {process}, listens there"),
    )
    .matters("only one program can: the node cannot be connected to there")
    .advice("end that program, or choose another port in the file (on all machines)")
}

fn privileged(case: &Case, port: &OwnPort, looked_at: &str) -> Option<Finding> {
    let first = case
        .machine
        .number("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first = first.unwrap_or(FIRST_UNPRIVILEGED);
    let person = &case.person;
    if u64::from(port.port) >= first || person.is_root() || person.capabilities & MAY_BIND != 0 {
        return None;
    }
    let found = format!(
        "ports below {first} are for root, and the daemon's user is `{}`",
        person.name
    );
    Some(
        Finding::fault(looked_at, found)
            .matters(MATTERS)
            .advice("choose a port above in the file (on all machines)"),
    )
}

/// Whether the machine has the address to listen on.
fn absent_address(port: &OwnPort, looked_at: &str) -> Option<Finding> {
    // A link-local address belongs to an interface, which `kozo check` looks for.
    let number = as_number(&port.address).filter(|_| !port.address.contains('%'))?;
    // Nothing is sent from it, and nobody can connect to it.
    let error = UdpSocket::bind((number, 0)).err()?;
    (error.kind() == std::io::ErrorKind::AddrNotAvailable).then(|| {
        Finding::fault(looked_at, "this machine does not have that address")
            .matters(MATTERS)
            .advice(
                "`ip address` lists those it has; leave `bindAddress` out to listen on all of them",
            )
    })
}
