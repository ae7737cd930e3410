//! Whether the machine's own firewall may keep others out. Only hints: rules can be anything.

use kozo_addresses::Listening;

use super::case::Case;
use super::command::{CommandError, ask};
use super::finding::Finding;
use super::ports::{OwnPort, own_ports};

/// What rules say of what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Incoming {
    /// What no rule names gets in.
    Open,
    /// It does not.
    Closed,
}

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let ports: Vec<OwnPort> = own_ports(case).into_iter().filter(is_for_others).collect();
    if ports.is_empty() {
        return Vec::new();
    }
    let asked = [
        ("nftables", "nft", &["list", "ruleset"][..]),
        ("iptables", "iptables", &["-S"]),
    ];
    let mut findings = Vec::new();
    for (what, program, words) in asked {
        match ask(program, words) {
            Ok(rules) => findings.extend(judge(what, &rules, &ports)),
            Err(CommandError::Missing(_)) => {}
            Err(error) => findings.push(Finding::unknown(what, error.to_string()).advice(format!(
                "`sudo {program} {}` shows the rules: something there has to let in {}",
                words.join(" "),
                listed(&ports)
            ))),
        }
    }
    if findings.is_empty() {
        let found =
            "neither `nft` nor `iptables` is installed: if there are rules, they cannot be seen";
        findings.push(Finding::unknown("firewall", found));
    }
    findings
}

/// Whether other machines can be meant to connect.
fn is_for_others(port: &OwnPort) -> bool {
    let own = Listening::on(&port.address);
    !["127.0.0.1", "::1", "localhost"]
        .into_iter()
        .any(|local| own == Listening::on(local))
}

fn listed(ports: &[OwnPort]) -> String {
    let ports: Vec<String> = ports
        .iter()
        .map(|port| format!("TCP {}", port.port))
        .collect();
    ports.join(", ")
}

fn judge(what: &str, rules: &str, ports: &[OwnPort]) -> Vec<Finding> {
    if incoming(rules) == Incoming::Open {
        return vec![Finding::fine(what, "no rule closes what comes in")];
    }
    let one = |port: &OwnPort| {
        let looked_at = format!("{what}: TCP port {} ({})", port.port, port.of);
        match names(rules, port.port) {
            true => Finding::fine(
                looked_at,
                "the rules name it, among what they let in or not",
            ),
            false => Finding::warning(
                looked_at,
                "what comes in is closed, and no rule names this port",
            )
            .matters("other nodes may not get through to this one")
            .advice(format!(
                "let it in: `ufw allow {0}/tcp`, or `firewall-cmd --add-port={0}/tcp`, or a rule \
                     of your own",
                port.port
            )),
        }
    };
    ports.iter().map(one).collect()
}

/// What becomes of what comes in, for all that the rules of either program say by their policies and
/// their last words.
fn incoming(rules: &str) -> Incoming {
    // Rules without a condition are short: `reject with icmpx admin-prohibited` is the longest.
    const MAX_LAST_WORDS: usize = 4;
    let mut is_in_input = false;
    let is_closed = rules.lines().map(str::trim).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with("chain ") {
            is_in_input = false;
        }
        if line.contains("hook ") {
            is_in_input = line.contains("hook input");
            return is_in_input && line.contains("policy drop");
        }
        let is_last_word = matches!(words.first(), Some(&("drop" | "reject")));
        let of_nftables = is_in_input && is_last_word && words.len() <= MAX_LAST_WORDS;
        let of_iptables = match words.as_slice() {
            ["-P", "INPUT", policy] => *policy == "DROP",
            ["-A", "INPUT", "-j", target, ..] => matches!(*target, "DROP" | "REJECT"),
            _ => false,
        };
        of_nftables || of_iptables
    });
    match is_closed {
        true => Incoming::Closed,
        false => Incoming::Open,
    }
}

/// Whether a number stands in the rules.
fn names(rules: &str, port: u16) -> bool {
    let port = port.to_string();
    let mut words = rules.split(|c: char| !c.is_ascii_digit());
    words.any(|word| word == port)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    const NFT: &str = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; \
                       policy drop;\n\t\ttcp dport { 22, 6020 } accept\n\t}\n\tchain forward {\n\t\ttype \
                       filter hook forward priority filter; policy drop;\n\t}\n}\n";

    fn port(port: u16) -> OwnPort {
        OwnPort {
            of: "transport `tcp`".into(),
            is_of_transport: true,
            address: String::new(),
            port,
        }
    }

    #[test]
    fn closed_rules_without_the_port_are_a_warning() {
        let severity = |rules: &str, number| judge("rules", rules, &[port(number)])[0].severity;
        assert_eq!(severity(NFT, 6020), Severity::Fine);
        assert_eq!(severity(NFT, 602), Severity::Warning);
        assert_eq!(
            severity(&NFT.replace("hook input", "hook output"), 602),
            Severity::Fine
        );
        assert_eq!(
            severity(&NFT.replacen("policy drop", "policy accept", 1), 602),
            Severity::Fine
        );
        assert_eq!(
            severity("-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n", 6020),
            Severity::Warning
        );
        assert_eq!(
            severity("-P INPUT ACCEPT\n-P FORWARD DROP\n", 6020),
            Severity::Fine
        );
        assert_eq!(severity("", 6020), Severity::Fine);
    }

    #[test]
    fn what_is_for_this_machine_alone_needs_no_rule() {
        let local = OwnPort {
            address: "127.0.0.1".into(),
            ..port(1)
        };
        assert!(is_for_others(&port(1)) && !is_for_others(&local));
    }
}
