//! Threads and their stacks, and gdbserver.

use super::Console;
use crate::output::Output;
use crate::text::{Table, span};
use crate::threads::{Process, Stacks, Thread, Trace, processes, threads_of};

/// How the names of functions begin that say nothing: what Rust puts between those that people write. Their
/// numbers are left out as well, so that one sees where they are.
const PLUMBING: [&str; 7] = [
    "core::ops::function::Fn",
    "<core::panic::unwind_safe::AssertUnwindSafe",
    "std::panicking::catch_unwind",
    "__rust_try",
    "std::panic::catch_unwind",
    "std::sys::backtrace::__rust_begin_short_backtrace",
    "std::thread::lifecycle::spawn_unchecked",
];

impl Console {
    /// All threads; with a role, its threads' stacks.
    pub(super) fn threads(&self, whose: &str, output: &Output) -> Result<(), String> {
        let processes = processes();
        if whose.is_empty() {
            let mut table = Table::new(&[
                "process",
                "role",
                "thread",
                "name",
                "state",
                "time",
                "call",
                "in the kernel",
            ]);
            for process in &processes {
                for thread in of(process)? {
                    table.row(cells(process, &thread));
                }
            }
            output.table(&table);
            return Ok(());
        }
        let mut shown = 0;
        for process in &processes {
            let is_own = process.role.as_deref() == Some(whose) || whose == "all";
            let threads = of(process)?.into_iter();
            let wanted: Vec<Thread> = threads
                .filter(|thread| is_own || (process.role.is_none() && thread.is_named(whose)))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let mut stacks = Stacks::new(process.id)
                .map_err(|error| format!("process {} cannot be read: {error}", process.id))?;
            for thread in wanted {
                if output.is_ended() {
                    return Ok(());
                }
                show(process, &thread, &stacks.of(&thread), output);
                shown += 1;
            }
        }
        match shown {
            0 => Err(format!(
                "no thread and no isolated role is called `{whose}`: try `threads`"
            )),
            _ => Ok(()),
        }
    }

    /// Starts gdbserver for the daemon, or for the process of an isolated role.
    pub(super) fn gdbserver(&self, role: &str, output: &Output) -> Result<(), String> {
        let processes = processes();
        let wanted = match role {
            "" => processes.first(),
            role => processes
                .iter()
                .find(|process| process.role.as_deref() == Some(role)),
        };
        let process = wanted.ok_or_else(|| {
            format!(
                "no role `{role}` is isolated; those that are not belong to the daemon: `gdbserver`"
            )
        })?;
        self.note(&format!("gdbserver {role}"));
        let port = self.gdbservers.start()?;
        let id = process.id;
        output.line(&format!(
            "gdbserver waits on 127.0.0.1:{port} for as long as this session lasts. Whoever is on this machine \
             can connect to it.\n\
             From another machine, first: ssh -L {port}:127.0.0.1:{port} -N USER@{node}\n\
             Then: gdb -ex 'target extended-remote 127.0.0.1:{port}' -ex 'attach {id}'\n\
             Once attached, the process stands still until you `continue` or `detach`.",
            node = self.node.name(),
        ));
        if process.role.is_none() {
            output.line(
                "That is the daemon: while it stands still, this console does too, other nodes give up the links \
                 with it after three of their heartbeats, and systemd kills it after `WatchdogSec`. Before a long \
                 look: the drop-in debug.conf of the package's examples turns that off.",
            );
        }
        Ok(())
    }
}

fn of(process: &Process) -> Result<Vec<Thread>, String> {
    threads_of(process.id)
        .map_err(|error| format!("process {} cannot be read: {error}", process.id))
}

fn cells(process: &Process, thread: &Thread) -> [String; 8] {
    [
        process.id.to_string(),
        process.role.clone().unwrap_or_default(),
        thread.id.to_string(),
        thread.name.clone(),
        thread.state.text().to_owned(),
        span(thread.cpu_seconds),
        thread.call.clone().unwrap_or_default(),
        thread.kernel.clone().unwrap_or_default(),
    ]
}

fn show(process: &Process, thread: &Thread, trace: &Result<Trace, String>, output: &Output) {
    let call = thread.call.as_deref().map(|call| format!(" in {call}"));
    let role = process
        .role
        .as_deref()
        .map(|role| format!(" of the isolated role {role}"));
    output.line(&format!(
        "thread {} `{}`{}: {}{}, {} of processor time",
        thread.id,
        thread.name,
        role.unwrap_or_default(),
        thread.state.text(),
        call.unwrap_or_default(),
        span(thread.cpu_seconds),
    ));
    let trace = match trace {
        Ok(trace) => trace,
        Err(error) => return output.line(&format!("    {error}")),
    };
    let mut lines: Vec<String> = Vec::new();
    for (number, frame) in trace.frames.iter().enumerate() {
        let is_plumbing = |name: &String| PLUMBING.iter().any(|start| name.starts_with(start));
        if frame.function.as_ref().is_some_and(is_plumbing) {
            continue;
        }
        let image = &frame.image;
        lines.push(match &frame.function {
            Some(function) => format!("{number:4}  {function}  ({image})"),
            None => format!("{number:4}  {image}+{:#x}", frame.place),
        });
    }
    if !trace.is_whole {
        lines.push("      … (what is below cannot be told)".to_owned());
    }
    output.line(&lines.join("\n"));
}
