//! Runs a program, which gets and sends messages as lines of JSON.
//!
//! ```text
//!                 ┌─────────────────────── this role ───────────────────────┐
//!   host's inbox ─┼▶ role's thread ──▶ Outbox ───────────── standard input ─┼▶ ┌─────────┐
//!                 │                      ▲ answers                          │  │ program │
//!   host ◀────────┼──────────────── listener thread ◀────── standard output ┼─ │         │
//!   log  ◀────────┼──────────────── errors thread   ◀────── error output ───┼─ └─────────┘
//!                 └─────────────────────────────────────────────────────────┘
//! ```
//!
//! The queue for a program that does not read is the role's inbox, where the host drops and counts what is too
//! much. For one that writes faster than its messages are taken it is the pipe: it has to wait.
//!
//! [`said`] is what lines of the program mean and [`told`] what it is told, both pure; the rest is thin.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kozo_abi::{Error, Role, RoleHost, export_role};

mod complaints;
mod errors;
mod listener;
mod options;
mod outbox;
mod process;
mod questions;
mod rate;
mod said;
mod shared;
#[cfg(test)]
mod tests;
mod told;

use options::Options;
use outbox::Flushed;
use process::Process;

/// How long the role's thread waits at a time for a message, or for a program that does not read, before it
/// looks how the program is.
const WATCH: Duration = Duration::from_millis(250);

/// How much is put together before it is handed to the program, in bytes: enough for calls of the system to cost
/// little, and no more than that, since what is here does not count as waiting in the inbox.
const CHUNK: usize = 16 * 1024;

struct ProgramRole {
    process: Process,
    /// Lines that are not in the outbox yet.
    lines: Vec<u8>,
    /// How many messages are among them.
    messages: u64,
    /// Whether it was told that the program has closed its input.
    is_deaf: bool,
}

impl Role for ProgramRole {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        Ok(Self {
            process: Process::start(options.checked()?, host)?,
            lines: Vec::new(),
            messages: 0,
            is_deaf: false,
        })
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        if self.process.has_ended() {
            return Err(self.process.failure().into());
        }
        let outbox = &self.process.shared.outbox;
        if outbox.pending() > 0 {
            match outbox.flush(WATCH) {
                Flushed::All => {}
                // It does not read. What comes meanwhile waits in the inbox, where the host drops and counts it.
                Flushed::Some => return Ok(()),
                // What waits in the inbox is for the program that comes next.
                Flushed::Closed if self.process.is_ending() => {
                    return Err(self.process.failure().into());
                }
                Flushed::Closed => {}
            }
        }
        let mut next = host.receive_timeout(WATCH);
        while let Some(message) = next {
            match told::message(&message, &mut self.lines) {
                Ok(()) => self.messages += 1,
                Err(reason) => {
                    let text = format!("{message} is not told to the program: {reason}");
                    self.process.shared.complain(&text);
                }
            }
            if self.lines.len() >= CHUNK && self.hand_over(Duration::ZERO) != Flushed::All {
                break;
            }
            next = host.try_receive();
        }
        if !self.lines.is_empty() {
            self.hand_over(WATCH);
        }
        Ok(())
    }

    fn reopen(&mut self, _host: &RoleHost) -> Result<(), Error> {
        told::reopen(&mut self.lines);
        self.hand_over(Duration::ZERO);
        Ok(())
    }

    fn stop(&mut self, _host: &RoleHost) -> Result<(), Error> {
        told::stop(&mut self.lines);
        self.process.stop(&self.lines).map_err(Error::from)
    }
}

impl ProgramRole {
    /// Hands what was put together to the program; waits for it so long at most.
    fn hand_over(&mut self, wait: Duration) -> Flushed {
        let shared = &self.process.shared;
        shared.outbox.push(&self.lines);
        self.lines.clear();
        // A large message is no reason to keep as much for ever.
        self.lines.shrink_to(2 * CHUNK);
        let messages = std::mem::take(&mut self.messages);
        let flushed = shared.outbox.flush(wait);
        if flushed == Flushed::Closed {
            shared.unheard.fetch_add(messages, Ordering::Relaxed);
            if !self.is_deaf && !self.process.is_ending() {
                self.is_deaf = true;
                let text =
                    "the program has closed its standard input: it hears of no messages any more";
                shared.complain(text);
            }
        }
        flushed
    }
}

export_role!(ProgramRole);
