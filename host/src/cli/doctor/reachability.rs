//! Whether other nodes answer, over every way from a transport of this node to one of theirs; and the servers
//! of buses.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use kozo_addresses::Endpoint;
use kozo_ground::text::span;

use super::buses;
use super::case::{Case, Described};
use super::dial::{Answer, call};
use super::finding::Finding;
use super::parallel::each;
use super::resolving::as_number;
use crate::config;
use crate::transports::AskedWay;

/// How many connections are tried at most.
const MAX_CALLS: usize = 512;

/// How long all of them may take together.
const LIMIT: Duration = Duration::from_secs(20);

/// An address to call.
struct Call {
    looked_at: String,
    address: SocketAddr,
    note: &'static str,
}

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let mut findings = buses::look(case);
    findings.extend(forbidden(described));
    let ways = match &case.dialled {
        Ok(ways) => ways,
        Err(error) => {
            let found = format!("the transports of this node do not say: {error}");
            findings.push(Finding::unknown("ways to other nodes", found));
            return findings;
        }
    };
    for (name, node) in described.others() {
        if described.network.may_send(&described.node.name, name)
            && !ways.iter().any(|way| way.node == *name)
        {
            findings.push(without_way(name.as_str(), node));
        }
    }
    let mut calls = Vec::new();
    for way in ways {
        plan(case, way, &mut calls, &mut findings);
    }
    if calls.len() > MAX_CALLS {
        let found = format!("{} more addresses were not tried", calls.len() - MAX_CALLS);
        findings.push(Finding::unknown("ways to other nodes", found));
        calls.truncate(MAX_CALLS);
    }
    let targets: Vec<_> = calls.iter().map(|it| it.address).collect();
    let answers = each(targets, LIMIT, call);
    findings.extend(calls.into_iter().zip(answers).map(judge));
    findings
}

/// The nodes that are not dialled, for their policies forbid it.
fn forbidden(described: Described<'_>) -> Vec<Finding> {
    let others = described.others();
    let never = others.filter(|(name, _)| !described.network.may_send(&described.node.name, name));
    let found = "not tried: the policies of the file let this node not dial it";
    never
        .map(|(name, _)| Finding::fine(name.as_str(), found))
        .collect()
}

fn without_way(name: &str, node: &config::Node) -> Finding {
    if node.transports.is_empty() {
        return Finding::fine(name, "it has no transports, and can only dial by itself");
    }
    Finding::warning(name, "no transport of this node reaches one of its own")
        .matters("there is a link only if it dials")
        .advice("give both a transport of the same kind, and see `kozo modules` for those that are installed")
}

/// What to call for a way, or what is to be said without.
fn plan(case: &Case, way: &AskedWay, calls: &mut Vec<Call>, findings: &mut Vec<Finding>) {
    let over = format!("{} over `{}`", way.node, way.transport);
    let addresses = match &way.addresses {
        Ok(addresses) => addresses,
        Err(reason) => {
            findings.push(Finding::warning(
                over,
                format!("it has no address: {reason}"),
            ));
            return;
        }
    };
    if addresses.is_empty() {
        let found = "not tried: it is looked for by radio, not by an address";
        findings.push(
            Finding::unknown(&over, found)
                .advice(format!("`kozo why {}` says what came of it", way.node)),
        );
    }
    let has_link = has_link(case, way);
    for address in addresses {
        let looked_at = format!("{over} at {address}");
        let Ok(endpoint) = Endpoint::parse(address, None) else {
            findings.push(Finding::unknown(
                looked_at,
                "not tried: it is no host and port",
            ));
            continue;
        };
        if endpoint.is_onion() {
            let found = "not tried: only Tor reaches it";
            findings.push(
                Finding::unknown(looked_at, found)
                    .advice(format!("`kozo why {}` says what came of it", way.node)),
            );
            continue;
        }
        match numbers(case, &endpoint) {
            Ok(numbers) => calls.extend(numbers.into_iter().map(|number| {
                let looked_at = match as_number(&endpoint.host) {
                    Some(_) => looked_at.clone(),
                    None => format!("{looked_at} ({})", number.ip()),
                };
                Call {
                    looked_at,
                    address: number,
                    note: if has_link {
                        "; the daemon has a link over it"
                    } else {
                        ""
                    },
                }
            })),
            Err(reason) => findings.push(
                Finding::warning(
                    looked_at,
                    format!("not tried, its name has no address: {reason}"),
                )
                .advice("see under \"Names and DNS\""),
            ),
        }
    }
}

