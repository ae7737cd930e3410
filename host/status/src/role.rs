//! Roles and what waits for them.

use kozo_faces::Face;
use kozo_ground::interest::Interest;
use kozo_ground::names::{ModuleName, RoleName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A role that the node hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleStatus {
    /// The role.
    pub name: RoleName,
    /// The module that it is made of.
    pub module: ModuleName,
    /// Where it is in its life.
    pub state: RoleState,
    /// In how many seconds it is made anew, where the state is `waiting`.
    pub restart_in_seconds: Option<f64>,
    /// How often it was made anew, for whatever reason.
    pub restarts: u64,
    /// How often it could not be made, returned an error or panicked.
    pub failures: u64,
    /// What it said the last time it did.
    pub last_error: Option<String>,
    /// What it says that it is about; none when it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How many of its log lines were left out, since there were too many.
    pub lines_left_out: u64,
    /// What waits for it, and what became of what did.
    pub inbox: InboxStatus,
    /// What it is for people and other systems, as its module and the network's file say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faces: Vec<Face>,
    /// How many more faces it has, for which this answer has no room.
    #[serde(default, skip_serializing_if = "is_none")]
    pub faces_left_out: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Where a role is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleState {
    /// It is being made.
    Starting,
    /// It is there.
    Running,
    /// It failed and will be made anew.
    Waiting,
    /// It was asked to stop and has not yet.
    Stopping,
    /// Its thread has ended.
    Stopped,
}

/// How an inbox stands, and what became of all that ever came into it: what was received is what
/// waits, what was taken and what was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxStatus {
    /// How many messages wait.
    pub waiting: usize,
    /// How many bytes they count together.
    pub bytes: usize,
    /// How many messages may wait, as the role or the configuration says.
    pub length_limit: usize,
    /// How many bytes may, likewise.
    pub size_limit: usize,
    /// Messages that came.
    pub received: u64,
    /// Messages that the role took.
    pub taken: u64,
    /// Messages that newer ones pushed out.
    pub dropped_by_limit: u64,
    /// Messages that were too old when the role came to them.
    pub dropped_by_age: u64,
    /// Messages that came after the role was told to stop, or that it left when it did.
    pub dropped_by_stop: u64,
}

/// A role with what the file makes of it, and what it remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleDetails {
    /// The role as it is now.
    pub role: RoleStatus,
    /// What the file says that it is there for.
    pub description: Option<String>,
    /// Whether it runs in a process of its own.
    pub isolated: bool,
    /// Its options with the defaults; none that are secret, by their names.
    pub options: Map<String, Value>,
    /// What it wants to hear of: any of these.
    pub interests: Vec<Interest>,
    /// What it has stored, as JSON, as [`PassedMessage`](crate::PassedMessage) has data; `null` when it has
    /// stored nothing, or more than is shown.
    pub stored: Value,
    /// How many bytes it has stored; none when nothing.
    pub stored_bytes: Option<usize>,
}

/// What came of a restart, stop or start of a role that somebody asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SteeredRole {
    /// The role as it is now.
    pub role: RoleStatus,
}
