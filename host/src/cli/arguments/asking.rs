//! What commands that ask nodes about themselves, or steer them, are told.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kozo_ground::names::NodeName;

use crate::introspection::MAX_BENCH_SECONDS;

/// The most pings of one command.
const MAX_PINGS: u64 = 1_000_000;

/// Which daemon to ask.
#[derive(Debug, Args)]
pub(in crate::cli) struct DaemonArguments {
    /// The control socket of the daemon to ask [default: looked for where daemons put it]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) control: Option<PathBuf>,
}

/// Which daemon to ask, and how its answer is printed.
#[derive(Debug, Args)]
pub(in crate::cli) struct AskingArguments {
    /// The node on this machine; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(in crate::cli) on: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArguments {
    /// The nodes, on this machine or anywhere in the network [default: the one on this machine]
    #[arg(value_name = "NODE", value_parser = NodeName::new)]
    pub(in crate::cli) nodes: Vec<NodeName>,
    /// All nodes of the network, side by side
    #[arg(long, conflicts_with = "nodes")]
    pub(in crate::cli) all: bool,
    /// The nodes that were heard of over buses, as far as this node hears any
    #[arg(id = "bus_nodes", long = "nodes", conflicts_with_all = ["nodes", "all"])]
    pub(in crate::cli) bus_nodes: bool,
    /// The node on this machine that asks the others; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(in crate::cli) on: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WhyArguments {
    /// The other node
    #[arg(value_parser = NodeName::new)]
    pub(in crate::cli) peer: NodeName,
    /// The node that shall say so, on this machine or anywhere in the network [default: the one on
    /// this machine]
    #[arg(long, value_name = "NODE", value_parser = NodeName::new)]
    pub(in crate::cli) of: Option<NodeName>,
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TopArguments {
    /// The node on this machine to ask; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(in crate::cli) on: Option<NodeName>,
    /// The same, as it was written once
    #[arg(hide = true, conflicts_with = "on", value_parser = NodeName::new)]
    pub(in crate::cli) node: Option<NodeName>,
    /// Print what was measured in one second as plain text, and end
    #[arg(long)]
    pub(in crate::cli) once: bool,
    /// Likewise as a JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArguments,
}

impl TopArguments {
    /// The node to ask.
    pub(in crate::cli) fn asked(&self) -> Option<&NodeName> {
        self.on.as_ref().or(self.node.as_ref())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchArguments {
    /// The other node
    #[arg(value_parser = NodeName::new)]
    pub(in crate::cli) peer: NodeName,
    /// For how long to measure, in seconds: half of it round trips, half of it throughput
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=MAX_BENCH_SECONDS))]
    pub(in crate::cli) seconds: u64,
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArguments {
    /// The configuration file of the network [default: that of the daemons and of the units of systemd
    /// on this machine, or /etc/kozo/kozo.yml]
    pub(in crate::cli) config: Option<PathBuf>,
    /// The node that this machine is [default: those that run here, or the one whose private key is here]
    #[arg(value_parser = NodeName::new)]
    pub(in crate::cli) node: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Also write a text with all that a bug report needs and no secrets in it, to a new file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) bundle: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RolesArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: RolesCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RolesCommand {
    /// List the roles
    List(ListRolesArguments),
    /// Restart a role, from the present file of its module
    Restart(OneRoleArguments),
    /// Stop a role until it is started again, or the node is; what is sent to it meanwhile is dropped
    Stop(OneRoleArguments),
    /// Start a role that was stopped, from the present file of its module
    Start(OneRoleArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListRolesArguments {
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct OneRoleArguments {
    /// The role
    pub(in crate::cli) role: String,
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PingArguments {
    /// The other node
    #[arg(value_name = "NODE", value_parser = NodeName::new)]
    pub(in crate::cli) peer: NodeName,
    /// How often, a second apart
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=MAX_PINGS))]
    pub(in crate::cli) count: u64,
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LogLevelArguments {
    /// What to change, as `--log` of `kozo run` takes it: `debug` for all, `link=debug` for a part
    #[arg(value_name = "[PART=]LEVEL")]
    pub(in crate::cli) levels: Vec<String>,
    /// Go back to what the node was started with first
    #[arg(long)]
    pub(in crate::cli) reset: bool,
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
}

/// Names that are completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CompletedNames {
    /// The nodes of the network
    Nodes,
    /// The roles of the nodes on this machine
    Roles,
}
