//! One node, as the page shows it.

use serde::Serialize;

use super::moment;
use crate::told::{Bus, Connections, LogLosses, Report, Role, Transport};

/// How it stands with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NodeState {
    /// It is this one.
    Here,
    /// It tells how it is.
    Answers,
    /// There is a link with it, and it tells nothing of itself.
    Silent,
    /// There is no link with it, and none is needed at present, or it was not asked yet.
    Unknown,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NodeView {
    pub(crate) name: String,
    pub(crate) state: NodeState,
    /// Why it tells nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Since when there has been no link with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) away_since: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<f64>,
    pub(crate) version: String,
    pub(crate) file: String,
    pub(crate) other_file: bool,
    pub(crate) roles: Vec<Role>,
    pub(crate) transports: Vec<Transport>,
    pub(crate) buses: Vec<Bus>,
    pub(crate) orders_refused: u64,
    pub(crate) connections: Connections,
    pub(crate) log: LogLosses,
}

impl NodeView {
    /// One of which nothing is known yet.
    pub(super) fn unknown(name: String) -> Self {
        Self {
            name,
            state: NodeState::Unknown,
            error: None,
            away_since: None,
            started: None,
            version: String::new(),
            file: String::new(),
            other_file: false,
            roles: Vec::new(),
            transports: Vec::new(),
            buses: Vec::new(),
            orders_refused: 0,
            connections: Connections::default(),
            log: LogLosses::default(),
        }
    }

    /// The node by what it tells.
    pub(super) fn new(report: &Report, is_own: bool, before: &Self, now: f64) -> Self {
        let mut view = Self::unknown(report.node.clone());
        view.other_file = report.other_file;
        let Some(status) = &report.status else {
            view.error.clone_from(&report.error);
            view.away_since = report
                .unreachable_seconds
                .map(|span| moment(now, span, before.away_since));
            view.state = match report.unreachable_seconds {
                Some(_) => NodeState::Unknown,
                None => NodeState::Silent,
            };
            return view;
        };
        view.state = match is_own {
            true => NodeState::Here,
            false => NodeState::Answers,
        };
        view.started = Some(moment(now, status.running_seconds, before.started));
        view.version.clone_from(&status.version);
        view.file.clone_from(&status.file_digest);
        view.roles.clone_from(&status.roles);
        view.transports.clone_from(&status.transports);
        view.buses.clone_from(&status.buses);
        view.orders_refused = status.orders_refused;
        view.connections = status.connections;
        view.log = status.log;
        view
    }
}
