//! What the system tells of threads.

use std::fs;
use std::io;

use super::system_calls;

/// A thread.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thread {
    pub(crate) process: u32,
    pub(crate) id: u32,
    /// Its name, of which the system keeps 15 bytes.
    pub(crate) name: String,
    pub(crate) state: State,
    /// The processor time that it has had.
    pub(crate) cpu_seconds: f64,
    /// The call into the system that it is in.
    pub(crate) call: Option<String>,
    /// Where in the kernel it waits, where the system tells.
    pub(crate) kernel: Option<String>,
}

/// What a thread is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(char);

impl State {
    pub(crate) fn text(self) -> &'static str {
        match self.0 {
            'R' => "runs",
            'S' => "waits",
            'D' => "waits for a disk",
            'T' => "is stopped",
            't' => "is held by a debugger",
            'Z' | 'X' => "has ended",
            'I' => "is idle",
            _ => "?",
        }
    }
}

/// How many bytes of a thread's name the system keeps.
const NAME_BYTES: usize = 15;

impl Thread {
    /// Whether it is named so, as far as the system keeps names.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name.as_bytes() == &name.as_bytes()[..name.len().min(NAME_BYTES)]
    }
}

/// The threads of a process.
///
/// # Errors
/// There is no such process, or it may not be looked at.
pub(crate) fn threads_of(process: u32) -> io::Result<Vec<Thread>> {
    let mut threads: Vec<Thread> = fs::read_dir(format!("/proc/{process}/task"))?
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            // One that has ended meanwhile is none.
            thread(process, id)
        })
        .collect();
    threads.sort_by_key(|thread| thread.id);
    Ok(threads)
}

fn thread(process: u32, id: u32) -> Option<Thread> {
    let folder = format!("/proc/{process}/task/{id}");
    let read = |file: &str| fs::read_to_string(format!("{folder}/{file}")).ok();
    let name = fs::read(format!("{folder}/comm")).ok()?;
    let name = String::from_utf8_lossy(&name)
        .trim_end_matches('\n')
        .to_owned();
    let stat = read("stat")?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let ticks = |field: Option<&str>| field.and_then(|field| field.parse::<u64>().ok());
    // The 14th and 15th field of the line; the state is the third.
    let user = ticks(fields.nth(10))?;
    let system = ticks(fields.next())?;
    let call = read("syscall").and_then(|line| {
        let number = line.split_whitespace().next()?.parse().ok()?;
        Some(system_calls::name(number))
    });
    let kernel = read("wchan").filter(|place| !place.is_empty() && place != "0");
    Some(Thread {
        process,
        id,
        name,
        state: State(state),
        cpu_seconds: (user + system) as f64 / rustix::param::clock_ticks_per_second() as f64,
        call,
        kernel,
    })
}
