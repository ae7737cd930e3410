//! What the node knows of itself, in tables.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Console;
use crate::output::Output;
use crate::text::{Table, bytes, span};

/// A node, as far as it is shown here. What an older one does not tell has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    node: String,
    version: String,
    pid: u32,
    running_seconds: f64,
    roles: Vec<Role>,
    peers: Vec<Peer>,
    transports: Vec<Transport>,
    orders_refused: u64,
    connections: Connections,
    log: Losses,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Role {
    name: String,
    module: String,
    state: String,
    restart_in_seconds: Option<f64>,
    restarts: u64,
    failures: u64,
    last_error: Option<String>,
    inbox: Inbox,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Inbox {
    waiting: u64,
    bytes: u64,
    length_limit: u64,
    size_limit: u64,
    received: u64,
    taken: u64,
    dropped_by_limit: u64,
    dropped_by_age: u64,
    dropped_by_stop: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Peer {
    peer: String,
    state: String,
    links: Vec<Link>,
    queued: Amount,
    in_flight: Amount,
    sent: u64,
    received: u64,
    missed: u64,
    dropped_by_limit: u64,
    dropped_by_age: u64,
    other_file: bool,
    last_error: Option<String>,
    last_error_seconds: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Amount {
    messages: u64,
    bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    transport: String,
    address: String,
    dialled: bool,
    up_seconds: f64,
    round_trip_seconds: Option<f64>,
    bytes_sent: u64,
    bytes_received: u64,
    cipher: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Transport {
    name: String,
    module: String,
    state: String,
    error: Option<String>,
    status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Connections {
    unproven: u64,
    turned_away: u64,
    refused: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Losses {
    dropped: u64,
    summed_up: u64,
}

impl Console {
    pub(super) fn status(&self, output: &Output) -> Result<(), String> {
        let status = self.ask_status()?;
        output.line(&format!(
            "{}: Kōzō {}, process {}, running for {}",
            status.node,
            status.version,
            status.pid,
            span(status.running_seconds)
        ));
        show_roles(&status, output);
        show_links(&status, output);
        let mut table = Table::new(&["transport", "module", "state", ""]);
        for transport in status.transports {
            table.row([
                transport.name,
                transport.module,
                transport.state,
                transport.error.or(transport.status).unwrap_or_default(),
            ]);
        }
        show(&table, output);
        let Connections {
            unproven,
            turned_away,
            refused,
        } = status.connections;
        let Losses { dropped, summed_up } = status.log;
        output.line(&format!(
            "orders refused: {}; connections unproven {unproven}, turned away {turned_away}, refused {refused}; log \
             lines dropped {dropped}, summed up {summed_up}",
            status.orders_refused
        ));
        Ok(())
    }

    pub(super) fn roles(&self, output: &Output) -> Result<(), String> {
        show_roles(&self.ask_status()?, output);
        Ok(())
    }

    pub(super) fn links(&self, output: &Output) -> Result<(), String> {
        show_links(&self.ask_status()?, output);
        Ok(())
    }

    pub(super) fn queues(&self, output: &Output) -> Result<(), String> {
        let status = self.ask_status()?;
        let mut table = Table::new(&[
            "inbox of",
            "waiting",
            "bytes",
            "limits",
            "received",
            "taken",
            "dropped: limit",
            "age",
            "stop",
        ]);
        for role in status.roles {
            let inbox = role.inbox;
            table.row([
                role.name,
                inbox.waiting.to_string(),
                bytes(inbox.bytes),
                format!("{}, {}", inbox.length_limit, bytes(inbox.size_limit)),
                inbox.received.to_string(),
                inbox.taken.to_string(),
                inbox.dropped_by_limit.to_string(),
                inbox.dropped_by_age.to_string(),
                inbox.dropped_by_stop.to_string(),
            ]);
        }
        show(&table, output);
        let mut table = Table::new(&[
            "queue for",
            "waiting",
            "bytes",
            "in flight",
            "bytes",
            "sent",
            "received",
            "missed",
            "dropped: limit",
            "age",
        ]);
        for peer in status.peers {
            table.row([
                peer.peer,
                peer.queued.messages.to_string(),
                bytes(peer.queued.bytes),
                peer.in_flight.messages.to_string(),
                bytes(peer.in_flight.bytes),
                peer.sent.to_string(),
                peer.received.to_string(),
                peer.missed.to_string(),
                peer.dropped_by_limit.to_string(),
                peer.dropped_by_age.to_string(),
            ]);
        }
        show(&table, output);
        Ok(())
    }

    pub(super) fn why(&self, peer: &str, output: &Output) -> Result<(), String> {
        if peer.is_empty() {
            return Err("which node? `why PEER`".to_owned());
        }
        let answer = self.node.ask(&json!({"request": "why", "peer": peer}))?;
        show_value(&answer, output);
        Ok(())
    }

    pub(super) fn network(&self, output: &Output) -> Result<(), String> {
        show_value(&self.node.ask(&json!({"request": "network"}))?, output);
        Ok(())
    }

    pub(super) fn ping(&self, peer: &str, output: &Output) -> Result<(), String> {
        if peer.is_empty() {
            return Err("which node? `ping NODE`".to_owned());
        }
        show_value(
            &self.node.ask(&json!({"request": "ping", "peer": peer}))?,
            output,
        );
        Ok(())
    }

    pub(super) fn interests(&self, role: &str, output: &Output) -> Result<(), String> {
        self.about_roles("interests", role, output)
    }

    pub(super) fn options(&self, role: &str, output: &Output) -> Result<(), String> {
        self.about_roles("options", role, output)
    }

    pub(super) fn storage(&self, role: &str, output: &Output) -> Result<(), String> {
        self.about_roles("stored", role, output)
    }

    pub(super) fn log_level(&self, arguments: &str, output: &Output) -> Result<(), String> {
        let question = match arguments {
            "" => json!({"request": "log-level"}),
            levels => {
                self.note(&format!("log-level {levels}"));
                json!({"request": "log-level", "set": levels})
            }
        };
        show_value(&self.node.ask(&question)?, output);
        Ok(())
    }

    /// Restarts, stops or starts a role.
    pub(super) fn steer(&self, verb: &str, role: &str, output: &Output) -> Result<(), String> {
        if role.is_empty() {
            return Err(format!("which role? `{verb} ROLE`"));
        }
        self.note(&format!("{verb} {role}"));
        if role == self.node.role() {
            output.line("that ends this console, too");
        }
        let answer: Steered =
            self.ask(&json!({"request": format!("{verb}-role"), "role": role}))?;
        let Role {
            name,
            state,
            last_error,
            ..
        } = answer.role;
        let error = last_error.map(|error| format!("; its last error: {error}"));
        output.line(&format!(
            "{name} is {state} now{}",
            error.unwrap_or_default()
        ));
        Ok(())
    }

    /// One field of what the node knows of a role, or of all roles.
    fn about_roles(&self, field: &str, role: &str, output: &Output) -> Result<(), String> {
        let roles = match role {
            "" => {
                let roles = self.ask_status()?.roles;
                roles.into_iter().map(|role| role.name).collect()
            }
            role => vec![role.to_owned()],
        };
        let mut found = Map::new();
        for role in roles {
            let question = json!({"request": "role", "role": role});
            let answer = self.node.ask(&question)?;
            found.insert(role, answer.get(field).cloned().unwrap_or_default());
        }
        show_value(&found.into(), output);
        Ok(())
    }

    fn ask_status(&self) -> Result<Status, String> {
        self.ask(&json!({"request": "status"}))
    }

    pub(super) fn ask<T: DeserializeOwned>(&self, question: &Value) -> Result<T, String> {
        let answer = self.node.ask(question)?;
        serde_json::from_value(answer)
            .map_err(|error| format!("the node's answer is not understood: {error}"))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Steered {
    role: Role,
}

fn show_roles(status: &Status, output: &Output) {
    let mut table = Table::new(&[
        "role",
        "module",
        "state",
        "restarts",
        "failures",
        "waiting",
        "taken",
        "last error",
    ]);
    for role in &status.roles {
        let again = role
            .restart_in_seconds
            .map(|left| format!(", again in {}", span(left)));
        table.row([
            role.name.clone(),
            role.module.clone(),
            format!("{}{}", role.state, again.unwrap_or_default()),
            role.restarts.to_string(),
            role.failures.to_string(),
            role.inbox.waiting.to_string(),
            role.inbox.taken.to_string(),
            role.last_error.clone().unwrap_or_default(),
        ]);
    }
    show(&table, output);
}

fn show_links(status: &Status, output: &Output) {
    let mut table = Table::new(&[
        "node",
        "state",
        "transport",
        "address",
        "up for",
        "round trip",
        "sent",
        "received",
        "cipher",
        "",
    ]);
    for peer in &status.peers {
        let mut remarks = Vec::new();
        if peer.other_file {
            remarks.push("has another version of the file".to_owned());
        }
        if let Some(error) = &peer.last_error {
            let ago = peer
                .last_error_seconds
                .map(|ago| format!("{} ago: ", span(ago)));
            remarks.push(format!("{}{error}", ago.unwrap_or_default()));
        }
        let remarks = remarks.join("; ");
        if peer.links.is_empty() {
            let mut cells = vec![peer.peer.clone(), peer.state.clone()];
            cells.extend(std::iter::repeat_n(String::new(), 7));
            cells.push(remarks.clone());
            table.row(cells);
        }
        for link in &peer.links {
            let direction = if link.dialled { "to" } else { "from" };
            table.row([
                peer.peer.clone(),
                peer.state.clone(),
                link.transport.clone(),
                format!("{direction} {}", link.address),
                span(link.up_seconds),
                link.round_trip_seconds
                    .map(|seconds| format!("{:.1} ms", seconds * 1000.0))
                    .unwrap_or_default(),
                bytes(link.bytes_sent),
                bytes(link.bytes_received),
                link.cipher.clone().unwrap_or_default(),
                remarks.clone(),
            ]);
        }
    }
    show(&table, output);
}

fn show(table: &Table, output: &Output) {
    if !table.is_empty() {
        output.table(table);
    }
}

/// Shows whatever it is, as YAML.
fn show_value(value: &Value, output: &Output) {
    let text = yaml_serde::to_string(value).unwrap_or_else(|error| error.to_string());
    output.line(text.trim_end());
}
