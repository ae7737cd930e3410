//! What a process has started and left behind, in whatever group or session it is.
//!
//! All of them have inherited a variable of the environment that no other process has. Only a program
//! that clears its environment, and leaves the group as well, is not found.

use std::path::Path;

use rustix::process::{Pid, Signal};

use crate::handle::Handle;

/// How often it is looked again: what is ended may have started something meanwhile.
const MAX_LOOKS: u32 = 20;

/// What all descendants of one process have.
#[derive(Debug)]
pub(crate) struct Mark {
    variable: String,
    value: String,
}

impl Mark {
    /// A value that no other process has, in the variable of this name.
    pub(crate) fn new(variable: String) -> Self {
        let value = format!("{:032x}", fastrand::u128(..));
        Self { variable, value }
    }

    pub(crate) fn variable(&self) -> &str {
        &self.variable
    }

    pub(crate) fn value(&self) -> &str {
        &self.value
    }

    /// Ends all that have it.
    pub(crate) fn end_all(&self) {
        for _ in 0..MAX_LOOKS {
            if self.end_those_now() == 0 {
                return;
            }
        }
    }

    /// How many there were.
    fn end_those_now(&self) -> usize {
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return 0;
        };
        let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        numbers.filter(|number| self.end(*number)).count()
    }

    fn end(&self, number: i32) -> bool {
        // Held before it is looked at: the number may be another process's by then, but this is not.
        let process = Pid::from_raw(number).map(Handle::open);
        let Some(Ok(process)) = process else {
            return false;
        };
        // Of a process of another user, and of one that has ended, there is nothing to be read.
        let environment = Path::new("/proc").join(number.to_string()).join("environ");
        let Ok(environment) = std::fs::read(environment) else {
            return false;
        };
        let is_marked = environment.split(|byte| *byte == 0).any(|variable| {
            let value = variable.strip_prefix(self.variable.as_bytes());
            value.and_then(|value| value.strip_prefix(b"=")) == Some(self.value.as_bytes())
        });
        is_marked && process.signal(Signal::KILL)
    }
}
