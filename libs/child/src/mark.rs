//! What a process has started and left behind, in whatever group or session it is.
//!
//! All of them have inherited a variable of the environment that no other process has. Only a program
//! that clears its environment, and leaves the group as well, is not found.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::handle::Handle;

/// How often it is looked again: what is ended may have started something meanwhile.
const MAX_LOOKS: u32 = 20;

/// How long it is waited for a process whose program is just being loaded, on a machine that does other things.
const LOADING: Duration = Duration::from_secs(2);

/// How often such a process is looked at.
const LOOK: Duration = Duration::from_millis(1);

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
        let Ok(processes) = fs::read_dir("/proc") else {
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
        let folder = Path::new("/proc").join(number.to_string());
        // Of a process of another user, and of one that has ended, there is nothing to be read.
        let Some(environment) = environment(&folder) else {
            return false;
        };
        let is_marked = environment.split(|byte| *byte == 0).any(|variable| {
            let value = variable.strip_prefix(self.variable.as_bytes());
            value.and_then(|value| value.strip_prefix(b"=")) == Some(self.value.as_bytes())
        });
        is_marked && process.signal(Signal::KILL)
    }
}

/// What stands in the environment of a process. While a program is being loaded less can be read than there is, or
/// nothing, of the old one as of the new one: that is waited for.
fn environment(process: &Path) -> Option<Vec<u8>> {
    let begin = Instant::now();
    loop {
        let environment = fs::read(process.join("environ")).ok()?;
        if environment.len() == environment_len(process)? || begin.elapsed() > LOADING {
            return Some(environment);
        }
        thread::sleep(LOOK);
    }
}

/// How long the environment of a process is; none when the process is gone. While a program is being loaded this is
/// no length that can be.
fn environment_len(process: &Path) -> Option<usize> {
    /// Where proc(5) has the size of the memory, and the bounds of the environment, counted from behind the name.
    const VSIZE: usize = 20;
    const ENV_START: usize = 47;
    const ENV_END: usize = 48;
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let field = |number: usize| fields.get(number)?.parse::<usize>().ok();
    // A thread of the kernel, and a process that has ended, have no memory.
    if field(VSIZE)? == 0 {
        return Some(0);
    }
    match field(ENV_END)? {
        // The kernel gives the new memory its environment when it has loaded the program.
        0 => Some(usize::MAX),
        end => end.checked_sub(field(ENV_START)?),
    }
}
