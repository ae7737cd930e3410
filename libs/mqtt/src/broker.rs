//! Where a broker is.

use std::fmt;

use kozo_addresses::Url;

use crate::fault::Fault;

/// How a broker is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// TCP.
    Mqtt,
    /// TLS over TCP.
    Mqtts,
    /// A WebSocket.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

impl Scheme {
    const ALL: [(&str, Self, u16); 4] = [
        ("mqtt", Self::Mqtt, 1883),
        ("mqtts", Self::Mqtts, 8883),
        ("ws", Self::Ws, 80),
        ("wss", Self::Wss, 443),
    ];

    /// Whether it is encrypted.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Mqtts | Self::Wss)
    }
}

/// Where a broker is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    url: Url,
    scheme: Scheme,
    port: u16,
}

impl Broker {
    /// Reads a URL. A WebSocket's path is `/mqtt` where none is given, as brokers have it.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let schemes = Scheme::ALL.map(|(name, ..)| name);
        let mut url =
            Url::parse(text, &schemes).map_err(|error| Fault::Other(error.to_string()))?;
        let mut all = Scheme::ALL.into_iter();
        let Some((_, scheme, usual)) = all.find(|(name, ..)| *name == url.scheme) else {
            return Err(Fault::Other(format!("`{text}` has an unknown scheme")));
        };
        let port = url.port.unwrap_or(usual);
        match scheme {
            Scheme::Mqtt | Scheme::Mqtts if !matches!(&*url.path, "" | "/") => {
                let reason = format!("`{text}` has a path: only `ws://` and `wss://` have one");
                return Err(Fault::Other(reason));
            }
            Scheme::Ws | Scheme::Wss if url.path.is_empty() => url.path = "/mqtt".to_owned(),
            _ => {}
        }
        url.port = Some(port);
        Ok(Self { url, scheme, port })
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its host, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        &self.url.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL, with its port.
    pub fn url(&self) -> String {
        self.url.to_string()
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_usual_port_and_a_websocket_its_path() {
        for (text, whole) in [
            ("mqtt://hub", "mqtt://hub:1883"),
            ("mqtts://[::1]", "mqtts://[::1]:8883"),
            ("ws://hub", "ws://hub:80/mqtt"),
            ("wss://hub:9001/x", "wss://hub:9001/x"),
        ] {
            assert_eq!(Broker::parse(text).unwrap().to_string(), whole);
        }
        assert!(Broker::parse("mqtt://hub/path").is_err());
        assert!(Broker::parse("http://hub").is_err());
    }
}
