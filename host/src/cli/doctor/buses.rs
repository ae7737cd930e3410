//! Whether the servers of the buses that the node is on take connections.

use std::net::ToSocketAddrs;
use std::time::Duration;

use kozo_addresses::Endpoint;
use kozo_description::{Format, ModuleKind, Value};
use kozo_ground::text::span;

use super::case::{Case, Described};
use super::dial::{Answer, reach};
use super::finding::Finding;
use super::parallel::each;

/// How long all of them may take together.
const LIMIT: Duration = Duration::from_secs(15);

/// The ports of URLs that have none.
const PORTS: [(&str, u16); 6] = [
    ("nats", 4222),
    ("tls", 4222),
    ("ws", 80),
    ("wss", 443),
    ("mqtt", 1883),
    ("mqtts", 8883),
];

/// A server of a bus.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    looked_at: String,
    endpoint: Option<Endpoint>,
}

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let answers = each(servers(described), LIMIT, |server| {
        let answer = server.endpoint.as_ref().map(called);
        (server, answer)
    });
    let answers = answers.into_iter().flatten();
    answers
        .map(|(server, answer)| judge(server.looked_at, answer))
        .collect()
}

/// Those of the buses that the node speaks with itself.
fn servers(described: Described<'_>) -> Vec<Server> {
    let mut servers = Vec::new();
    let own = described.node.buses.iter();
    for on in own.filter(|on| on.through.is_empty()) {
        let module = described.network.bus(on.bus.as_str());
        let metadata = module.and_then(|bus| {
            let registry = described.registry();
            registry.metadata(ModuleKind::Bus, bus.module.as_str())
        });
        let Some((metadata, options)) = metadata.zip(on.options.as_ref()) else {
            continue;
        };
        for spec in &metadata.options {
            if !matches!(spec.format, Some(Format::Url | Format::Endpoint)) {
                continue;
            }
            let texts = options.value(&spec.name).into_iter().flat_map(Value::texts);
            servers.extend(texts.map(|text| Server {
                looked_at: format!("{} of the bus `{}`", without_secrets(text), on.bus),
                endpoint: Endpoint::parse(authority(text), default_port(text)).ok(),
            }));
        }
    }
    servers
}

/// The host of a URL, with its port if it has one; what is none is that itself.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}

/// A URL without the user and the password that may be in it.
fn without_secrets(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://{}", authority(text)),
        None => authority(text).to_owned(),
    }
}

fn default_port(text: &str) -> Option<u16> {
    let (scheme, _) = text.split_once("://")?;
    let mut ports = PORTS.iter();
    ports
        .find(|(known, _)| *known == scheme)
        .map(|(_, port)| *port)
}

/// What comes of connecting to the first address that answers.
fn called(endpoint: &Endpoint) -> Result<Duration, Answer> {
    let addresses = (endpoint.host.as_str(), endpoint.port).to_socket_addrs();
    let addresses = addresses.map_err(|error| Answer::Failed(error.to_string()))?;
    let mut last = Err(Answer::Failed("its name has no address".to_owned()));
    for address in addresses {
        last = reach(address);
        if last.is_ok() {
            break;
        }
    }
    last
}

fn judge(looked_at: String, answer: Option<Result<Duration, Answer>>) -> Finding {
    let matters = "the bus is down as long as no other of its servers can be reached";
    let found = match answer {
        None => return Finding::unknown(looked_at, "not tried: it has no port"),
        Some(Ok(took)) => {
            let took = span(took.as_secs_f64());
            return Finding::fine(looked_at, format!("it takes connections, after {took}"));
        }
        Some(Err(Answer::Refused)) => "the machine answers, and nobody listens".to_owned(),
        Some(Err(Answer::Failed(reason))) => reason,
        Some(Err(_)) => "no answer".to_owned(),
    };
    Finding::warning(looked_at, found).matters(matters).advice(
        "does the server run, is its address right, does a firewall there or on the way drop it?",
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn servers_are_found_in_urls_of_all_kinds() {
        for (text, expected) in [
            ("nats://n.example", "n.example:4222"),
            ("tls://me:secret@n.example:7422/x", "n.example:7422"),
            ("wss://[2001:db8::1]/bus?x=y", "[2001:db8::1]:443"),
            ("mqtts://broker", "broker:8883"),
            ("n.example:99", "n.example:99"),
        ] {
            let endpoint = Endpoint::parse(authority(text), default_port(text)).unwrap();
            assert_eq!(endpoint.to_string(), expected, "{text}");
        }
        let shown = without_secrets("tls://me:secret@n.example:7422/x");
        assert_eq!(shown, "tls://n.example:7422");
    }

    #[test]
    fn one_that_takes_connections_is_fine_and_one_that_does_not_a_warning() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        let endpoint = Endpoint::parse("127.0.0.1", Some(port)).unwrap();
        let severity = |answer| judge("it".to_owned(), answer).severity;
        assert_eq!(severity(Some(called(&endpoint))), Severity::Fine);
        drop(server);
        let answer = called(&endpoint);
        assert_eq!(answer, Err(Answer::Refused));
        assert_eq!(severity(Some(answer)), Severity::Warning);
        assert_eq!(severity(None), Severity::Unknown);
    }
}
