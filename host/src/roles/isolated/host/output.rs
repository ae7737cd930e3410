//! What a role's process writes to its error output: lines of the role's.

use std::io::{BufRead, BufReader, Read};
use std::process::ChildStderr;
use std::sync::Arc;

use kozo_abi::Level;

use crate::modules::RoleServices;
use crate::roles::isolated::protocol::MAX_TEXT;
use crate::roles::services::LifeServices;

/// Takes all of it, until nobody writes any more. Lines are cut at [`MAX_TEXT`] bytes.
pub(super) fn follow(stderr: ChildStderr, services: &Arc<LifeServices>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = stderr.by_ref().take(MAX_TEXT as u64);
        match limited.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            services.log(Level::Warn, text);
        }
    }
}
