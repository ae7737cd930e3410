use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest that each part of an address may be, in bytes (RFC 7622).
const MAX_PART: usize = 1023;

/// An address in XMPP: `node@domain`, or `node@domain/resource` for one session of that account.
///
/// Node and domain are kept in lower case, so that addresses are equal if they mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Jid {
    node: Option<String>,
    domain: String,
    resource: Option<String>,
}

impl Jid {
    /// The account, without which an address is that of a server.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The server's domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The session of the account.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The account alone.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self {
            resource: None,
            ..self.clone()
        }
    }

    /// A session of this account.
    ///
    /// # Errors
    /// There can be no such session.
    pub fn with_resource(&self, resource: &str) -> Result<Self, InvalidJid> {
        if !is_part(resource) || resource.chars().any(char::is_control) {
            return Err(InvalidJid::Resource);
        }
        Ok(Self {
            resource: Some(resource.to_owned()),
            ..self.clone()
        })
    }
}

impl FromStr for Jid {
    type Err = InvalidJid;

    fn from_str(text: &str) -> Result<Self, InvalidJid> {
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (node, domain) = match bare.split_once('@') {
            Some((node, domain)) => (Some(node), domain),
            None => (None, bare),
        };
        let forbidden = |c: char| c.is_control() || c.is_whitespace() || "\"&'/:<>@".contains(c);
        if node.is_some_and(|node| !is_part(node) || node.contains(forbidden)) {
            return Err(InvalidJid::Node);
        }
        let in_domain = |c: char| c.is_alphanumeric() || "-._:[]".contains(c);
        if !is_part(domain) || !domain.chars().all(in_domain) {
            return Err(InvalidJid::Domain);
        }
        let jid = Self {
            node: node.map(str::to_lowercase),
            domain: domain.trim_end_matches('.').to_lowercase(),
            resource: None,
        };
        match resource {
            Some(resource) => jid.with_resource(resource),
            None => Ok(jid),
        }
    }
}

fn is_part(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_PART
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            write!(f, "{node}@")?;
        }
        f.write_str(&self.domain)?;
        match &self.resource {
            Some(resource) => write!(f, "/{resource}"),
            None => Ok(()),
        }
    }
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidJid {
    /// What is before the `@`.
    #[error("what stands before the `@` is not the name of an account")]
    Node,
    /// What is after it.
    #[error("it has no domain of a server (`user@example.org`)")]
    Domain,
    /// What is behind the slash.
    #[error("what stands behind the `/` is not the name of a session")]
    Resource,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_put_together() -> Result<(), InvalidJid> {
        let jid: Jid = "Cabin@Example.org/tincan/Ab".parse()?;
        assert_eq!(jid.node(), Some("cabin"));
        assert_eq!(jid.domain(), "example.org");
        assert_eq!(jid.resource(), Some("tincan/Ab"));
        assert_eq!(jid.to_string(), "cabin@example.org/tincan/Ab");
        assert_eq!(jid.bare().to_string(), "cabin@example.org");
        assert_eq!("example.org".parse::<Jid>()?.node(), None);
        Ok(())
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, expected) in [
            ("", InvalidJid::Domain),
            ("@example.org", InvalidJid::Node),
            ("a b@example.org", InvalidJid::Node),
            ("a@", InvalidJid::Domain),
            ("a@b@c", InvalidJid::Domain),
            ("a@b c", InvalidJid::Domain),
            ("a@b/", InvalidJid::Resource),
            ("a@b/c\n", InvalidJid::Resource),
        ] {
            assert_eq!(text.parse::<Jid>(), Err(expected), "{text:?}");
        }
        assert!(format!("{}@b", "a".repeat(1024)).parse::<Jid>().is_err());
    }
}
