//! Why a link could not be secured.

use std::fmt;
use std::io;

use kozo_ground::names::NodeName;
use kozo_ground::text::{error_text, shortened};

use crate::secured::{Ended, Refused};

/// The longest text of a peer's that an error repeats, in characters.
const MAX_QUOTE: usize = 100;

/// How far two ends had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The SSH version lines.
    Greeting,
    /// Key exchange, in which the accepting end proves its key.
    KeyExchange,
    /// The dialling end proves its key.
    Authentication,
    /// The one channel and its subsystem.
    Opening,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "saying hello",
            Self::KeyExchange => "exchanging keys",
            Self::Authentication => "authenticating",
            Self::Opening => "opening the `kozo` channel",
        })
    }
}

/// Why a stream did not become a link to a node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The node to dial is this one.
    #[error("`{0}` is this node itself")]
    OwnName(NodeName),
    /// The node to dial is not in the network file, or has no key there.
    #[error("the network file has no `publicKey` for the node `{0}`")]
    UnknownNode(NodeName),
    /// The other end holds another key than the node that was dialled.
    #[error(
        "the other end is not `{peer}`: it showed the key {offered}, and the network file says \
         {expected}; either the address leads elsewhere or its `publicKey` is out of date"
    )]
    HostKeyMismatch {
        /// The node that was dialled.
        peer: NodeName,
        /// The fingerprint of the key that the other end showed.
        offered: String,
        /// The fingerprints that the file has for the node.
        expected: String,
    },
    /// The address that was dialled leads to another node of the file, or to this one.
    #[error("the address leads {}, and not to `{peer}`: correct it in the network file", leads_to(.holder))]
    LeadsElsewhere {
        /// The node that was dialled.
        peer: NodeName,
        /// The one whose key the other end has proven. None: it is this node.
        holder: Option<NodeName>,
    },
    /// The node that was dialled does not accept this node's key.
    #[error(
        "`{peer}` does not accept the key of `{node}` ({fingerprint}): check that its network \
         file has this key as the `publicKey` of `{node}`"
    )]
    Rejected {
        /// The node that was dialled.
        peer: NodeName,
        /// This node.
        node: NodeName,
        /// The fingerprint of this node's key.
        fingerprint: String,
    },
    /// A caller that did not prove to be one of the network's nodes.
    #[error("a caller did not prove to be a node: {0}")]
    Stranger(String),
    /// The other end does not speak SSH 2.
    #[error("the other end does not speak SSH 2: check that the address leads to a node")]
    NotSsh,
    /// The two ends have no algorithm in common.
    #[error(
        "no {kind} in common: this node offers {ours}, the other end {theirs}; \
         check `cipher` and `hmac` on both"
    )]
    NoCommonAlgorithm {
        /// What kind of algorithm.
        kind: &'static str,
        /// What this node offers.
        ours: String,
        /// What the other end offers.
        theirs: String,
    },
    /// The other end speaks SSH and accepts this node, but offers no link.
    #[error("`{0}` accepts this node but not the subsystem `kozo`: is it another SSH server?")]
    SubsystemRefused(NodeName),
    /// The other end closed the stream.
    #[error("the other end closed the connection while {stage}{}", reason(.detail))]
    Closed {
        /// How far the two ends had come.
        stage: Stage,
        /// What it gave as the reason.
        detail: Option<String>,
    },
    /// The other end broke the SSH protocol, or the encryption did not fit.
    #[error("the other end broke the protocol while {stage}")]
    Protocol {
        /// How far the two ends had come.
        stage: Stage,
        /// What was wrong.
        source: Breach,
    },
    /// The stream failed.
    #[error("the connection failed while {stage}")]
    Io {
        /// How far the two ends had come.
        stage: Stage,
        /// Why.
        source: io::Error,
    },
}

/// How an end broke the protocol.
#[derive(Debug, thiserror::Error)]
pub enum Breach {
    /// What it sent has no place in a link.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It is not the SSH that this end speaks, or the encryption does not fit.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

fn leads_to(holder: &Option<NodeName>) -> String {
    match holder {
        Some(node) => format!("to `{node}`"),
        None => "back to this node itself".to_owned(),
    }
}

fn reason(detail: &Option<String>) -> String {
    detail
        .as_ref()
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default()
}

/// What a peer said, fit for a log line.
pub(super) fn quote(text: &str) -> String {
    shortened(text, MAX_QUOTE).into_owned()
}

/// What goes wrong inside a session.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The other end disconnected and gave a reason.
    #[error("the other end disconnected: {0}")]
    Told(String),
}

impl SessionError {
    /// Why a link could not be secured, from an error that ended its session at `stage`.
    pub(super) fn explain(self, stage: Stage) -> AuthError {
        let error = match self {
            Self::Auth(error) => return error,
            Self::Refused(refused) => {
                let source = refused.into();
                return AuthError::Protocol { stage, source };
            }
            Self::Told(reason) => {
                let detail = (!reason.is_empty()).then_some(reason);
                return AuthError::Closed { stage, detail };
            }
            Self::Ssh(error) => error,
        };
        match error {
            russh::Error::Version => AuthError::NotSsh,
            russh::Error::NoCommonAlgo { kind, ours, theirs } => AuthError::NoCommonAlgorithm {
                kind: kind_name(&kind),
                ours: ours.join(", "),
                theirs: quote(&theirs.join(", ")),
            },
            russh::Error::IO(source) if has_closed(&source) => AuthError::Closed {
                stage,
                detail: None,
            },
            russh::Error::IO(source) => AuthError::Io { stage, source },
            russh::Error::Disconnect
            | russh::Error::HUP
            | russh::Error::SendError
            | russh::Error::RecvError => AuthError::Closed {
                stage,
                detail: None,
            },
            other => AuthError::Protocol {
                stage,
                source: other.into(),
            },
        }
    }

    /// How a link that stood has ended by this error.
    pub(super) fn ended(&self) -> Ended {
        match self {
            Self::Refused(refused) => Ended::Refused(refused.to_string()),
            Self::Ssh(russh::Error::IO(error)) if has_closed(error) => {
                Ended::Lost("the other end closed the connection".to_owned())
            }
            other => Ended::Lost(error_text(other)),
        }
    }
}

/// Whether an error says no more than that the other end has closed the stream.
fn has_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn kind_name(kind: &russh::AlgorithmKind) -> &'static str {
    use russh::AlgorithmKind;
    match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "key type",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Compression => "compression",
        AlgorithmKind::Mac => "MAC",
    }
}
