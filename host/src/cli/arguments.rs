//! The words of the command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use kozo_ground::interest::Kind;
use kozo_ground::names::NodeName;

use super::failure::{DOCTOR_EXIT_CODES, EXIT_CODES, Failure, WAITING_EXIT_CODES};
use crate::introspection::MAX_BENCH_SECONDS;
use crate::log::{LogFilter, LogFormat};
use crate::roles::ISOLATED_ROLE;

/// How much a word has to be like the name of a command to be taken for a slip of it, from 0 to 1
/// as Jaro and Winkler measure it.
const MIN_LIKENESS: f64 = 0.85;

/// The longest that a demo runs before it ends by itself, in seconds.
const MAX_DEMO_SECONDS: u64 = 86_400;

/// The longest that a command waits for messages, in seconds: a year.
const MAX_WAITING_SECONDS: f64 = 31_536_000.0;

/// The longest that a command waits for acknowledgements, in seconds: a daemon answers within this time.
const MAX_ACKNOWLEDGING_SECONDS: f64 = 10.0;

/// The most pings of one command.
const MAX_PINGS: u64 = 1_000_000;

const USAGE: &str = "\
kozo [OPTIONS] <CONFIG> <NODE>
       kozo [OPTIONS] <COMMAND>";

const ABOUT: &str = "\
Runs a node of a network that the file CONFIG describes.

`kozo CONFIG NODE` is short for `kozo run CONFIG NODE`. When the file is called like one of the
commands, only the long form does.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "kozo",
    version,
    about = "Runs a node of a network that the file CONFIG describes",
    long_about = ABOUT,
    override_usage = USAGE,
    after_help = EXIT_CODES,
    arg_required_else_help = true,
    max_term_width = 100,
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) log: LogArguments,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct LogArguments {
    /// What to log: off, error, warn, info, debug or trace; other levels for single parts follow,
    /// as in `info,link=debug`
    #[arg(
        long = "log",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    pub(super) filter: LogFilter,
    /// How to log, to the standard error output
    #[arg(
        long = "log-format",
        value_name = "FORMAT",
        default_value = "text",
        global = true
    )]
    pub(super) format: LogFormat,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a node until SIGTERM or SIGINT
    #[command(after_help = EXIT_CODES)]
    Run(RunArguments),
    /// Say what is wrong with a configuration file
    #[command(after_help = EXIT_CODES)]
    Check(CheckArguments),
    /// Make the keys of a node, and print its line for the configuration file
    #[command(after_help = EXIT_CODES)]
    Keygen(KeygenArguments),
    /// Print the addresses that a node's transports make up by themselves (onion), for the
    /// configuration file; before the node runs for the first time, or while it does
    #[command(after_help = EXIT_CODES)]
    Address(AddressArguments),
    /// List the role and transport modules of this machine, or describe one
    #[command(after_help = EXIT_CODES)]
    Modules(ModulesArguments),
    /// Put a checksum at the end of modules' files, by which damage is noticed before they are used
    #[command(after_help = EXIT_CODES)]
    Seal(SealArguments),
    /// Show what the node on this machine does, or other nodes: roles, links and transports
    #[command(after_help = EXIT_CODES)]
    Status(StatusArguments),
    /// Say why there is a link with another node, or none
    #[command(after_help = EXIT_CODES)]
    Why(WhyArguments),
    /// Watch the network: its nodes, links and roles, with what flows in a second
    #[command(after_help = EXIT_CODES)]
    Top(TopArguments),
    /// Measure the link with another node: round trips, and how much gets through. It loads the link
    #[command(after_help = EXIT_CODES)]
    Bench(BenchArguments),
    /// Look for what is wrong with a node on this machine, and say what to do about it
    #[command(after_help = DOCTOR_EXIT_CODES)]
    Doctor(DoctorArguments),
    /// Show messages as they pass the node on this machine
    #[command(after_help = WAITING_EXIT_CODES)]
    Tail(TailArguments),
    /// Send a message, as a role `cli` of the node on this machine
    #[command(after_help = WAITING_EXIT_CODES)]
    Send(SendArguments),
    /// Measure round trips to another node, over the present link with it
    #[command(after_help = WAITING_EXIT_CODES)]
    Ping(PingArguments),
    /// List, restart, stop and start roles of the node on this machine
    #[command(after_help = EXIT_CODES)]
    Roles(RolesArguments),
    /// Show or change what the node on this machine logs, while it runs
    #[command(after_help = EXIT_CODES)]
    LogLevel(LogLevelArguments),
    /// What completions of shells ask: names that the nodes on this machine know
    #[command(hide = true)]
    Complete {
        /// Which names
        names: CompletedNames,
    },
    /// Make the crate of a new role or transport, or a role in another language, which works as it is
    #[command(after_help = EXIT_CODES)]
    New(NewArguments),
    /// Run a network of three nodes on this machine and show what they do
    #[command(after_help = EXIT_CODES)]
    Demo(DemoArguments),
    /// What the host starts for a role with `isolate`; nothing for people
    #[command(name = ISOLATED_ROLE, hide = true)]
    IsolatedRole {
        /// The role, for lists of processes
        label: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The configuration file of the network
    pub(super) config: PathBuf,
    /// The node that this machine is
    #[arg(value_parser = NodeName::new)]
    pub(super) node: NodeName,
    /// End when the program with this number, which started this one, ends
    #[arg(long, hide = true, value_name = "PID")]
    pub(super) end_with_parent: Option<u32>,
    /// Where to put the control socket [default: NODE.sock in the first of $RUNTIME_DIRECTORY,
    /// /run/kozo, $XDG_RUNTIME_DIR/kozo and /tmp/kozo-UID that can be used]
    #[arg(long, value_name = "PATH")]
    pub(super) control: Option<PathBuf>,
}

