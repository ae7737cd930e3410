//! The node's private key: whether it is the right one, and who may read it. And what the node reads besides.

use std::io::ErrorKind;
use std::path::Path;

use kozo_access::{Wish, hindrance};
use kozo_auth::keys::{self, KeyError};
use kozo_ground::text::error_text;

use super::case::{Case, Described};
use super::finding::Finding;
use crate::cli::files::{Fault, ReadFile};

const MATTERS: &str = "with its key a node proves who it is: without it there are no links, and whoever \
                       has it can be the node";

const MATTERS_OF_FILES: &str = "the bus, role or transport that reads it does not work without it";

pub(super) fn look(case: &Case) -> Vec<Finding> {
    let Some(described) = case.described() else {
        return Vec::new();
    };
    let path = &described.node.private_key;
    let looked_at = path.display().to_string();
    let mut findings = vec![own_key(case, described, &looked_at)];
    findings.extend(readable_to_daemon(case, path, &looked_at, MATTERS));
    for file in &case.files {
        let looked_at = format!("{} ({})", file.path.display(), file.option);
        let kept = readable_to_daemon(case, &file.path, &looked_at, MATTERS_OF_FILES);
        findings.push(kept.unwrap_or_else(|| judge(case, file, &looked_at)));
    }
    findings
}

/// A file other than the key, as this user sees it.
fn judge(case: &Case, file: &ReadFile, looked_at: &str) -> Finding {
    let fault = |found: &str| Finding::fault(looked_at, found).matters(MATTERS_OF_FILES);
    match &file.fault {
        None => Finding::fine(looked_at, "it can be read"),
        Some(Fault::Wrong(found, Some(help))) => fault(found).advice(*help),
        Some(Fault::Wrong(found, None)) => fault(found),
        Some(Fault::Forbidden(_)) if !case.is_daemons_user() => hidden(looked_at),
        Some(Fault::Forbidden(found)) => fault(found).advice(own_it(case, &file.path)),
    }
}

fn hidden(looked_at: &str) -> Finding {
    let found = "this user may not read it: right if the daemon runs as another one";
    Finding::unknown(looked_at, found).advice("run `kozo doctor` as root, or as the daemon's user")
}

fn own_key(case: &Case, described: Described<'_>, looked_at: &str) -> Finding {
    let node = described.node;
    let checked =
        keys::load_private(&node.private_key).and_then(|key| Ok((node.check_key(&key)?, key)));
    let error = match checked {
        Ok(((), key)) => {
            let fingerprint = keys::fingerprint(key.public_key());
            let stands = &node.public_keys_stand;
            let article = if node.group.is_some() { "the " } else { "" };
            let found =
                format!("it fits {article}{stands} ({fingerprint}), and nobody else may read it");
            return Finding::fine(looked_at, found);
        }
        Err(error) => error,
    };
    let is_forbidden = matches!(
        &error,
        KeyError::Unreadable { source, .. } if source.kind() == ErrorKind::PermissionDenied
    );
    if is_forbidden && !case.is_daemons_user() {
        return hidden(looked_at);
    }
    let help = case.checked.problems.iter().find_map(|problem| {
        let is_of_key = problem.path == format!("system.{}.privateKey", node.block_name());
        problem.help.clone().filter(|_| is_of_key)
    });
    let finding = Finding::fault(looked_at, error_text(&error)).matters(MATTERS);
    match help {
        Some(help) => finding.advice(help),
        None if is_forbidden => finding.advice(own_it(case, &node.private_key)),
        None => finding,
    }
}

fn own_it(case: &Case, path: &Path) -> String {
    let (name, path) = (&case.person.name, path.display());
    format!("let the daemon's user own it: `chown {name} {path}`")
}

/// Whether the daemon's user can read a file, where somebody else looks.
fn readable_to_daemon(
    case: &Case,
    path: &Path,
    looked_at: &str,
    matters: &'static str,
) -> Option<Finding> {
    if !case.person_is_known || case.is_daemons_user() {
        return None;
    }
    let hindered = hindrance(path, &case.person.user, Wish::Read);
    let (name, place) = (&case.person.name, hindered.ok()??);
    let found = format!(
        "`{}` keeps the daemon's user `{name}` from it",
        place.display()
    );
    Some(
        Finding::fault(looked_at, found)
            .matters(matters)
            .advice(format!("`chown {name} {}`", place.display())),
    )
}
