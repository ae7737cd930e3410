//! The names of hosts in the file, as this machine's resolver knows them.

use std::net::IpAddr;

use kozo_ground::text::enumerate;

use super::case::Case;
use super::finding::Finding;
use super::resolving::Answer;

/// Names that mean this machine wherever they are asked for.
const LOCAL: [&str; 2] = ["localhost", "localhost."];

/// How many addresses of a name are shown.
const SHOWN: usize = 4;

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let mut findings: Vec<Finding> = case
        .names
        .iter()
        .map(|(name, looked_up)| match looked_up.is_needed {
            true => judge(name, &looked_up.answer),
            false => judge_own(name, &looked_up.answer),
        })
        .collect();
    if case.names.left_out > 0 {
        let found = format!("{} more names were not looked up", case.names.left_out);
        findings.push(Finding::unknown("names", found));
    }
    findings
}

/// A name of this node, which others have to know.
fn judge_own(name: &str, answer: &Answer) -> Finding {
    match answer {
        Answer::Addresses(addresses) => Finding::fine(
            name,
            format!("the address of this node: {}", shown(addresses)),
        ),
        Answer::Failed(_) | Answer::Late => {
            Finding::warning(name, "the address of this node; the name is not known here")
                .matters("other nodes reach this one by it")
                .advice(format!("see on another machine: `getent ahosts {name}`"))
        }
    }
}

fn judge(name: &str, answer: &Answer) -> Finding {
    const MATTERS: &str = "whoever is reached by this name only is not reached from here";
    match answer {
        Answer::Addresses(addresses) => resolved(name, addresses),
        Answer::Failed(reason) => Finding::fault(name, format!("it does not resolve: {reason}"))
            .matters(MATTERS)
            .advice(advice(name)),
        Answer::Late => Finding::fault(name, "the resolver did not answer in time")
            .matters(MATTERS)
            .advice("see `/etc/resolv.conf` for the servers that are asked, and whether they are reached"),
    }
}

fn shown(addresses: &[IpAddr]) -> String {
    let first = addresses.iter().take(SHOWN);
    let first: Vec<String> = first.map(IpAddr::to_string).collect();
    let mut shown = enumerate(first.iter().map(String::as_str), "and");
    if addresses.len() > SHOWN {
        shown += ", and more";
    }
    shown
}

fn resolved(name: &str, addresses: &[IpAddr]) -> Finding {
    let found = shown(addresses);
    let is_local = LOCAL.contains(&name.to_lowercase().as_str());
    if !is_local && addresses.iter().all(IpAddr::is_loopback) {
        return Finding::warning(name, format!("it is this machine alone here: {found}"))
            .matters("dialled from here, it leads to this machine; Debian has such a line for a machine's own name")
            .advice("see `/etc/hosts`; right if it is the name of this machine");
    }
    Finding::fine(name, found)
}

fn advice(name: &str) -> String {
    let name = name.trim_end_matches('.');
    if name.ends_with(".local") {
        return "names in `.local` need mDNS: the packages `avahi-daemon` and `libnss-mdns`, there and here"
            .to_owned();
    }
    match name.contains('.') {
        true => {
            "correct the name, or write the address (`getent ahosts` asks as Kōzō does)".to_owned()
        }
        false => format!(
            "write `{name}.local` or the whole name or the address, or put it into `/etc/hosts`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn a_name_is_judged_by_where_it_leads() {
        let to = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| text.parse().unwrap());
            Answer::Addresses(addresses.collect())
        };
        for (name, answer, severity) in [
            (
                "hall.local",
                to(&["192.0.2.1", "2001:db8::1"]),
                Severity::Fine,
            ),
            ("localhost", to(&["127.0.0.1"]), Severity::Fine),
            ("hall", to(&["127.0.1.1"]), Severity::Warning),
            ("hall", Answer::Failed("no".into()), Severity::Fault),
            ("hall", Answer::Late, Severity::Fault),
        ] {
            assert_eq!(judge(name, &answer).severity, severity, "{name}");
        }
        let unknown_here = judge_own("hall", &Answer::Failed("no".into()));
        assert_eq!(unknown_here.severity, Severity::Warning);
        assert!(advice("hall.local.").contains("mDNS"));
        assert!(advice("hall").contains("`hall.local`"));
    }
}