/// Which daemon to ask.
#[derive(Debug, Args)]
pub(super) struct DaemonArguments {
    /// The control socket of the daemon to ask [default: looked for where daemons put it]
    #[arg(long, value_name = "PATH")]
    pub(super) control: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// The nodes, on this machine or anywhere in the network [default: the one on this machine]
    #[arg(value_name = "NODE", value_parser = NodeName::new)]
    pub(super) nodes: Vec<NodeName>,
    /// All nodes of the network, side by side
    #[arg(long, conflicts_with = "nodes")]
    pub(super) all: bool,
    /// The node on this machine that asks the others; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(super) on: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(super) struct WhyArguments {
    /// The other node
    #[arg(value_parser = NodeName::new)]
    pub(super) peer: NodeName,
    /// The node that shall say so, on this machine or anywhere in the network [default: the one on
    /// this machine]
    #[arg(long, value_name = "NODE", value_parser = NodeName::new)]
    pub(super) of: Option<NodeName>,
    /// The node on this machine; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(super) on: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(super) struct TopArguments {
    /// The node on this machine to ask; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(super) on: Option<NodeName>,
    /// The same, as it was written once
    #[arg(hide = true, conflicts_with = "on", value_parser = NodeName::new)]
    pub(super) node: Option<NodeName>,
    /// Print what was measured in one second as plain text, and end
    #[arg(long)]
    pub(super) once: bool,
    /// Likewise as a JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArguments,
}

impl TopArguments {
    /// The node to ask.
    pub(super) fn asked(&self) -> Option<&NodeName> {
        self.on.as_ref().or(self.node.as_ref())
    }
}

