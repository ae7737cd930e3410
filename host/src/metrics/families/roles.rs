//! The roles that the node hosts, and what waits for them.

use kozo_status::RoleState;

use crate::metrics::family::{Family, counter, gauge};

const ROLE: &[&str] = &["role"];

pub(super) const FAMILIES: &[Family] = &[
    gauge(
        "kozo_role_up",
        &["role", "module"],
        "Whether a role is there: 0 while it is being made, waits to be made anew, or has stopped.",
        |facts, samples| {
            for role in &facts.status.roles {
                let up = role.state == RoleState::Running;
                samples.add(&[role.name.as_str(), role.module.as_str()], up);
            }
        },
    ),
    counter(
        "kozo_role_restarts_total",
        ROLE,
        "How often a role was made anew, for whatever reason.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.restarts);
            }
        },
    ),
    counter(
        "kozo_role_failures_total",
        ROLE,
        "How often a role could not be made, returned an error or panicked.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.failures);
            }
        },
    ),
    counter(
        "kozo_role_log_lines_lost_total",
        ROLE,
        "Log lines of a role that were left out, since there were too many.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.lines_left_out);
            }
        },
    ),
    gauge(
        "kozo_inbox_messages",
        ROLE,
        "Messages that wait for a role.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.inbox.waiting);
            }
        },
    ),
    gauge(
        "kozo_inbox_max_messages",
        ROLE,
        "How many messages may wait for a role before newer ones push the oldest out.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.inbox.length_limit);
            }
        },
    ),
    gauge(
        "kozo_inbox_bytes",
        ROLE,
        "Bytes of the messages that wait for a role.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.inbox.bytes);
            }
        },
    ),
    gauge(
        "kozo_inbox_max_bytes",
        ROLE,
        "How many bytes of messages may wait for a role before newer ones push the oldest out.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.inbox.size_limit);
            }
        },
    ),
    counter(
        "kozo_inbox_received_total",
        ROLE,
        "Messages that came for a role, from this node and from others.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.inbox.received);
            }
        },
    ),
    counter(
        "kozo_inbox_taken_total",
        ROLE,
        "Messages that a role took.",
        |facts, samples| {
            for role in &facts.status.roles {
                samples.add(&[role.name.as_str()], role.inbox.taken);
            }
        },
    ),
    counter(
        "kozo_inbox_dropped_total",
        &["role", "reason"],
        "Messages for a role that were dropped: newer ones pushed them out (limit), they were too old when the \
         role came to them (age), or it was told to stop (stop).",
        |facts, samples| {
            for role in &facts.status.roles {
                let name = role.name.as_str();
                samples.add(&[name, "limit"], role.inbox.dropped_by_limit);
                samples.add(&[name, "age"], role.inbox.dropped_by_age);
                samples.add(&[name, "stop"], role.inbox.dropped_by_stop);
            }
        },
    ),
];
