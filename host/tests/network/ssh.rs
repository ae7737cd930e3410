//! OpenSSH's client.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// OpenSSH's client, as `user` with a key, with these further arguments.
fn ssh_command(port: u16, user: &str, key: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("ssh");
    command
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
        ])
        .args([
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args(["-o", "IdentityAgent=none", "-o", "ConnectTimeout=90", "-i"])
        .arg(key)
        .args(["-p", &port.to_string(), "-l", user, "127.0.0.1"])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// What it comes to, with nothing on the standard input.
pub(crate) fn ssh(port: u16, user: &str, key: &Path, arguments: &[&str]) -> Output {
    ssh_command(port, user, key, arguments).output().unwrap()
}

/// What the subsystem says first to OpenSSH's client with these options. The end of the standard input would end the link.
pub(crate) fn greeting(port: u16, user: &str, key: &Path, options: &[&str]) -> Option<String> {
    let arguments = [options, &["-s", "kozo"]].concat();
    let mut ssh = ssh_command(port, user, key, &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0; 256];
    let length = ssh.stdout.take().unwrap().read(&mut first).unwrap();
    drop(ssh.stdin.take());
    ssh.wait().unwrap();
    Some(text(&first[..length])).filter(|greeting| !greeting.is_empty())
}

/// Output, for people to read.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
