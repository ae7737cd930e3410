//! Roles that people restart, stop and start.

use std::sync::Arc;
use std::time::Duration;

use kozo_ground::clock;
use kozo_ground::text::error_text;
use kozo_status::{RoleState, RoleStatus, SteeredRole};

use super::Introspection;
use super::refusal::{Refusal, RenewalError};
use crate::roles::{HostedRole, RoleError};

/// How long a restarted role may take to be there again before the client is told that it is not.
const RESTART_LIMIT: Duration = Duration::from_secs(8);

/// How long a role may take to stop before the client is told that it has not yet.
const STOP_LIMIT: Duration = Duration::from_secs(12);

/// How often a role that is being steered is looked at.
const POLL: Duration = Duration::from_millis(20);

impl Introspection {
    /// Restarts the role of this name and waits until it is there again, or is not.
    pub(super) async fn restart_role(&self, name: &str) -> Result<SteeredRole, Refusal> {
        let place = self.place_of(name)?;
        if self.roles[place].status(clock::now()).state == RoleState::Stopped {
            return Err(Refusal::Stopped(name.to_owned()));
        }
        tracing::info!(target: "control", role = name, "a restart was asked for");
        self.renew(place, "restarted", HostedRole::restart).await
    }

    /// Starts the role of this name, which was stopped, and waits until it is there.
    pub(super) async fn start_role(&self, name: &str) -> Result<SteeredRole, Refusal> {
        let place = self.place_of(name)?;
        if !self.roles[place].is_halted() {
            return Err(Refusal::NotStopped(name.to_owned()));
        }
        tracing::info!(target: "control", role = name, "a start was asked for");
        self.renew(place, "started", HostedRole::resume).await
    }

    /// Stops the role of this name until it is started again, and waits for that.
    pub(super) async fn stop_role(&self, name: &str) -> Result<SteeredRole, Refusal> {
        let role = &self.roles[self.place_of(name)?];
        tracing::info!(target: "control", role = name, "a stop was asked for");
        role.halt();
        let is_stopped = |role: &RoleStatus| role.state == RoleState::Stopped;
        match wait_for(role, STOP_LIMIT, is_stopped).await {
            Some(role) => Ok(SteeredRole { role }),
            None => Err(Refusal::StillRuns {
                name: name.to_owned(),
                seconds: STOP_LIMIT.as_secs(),
            }),
        }
    }

    /// Has a role made anew and waits until it is there, or is not.
    async fn renew(
        &self,
        place: usize,
        done: &'static str,
        ask: fn(&HostedRole) -> Result<(), RoleError>,
    ) -> Result<SteeredRole, Refusal> {
        let role = &self.roles[place];
        let name = role.name();
        let before = role.status(clock::now());
        // Looking at a file may take its time.
        let roles = Arc::clone(&self.roles);
        let asked = tokio::task::spawn_blocking(move || ask(&roles[place])).await;
        let asked = match asked {
            Ok(asked) => asked.map_err(RenewalError::from),
            Err(error) => Err(error.into()),
        };
        asked.map_err(|reason| {
            tracing::warn!(target: "control", role = %name, "not {done}: {}", error_text(&reason));
            Refusal::NotRenewed {
                name: name.to_string(),
                done,
                reason: Box::new(reason),
            }
        })?;
        let is_settled = |role: &RoleStatus| {
            let is_there = role.restarts > before.restarts && role.state == RoleState::Running;
            role.failures > before.failures || is_there
        };
        match wait_for(role, RESTART_LIMIT, is_settled).await {
            Some(role) if role.failures > before.failures => {
                let reason = role.last_error.unwrap_or_default();
                Err(Refusal::Failed {
                    name: name.to_string(),
                    done,
                    reason,
                })
            }
            Some(role) => Ok(SteeredRole { role }),
            None => Err(Refusal::NotThere {
                name: name.to_string(),
                done,
                seconds: RESTART_LIMIT.as_secs(),
            }),
        }
    }

    /// Where the role of this name is among the roles.
    pub(super) fn place_of(&self, name: &str) -> Result<usize, Refusal> {
        let mut roles = self.roles.iter();
        let place = roles.position(|role| role.name().as_str() == name);
        place.ok_or_else(|| {
            let names: Vec<_> = self.roles.iter().map(|role| role.name().as_str()).collect();
            match names.as_slice() {
                [] => Refusal::NoRoles(self.node.clone()),
                names => Refusal::NoRole {
                    node: self.node.clone(),
                    name: name.to_owned(),
                    roles: names.join(", "),
                },
            }
        })
    }
}

/// Waits until a role is as it shall be; none when it is not in time.
async fn wait_for(
    role: &HostedRole,
    limit: Duration,
    is_so: impl Fn(&RoleStatus) -> bool,
) -> Option<RoleStatus> {
    let deadline = clock::now() + limit;
    loop {
        let now = clock::now();
        let status = role.status(now);
        if is_so(&status) {
            return Some(status);
        }
        if now >= deadline {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}
