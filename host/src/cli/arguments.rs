//! The words of the command line.

mod asking;
mod bus;
mod messages;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use kozo_ground::names::NodeName;

pub(super) use asking::{
    BenchArguments, CompletedNames, DaemonArguments, DoctorArguments, ListRolesArguments,
    LogLevelArguments, OneRoleArguments, PingArguments, RolesArguments, RolesCommand,
    StatusArguments, TopArguments, WhyArguments,
};
pub(super) use bus::{BusArguments, BusCommand, LoginWord, PermissionsArguments};
pub(super) use messages::{KindWord, SendArguments, TailArguments};

use super::failure::{DOCTOR_EXIT_CODES, EXIT_CODES, Failure, WAITING_EXIT_CODES};
use crate::log::{LogFilter, LogFormat};
use crate::roles::ISOLATED_ROLE;

/// How much a word has to be like the name of a command to be taken for a slip of it, from 0 to 1
/// as Jaro and Winkler measure it.
const MIN_LIKENESS: f64 = 0.85;

/// The longest that a demo runs before it ends by itself, in seconds.
const MAX_DEMO_SECONDS: u64 = 86_400;

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

/// The same where the command is `run`: what starts with a machine does not make the tables of all commands first.
#[derive(Debug, Parser)]
#[command(name = "kozo")]
struct RunAlone {
    #[command(flatten)]
    log: LogArguments,
    #[command(subcommand)]
    command: Run,
}

#[derive(Debug, Subcommand)]
enum Run {
    Run(RunArguments),
}

impl From<RunAlone> for Arguments {
    fn from(alone: RunAlone) -> Self {
        let Run::Run(run) = alone.command;
        Self {
            log: alone.log,
            command: Command::Run(run),
        }
    }
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
    /// Print what stands for a password in the configuration file: its hash. The password is asked for, or read
    /// from the standard input
    #[command(after_help = EXIT_CODES)]
    Password,
    /// What concerns a bus of the network
    #[command(after_help = EXIT_CODES)]
    Bus(BusArguments),
    /// Print the addresses that a node's transports make up by themselves (onion), for the
    /// configuration file; before the node runs for the first time, or while it does
    #[command(after_help = EXIT_CODES)]
    Address(AddressArguments),
    /// List the role, transport and bus modules of this machine, or describe one
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
    /// Make the crate of a new role, transport or bus, or a role in another language, which works as it is
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
    /// Print a line for a file of members (`members`), for the node of this name. Of a key that is there already, its
    /// line is printed and nothing is made
    #[arg(long, value_name = "NODE", value_parser = NodeName::new)]
    pub(super) member: Option<NodeName>,
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
    /// The `.so` files of role, transport and bus modules, as they are to be installed: what changes them
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
    /// Carries datagrams between all nodes on it, over an engine that is there already
    Bus,
}

impl NewKind {
    /// What it is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Transport => "transport",
            Self::Bus => "bus",
        }
    }

    /// The same at the start of a type's name.
    pub(super) fn type_word(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::Transport => "Transport",
            Self::Bus => "Bus",
        }
    }

    /// The variable that names folders with such modules.
    pub(super) fn path_variable(self) -> &'static str {
        match self {
            Self::Role => "KOZOROLEPATH",
            Self::Transport | Self::Bus => "KOZOTRANSPORTPATH",
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

/// Understands the command line.
///
/// # Errors
/// [`Failure::Usage`] when it is wrong or asks for a help text, [`Failure::NoCommand`] when its
/// first word is a command with a slip in it.
pub(super) fn parse(mut words: Vec<OsString>) -> Result<Arguments, Failure> {
    // Whatever is wrong with it, or no command to run a node, is told from all there is to know.
    if let Ok(alone) = RunAlone::try_parse_from(&words) {
        return Ok(alone.into());
    }
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