#[derive(Debug, Args)]
pub(super) struct BenchArguments {
    /// The other node
    #[arg(value_parser = NodeName::new)]
    pub(super) peer: NodeName,
    /// For how long to measure, in seconds: half of it round trips, half of it throughput
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=MAX_BENCH_SECONDS))]
    pub(super) seconds: u64,
    /// The node on this machine; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(super) on: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// The configuration file of the network [default: that of the daemons and of the units of systemd
    /// on this machine, or /etc/kozo/kozo.yml]
    pub(super) config: Option<PathBuf>,
    /// The node that this machine is [default: those that run here, or the one whose private key is here]
    #[arg(value_parser = NodeName::new)]
    pub(super) node: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Also write a text with all that a bug report needs and no secrets in it, to a new file
    #[arg(long, value_name = "FILE")]
    pub(super) bundle: Option<PathBuf>,
    #[command(flatten)]
    pub(super) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(super) struct RolesArguments {
    #[command(subcommand)]
    pub(super) command: RolesCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RolesCommand {
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
pub(super) struct ListRolesArguments {
    #[command(flatten)]
    pub(super) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(super) struct OneRoleArguments {
    /// The role
    pub(super) role: String,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
}

/// Which daemon to ask, and how its answer is printed.
#[derive(Debug, Args)]
pub(super) struct AskingArguments {
    /// The node on this machine; needed where several run on it
    #[arg(long, alias = "node", value_name = "NODE", value_parser = NodeName::new)]
    pub(super) on: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(super) struct TailArguments {
    /// Only messages of this kind; this and what follows may be given several times
    #[arg(long, value_name = "KIND")]
    pub(super) kind: Vec<KindWord>,
    /// Only messages of this type; `*` stands for any characters
    #[arg(long = "type", value_name = "PATTERN")]
    pub(super) type_name: Vec<String>,
    /// Only messages with this channel
    #[arg(long, value_name = "PATTERN")]
    pub(super) channel: Vec<String>,
    /// Only messages of this role
    #[arg(long, value_name = "PATTERN")]
    pub(super) role: Vec<String>,
    /// Only messages of roles of this node
    #[arg(long, value_name = "PATTERN")]
    pub(super) node: Vec<String>,
    /// End after the first message
    #[arg(long, conflicts_with = "count")]
    pub(super) once: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// End after so long, with exit code 2 if fewer messages than wanted came, or none
    #[arg(long, value_name = "SECONDS", value_parser = waiting_time)]
    pub(super) timeout: Option<Duration>,
    /// Print each message as a line of JSON
    #[arg(long)]
    pub(super) json: bool,
    /// The node on this machine that is watched; needed where several run on it
    #[arg(long, value_name = "NODE", value_parser = NodeName::new)]
    pub(super) on: Option<NodeName>,
    #[command(flatten)]
    pub(super) daemon: DaemonArguments,
}

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KindWord {
    /// Something happened
    Event,
    /// Somebody is asked to do something
    Order,
    /// A line for the log
    Log,
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Event => Self::Event,
            KindWord::Order => Self::Order,
            KindWord::Log => Self::Log,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct SendArguments {
    /// The kind of message
    pub(super) kind: KindWord,
    /// The type of the message; of a log its text
    #[arg(value_name = "TYPE")]
    pub(super) type_name: String,
    /// The data, as YAML or JSON; `-` reads it from the standard input, `{base64: …}` is bytes [default: none]
    #[arg(allow_hyphen_values = true)]
    pub(super) data: Option<String>,
    /// The channel
    #[arg(long)]
    pub(super) channel: Option<String>,
    /// Wait until all nodes that it goes to have it, with exit code 2 if one has not, or nobody wants it
    #[arg(long)]
    pub(super) wait: bool,
    /// How long to wait at most
    #[arg(long, value_name = "SECONDS", value_parser = acknowledging_time, default_value = "5", requires = "wait")]
    pub(super) timeout: Duration,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(super) struct PingArguments {
    /// The other node
    #[arg(value_name = "NODE", value_parser = NodeName::new)]
    pub(super) peer: NodeName,
    /// How often, a second apart
    #[arg(short, long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=MAX_PINGS))]
    pub(super) count: u64,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
}

#[derive(Debug, Args)]
pub(super) struct LogLevelArguments {
    /// What to change, as `--log` of `kozo run` takes it: `debug` for all, `link=debug` for a part
    #[arg(value_name = "[PART=]LEVEL")]
    pub(super) levels: Vec<String>,
    /// Go back to what the node was started with first
    #[arg(long)]
    pub(super) reset: bool,
    #[command(flatten)]
    pub(super) asking: AskingArguments,
}

/// Names that are completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CompletedNames {
    /// The nodes of the network
    Nodes,
    /// The roles of the nodes on this machine
    Roles,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The configuration file of the network
    pub(super) config: PathBuf,
    /// The node that this machine is: its modules, its private key and the folder for its storage
    /// are checked as well
    #[arg(value_parser = NodeName::new)]
    pub(super) node: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// A folder with modules, searched before the others; may be given several times
    #[arg(long, value_name = "DIR")]
    pub(super) modules: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct KeygenArguments {
    /// The file for the private key; the public one is written next to it, with `.pub` behind its
    /// name
    pub(super) path: PathBuf,
    /// The kind of key
    #[arg(long = "type", value_name = "TYPE", default_value = "ed25519")]
    pub(super) kind: KeyKind,
    /// What stands behind the public key, to tell whose it is [default: kozo@ and the name of this
    /// machine]
    #[arg(long, value_name = "TEXT")]
    pub(super) comment: Option<String>,
}

/// The kinds of keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KeyKind {
    /// `ssh-ed25519`, which is recommended
    Ed25519,
    /// `ssh-rsa` with 3072 bits
    Rsa,
    /// `ecdsa-sha2-nistp256`
    Ecdsa,
}

#[derive(Debug, Args)]
pub(super) struct AddressArguments {
    /// The configuration file of the network
    pub(super) config: PathBuf,
    /// The node that this machine is
    #[arg(value_parser = NodeName::new)]
    pub(super) node: NodeName,
}

#[derive(Debug, Args)]
pub(super) struct ModulesArguments {
    /// The module to describe
    pub(super) name: Option<String>,
    /// The configuration file of the network: its `rolePath` and `transportPath` are searched as well
    #[arg(long, value_name = "CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The node that this machine is, if its `overrideMainConfiguration` names other folders
    #[arg(long, value_name = "NODE", value_parser = NodeName::new, requires = "config")]
    pub(super) node: Option<NodeName>,
    /// Print a JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SealArguments {
    /// The `.so` files of role and transport modules, as they are to be installed: what changes them
    /// later (`strip`) comes before
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct NewArguments {
    /// What to make
    pub(super) kind: NewKind,
    /// The name of the module: letters, digits, `_` and `-`
    pub(super) name: String,
    /// The folder of it, which is made [default: one with the module's name, here]
    #[arg(long, value_name = "DIR")]
    pub(super) path: Option<PathBuf>,
    /// Make a role in Python, which a node runs as a program
    #[arg(long, conflicts_with_all = ["shell", "abi_path"])]
    pub(super) python: bool,
    /// Make a role in plain sh, which a node runs as a program
    #[arg(long, conflicts_with = "abi_path")]
    pub(super) shell: bool,
    /// The folder of the crate `kozo-abi` [default: the installed one, or that of the build tree]
    #[arg(long, value_name = "DIR")]
    pub(super) abi_path: Option<PathBuf>,
}

/// The kinds of modules that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum NewKind {
    /// Sends and receives messages
    Role,
    /// Connects nodes
    Transport,
}

impl NewKind {
    /// What it is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Transport => "transport",
        }
    }

    /// The same at the start of a type's name.
    pub(super) fn type_word(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::Transport => "Transport",
        }
    }

    /// The variable that names folders with such modules.
    pub(super) fn path_variable(self) -> &'static str {
        match self {
            Self::Role => "KOZOROLEPATH",
            Self::Transport => "KOZOTRANSPORTPATH",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// End after so long, and check that messages went from node to node
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) run_for: Option<Duration>,
    /// Keep the folder with the keys, the configuration file and what the nodes wrote
    #[arg(long)]
    pub(super) keep: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=MAX_DEMO_SECONDS) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!(
            "give a whole number of seconds from 1 to {MAX_DEMO_SECONDS}"
        )),
    }
}

