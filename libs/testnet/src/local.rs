//! What servers on this machine's loopback have in common.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, str};

use crate::network::script;
use crate::process::Unavailable;

/// A TCP port of 127.0.0.1 that nobody listens on, and that the system gives to nobody else for a minute.
///
/// # Panics
/// There is no port left.
pub fn free_port() -> u16 {
    kozo_abi::bench::reserve_port().expect("there is a free port")
}

/// A program on this machine; those that only root starts stand in a folder of their own.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// What a script of this crate puts into a folder of the target folder, and prints the path of.
pub(crate) fn fetched(name: &str) -> Result<PathBuf, Unavailable> {
    let unavailable = |error: io::Error| Unavailable(error.to_string());
    let own = env::current_exe().map_err(unavailable)?;
    // A test is in `target/debug/deps`.
    let target = own.ancestors().nth(3).unwrap_or(Path::new("/tmp"));
    let output = Command::new(script(name))
        .arg(target.join(name))
        .output()
        .map_err(unavailable)?;
    if output.status.success() {
        let path = str::from_utf8(&output.stdout).unwrap_or_default().trim();
        return Ok(PathBuf::from(path));
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Unavailable(reason.trim().to_owned()))
}