/// The addresses of an endpoint. One that is only good on an interface has that in it.
fn numbers(case: &Case, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
    let Endpoint { host, port } = endpoint;
    if host.contains('%') {
        // Nobody is asked about a number.
        let numbers = (host.as_str(), *port).to_socket_addrs();
        return numbers
            .map(Iterator::collect)
            .map_err(|error| error.to_string());
    }
    let numbers = case.names.addresses(host)?.into_iter();
    Ok(numbers
        .map(|number| SocketAddr::new(number, *port))
        .collect())
}

/// Whether the daemon has a link with the node over the transport at present.
fn has_link(case: &Case, way: &AskedWay) -> bool {
    let peers = case.status().into_iter().flat_map(|status| &status.peers);
    peers
        .filter(|peer| peer.peer == way.node)
        .flat_map(|peer| &peer.links)
        .any(|link| link.transport == way.transport.as_str())
}

fn judge((call, answer): (Call, Option<Answer>)) -> Finding {
    let Call {
        looked_at, note, ..
    } = call;
    let matters = "there is no link over this way when it is dialled from here";
    let Some(answer) = answer else {
        return Finding::unknown(looked_at, "there was no time left to try it");
    };
    match answer {
        Answer::Node(took) => {
            let took = span(took.as_secs_f64());
            Finding::fine(looked_at, format!("a node answers, after {took}{note}"))
        }
        Answer::Other(said) => Finding::fault(looked_at, format!("something else answers: `{said}`{note}"))
            .matters(matters)
            .advice("correct the address or the port in the file, or move the other program"),
        Answer::Silent => Finding::warning(
            looked_at,
            format!("somebody takes the connection and does not say what every node says{note}"),
        )
        .matters(matters)
        .advice("see whether the daemon there hangs, or a proxy or router answers in its place"),
        Answer::Refused => Finding::warning(looked_at, format!("the machine answers, and nobody listens{note}"))
            .matters(matters)
            .advice("start the node there (`kozo doctor` there says more); is the port right, is it forwarded?"),
        Answer::TimedOut => Finding::warning(looked_at, format!("no answer{note}"))
            .matters(matters)
            .advice("is the machine on, is the address still its own, does a firewall there or on the way drop it?"),
        Answer::Failed(reason) => Finding::warning(looked_at, format!("{reason}{note}"))
            .matters(matters)
            .advice("see `ip route get ADDRESS`: is this machine in a network that leads there?"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn who_answers_decides_how_bad_it_is() {
        let severity = |answer| {
            let call = Call {
                looked_at: "hall over `tcp` at hall:6020".into(),
                address: (Ipv4Addr::LOCALHOST, 6020).into(),
                note: "",
            };
            judge((call, answer)).severity
        };
        for (answer, expected) in [
            (Some(Answer::Node(Duration::ZERO)), Severity::Fine),
            (Some(Answer::Other("SSH-2.0-x".into())), Severity::Fault),
            (Some(Answer::Silent), Severity::Warning),
            (Some(Answer::Refused), Severity::Warning),
            (Some(Answer::TimedOut), Severity::Warning),
            (Some(Answer::Failed("no route".into())), Severity::Warning),
            (None, Severity::Unknown),
        ] {
            assert_eq!(severity(answer.clone()), expected, "{answer:?}");
        }
    }
}