/// A time to wait for messages.
fn waiting_time(text: &str) -> Result<Duration, String> {
    seconds_up_to(text, MAX_WAITING_SECONDS)
}

/// A time to wait for acknowledgements.
fn acknowledging_time(text: &str) -> Result<Duration, String> {
    seconds_up_to(text, MAX_ACKNOWLEDGING_SECONDS)
}

fn seconds_up_to(text: &str, most: f64) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= most => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!(
            "give a number of seconds above 0, and {most} at most"
        )),
    }
}

/// Understands the command line.
///
/// # Errors
/// [`Failure::Usage`] when it is wrong or asks for a help text, [`Failure::NoCommand`] when its
/// first word is a command with a slip in it.
pub(super) fn parse(mut words: Vec<OsString>) -> Result<Arguments, Failure> {
    if let Some(place) = place_of_config(&words) {
        // Only what could be no file but one of this folder.
        if let Some(word) = words[place].to_str()
            && word.chars().all(char::is_alphanumeric)
            && !Path::new(word).exists()
            && let Some(near) = near_command(word)
        {
            return Err(Failure::NoCommand {
                word: word.to_owned(),
                near,
            });
        }
        words.insert(place, "run".into());
    }
    Arguments::try_parse_from(words).map_err(Failure::Usage)
}

