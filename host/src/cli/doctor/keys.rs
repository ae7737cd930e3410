//! The node's private key: whether it is the right one, and who may read it.

use std::io::ErrorKind;

use kozo_access::{Wish, hindrance};
use kozo_auth::keys::{self, KeyError};
use kozo_ground::text::error_text;

use super::case::{Case, Described};
use super::finding::Finding;

const MATTERS: &str = "with its key a node proves who it is: without it there are no links, and whoever \
                       has it can be the node";

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let path = &described.node.private_key;
    let looked_at = path.display().to_string();
    let mut findings = vec![own_key(case, described, &looked_at)];
    findings.extend(readable_to_daemon(case, described, &looked_at));
    findings
}

fn own_key(case: &Case, described: Described<'_>, looked_at: &str) -> Finding {
    let node = described.node;
    let checked = keys::load_private(&node.private_key)
        .and_then(|key| Ok((keys::matches(&key, &node.public_keys)?, key)));
    let error = match checked {
        Ok(((), key)) => {
            let fingerprint = keys::fingerprint(key.public_key());
            let found = format!("it fits `publicKey` ({fingerprint}), and nobody else may read it");
            return Finding::fine(looked_at, found);
        }
        Err(error) => error,
    };
    let is_forbidden = matches!(
        &error,
        KeyError::Unreadable { source, .. } if source.kind() == ErrorKind::PermissionDenied
    );
    if is_forbidden && !case.is_daemons_user() {
        return Finding::unknown(
            looked_at,
            "this user may not read it: right if the daemon runs as another one",
        )
        .advice("run `kozo doctor` as root, or as the daemon's user");
    }
    let help = case.checked.problems.iter().find_map(|problem| {
        let is_of_key = problem.path == format!("system.{}.privateKey", node.block_name());
        problem.help.clone().filter(|_| is_of_key)
    });
    let finding = Finding::fault(looked_at, error_text(&error)).matters(MATTERS);
    match help {
        Some(help) => finding.advice(help),
        None if is_forbidden => finding.advice(format!(
            "let the daemon's user own it: `chown {} {looked_at}`",
            case.person.name
        )),
        None => finding,
    }
}

/// Whether the daemon's user can read the key, where somebody else looks.
fn readable_to_daemon(case: &Case, described: Described<'_>, looked_at: &str) -> Option<Finding> {
    if !case.person_is_known || case.is_daemons_user() {
        return None;
    }
    let hindered = hindrance(&described.node.private_key, &case.person.user, Wish::Read);
    let (name, place) = (&case.person.name, hindered.ok()??);
    let found = format!(
        "`{}` keeps the daemon's user `{name}` from it",
        place.display()
    );
    Some(
        Finding::fault(looked_at, found)
            .matters(MATTERS)
            .advice(format!("`chown {name} {}`", place.display())),
    )
}
