//! Python, as far as it is here.

use std::process::{Command, Stdio};

/// Whether there is a `python3`.
pub(super) fn has_python() -> bool {
    let mut command = Command::new("python3");
    command.arg("--version");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
