//! `kozo tail`: messages as they pass.

mod line;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use kozo_ground::interest::{Interest, Pattern};
use kozo_ground::text::{count, grouped, printable_json};
use kozo_status::{PassedMessage, TapNumber, TappedMessages};
use serde_json::json;

use super::arguments::TailArguments;
use super::failure::Failure;
use super::output::print_or_broken;
use super::reach::reach;
use crate::control::{Client, ClientError, Conversation};
use crate::introspection::Request;
use line::Lines;

/// For how long a daemon is asked to wait for messages at a time.
const WAIT: Duration = Duration::from_secs(5);

pub(super) fn tail(arguments: &TailArguments) -> Result<(), Failure> {
    let daemon = reach(&arguments.daemon, arguments.on.as_ref())?;
    let interests = interests(arguments);
    let deadline = arguments.timeout.map(|timeout| Instant::now() + timeout);
    let wanted = match arguments.once {
        true => Some(1),
        false => arguments.count,
    };
    let mut view = View {
        lines: (!arguments.json).then(Lines::of_stdout),
        seen: 0,
        wanted,
    };
    let mut tap = Tap::open(&daemon, &interests).map_err(Failure::other)?;
    let heading = view.lines.as_ref().and_then(Lines::heading);
    if !show(heading)? {
        return Ok(());
    }
    loop {
        let now = Instant::now();
        let wait = deadline.map_or(WAIT, |deadline| deadline.duration_since(now).min(WAIT));
        if wait.is_zero() {
            return view.end_of_time();
        }
        let batch = match tap.take(wait) {
            Ok(batch) => batch,
            Err(error @ ClientError::System { .. }) if tap.has_served => {
                // If it is the daemon that has gone, this fails.
                tap = Tap::open(&daemon, &interests).map_err(|_| Failure::other(error))?;
                if !show(Some(view.closed()))? {
                    return Ok(());
                }
                continue;
            }
            Err(error) => return Err(Failure::other(error)),
        };
        if !show(Some(view.text(&batch)))? || view.is_done() {
            return Ok(());
        }
    }
}

/// What the messages have to fit: one of these, or anything if there are none.
fn interests(arguments: &TailArguments) -> Vec<Interest> {
    let patterns = |texts: &[String]| {
        let patterns = texts.iter().map(Pattern::new).collect();
        (!texts.is_empty()).then_some(patterns)
    };
    let any_kind = Interest {
        kind: None,
        type_name: patterns(&arguments.type_name),
        channel: patterns(&arguments.channel),
        role: patterns(&arguments.role),
        node: patterns(&arguments.node),
    };
    if arguments.kind.is_empty() {
        return match any_kind == Interest::default() {
            true => Vec::new(),
            false => vec![any_kind],
        };
    }
    let kinds = arguments.kind.iter().map(|&kind| Interest {
        kind: Some(kind.into()),
        ..any_kind.clone()
    });
    kinds.collect()
}

/// Prints a text; false when nobody reads any more.
fn show(text: Option<String>) -> Result<bool, Failure> {
    match print_or_broken(&text.unwrap_or_default()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Output(error)),
    }
}

/// A tap of a daemon, and the connection that it ends with.
struct Tap {
    conversation: Conversation,
    number: u64,
    /// It has been answered at least once.
    has_served: bool,
}

impl Tap {
    fn open(daemon: &Client, interests: &[Interest]) -> Result<Self, ClientError> {
        let mut conversation = daemon.converse()?;
        let interests = interests.to_vec();
        let TapNumber { tap } = conversation.ask(&Request::OpenTap { interests })?;
        Ok(Self {
            conversation,
            number: tap,
            has_served: false,
        })
    }

    fn take(&mut self, wait: Duration) -> Result<TappedMessages, ClientError> {
        let batch = self.conversation.ask(&Request::Tapped {
            tap: self.number,
            // Never nothing, which would not wait at all.
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1),
        })?;
        self.has_served = true;
        Ok(batch)
    }
}

/// What is shown, and how much of it was.
struct View {
    /// None: as JSON.
    lines: Option<Lines>,
    seen: u64,
    wanted: Option<u64>,
}

impl View {
    fn is_done(&self) -> bool {
        self.wanted == Some(self.seen)
    }

    /// The lines for what came, as far as it is wanted.
    fn text(&mut self, batch: &TappedMessages) -> String {
        let mut text = String::new();
        for message in &batch.messages {
            if self.is_done() {
                return text;
            }
            self.seen += 1;
            text += &self.line(message);
        }
        if batch.left_out > 0 {
            text += &match self.lines {
                Some(_) => format!(
                    "… {} left out: they came faster than this shows them, or were too large\n",
                    messages(batch.left_out)
                ),
                None => format!("{}\n", json!({"left_out": batch.left_out})),
            };
        }
        text
    }

    fn line(&mut self, message: &PassedMessage) -> String {
        match &mut self.lines {
            Some(lines) => lines.line(message),
            None => {
                // It was read from JSON.
                let json = serde_json::to_string(message).unwrap_or_default();
                printable_json(&json).into_owned() + "\n"
            }
        }
    }

    /// What there is to say when the daemon has closed the connection.
    fn closed(&self) -> String {
        match self.lines {
            Some(_) => {
                "… the daemon had closed the connection, as it does with whoever takes nothing for \
                        5 s: what passed meanwhile is left out\n"
                    .to_owned()
            }
            None => format!("{}\n", json!({"closed": true})),
        }
    }

    /// The time is up.
    fn end_of_time(&self) -> Result<(), Failure> {
        match (self.wanted, self.seen) {
            (None, 1..) => Ok(()),
            (_, 0) => Err(Failure::NothingCame("no message came in time".to_owned())),
            (Some(wanted), seen) => Err(Failure::NothingCame(format!(
                "{} came in time, of {}",
                messages(seen),
                grouped(wanted)
            ))),
        }
    }
}

fn messages(number: u64) -> String {
    count(number, "message")
}
