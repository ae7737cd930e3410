//! The hosts, and what lies between them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::process::{LIFETIME, Process, Unavailable};

/// What the routers of both homes do with IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// Nothing: addresses are routed. Unasked, nothing comes in.
    None,
    /// A port keeps its number, whoever it speaks to: holes can be punched.
    Cone,
    /// Another port for each destination: only a relay helps.
    Symmetric,
}

/// Whether there is IPv6, which is routed. Unasked, nothing comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6 {
    /// There is.
    Yes,
    /// There is none.
    No,
}

/// A host of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// At home behind the first router.
    A,
    /// At home behind the second one.
    B,
    /// The first router.
    RouterA,
    /// The second router.
    RouterB,
    /// In the middle, at 203.0.113.1 and 2001:db8::1.
    Public,
}

impl Host {
    /// The name of its namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::RouterA => "nat-a",
            Self::RouterB => "nat-b",
            Self::Public => "public",
        }
    }
}

/// A network. It is gone when this is dropped.
#[derive(Debug)]
pub struct Network {
    // Before the folder, which its processes write to.
    holder: Process,
    folder: TempDir,
    ipv6: Ipv6,
}

/// What has to be there, and Debian's package with it.
const TOOLS: [(&str, &str); 8] = [
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("nft", "nftables"),
    ("sysctl", "procps"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("timeout", "coreutils"),
];

impl Network {
    /// Makes a network.
    ///
    /// # Errors
    /// It cannot be made here: a test that needs it is to be skipped.
    pub fn start(nat: Nat, ipv6: Ipv6) -> Result<Self, Unavailable> {
        if !rustix::process::geteuid().is_root() {
            return Err(Unavailable(
                "only root can make network namespaces".to_owned(),
            ));
        }
        need(&TOOLS)?;
        let folder = tempfile::Builder::new()
            .prefix("kozo-testnet-")
            .tempdir()
            .map_err(|error| Unavailable(format!("there can be no folder: {error}")))?;
        // The names of namespaces are files in a file system that only those in this mount namespace see.
        let script = "mkdir -p /run/netns && mount -t tmpfs testnet /run/netns && echo held && exec sleep \"$1\"";
        let mut command = lasting("KILL", "unshare");
        command.args(["--mount", "--", "sh", "-c", script, "sh"]);
        command.arg(LIFETIME.as_secs().to_string());
        let mut holder = Process::start(command, folder.path(), "holder");
        let made = holder.wait_for("held");
        let network = Self {
            holder,
            folder,
            ipv6,
        };
        made.map_err(Unavailable)?;
        network.lay(nat).map_err(Unavailable)?;
        Ok(network)
    }

    fn lay(&self, nat: Nat) -> Result<(), String> {
        let nat = match nat {
            Nat::None => "none",
            Nat::Cone => "cone",
            Nat::Symmetric => "symmetric",
        };
        let ipv6 = if self.has_ipv6() { "yes" } else { "no" };
        let mut command = self.within();
        command.arg("timeout").arg("60").arg(script("network"));
        finished(command.args([nat, ipv6])).map(|_| ())
    }

    /// Whether there is IPv6.
    pub fn has_ipv6(&self) -> bool {
        self.ipv6 == Ipv6::Yes
    }

    /// A folder for files of the test, which ends with the network.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn within(&self) -> Command {
        let mut command = Command::new("nsenter");
        let holder = self.holder.id().to_string();
        command.args(["--mount", "--target", &holder, "--"]);
        command
    }

    /// A program on a host, for a `Command` of the test's own. The process's number is that of the program, and it ends
    /// with the thread that starts it. Its working folder is `/`.
    pub fn command(&self, host: Host, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.command_with("KILL", host, program)
    }

    fn command_with(
        &self,
        signal: &str,
        host: Host,
        program: impl AsRef<std::ffi::OsStr>,
    ) -> Command {
        let mut command = self.within();
        command.args([
            "ip",
            "netns",
            "exec",
            host.name(),
            "setpriv",
            "--pdeathsig",
            signal,
            "--",
        ]);
        command.arg(program);
        command
    }

    /// Starts a program on a host. Its output is kept under `name`.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn spawn(
        &self,
        host: Host,
        name: &str,
        program: impl AsRef<std::ffi::OsStr>,
        arguments: &[&str],
    ) -> Process {
        let mut command = self.command(host, program);
        command.args(arguments);
        self.keep(command, name)
    }

    /// Starts a command that [`command`](Self::command) gave. Its output is kept under `name`.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn keep(&self, command: Command, name: &str) -> Process {
        Process::start(command, self.folder(), name)
    }

    /// Starts a script of this crate on a host. It gets a SIGTERM in the end, since it has processes of its own.
    pub(crate) fn script(
        &self,
        host: Host,
        name: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Process {
        let mut command = self.command_with("TERM", host, "timeout");
        let limit = LIFETIME.as_secs().to_string();
        command.args(["--kill-after=10", &limit]);
        command.arg(script(name)).args(arguments);
        command.envs(environment.iter().copied());
        Process::start(command, self.folder(), name)
    }

    /// Runs a program on a host to its end, which is waited for a minute.
    ///
    /// # Errors
    /// It failed; with what it printed.
    pub fn run(&self, host: Host, program: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = self.command(host, "timeout");
        finished(command.arg("60").arg(program).args(arguments))
    }

    /// Lets nothing through a router any more: its cable is cut. What it remembers of connections stays.
    ///
    /// # Panics
    /// The router refuses.
    pub fn cut(&self, router: Host) {
        let rules = "add table inet cut; \
            add chain inet cut forward { type filter hook forward priority -10; policy drop; }; \
            add chain inet cut input { type filter hook input priority -10; policy drop; }; \
            add chain inet cut output { type filter hook output priority -10; policy drop; }";
        self.run(router, "nft", &[rules])
            .expect("a router takes rules");
    }

    /// Undoes [`cut`](Self::cut).
    ///
    /// # Panics
    /// The router refuses.
    pub fn mend(&self, router: Host) {
        self.run(router, "nft", &["delete table inet cut"])
            .expect("a router takes rules");
    }
}

/// A command that ends with the thread that starts it.
pub(crate) fn lasting(signal: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

fn finished(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{text}{errors}", output.status))
}

/// Where a script of this crate is.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name)
}

/// Finds out whether all these programs are there.
pub(crate) fn need(tools: &[(&str, &str)]) -> Result<(), Unavailable> {
    for (tool, package) in tools {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .stdout(Stdio::null())
            .status();
        if !found.is_ok_and(|status| status.success()) {
            return Err(Unavailable(format!(
                "there is no `{tool}`: install Debian's package `{package}`"
            )));
        }
    }
    Ok(())
}
