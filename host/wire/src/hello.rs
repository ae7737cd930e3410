//! The first frame on every link, in each direction.

use std::fmt;

use kozo_ground::interest::{Interest, Kind, Pattern};
use kozo_ground::names::RoleName;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use kozo_ground::text::error_text;

use crate::value::value_len;

/// The version of the protocol that this host speaks. A peer with another one is refused; what
/// can be added without a break is a feature of the hello or a frame that older peers skip.
pub const PROTOCOL: u32 = 1;

/// The feature of a sender that answers questions (frames 8 and 9).
pub const QUESTIONS: &str = "questions";

/// The feature of a sender that hands on what is from and for a bus (frames 10 to 16).
pub const BUS: &str = "bus";

/// The most interests that a hello may list, over all of its roles.
pub const MAX_INTERESTS: usize = 4096;

/// One run of a daemon. Sequence numbers are counted within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

/// One link, named by the node that dialled it, so that both ends can speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkId(pub u64);

/// What each side says first. On the wire it is a map with these names as keys, so that fields
/// can be added: unknown ones are skipped.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The version of the protocol: [`PROTOCOL`].
    pub protocol: u32,
    /// The sender's node name. The link's authentication decides who it is; another name here is
    /// a fault of the sender, and the link is closed.
    pub node: String,
    /// The program and version, for people to read.
    #[serde(default)]
    pub agent: String,
    /// Features beyond the protocol's version.
    #[serde(default)]
    pub features: Vec<String>,
    /// This run of the sender's daemon.
    pub session: SessionId,
    /// The link, when the sender dialled it; the other side leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
    /// How good the link is, when the sender dialled it: the sum of both transports' priorities.
    #[serde(default)]
    pub rank: u8,
    /// The links with the receiver that the sender still holds for alive, apart from this one.
    #[serde(default)]
    pub alive: Vec<LinkId>,
    /// How often the sender sends a heartbeat, in milliseconds.
    pub heartbeat: u64,
    /// No message with a lower sequence number will be sent any more.
    pub base: u64,
    /// The receiver's session that the sender got messages of last, and the last sequence number
    /// that it saw in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<(SessionId, u64)>,
    /// SHA-256 of the sender's configuration file: nodes with different files warn.
    #[serde(default)]
    pub config: ByteBuf,
    /// What the sender's roles want to hear of.
    #[serde(default)]
    pub interests: Vec<RoleInterests>,
}

/// The interests of one role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleInterests {
    /// The role's name.
    pub role: String,
    /// What it wants to hear of. When it is read, what is of a kind that this version does not know
    /// is left out: nothing that a role here sends can fit it.
    #[serde(deserialize_with = "known_interests")]
    pub interests: Vec<Interest>,
}

impl RoleInterests {
    /// How many they count as in a hello: a role without any takes room as well.
    pub(super) fn count(&self) -> usize {
        self.interests.len().max(1)
    }
}

fn known_interests<'de, D>(deserializer: D) -> Result<Vec<Interest>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let listed = Vec::<ListedInterest>::deserialize(deserializer)?;
    Ok(listed
        .into_iter()
        .filter_map(ListedInterest::known)
        .collect())
}

/// An [`Interest`] as a peer lists it: of any kind.
#[derive(Deserialize)]
struct ListedInterest {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default, rename = "type")]
    type_name: Option<Vec<Pattern>>,
    #[serde(default)]
    channel: Option<Vec<Pattern>>,
    #[serde(default)]
    role: Option<Vec<Pattern>>,
    #[serde(default)]
    node: Option<Vec<Pattern>>,
}

impl ListedInterest {
    fn known(self) -> Option<Interest> {
        let kind = match self.kind {
            Some(name) => Some(Kind::from_name(&name)?),
            None => None,
        };
        Some(Interest {
            kind,
            type_name: self.type_name,
            channel: self.channel,
            role: self.role,
            node: self.node,
        })
    }
}

impl Hello {
    /// Reads a hello's map.
    ///
    /// # Errors
    /// What is missing, of the wrong type or over its limit, in words.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        // Nested deeply, what is skipped would exhaust the stack.
        value_len(bytes).map_err(|error| error.to_string())?;
        let hello: Self = rmp_serde::from_slice(bytes).map_err(|error| error_text(&error))?;
        let interests: usize = hello.interests.iter().map(RoleInterests::count).sum();
        if interests > MAX_INTERESTS {
            return Err(format!(
                "it lists {interests} interests, and {MAX_INTERESTS} are the limit"
            ));
        }
        for role in &hello.interests {
            RoleName::new(&role.role).map_err(|error| format!("role {:?}: {error}", role.role))?;
        }
        Ok(hello)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // A struct of texts, numbers and bytes always has an encoding.
        rmp_serde::to_vec_named(self).unwrap_or_default()
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("node", &self.node)
            .field("agent", &self.agent)
            .field("session", &self.session)
            .field("link", &self.link)
            .field("base", &self.base)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
