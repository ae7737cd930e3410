//! What a server says of itself, and whether it will do.

use std::fmt;

use serde::Deserialize;

use crate::fault::Fault;

/// The least that a server has to take as one message, in bytes: an announcement with what is around it.
pub(crate) const LEAST_PAYLOAD: u64 = 4096;

/// The longest name or version that is shown, in characters.
const SHOWN: usize = 64;

/// What `INFO` has in it, as far as it matters here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Info {
    server_name: String,
    server_id: String,
    version: String,
    cluster: Option<String>,
    pub(crate) max_payload: u64,
    /// The protocol has headers, and says when nobody listens to a request. Since version 2.2.
    headers: bool,
    pub(crate) tls_required: bool,
    pub(crate) tls_available: bool,
    pub(crate) auth_required: bool,
    pub(crate) nonce: Option<String>,
    /// Where the servers of its cluster are: `host:port`.
    pub(crate) connect_urls: Vec<String>,
    /// The same for WebSockets.
    pub(crate) ws_connect_urls: Vec<String>,
    /// It is about to be ended.
    #[serde(rename = "ldm")]
    pub(crate) leaving: bool,
}

impl Info {
    /// # Errors
    /// It is no such thing.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(json)
            .map_err(|error| Fault::Other(format!("what it says of itself is of no use: {error}")))
    }

    /// Whether it will do.
    ///
    /// # Errors
    /// It is too old, or takes too little at once.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if !self.headers {
            return Err(Fault::TooOld(shown(&self.version)));
        }
        if self.max_payload < LEAST_PAYLOAD {
            return Err(Fault::Payload(self.max_payload));
        }
        Ok(())
    }
}

/// Which server it is, for people.
impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A server without a name has its number as one, which tells nobody anything.
        if !self.server_name.is_empty() && self.server_name != self.server_id {
            write!(f, "`{}`, ", shown(&self.server_name))?;
        }
        write!(f, "NATS {}", shown(&self.version))?;
        match &self.cluster {
            Some(cluster) if !cluster.is_empty() => write!(f, ", cluster `{}`", shown(cluster)),
            _ => Ok(()),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_or_takes_too_little_is_refused() {
        // As a server of 2012 said it.
        let old = br#"{"server_id":"4b2e","host":"0.0.0.0","port":4222,"version":"0.3.1",
            "auth_required":false,"ssl_required":false,"max_payload":1048576}"#;
        let old = Info::parse(old).unwrap();
        assert_eq!(old.check(), Err(Fault::TooOld("0.3.1".to_owned())));
        let small = br#"{"version":"2.10.1","headers":true,"max_payload":1024}"#;
        assert_eq!(
            Info::parse(small).unwrap().check(),
            Err(Fault::Payload(1024))
        );
        let fine = br#"{"server_name":"n1","version":"2.9.10","headers":true,"max_payload":4096,"cluster":"kozo","more":[1]}"#;
        let fine = Info::parse(fine).unwrap();
        assert_eq!(fine.check(), Ok(()));
        assert_eq!(fine.to_string(), "`n1`, NATS 2.9.10, cluster `kozo`");
        assert!(Info::parse(b"[]x").is_err());
    }
}
