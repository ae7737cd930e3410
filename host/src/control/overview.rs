//! The daemon's parts, as the control socket shows them.

mod convert;

use std::sync::Arc;
use std::time::Duration;

use kozo_ground::clock::{self, Moment};
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_link::Candidate;
use serde_json::Value;

use super::protocol::Request;
use super::report::{RestartReport, RoleReport, StatusReport, WhyReport};
use super::server::Answers;
use crate::config::Network;
use crate::link::{Listener, PeerLink};
use crate::roles::{HostedRole, RoleState};
use crate::router::Router;
use crate::transports::Transports;

/// How long a restarted role may take to be there again before the client is told that it is not.
const RESTART_LIMIT: Duration = Duration::from_secs(8);

/// How often a role that is being restarted is looked at.
const RESTART_POLL: Duration = Duration::from_millis(20);

/// A way to a peer, with the names that people know.
#[derive(Debug, Clone)]
pub struct Way {
    /// The way, as the link core knows it.
    pub candidate: Candidate,
    /// The name of this node's transport.
    pub transport: String,
    /// The name of the peer's.
    pub peer_transport: String,
}

/// A peer.
pub struct PeerView {
    /// What is known of it.
    pub link: Arc<PeerLink>,
    /// The ways to it, best first.
    pub ways: Vec<Way>,
}

/// The daemon's parts.
pub struct Overview {
    /// The node.
    pub node: NodeName,
    /// When the daemon started.
    pub started: Moment,
    /// The file.
    pub network: Network,
    /// The roles.
    pub roles: Arc<[HostedRole]>,
    /// The other nodes.
    pub peers: Vec<PeerView>,
    /// The transports.
    pub transports: Arc<Transports>,
    /// What secures the connections that others make.
    pub listener: Listener,
    /// What knows which message goes where.
    pub router: Arc<Router>,
}

impl Overview {
    /// All of the node at `now`.
    pub fn status(&self, now: Moment) -> StatusReport {
        StatusReport {
            node: self.node.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            running_seconds: now.since(self.started).as_secs_f64(),
            roles: self
                .roles
                .iter()
                .map(|role| convert::role(role, now))
                .collect(),
            peers: self
                .peers
                .iter()
                .map(|peer| self.peer(peer, now).0)
                .collect(),
            transports: self
                .transports
                .own()
                .iter()
                .map(|transport| convert::transport(transport, now))
                .collect(),
            orders_refused: self.router.orders_refused(),
            connections: convert::connections(self.listener.counts()),
            log: convert::log(crate::log::losses()),
        }
    }

    /// Why there is a link with the peer of this name, or none; an error when there is no such
    /// peer.
    pub fn why(&self, name: &str, now: Moment) -> Result<WhyReport, String> {
        let Some(peer) = self
            .peers
            .iter()
            .find(|peer| peer.link.name().as_str() == name)
        else {
            return Err(self.no_peer(name));
        };
        let nodes = &self.network.nodes;
        let (Some(own), Some(other)) = (nodes.get(&self.node), nodes.get(peer.link.name())) else {
            return Err(self.no_peer(name));
        };
        let (report, history) = self.peer(peer, now);
        Ok(WhyReport {
            node: self.node.to_string(),
            peer: report,
            outgoing: convert::policy(own, other),
            incoming: convert::policy(other, own),
            ways: peer
                .ways
                .iter()
                .map(|way| convert::way(way, peer.link.name(), self.transports.own()))
                .collect(),
            history: history
                .iter()
                .map(|event| convert::event(event, now))
                .collect(),
            idle_timeout_seconds: own.settings.idle_timeout.as_secs_f64(),
            connection_retry_seconds: own.settings.connection_retry.as_secs_f64(),
        })
    }

    /// Restarts the role of this name and waits until it is there again, or is not.
    pub async fn restart_role(&self, name: &str) -> Result<RestartReport, String> {
        let place = self
            .roles
            .iter()
            .position(|role| role.name().as_str() == name);
        let Some(place) = place else {
            let names: Vec<_> = self.roles.iter().map(|role| role.name().as_str()).collect();
            return Err(match names.as_slice() {
                [] => format!("`{}` hosts no roles", self.node),
                names => format!(
                    "`{}` hosts no role `{name}`: its roles are {}",
                    self.node,
                    names.join(", ")
                ),
            });
        };
        let role = &self.roles[place];
        let before = role.status(clock::now());
        tracing::info!(target: "control", role = name, "a restart was asked for");
        // Looking at a file may take its time.
        let roles = Arc::clone(&self.roles);
        let asked = tokio::task::spawn_blocking(move || roles[place].restart()).await;
        let asked = match asked {
            Ok(asked) => asked.map_err(|error| error_text(&error)),
            Err(error) => Err(error.to_string()),
        };
        asked.map_err(|reason| {
            tracing::warn!(target: "control", role = name, "not restarted: {reason}");
            format!("`{name}` is not restarted and goes on as it was: {reason}")
        })?;
        let deadline = clock::now() + RESTART_LIMIT;
        loop {
            let now = clock::now();
            let status = role.status(now);
            if status.failures > before.failures {
                let reason = status.last_error.unwrap_or_default();
                return Err(format!(
                    "`{name}` failed when it was restarted, and is tried again: {reason}"
                ));
            }
            if status.restarts > before.restarts && status.state == RoleState::Running {
                let role: RoleReport = convert::role(role, now);
                return Ok(RestartReport { role });
            }
            if now >= deadline {
                return Err(format!(
                    "`{name}` was asked to restart, and is not there again within {} s: it may \
                     hang in its present work",
                    RESTART_LIMIT.as_secs()
                ));
            }
            tokio::time::sleep(RESTART_POLL).await;
        }
    }

    fn no_peer(&self, name: &str) -> String {
        if name == self.node.as_str() {
            return format!("`{name}` is this node itself: name another one");
        }
        let names: Vec<_> = self
            .peers
            .iter()
            .map(|peer| peer.link.name().as_str())
            .collect();
        match kozo_ground::text::nearest(name, names) {
            Some(near) => format!("the network has no node `{name}`: did you mean `{near}`?"),
            None => format!("the network has no node `{name}`"),
        }
    }
}

impl Answers for Overview {
    async fn answer(&self, request: Request) -> Result<Value, String> {
        let value = match request {
            Request::Status => serde_json::to_value(self.status(clock::now())),
            Request::Why { peer } => serde_json::to_value(self.why(&peer, clock::now())?),
            Request::RestartRole { role } => serde_json::to_value(self.restart_role(&role).await?),
        };
        value.map_err(|error| format!("the report cannot be written: {error}"))
    }
}
