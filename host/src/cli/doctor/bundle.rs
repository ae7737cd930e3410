//! What a bug report needs, in one text that people can read before they send it.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kozo_ground::text::printable_lines;

use super::case::Case;
use super::finding::Diagnosis;
use super::redaction::Redaction;
use super::render::render;
use crate::config::MAX_FILE_SIZE;
use crate::modules::listing;

/// Who may read the file: this user alone.
const MODE: u32 = 0o600;

/// What is in it, and what is not.
const CONTENTS: &str = "\
In it: the program and the machine (kernel, distribution, architecture); all findings; the configuration
file without comments; the modules of this machine; what the daemon says of itself (`kozo status`).
Not in it: contents of private keys; values of options that are called like passwords, secrets or tokens,
and options of modules that are not on this machine; the log; messages of roles. Folders of users are
shortened, and so are .onion addresses. Names of nodes, addresses and public keys are in it.
";

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(super) enum BundleError {
    #[error("`{}` exists already and is not overwritten: remove it, or name another file", .0.display())]
    Exists(PathBuf),
    #[error("`{}` cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        reason: io::Error,
    },
}

/// Writes it to a new file.
///
/// # Errors
/// [`BundleError`]
pub(super) fn write(
    path: &Path,
    diagnoses: &[Diagnosis],
    cases: &[Arc<Case>],
) -> Result<(), BundleError> {
    let failed = |reason: io::Error| {
        let path = path.to_owned();
        match reason.kind() {
            ErrorKind::AlreadyExists => BundleError::Exists(path),
            _ => BundleError::Write { path, reason },
        }
    };
    let text = text(diagnoses, cases);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// What was written, for whoever asked for it.
pub(super) fn contents(path: &Path) -> String {
    format!(
        "\nWrote {}, a text: read it before you send it.\n{CONTENTS}",
        path.display()
    )
}

fn text(diagnoses: &[Diagnosis], cases: &[Arc<Case>]) -> String {
    let mut redaction = Redaction::new(std::env::var_os("HOME").map(PathBuf::from));
    // First, since only then its secrets are known.
    let files: Vec<String> = cases
        .iter()
        .map(|case| file(case, &mut redaction))
        .collect();
    let mut text = format!("What `kozo doctor` found\n\n{CONTENTS}");
    section(&mut text, "Program and machine", &machine(cases));
    section(&mut text, "Findings", &render(diagnoses, false));
    for (case, file) in cases.iter().zip(&files) {
        section(
            &mut text,
            &format!("File {}", case.target.config.display()),
            file,
        );
        if let Some(prepared) = &case.checked.prepared {
            section(&mut text, "Modules", &listing::table(&prepared.registry));
        }
        let status = case.status().map(serde_json::to_string_pretty);
        if let Some(Ok(status)) = status {
            section(&mut text, "Status of the daemon", &status);
        }
    }
    redaction.text(&printable_lines(&text))
}

fn section(text: &mut String, title: &str, body: &str) {
    // Writing to a text cannot fail.
    let _ = write!(text, "\n===== {title} =====\n{}\n", body.trim_end());
}

fn file(case: &Case, redaction: &mut Redaction) -> String {
    let Some(prepared) = &case.checked.prepared else {
        return "it cannot be read".to_owned();
    };
    let shown = read(&case.target.config)
        .ok()
        .and_then(|bytes| redaction.file(&bytes, &prepared.registry));
    shown.unwrap_or_else(|| "it is no YAML".to_owned())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    io::Read::read_to_end(&mut io::Read::take(file, MAX_FILE_SIZE as u64), &mut bytes)?;
    Ok(bytes)
}

fn machine(cases: &[Arc<Case>]) -> String {
    let system = rustix::system::uname();
    let release = cases
        .first()
        .map(|case| case.machine.read("/etc/os-release"));
    let release = release.and_then(Result::ok).unwrap_or_default();
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    format!(
        "kozo {} (interface {})\n{} {} {}\n{}\nrun by user {}\n",
        env!("CARGO_PKG_VERSION"),
        kozo_abi::VERSION,
        system.sysname().to_string_lossy(),
        system.release().to_string_lossy(),
        system.machine().to_string_lossy(),
        name.unwrap_or("unknown distribution").trim_matches('"'),
        rustix::process::geteuid().as_raw(),
    )
}
