//! Why there is no connection with a broker, in words.

/// Why a connection did not come about, or is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody listens there.
    #[error("nothing listens there: is the broker running, and is this its port?")]
    Refused,
    /// There was no answer in time.
    #[error("it does not answer: is this a broker, and is there no firewall between?")]
    Late,
    /// It answers no more.
    #[error("it has fallen silent")]
    Silent,
    /// The other end has ended it without a word.
    #[error("it closed the connection without a word")]
    Closed,
    /// As asked for.
    #[error("the connection was ended here")]
    Left,
    /// Another connection has the same client identifier.
    #[error(
        "another client has connected with the same client identifier: give each its own `clientId`"
    )]
    TakenOver,
    /// The user or the password is wrong.
    #[error("it does not take the user and the password (`user`, `passwordFile`)")]
    Credentials,
    /// This user may not.
    #[error("it does not let this user in (`user`, `passwordFile`, and what the broker allows)")]
    NotAllowed,
    /// The client identifier is none for it.
    #[error("it does not take the client identifier (`clientId`)")]
    ClientId,
    /// It speaks another version of MQTT.
    #[error("it does not speak this version of MQTT: try the other one (`protocol`)")]
    Version,
    /// A packet was larger than allowed.
    #[error("a message was larger than the broker or this end takes")]
    TooLarge,
    /// It keeps nothing for those who come later.
    #[error("it keeps no retained messages, without which nothing is there for Home Assistant")]
    RetainsNothing,
    /// It is being ended.
    #[error("it shuts down")]
    ShutsDown,
    /// Something about the encryption.
    #[error(transparent)]
    Tls(#[from] kozo_tls::Fault),
    /// There is nothing to encrypt with.
    #[error("nothing is set up for TLS")]
    NoTls,
    /// What it says itself.
    #[error("it says {0}")]
    Told(String),
    /// A file that cannot be used.
    #[error(transparent)]
    File(#[from] kozo_tls::FileFault),
    /// Whatever else.
    #[error("{0}")]
    Other(String),
}
