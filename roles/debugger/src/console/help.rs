//! What the commands are for.

use crate::output::Output;
use crate::text::Table;

/// Each command with its arguments, what it does, and more about it.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("help [COMMAND]", "this list, or more about a command", ""),
    (
        "status",
        "the node: roles, other nodes, transports, what was refused",
        "",
    ),
    ("roles", "roles: state, restarts, failures, inboxes", ""),
    (
        "threads [ROLE]",
        "threads of the daemon and of isolated roles; with a role, their stacks",
        "For each thread: its state, the processor time it has had, and what it waits in: the call \
         into the system, and the place in the kernel where the system tells. `threads ROLE` shows \
         the stacks of the role's threads, the innermost function first; `threads all` those of all. \
         No thread is stopped for that. A thread that does not wait but works has no stack that can \
         be read in this way: it is looked at some times, and then by gdb where that is installed and allowed to, \
         which stops the daemon for less than a second. Names of functions need a program and modules that have them.",
    ),
    (
        "links",
        "links: transport, address, round trip, traffic",
        "",
    ),
    ("network", "what other nodes tell of themselves", ""),
    ("ping NODE", "a round trip to another node", ""),
    (
        "why PEER",
        "why there is a link with another node, or none",
        "",
    ),
    (
        "queues",
        "what waits for roles and other nodes, and what was dropped",
        "",
    ),
    (
        "messages [FILTER…]",
        "messages as they pass, until a key is pressed",
        "FILTER is any of `kind=event`, `type=TEXT`, `channel=TEXT`, `role=TEXT`, `node=TEXT`, where \
         `*` in TEXT stands for any run of characters. What comes faster than it can be shown is counted.",
    ),
    ("interests [ROLE]", "which messages roles want", ""),
    ("options [ROLE]", "the options of roles", ""),
    ("storage [ROLE]", "what roles have stored", ""),
    (
        "log-level [PART=LEVEL]",
        "how much of the log is written, of everything or of a part",
        "LEVEL is `error`, `warn`, `info`, `debug` or `trace`: `log-level link=debug`.",
    ),
    (
        "send KIND TYPE [channel=CHANNEL] [DATA]",
        "sends an event, an order or a log",
        "KIND is `event` or `order`: `send order \"gpio set\" channel=garage true`. DATA is JSON or YAML. \
         A log has only a text: `send log all is well`. The sender is this role.",
    ),
    ("restart ROLE", "restarts a role", ""),
    ("stop ROLE", "stops a role until it is started", ""),
    ("start ROLE", "starts a role that was stopped", ""),
    (
        "gdbserver [ROLE]",
        "starts gdbserver on the daemon, or on the process of an isolated role",
        "It listens on this machine only, ends with the session, and the command for gdb is printed. While gdb \
         has the daemon stopped, nothing of it runs: no heartbeats go out, so other nodes give up the links after \
         three of theirs, and systemd kills the daemon after its `WatchdogSec` (a minute) unless that is off. \
         An isolated role that is stopped holds up nothing but itself.",
    ),
    ("time", "how long the console is open", ""),
    ("quit", "ends the session", ""),
];

pub(super) fn help(command: &str, output: &Output) -> Result<(), String> {
    if command.is_empty() {
        let mut table = Table::new(&["command", ""]);
        for (usage, purpose, _) in COMMANDS {
            table.row([(*usage).to_owned(), (*purpose).to_owned()]);
        }
        output.table(&table);
        return Ok(());
    }
    let found = COMMANDS
        .iter()
        .find(|(usage, ..)| usage.split_whitespace().next() == Some(command));
    let (usage, purpose, more) =
        found.ok_or_else(|| format!("there is no command `{command}`: try `help`"))?;
    output.line(&format!("{usage}: {purpose}"));
    if !more.is_empty() {
        output.line(more);
    }
    Ok(())
}