/// Where the first word that is no option stands, if it is no command either.
fn place_of_config(words: &[OsString]) -> Option<usize> {
    let commands = Arguments::command();
    // Options that take a value of their own word; there are none with short names.
    let takes_value = |word: &OsStr| {
        commands.get_arguments().any(|option| {
            let long = option.get_long().map(|long| format!("--{long}"));
            option.get_action().takes_values() && long.is_some_and(|long| word == long.as_str())
        })
    };
    let mut place = 1;
    loop {
        let word = words.get(place)?;
        if word == "--" {
            // What follows is no option, and no command.
            return Some(place).filter(|_| place + 1 < words.len());
        }
        if takes_value(word) {
            place += 2;
        } else if word.as_encoded_bytes().starts_with(b"-") {
            place += 1;
        } else {
            break;
        }
    }
    let is_command = words[place] == "help"
        || commands
            .get_subcommands()
            .any(|command| words[place] == command.get_name());
    (!is_command).then_some(place)
}

/// The command that is called much like this word.
fn near_command(word: &str) -> Option<String> {
    let command = Arguments::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    names
        .map(|name| (strsim::jaro_winkler(word, name), name))
        .filter(|(likeness, _)| *likeness >= MIN_LIKENESS)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Arguments {
        let words = std::iter::once("kozo").chain(line.split_whitespace());
        parse(words.map(OsString::from).collect()).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    fn run_of(line: &str) -> (Arguments, PathBuf, String) {
        let arguments = parsed(line);
        let Command::Run(run) = &arguments.command else {
            panic!("{line}: {arguments:?}");
        };
        let (config, node) = (run.config.clone(), run.node.to_string());
        (arguments, config, node)
    }

    #[test]
    fn the_table_of_arguments_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_file_and_a_node_run_the_node() {
        for line in [
            "net.yaml clock",
            "run net.yaml clock",
            "--log debug net.yaml clock",
            "--log=debug --log-format json net.yaml clock",
            "net.yaml --log debug clock",
            "net.yaml clock --log debug",
            "--log debug run net.yaml clock",
            "-- net.yaml clock",
        ] {
            let (_, config, node) = run_of(line);
            assert_eq!(config, Path::new("net.yaml"), "{line}");
            assert_eq!(node, "clock", "{line}");
        }
        let (arguments, ..) = run_of("net.yaml clock --log debug --log-format json");
        assert_eq!(arguments.log.filter, "debug".parse().unwrap());
        assert_eq!(arguments.log.format, LogFormat::Json);
    }

    #[test]
    fn files_and_nodes_may_be_called_like_commands() {
        let (_, config, node) = run_of("run check demo");
        assert_eq!(
            (config.as_path(), node.as_str()),
            (Path::new("check"), "demo")
        );
        let (_, config, node) = run_of("./check run");
        assert_eq!(
            (config.as_path(), node.as_str()),
            (Path::new("./check"), "run")
        );
        let (_, config, node) = run_of("-- check check");
        assert_eq!(
            (config.as_path(), node.as_str()),
            (Path::new("check"), "check")
        );
        assert!(matches!(parsed("check run").command, Command::Check(_)));
        assert!(matches!(
            parsed("--log info check run").command,
            Command::Check(_)
        ));
    }

    #[test]
    fn a_slip_in_a_command_is_not_taken_for_a_file() {
        for (line, meant) in [("chekc net.yaml", "check"), ("modlues", "modules")] {
            let words = std::iter::once("kozo").chain(line.split_whitespace());
            match parse(words.map(OsString::from).collect()) {
                Err(Failure::NoCommand { near, .. }) => assert_eq!(near, meant),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_node_to_ask_has_one_name_and_its_older_ones_still_work() {
        for (line, older) in [
            ("status --on clock", "status --node clock"),
            ("why scribe --on clock", "why scribe --node clock"),
            ("bench scribe --on clock", "bench scribe --node clock"),
            ("roles list --on clock", "roles list --node clock"),
            ("top --on clock", "top --node clock"),
        ] {
            let (newer, older) = (parsed(line).command, parsed(older).command);
            assert_eq!(format!("{newer:?}"), format!("{older:?}"));
            assert!(format!("{newer:?}").contains("on: Some"), "{newer:?}");
        }
        let Command::Top(top) = parsed("top clock").command else {
            panic!("`top` is a command");
        };
        assert_eq!(top.asked().map(NodeName::as_str), Some("clock"));
        // Of `tail`, the messages of a node are meant.
        let Command::Tail(tail) = parsed("tail --node scribe --on clock").command else {
            panic!("`tail` is a command");
        };
        assert_eq!(tail.node, ["scribe"]);
    }

    #[test]
    fn the_time_of_a_demo_has_bounds() {
        assert_eq!(seconds("20"), Ok(Duration::from_secs(20)));
        for text in ["0", "-1", "1.5", "86401", "", "99999999999999999999"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
