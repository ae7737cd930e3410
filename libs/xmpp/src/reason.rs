use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Why an account is not connected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// No try has ended yet.
    #[error("connecting to the XMPP server")]
    Connecting,
    /// The account is no longer wanted.
    #[error("stopped")]
    Stopped,
    /// The server's name leads nowhere.
    #[error("the XMPP server `{host}` is not found: {why}")]
    HostNotFound {
        /// The server.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// Nobody listens there.
    #[error("no XMPP server listens at {address}: the connection was refused")]
    Refused {
        /// Where it was tried.
        address: String,
    },
    /// There is no way to it.
    #[error("the XMPP server at {address} cannot be reached: {why}")]
    Unreachable {
        /// Where it was tried.
        address: String,
        /// What the system says.
        why: String,
    },
    /// It took longer than it may.
    #[error("the XMPP server took longer than {} s to {step}", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        step: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The server has no encryption, or somebody between took it away.
    #[error("the XMPP server offers no encryption (STARTTLS), so nothing is sent to it")]
    NoStartTls,
    /// Nobody vouches for the server's certificate who is trusted.
    #[error(
        "the certificate of the XMPP server is of an unknown authority: name that authority's certificate with `caFile`"
    )]
    UnknownAuthority,
    /// The certificate is another server's.
    #[error("the certificate of the XMPP server is not for `{expected}`")]
    WrongName {
        /// The domain of the account.
        expected: String,
    },
    /// The certificate's time is over.
    #[error("the certificate of the XMPP server has expired, or this machine's clock is wrong")]
    Expired,
    /// The certificate's time has not begun.
    #[error("the certificate of the XMPP server is not valid yet: is this machine's clock wrong?")]
    NotYetValid,
    /// Any other fault of TLS.
    #[error("no encrypted connection with the XMPP server: {0}")]
    Tls(String),
    /// The authorities' certificates cannot be had.
    #[error("the certificates of authorities in `{}` cannot be used: {why}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no certificates of authorities.
    #[error("this system has no certificates of authorities (package `ca-certificates`): {0}")]
    NoSystemAuthorities(String),
    /// The password's file cannot be used.
    #[error("the password in `{}` cannot be used: {why}", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The server does not take the password, or has no such account; it does not say which.
    #[error("the XMPP server refuses `{account}`: wrong password, or no such account")]
    WrongPassword {
        /// The account.
        account: String,
    },
    /// The account exists, but may not log in now.
    #[error("the XMPP server refuses `{account}`: {why}")]
    LoginRefused {
        /// The account.
        account: String,
        /// What the server says.
        why: String,
    },
    /// There is no way to prove the password that both know.
    #[error(
        "the XMPP server knows no way to log in that can be used here (SCRAM; PLAIN only with a checked certificate): it offers {offered}"
    )]
    NoMechanism {
        /// What it offers.
        offered: String,
    },
    /// The server does not know the password itself: somebody between pretends to be it.
    #[error("the XMPP server does not prove that it knows the password")]
    FalseServer,
    /// The server is there, but not for this domain.
    #[error("the XMPP server does not serve `{domain}`")]
    NoSuchDomain {
        /// The domain of the account.
        domain: String,
    },
    /// The server gave another session name than the one that others address.
    #[error(
        "the XMPP server gave the session name `{given}` in the place of `{wanted}`: does another program have it?"
    )]
    OtherResource {
        /// What was asked for.
        wanted: String,
        /// What was given.
        given: String,
    },
    /// Another program has logged in with the same account and session name.
    #[error("another program has logged in as `{jid}` and taken its place")]
    Replaced {
        /// The account with the session name.
        jid: String,
    },
    /// The server closed, and said why.
    #[error("the XMPP server closed the connection: {0}")]
    Closed(String),
    /// The connection ended.
    #[error("the connection with the XMPP server broke: {0}")]
    Gone(String),
    /// The server answers nothing more.
    #[error("the XMPP server has not answered for {} s", .0.as_secs())]
    Silent(Duration),
    /// More came than anybody has to say.
    #[error("more than {0} stanzas came at once from the XMPP server")]
    Flood(u32),
    /// One stanza was larger than any may be.
    #[error("a stanza of more than {0} bytes came from the XMPP server")]
    HugeStanza(usize),
    /// What came is not XMPP.
    #[error("what the XMPP server sent is not understood: {0}")]
    NotUnderstood(String),
}

impl Reason {
    /// Whether trying again soon is of no use, since a person has to change something first.
    pub fn wants_a_person(&self) -> bool {
        matches!(
            self,
            Self::NoStartTls
                | Self::UnknownAuthority
                | Self::WrongName { .. }
                | Self::Expired
                | Self::Authorities { .. }
                | Self::PasswordFile { .. }
                | Self::WrongPassword { .. }
                | Self::LoginRefused { .. }
                | Self::NoMechanism { .. }
                | Self::FalseServer
                | Self::NoSuchDomain { .. }
                | Self::OtherResource { .. }
                | Self::Replaced { .. }
        )
    }
}
