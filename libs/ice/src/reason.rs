//! Why there is no connection, in words for people.

use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

use crate::identity::Fingerprint;

/// Why a peer is not connected, or what keeps it from a better way. Each stands for itself: several may hold at once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// There is no interface that could be used.
    #[error(
        "there is no network: no interface has an address that can be used (loopback and interfaces that are to be \
         ignored do not count)"
    )]
    NoAddress,
    /// Only a relay may be used, and there is none.
    #[error("only a relay may be used, and no TURN server is named")]
    NoRelay,
    /// Its candidates have not come yet.
    #[error("the peer has not said yet where it can be reached")]
    NoCandidates,
    /// Candidates came, but none that could be used.
    #[error("of the {0} addresses that the peer named, none can be used")]
    UnusableCandidates(usize),
    /// The name of a server is not known.
    #[error("cannot find the address of server `{server}`: {why}")]
    UnknownServer {
        /// As it was given.
        server: String,
        /// What the system says.
        why: String,
    },
    /// A STUN server does not answer.
    #[error(
        "no answer from STUN server `{server}` ({address}): is its port right, does a firewall hold UDP back?"
    )]
    NoStunAnswer {
        /// As it was given.
        server: String,
        /// Where it was asked.
        address: SocketAddr,
    },
    /// A TURN server does not answer.
    #[error(
        "no answer from TURN server `{server}` ({address}): is its port right, does a firewall hold UDP back?"
    )]
    NoTurnAnswer {
        /// As it was given.
        server: String,
        /// Where it was asked.
        address: SocketAddr,
    },
    /// A STUN server answers, but with an error.
    #[error("STUN server `{server}` refuses: {code} {text}")]
    StunRefused {
        /// As it was given.
        server: String,
        /// The code of its answer.
        code: u16,
        /// Its own words.
        text: String,
    },
    /// Wrong user or password.
    #[error("TURN server `{server}` does not accept user `{user}` or the password")]
    WrongTurnCredentials {
        /// As it was given.
        server: String,
        /// Who asked.
        user: String,
    },
    /// Too many allocations.
    #[error("TURN server `{server}` has no relay left for user `{user}` (its quota is used up)")]
    TurnQuota {
        /// As it was given.
        server: String,
        /// Who asked.
        user: String,
    },
    /// It refuses for another reason.
    #[error("TURN server `{server}` refuses: {code} {text}")]
    TurnRefused {
        /// As it was given.
        server: String,
        /// The code of its answer.
        code: u16,
        /// Its own words.
        text: String,
    },
    /// No pair of addresses has worked.
    #[error(
        "none of the {pairs} pairs of addresses has worked so far: NAT or a firewall is in between, or the peer is \
         gone; a TURN server would help"
    )]
    ChecksFailed {
        /// How many were tried.
        pairs: usize,
    },
    /// Nothing has come from the peer for long.
    #[error("the peer has been silent for {} seconds", .0.as_secs())]
    Silent(Duration),
    /// The certificate is another one.
    #[error(
        "the peer's certificate has fingerprint `{found}`, not `{expected}`: it is somebody else, or has restarted"
    )]
    WrongFingerprint {
        /// What the peer was said to have.
        expected: Fingerprint,
        /// What it has.
        found: Fingerprint,
    },
    /// DTLS fails.
    #[error("encryption (DTLS) with the peer fails: {0}")]
    Dtls(String),
    /// DTLS does not come to an end.
    #[error("a way to the peer has been found, but it does not answer to encryption (DTLS)")]
    DtlsTimedOut,
    /// The peer has said farewell.
    #[error("the peer has closed the link")]
    Closed,
}

/// The words of a server, as far as they can be shown: it may have sent anything.
pub(crate) fn words(text: &str) -> String {
    const LONGEST: usize = 100;
    text.chars()
        .filter(|character| !character.is_control())
        .take(LONGEST)
        .collect()
}
