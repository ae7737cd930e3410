//! What commands that show and send messages are told.

use std::time::Duration;

use clap::{Args, ValueEnum};
use kozo_ground::interest::Kind;
use kozo_ground::names::NodeName;

use super::asking::{AskingArguments, DaemonArguments};

/// The longest that a command waits for messages, in seconds: a year.
const MAX_WAITING_SECONDS: f64 = 31_536_000.0;

/// The longest that a command waits for acknowledgements, in seconds: a daemon answers within this time.
const MAX_ACKNOWLEDGING_SECONDS: f64 = 10.0;

#[derive(Debug, Args)]
pub(in crate::cli) struct TailArguments {
    /// Only messages of this kind; this and what follows may be given several times
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) kind: Vec<KindWord>,
    /// Only messages of this type; `*` stands for any characters
    #[arg(long = "type", value_name = "PATTERN")]
    pub(in crate::cli) type_name: Vec<String>,
    /// Only messages with this channel
    #[arg(long, value_name = "PATTERN")]
    pub(in crate::cli) channel: Vec<String>,
    /// Only messages of this role
    #[arg(long, value_name = "PATTERN")]
    pub(in crate::cli) role: Vec<String>,
    /// Only messages of roles of this node
    #[arg(long, value_name = "PATTERN")]
    pub(in crate::cli) node: Vec<String>,
    /// End after the first message
    #[arg(long, conflicts_with = "count")]
    pub(in crate::cli) once: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    /// End after so long, with exit code 2 if fewer messages than wanted came, or none
    #[arg(long, value_name = "SECONDS", value_parser = waiting_time)]
    pub(in crate::cli) timeout: Option<Duration>,
    /// Print each message as a line of JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// The node on this machine that is watched; needed where several run on it
    #[arg(long, value_name = "NODE", value_parser = NodeName::new)]
    pub(in crate::cli) on: Option<NodeName>,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArguments,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SendArguments {
    /// The kind of message
    pub(in crate::cli) kind: KindWord,
    /// The type of the message; of a log its text
    #[arg(value_name = "TYPE")]
    pub(in crate::cli) type_name: String,
    /// The data, as YAML or JSON; `-` reads it from the standard input, `{base64: …}` is bytes [default: none]
    #[arg(allow_hyphen_values = true)]
    pub(in crate::cli) data: Option<String>,
    /// The channel
    #[arg(long)]
    pub(in crate::cli) channel: Option<String>,
    /// Wait until all nodes that it goes to have it, with exit code 2 if one has not, or nobody wants it
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    /// How long to wait at most
    #[arg(long, value_name = "SECONDS", value_parser = acknowledging_time, default_value = "5", requires = "wait")]
    pub(in crate::cli) timeout: Duration,
    #[command(flatten)]
    pub(in crate::cli) asking: AskingArguments,
}

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum KindWord {
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
