//! The commands.

mod ask;
mod help;
mod messages;
mod send;
mod stacks;

use std::sync::Arc;

use tokio::sync::watch;

use crate::gdbserver::Gdbservers;
use crate::node::Node;
use crate::output::Output;
use crate::server::Time;
use crate::text::{shortened, span};

/// How many characters of a command are noted.
const NOTED_CHARACTERS: usize = 200;

/// What has become of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    /// The session shall end.
    Quit,
}

impl Outcome {
    /// The exit status of a session that ends with it.
    pub(crate) fn status(self) -> u32 {
        match self {
            Self::Done | Self::Quit => 0,
            Self::Failed => 1,
        }
    }
}

/// What one session works with.
pub(crate) struct Console {
    node: Arc<dyn Node>,
    times: watch::Receiver<Time>,
    client: String,
    /// Those that were started here; they end with the session.
    gdbservers: Gdbservers,
}

impl Console {
    pub(crate) fn new(node: Arc<dyn Node>, times: watch::Receiver<Time>, client: String) -> Self {
        Self {
            node,
            times,
            client,
            gdbservers: Gdbservers::default(),
        }
    }

    /// Where the console is: `debugger@hall`.
    pub(crate) fn place(&self) -> String {
        format!("{}@{}", self.node.role(), self.node.name())
    }

    /// Whether something was started here that ends with the session.
    pub(crate) fn has_started_something(&self) -> bool {
        self.gdbservers.is_running()
    }

    /// Whether a command goes on until a key is pressed.
    pub(crate) fn is_live(line: &str) -> bool {
        line.split_whitespace().next() == Some("messages")
    }

    /// Runs a command.
    pub(crate) fn execute(&self, line: &str, output: &Output) -> Outcome {
        let line = line.trim();
        let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let done = match command {
            "help" | "?" => help::help(rest, output),
            "quit" | "exit" | "logout" => return Outcome::Quit,
            "status" => self.status(output),
            "roles" => self.roles(output),
            "links" => self.links(output),
            "network" => self.network(output),
            "ping" => self.ping(rest, output),
            "why" => self.why(rest, output),
            "queues" => self.queues(output),
            "interests" => self.interests(rest, output),
            "options" => self.options(rest, output),
            "storage" => self.storage(rest, output),
            "log-level" => self.log_level(rest, output),
            "messages" => self.messages(rest, output),
            "restart" | "stop" | "start" => self.steer(command, rest, output),
            "send" => self.send(rest, output),
            "threads" => self.threads(rest, output),
            "gdbserver" => self.gdbserver(rest, output),
            "time" => {
                let left = self.times.borrow().left();
                output.line(&format!(
                    "the console is closed in {}",
                    span(left.as_secs_f64())
                ));
                Ok(())
            }
            _ => Err(format!("there is no command `{command}`: try `help`")),
        };
        match done {
            Ok(()) => Outcome::Done,
            Err(error) => {
                output.line(&format!("error: {error}"));
                Outcome::Failed
            }
        }
    }

    /// Notes a command that changes something.
    fn note(&self, command: &str) {
        let command = shortened(command, NOTED_CHARACTERS);
        self.node.note(&format!("{}: {command}", self.client));
    }
}
