//! What has changed, for those who look later: bounded, the oldest goes first.

use std::collections::VecDeque;

use serde::Serialize;

use super::link::{LinkState, LinkView};
use super::node::{NodeState, NodeView};

/// How many events are remembered.
const MAX_EVENTS: usize = 200;

/// How much of a reason is remembered, in characters.
const LONGEST_REASON: usize = 300;

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Event {
    /// Its number, by which each is shown once.
    pub(crate) number: u64,
    pub(crate) at: f64,
    pub(crate) what: EventKind,
    /// The node.
    pub(crate) node: String,
    /// The other node of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<String>,
    /// The role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip)]
    version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EventKind {
    LinkUp,
    LinkDown,
    /// It has ended, and is not needed.
    LinkClosed,
    /// A node runs anew.
    NodeStarted,
    RoleFailed,
    RoleRestarted,
    MessagesDropped,
}

/// The last events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Events {
    events: VecDeque<Event>,
    made: u64,
}

impl Events {
    pub(super) fn since(&self, version: u64) -> Vec<&Event> {
        let newer = self.events.iter().filter(|event| event.version > version);
        newer.collect()
    }

    /// Notes how two views of one link differ.
    pub(super) fn compare_links(&mut self, old: &LinkView, new: &LinkView, version: u64, now: f64) {
        let was_up = old.state == LinkState::Up;
        let is_up = new.state == LinkState::Up;
        let error = [&new.from_a, &new.from_b]
            .into_iter()
            .flatten()
            .filter_map(|side| Some((side.error_at?, side.error.as_deref()?)))
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, error)| error);
        let what = match (was_up, is_up) {
            (false, true) => Some((EventKind::LinkUp, None)),
            (true, false) if new.state == LinkState::OnDemand => {
                Some((EventKind::LinkClosed, None))
            }
            (true, false) => Some((EventKind::LinkDown, error)),
            _ => None,
        };
        if let Some((what, reason)) = what {
            let event = self.event(what, &new.a, version, now);
            event.peer = Some(new.b.clone());
            event.reason = reason.map(short);
        }
        // One a minute says enough.
        let quiet = old.lost_at.is_none_or(|at| now - at > 60.0);
        if new.lost_at != old.lost_at && quiet {
            let event = self.event(EventKind::MessagesDropped, &new.a, version, now);
            event.peer = Some(new.b.clone());
        }
    }

    /// Notes how two views of one node differ.
    pub(super) fn compare_nodes(&mut self, old: &NodeView, new: &NodeView, version: u64, now: f64) {
        let told = |view: &NodeView| matches!(view.state, NodeState::Here | NodeState::Answers);
        if !told(old) || !told(new) {
            return;
        }
        if old.started != new.started {
            self.event(EventKind::NodeStarted, &new.name, version, now);
            return;
        }
        for role in &new.roles {
            let Some(before) = old.roles.iter().find(|before| before.name == role.name) else {
                continue;
            };
            if role.failures > before.failures {
                let event = self.event(EventKind::RoleFailed, &new.name, version, now);
                event.role = Some(role.name.clone());
                event.reason = role.last_error.as_deref().map(short);
            } else if role.restarts > before.restarts {
                let event = self.event(EventKind::RoleRestarted, &new.name, version, now);
                event.role = Some(role.name.clone());
            }
        }
    }

    fn event(&mut self, what: EventKind, node: &str, version: u64, now: f64) -> &mut Event {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.made += 1;
        self.events.push_back(Event {
            number: self.made,
            at: now.round(),
            what,
            node: node.to_owned(),
            peer: None,
            role: None,
            reason: None,
            version,
        });
        let last = self.events.len() - 1;
        &mut self.events[last]
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_REASON).collect()
}
