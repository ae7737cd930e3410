//! Why there is no connection with a server, in words.

use std::error::Error as StdError;
use std::{fmt, io};

use kozo_tls::FileFault;

use crate::info::LEAST_PAYLOAD;
use crate::protocol::Violation;

/// Why a connection did not come about, or is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("nothing listens there: is the server running, and is this its port?")]
    Refused,
    #[error("there is no such host")]
    NoHost,
    #[error("it does not answer: is it running, and is there no firewall between?")]
    Late,
    /// TCP came about, and then nothing.
    #[error(
        "it said nothing: is this a NATS server? One with `handshake_first` in its TLS needs `tlsFirst: true`"
    )]
    Mute,
    #[error("it has fallen silent")]
    Silent,
    #[error("it closed the connection without a word")]
    Closed,
    /// The same, and what had come was not taken in time.
    #[error(
        "it closed the connection without a word, after this node had been too slow for what came"
    )]
    TooSlow,
    #[error("version {0} is too old: it has to be 2.2 or later, with headers not switched off")]
    TooOld(String),
    #[error(
        "it takes {0} bytes at once at most, and has to take {LEAST_PAYLOAD}: raise its `max_payload`"
    )]
    Payload(u64),
    #[error(
        "it does not let this node in: it wants a login, and none is given (`user`, `credentialsFile`, …)"
    )]
    NoLogin,
    /// With what the login says about itself, or nothing.
    #[error(
        "it does not let this node in: the login is wrong{0}, or new to it: give it what `kozo bus permissions` prints, \
         and reload it"
    )]
    Login(String),
    #[error("the login has expired{0}: renew it")]
    Expired(String),
    #[error("the login was revoked: renew it")]
    Revoked,
    #[error("it took too long to log in")]
    LoginLate,
    #[error("it asks for no proof of a key, so it knows none: use another login")]
    NoNonce,
    #[error("it has as many connections as it, or this account, may have")]
    Crowded,
    #[error("this is its port for {0}, and not the one for clients")]
    OtherPort(&'static str),
    #[error("it does without TLS, which `tls://` asks for: set it up there, or use `nats://`")]
    NoTls,
    #[error("it demands TLS: use `tls://`")]
    WantsTls,
    #[error("it said more than it may before the encryption: somebody may be in between")]
    Injected,
    #[error("it takes no WebSocket here: {0}")]
    WebSocket(String),
    #[error("it says `{0}`")]
    Told(String),
    #[error(transparent)]
    Tls(#[from] kozo_tls::Fault),
    #[error(transparent)]
    File(#[from] FileFault),
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// Whether another try at another server could do no better: it is about this node's own files.
    pub(crate) fn is_here(&self) -> bool {
        matches!(self, Self::File(_) | Self::Tls(kozo_tls::Fault::File(_)))
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if let Some(tls) = kozo_tls::Fault::among(&error) {
            return Self::Tls(tls);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Late,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Other(innermost(&error)),
        }
    }
}

/// What lies at the bottom of an error.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// What a server may not let a node do at a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Publish,
    Subscribe,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        })
    }
}

/// What an error that a server sends means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<'a> {
    /// It does not let this node publish or subscribe to that.
    Refused { deed: Deed, subject: &'a str },
    /// It ends the connection.
    Fatal(Fault),
    /// It goes on.
    Warning,
}

impl<'a> Told<'a> {
    /// Reads the text of `-ERR`. What it may be stands in the server's `errors.go` and `client.go`; case differs
    /// between versions.
    pub(crate) fn parse(text: &'a str) -> Self {
        let lower = text.to_ascii_lowercase();
        let begins = |words: &str| lower.starts_with(words);
        if begins("permissions violation for ") {
            let deed = match begins("permissions violation for subscription") {
                true => Deed::Subscribe,
                false => Deed::Publish,
            };
            // `… for Publish to "a.b"`, and the same with `using queue "q"` behind.
            let subject = text.split('"').nth(1).unwrap_or(text);
            return Self::Refused { deed, subject };
        }
        let fault = if begins("authorization violation") {
            Fault::Login(String::new())
        } else if begins("authentication timeout") {
            Fault::LoginLate
        } else if lower.contains("authentication expired") {
            Fault::Expired(String::new())
        } else if lower.contains("authentication revoked") {
            Fault::Revoked
        } else if begins("maximum connections exceeded")
            || begins("maximum account active connections exceeded")
        {
            Fault::Crowded
        } else if begins("attempted to connect to route port") {
            Fault::OtherPort("other servers of its cluster")
        } else if begins("attempted to connect to leaf node port")
            || begins("attempted to connect to leafnode port")
        {
            Fault::OtherPort("leaf nodes")
        } else if begins("attempted to connect to gateway port") {
            Fault::OtherPort("other clusters")
        } else if begins("secure connection - tls required") {
            Fault::WantsTls
        } else if begins("stale connection") {
            Fault::Told("stale connection: this node has not answered in time".to_owned())
        } else if begins("slow consumer") {
            Fault::TooSlow
        } else if [
            "invalid client protocol",
            "maximum control line exceeded",
            "maximum payload violation",
            "parser error",
            "unknown protocol operation",
            "no responders requires headers support",
            "cluster name conflict",
            "server shutdown",
            "connection throttling is active",
        ]
        .iter()
        .any(|known| begins(known))
        {
            Fault::Told(text.to_owned())
        } else {
            // `Invalid Subject`, `Maximum Subscriptions Exceeded` and what later versions may have: if the connection
            // ends, that is seen.
            return Self::Warning;
        };
        Self::Fatal(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_understood() {
        let refused = |deed, subject| Told::Refused { deed, subject };
        for (text, told) in [
            (
                "Permissions Violation for Publish to \"a.b\"",
                refused(Deed::Publish, "a.b"),
            ),
            (
                "Permissions Violation for Subscription to \"a.*\" using queue \"q\"",
                refused(Deed::Subscribe, "a.*"),
            ),
            (
                "Permissions Violation for Publish with Reply of \"re.x\"",
                refused(Deed::Publish, "re.x"),
            ),
            (
                "Authorization Violation",
                Told::Fatal(Fault::Login(String::new())),
            ),
            (
                "User Authentication Expired",
                Told::Fatal(Fault::Expired(String::new())),
            ),
            ("User Authentication Revoked", Told::Fatal(Fault::Revoked)),
            ("maximum connections exceeded", Told::Fatal(Fault::Crowded)),
            (
                "Maximum Payload Violation",
                Told::Fatal(Fault::Told("Maximum Payload Violation".to_owned())),
            ),
            ("maximum subscriptions exceeded", Told::Warning),
            ("", Told::Warning),
        ] {
            assert_eq!(Told::parse(text), told, "{text}");
        }
    }

    #[test]
    fn errors_of_the_system_are_words() {
        let error = |kind| Fault::from(io::Error::from(kind));
        assert_eq!(error(io::ErrorKind::ConnectionRefused), Fault::Refused);
        assert_eq!(error(io::ErrorKind::BrokenPipe), Fault::Closed);
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let inside = io::Error::new(io::ErrorKind::InvalidData, tls);
        assert_eq!(
            Fault::from(inside),
            Fault::Tls(kozo_tls::Fault::UnknownAuthority)
        );
    }
}
