//! The words of `kozo bus`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kozo_ground::names::BusName;

const PERMISSIONS_ABOUT: &str = "\
Print what the engine of a bus has to allow each node, for its configuration.

That is the block `authorization` of nats-server, or the access list (`acl_file`) of Mosquitto. Each
node may publish only what is its own, and hear only what is for it. Nodes behind a gateway have no
user: that of the gateway may do what they may.

No passwords and public keys are printed. Where NATS is to have one stands a variable, and the first
line includes a file of yours that lies beside this one: `passwords.conf`, with a line
`password_NODE: \"$2a$11$...\"` for each node, or `nkeys.conf`, with lines `nkey_NODE: UD...`. The
server refuses a name there that nothing refers to.";

#[derive(Debug, Args)]
pub(in crate::cli) struct BusArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: BusCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BusCommand {
    /// Print what the engine of a bus has to allow each node, for its configuration
    #[command(long_about = PERMISSIONS_ABOUT)]
    Permissions(PermissionsArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PermissionsArguments {
    /// The configuration file of the network
    pub(in crate::cli) config: PathBuf,
    /// The bus
    #[arg(value_name = "BUS", value_parser = BusName::new)]
    pub(in crate::cli) bus: BusName,
    /// How nodes log in at NATS: with a password, with an nkey, or with a certificate (`verify_and_map`)
    #[arg(long, value_name = "HOW", default_value = "password")]
    pub(in crate::cli) login: LoginWord,
    /// What stands before the name of a node to make its user: `CN=`, say. Of no use for nodes that have a `user`
    /// in the file
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(in crate::cli) user_prefix: String,
    /// A folder with modules, searched before the others; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) modules: Vec<PathBuf>,
}

/// How nodes log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LoginWord {
    /// With a user and a password
    Password,
    /// With an nkey
    Nkey,
    /// With a certificate
    Certificate,
}
