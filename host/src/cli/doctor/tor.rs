//! Tor: what can be said of it without going through it.

use std::net::SocketAddr;

use kozo_addresses::Endpoint;
use kozo_description::ModuleKind;

use super::case::{Case, Described};
use super::dial::call_proxy;
use super::finding::Finding;
use crate::config::Transport;

/// The transport that speaks with the Tor network.
const MODULE: &str = "onion";

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let proxies = described.proxies().into_iter();
    // A client of its own needs no proxy, whatever the option's default is.
    let used = proxies.filter(|(transport, ..)| !has_own_client(transport));
    let mut findings: Vec<Finding> = used
        .map(|(transport, option, proxy)| {
            let looked_at = format!("{proxy} (`{option}` of transport `{}`)", transport.name);
            proxied(case, looked_at, &proxy)
        })
        .collect();
    findings.extend(own_client(case, described));
    findings
}

fn has_own_client(transport: &Transport) -> bool {
    let service = transport
        .options
        .as_ref()
        .and_then(|options| options.value("service")?.as_text());
    transport.module.as_str() == MODULE && service == Some("host")
}

fn proxied(case: &Case, looked_at: String, proxy: &Endpoint) -> Finding {
    let addresses = case.names.addresses(&proxy.host);
    let tried = addresses.and_then(|addresses| {
        let mut last = Err("it has no address".to_owned());
        for address in addresses {
            last = call_proxy(SocketAddr::new(address, proxy.port));
            if last.is_ok() {
                break;
            }
        }
        last
    });
    match tried {
        Ok(()) => Finding::fine(looked_at, "a SOCKS 5 proxy answers"),
        Err(reason) => Finding::fault(looked_at, reason)
            .matters("no .onion address is reached from here without it")
            .advice("`systemctl enable --now tor` where Debian's `tor` is; its `SocksPort` has to be this one"),
    }
}

/// The client that the transport brings along.
fn own_client(case: &Case, described: Described<'_>) -> Vec<Finding> {
    if !described.uses(ModuleKind::Transport, MODULE) {
        return Vec::new();
    }
    let own = described
        .node
        .transports
        .iter()
        .filter(|it| has_own_client(it));
    own.map(|transport| {
        let looked_at = format!("transport `{}`", transport.name);
        let said = case.status().and_then(|status| {
            let mut all = status.transports.iter();
            let own = all.find(|one| one.name == transport.name.as_str())?;
            own.status.clone()
        });
        match said {
            Some(said) => Finding::fine(looked_at, format!("its own Tor client says: {said}")),
            None => Finding::unknown(
                looked_at,
                "it has a Tor client of its own, which says nothing",
            )
            .advice("`kozo status` shows how far it is, while the node runs"),
        }
    })
    .collect()
}
