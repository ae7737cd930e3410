//! Two network namespaces with a cable between them, gone when the test is.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The network's interface in both namespaces.
const INTERFACE: &str = "cable";

/// How long making the namespaces may take: generous, for what takes longer is skipped.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long a namespace lives if nobody ends it, in seconds.
const LIFETIME: &str = "1800";

/// Both namespaces; each lives as long as the process that holds it, and those that were started
/// in it.
pub(crate) struct Namespaces {
    holders: [Holder; 2],
    /// Whether the kernel can delay and lose packets at random.
    has_netem: bool,
}

/// Keeps a namespace; killed when dropped.
struct Holder(Child);

impl Namespaces {
    /// Makes them, or says why not: then the test is to be skipped.
    pub(crate) fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can make network namespaces".to_owned());
        }
        for tool in ["unshare", "nsenter", "ip", "ss", "tc"] {
            let known = Command::new("sh")
                .args(["-c", &format!("command -v {tool}")])
                .stdout(Stdio::null())
                .status();
            if !known.is_ok_and(|status| status.success()) {
                return Err(format!("there is no `{tool}`"));
            }
        }
        let mut namespaces = Self {
            holders: [Holder::new()?, Holder::new()?],
            has_netem: true,
        };
        let far = namespaces.holders[1].0.id().to_string();
        namespaces.run(
            0,
            &[
                "ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE, "netns",
                &far,
            ],
        )?;
        for end in [0, 1] {
            namespaces.run(end, &["ip", "link", "set", "lo", "up"])?;
            namespaces.add_address(end)?;
            namespaces.set_cable(end, true)?;
        }
        // The tool knows it; the kernel may not.
        namespaces.has_netem = namespaces
            .set_slow(0, true)
            .and_then(|()| namespaces.set_slow(0, false))
            .is_ok();
        if !namespaces.has_netem {
            // Past the capture of what passing tests print.
            let note = "note: this kernel has no `netem`: a slow path delays and loses by `tbf`";
            writeln!(std::io::stderr(), "{note}").map_err(|error| error.to_string())?;
        }
        Ok(namespaces)
    }

    /// The address in a namespace; it is in no other network of this machine.
    pub(crate) fn address(end: usize) -> String {
        format!("10.77.0.{}", end + 1)
    }

    /// A command that runs in a namespace.
    pub(crate) fn command(&self, end: usize, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.holders[end].0.id();
        command
            .arg(format!("--net=/proc/{pid}/ns/net"))
            .arg(program);
        command
    }

    /// Runs a program in a namespace to its end.
    pub(crate) fn run(&self, end: usize, arguments: &[&str]) -> Result<(), String> {
        let mut command = self.command(end, arguments[0]);
        let output = command.args(&arguments[1..]).output();
        let output = output.map_err(|error| format!("{arguments:?}: {error}"))?;
        if output.status.success() {
            Ok(())
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{arguments:?}: {said}"))
        }
    }

    /// Plugs the cable in, or pulls it, at one end.
    pub(crate) fn set_cable(&self, end: usize, plugged: bool) -> Result<(), String> {
        let state = if plugged { "up" } else { "down" };
        self.run(end, &["ip", "link", "set", INTERFACE, state])
    }

    /// Gives an end its address.
    pub(crate) fn add_address(&self, end: usize) -> Result<(), String> {
        let address = format!("{}/24", Self::address(end));
        self.run(end, &["ip", "address", "add", &address, "dev", INTERFACE])
    }

    /// Takes an end's address away.
    pub(crate) fn remove_address(&self, end: usize) -> Result<(), String> {
        let address = format!("{}/24", Self::address(end));
        self.run(end, &["ip", "address", "del", &address, "dev", INTERFACE])
    }

    /// Drops silently whatever an end sends to the other one.
    pub(crate) fn set_silent(&self, end: usize, silent: bool) -> Result<(), String> {
        let change = if silent { "add" } else { "del" };
        let other = Self::address(1 - end);
        self.run(end, &["ip", "route", change, "blackhole", &other])
    }

    /// Makes what an end sends slow: some of it is lost, and the rest is late. Without `netem`, only
    /// what does not fit is lost.
    pub(crate) fn set_slow(&self, end: usize, slow: bool) -> Result<(), String> {
        let how = if self.has_netem {
            "netem rate 256kbit delay 30ms 20ms loss 5%"
        } else {
            "tbf rate 256kbit burst 4kb latency 60ms"
        };
        let mut arguments = vec!["tc", "qdisc"];
        arguments.push(if slow { "add" } else { "del" });
        arguments.extend(["dev", INTERFACE, "root"]);
        if slow {
            arguments.extend(how.split(' '));
        }
        self.run(end, &arguments)
    }

    /// Resets all connections of an end with the other one.
    pub(crate) fn reset(&self, end: usize) -> Result<(), String> {
        self.run(end, &["ss", "-K", "dst", &Self::address(1 - end)])
    }
}

impl Holder {
    fn new() -> Result<Self, String> {
        let own = namespace_of("self");
        let holder = Command::new("unshare")
            .args(["--net", "sleep", LIFETIME])
            .stdin(Stdio::null())
            .spawn()
            .map(Self);
        let mut holder = holder.map_err(|error| format!("`unshare`: {error}"))?;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let exited = holder.0.try_wait().map_err(|error| error.to_string())?;
            if exited.is_some() || Instant::now() > deadline {
                return Err("`unshare` makes no network namespace".to_owned());
            }
            let its = namespace_of(&holder.0.id().to_string());
            if its.is_some() && its != own {
                return Ok(holder);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn namespace_of(pid: &str) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}
