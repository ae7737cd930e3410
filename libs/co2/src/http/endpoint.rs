//! Where a peer is: `http://192.0.2.1:2003/RPC2`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// The port of CO2's hosts where an address has none.
pub const DEFAULT_PORT: u16 = 2003;

/// The path that calls go to.
pub const PATH: &str = "/RPC2";

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The path, which begins with a slash.
    pub path: String,
}

/// Why a text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is no address like `http://192.0.2.1:2003/RPC2`: {problem}")]
pub struct EndpointError {
    address: String,
    problem: &'static str,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
            path: PATH.to_owned(),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let wrong = |problem| EndpointError {
            address: text.escape_debug().to_string(),
            problem,
        };
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err(wrong("CO2 speaks `http` only")),
            None => text,
        };
        let (place, path) = match rest.split_once('/') {
            Some((place, path)) => (place, format!("/{path}")),
            None => (rest, PATH.to_owned()),
        };
        let (host, port) = if let Some(rest) = place.strip_prefix('[') {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| wrong("the bracket does not end"))?;
            (host, port.strip_prefix(':'))
        } else {
            match place.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            }
        };
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("the port is none")),
            },
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        if host.is_empty() || !host.chars().all(is_host) {
            return Err(wrong("there is no host in it"));
        }
        if host.contains(':') && !place.starts_with('[') {
            return Err(wrong("an IPv6 address stands in brackets"));
        }
        if !path.chars().all(|c| c.is_ascii_graphic() && c != '#') {
            return Err(wrong("the path has characters that no path has"));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            path,
        })
    }
}

impl Endpoint {
    /// Host and port, as HTTP has them.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("http://192.0.2.1:2003/RPC2", "http://192.0.2.1:2003/RPC2"),
            ("http://relay.example", "http://relay.example:2003/RPC2"),
            ("http://[::1]:2004/", "http://[::1]:2004/"),
            ("[::1]", "http://[::1]:2003/RPC2"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), written);
        }
        for text in [
            "https://a",
            "http://",
            "http://:1",
            "a:0",
            "a:x",
            "::1",
            "[::1",
            "a b",
            "a/b c",
            "a\r\nb",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
