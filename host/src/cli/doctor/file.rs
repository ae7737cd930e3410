//! The configuration file: what `kozo check` says of it.

use kozo_description::{Problem, Severity};

use super::case::Case;
use super::finding::Finding;

/// What other subjects look at for themselves, with more eyes.
const ELSEWHERE: [&str; 2] = ["privateKey", "roleStorage"];

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let config = case.target.config.display().to_string();
    let checked = &case.checked;
    let mut findings = Vec::new();
    if let Some(network) = &checked.network {
        let digest = network.shown_digest();
        let what = format!(
            "it describes {} nodes; its digest is {digest}",
            network.size()
        );
        findings.push(Finding::fine(&config, what));
    } else {
        let advice = match checked.problems.is_empty() {
            true => "name the node: `kozo doctor CONFIG NODE`",
            false => "correct what follows; the rest is looked at then",
        };
        findings.push(
            Finding::fault(&config, "it cannot be used")
                .matters("no node starts with it, and nothing that depends on it is looked at here")
                .advice(advice),
        );
    }
    if checked.network.is_some() && case.described().is_none() {
        findings.push(
            Finding::unknown(&config, "which of its nodes this machine is, nothing says")
                .advice("name the node: `kozo doctor CONFIG NODE`"),
        );
    }
    let problems = checked.problems.iter();
    findings.extend(
        problems
            .filter(|problem| is_here(case, problem))
            .map(|problem| {
                let place = problem.place.map_or(String::new(), |place| {
                    format!(":{}:{}", place.line, place.column)
                });
                let path = match problem.path.as_str() {
                    "" => String::new(),
                    path => format!(" ({path})"),
                };
                let looked_at = format!("{config}{place}{path}");
                let finding = match problem.severity {
                    Severity::Error => Finding::fault(looked_at, &problem.message)
                        .matters("with it, the node does not start"),
                    Severity::Warning => Finding::warning(looked_at, &problem.message),
                };
                Finding {
                    advice: problem.help.clone(),
                    ..finding
                }
            }),
    );
    findings.extend(other_than_daemons(case, &config));
    findings
}

/// Whether a problem is shown here, and not with the subject that it is about.
fn is_here(case: &Case, problem: &Problem) -> bool {
    let Some(described) = case.described() else {
        return true;
    };
    let name = described.node.block_name();
    let elsewhere = |option| problem.path == format!("system.{name}.{option}");
    let mut files = case.files.iter();
    let is_of_file = files.any(|file| file.fault.is_some() && file.option == problem.path);
    !is_of_file && !ELSEWHERE.into_iter().any(elsewhere)
}

/// Whether the daemon runs with another version of the file than the one that is there now.
fn other_than_daemons(case: &Case, config: &str) -> Option<Finding> {
    let running = case.status()?.file_digest.as_str();
    let present = case.checked.network.as_ref()?.shown_digest();
    // An older daemon does not say.
    if running.is_empty() || running == present {
        return None;
    }
    let found = format!("the daemon runs with another version of it, whose digest is {running}");
    Some(
        Finding::warning(config, found)
            .matters("the daemon does what that version says, and other nodes may have either")
            .advice("restart the node to take in changes; if another file is meant, name that one"),
    )
}
