//! Which servers there are, and in which order they are tried. Pure.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use kozo_addresses::{Endpoint, Url};

use crate::fault::Fault;
use crate::options::Order;

/// How many servers are known at most: those of the file and those that they tell of.
const MAX_SERVERS: usize = 128;

/// How many reasons are shown of those why servers cannot be used, and how many servers with each.
const SHOWN: usize = 3;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// With TLS where the server demands it.
    Nats,
    /// Always with TLS.
    Tls,
    Ws,
    Wss,
}

impl Scheme {
    const ALL: [(&str, Self, u16); 4] = [
        ("nats", Self::Nats, 4222),
        ("tls", Self::Tls, 4222),
        ("ws", Self::Ws, 80),
        ("wss", Self::Wss, 443),
    ];

    fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, scheme, _)| *scheme == self)
            .map_or("", |(name, ..)| name)
    }

    pub(crate) fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// Where a server is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For WebSockets.
    pub(crate) path: String,
    /// The name that its certificate is for: its host, or that of the server which told of it.
    pub(crate) name: String,
}

impl Server {
    /// Reads a URL.
    ///
    /// # Errors
    /// In words; with the URL.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let schemes = Scheme::ALL.map(|(name, ..)| name);
        let url = Url::parse(text, &schemes).map_err(|error| error.to_string())?;
        let mut all = Scheme::ALL.into_iter();
        let Some((_, scheme, usual)) = all.find(|(name, ..)| *name == url.scheme) else {
            return Err(format!("`{text}` has an unknown scheme"));
        };
        if !scheme.is_websocket() && !matches!(&*url.path, "" | "/") {
            return Err(format!(
                "`{text}` has a path: only `ws://` and `wss://` have one"
            ));
        }
        Ok(Self {
            scheme,
            name: url.host.clone(),
            host: url.host,
            port: url.port.unwrap_or(usual),
            path: match &*url.path {
                "" => "/".to_owned(),
                path => path.to_owned(),
            },
        })
    }

    /// One that this one tells of, as `host:port`.
    fn neighbour(&self, text: &str) -> Option<Self> {
        let endpoint = Endpoint::parse(text, None).ok()?;
        // A certificate is rarely for an address, and servers of a cluster often tell addresses.
        let is_address = endpoint.host.parse::<IpAddr>().is_ok();
        Some(Self {
            scheme: self.scheme,
            name: match is_address {
                true => self.name.clone(),
                false => endpoint.host.clone(),
            },
            host: endpoint.host,
            port: endpoint.port,
            path: self.path.clone(),
        })
    }

    /// `host:port`, with the brackets of IPv6.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    fn is_at(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
            && self.port == other.port
            && self.scheme.is_websocket() == other.scheme.is_websocket()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path.as_str() {
            "/" => "",
            path => path,
        };
        write!(f, "{}://{}{path}", self.scheme.name(), self.authority())
    }
}

/// All servers that are known.
#[derive(Debug)]
pub(crate) struct Servers {
    entries: Vec<Entry>,
    order: Order,
}

#[derive(Debug)]
struct Entry {
    server: Server,
    /// It stands in the file.
    given: bool,
    /// Where its name has led to last.
    addresses: Vec<SocketAddr>,
    /// How bad it was last.
    mark: Mark,
}

/// Those that were better last are tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Fine,
    /// A connection with it was lost.
    Lost,
    /// It is about to be ended, or could not be reached.
    Bad,
}

impl Servers {
    pub(crate) fn new(given: Vec<Server>, order: Order) -> Self {
        let mut entries: Vec<Entry> = Vec::with_capacity(given.len());
        for server in given {
            if !entries.iter().any(|entry| entry.server == server) {
                entries.push(Entry {
                    server,
                    given: true,
                    addresses: Vec::new(),
                    mark: Mark::Fine,
                });
            }
        }
        Self { entries, order }
    }

    /// Its name leads to these addresses; to none: it is not known where.
    pub(crate) fn found(&mut self, server: &Server, addresses: Vec<SocketAddr>) {
        let mut entries = self.entries.iter_mut();
        if let Some(entry) = entries.find(|entry| entry.server == *server)
            && !addresses.is_empty()
        {
            entry.addresses = addresses;
        }
    }

    /// Why none of a round can be used, in words: each server once, those of the file first, and such together that share
    /// a reason. A server that is told of by its address is often one that the file has by its name.
    pub(crate) fn reasons(&self, failed: &[(Server, Fault)]) -> String {
        let mut places: Vec<SocketAddr> = Vec::new();
        let mut reasons: Vec<(String, Vec<&Server>)> = Vec::new();
        // In that order they are here.
        for entry in &self.entries {
            let mut faults = failed.iter();
            let Some((server, fault)) = faults.find(|(server, _)| *server == entry.server) else {
                continue;
            };
            let is_shown = entry.addresses.iter().any(|place| places.contains(place));
            if is_shown && !entry.given {
                continue;
            }
            places.extend(&entry.addresses);
            let fault = fault.to_string();
            match reasons.iter_mut().find(|(known, _)| *known == fault) {
                Some((_, servers)) => servers.push(server),
                None => reasons.push((fault, vec![server])),
            }
        }
        let shown = reasons.iter().take(SHOWN).map(|(fault, servers)| {
            let names = servers.iter().take(SHOWN).map(ToString::to_string);
            let names: Vec<_> = names.collect();
            let more = more(servers.len(), ", and");
            format!("{}{more}: {fault}", names.join(", "))
        });
        let shown: Vec<_> = shown.collect();
        let left = reasons.iter().skip(SHOWN);
        let left: usize = left.map(|(_, servers)| servers.len()).sum();
        shown.join("; ") + &more(SHOWN + left, "; and")
    }

    /// All of them once, in the order in which to try them. In random order, thousands of nodes spread over a cluster.
    pub(crate) fn round(&self, random: &mut fastrand::Rng) -> Vec<Server> {
        let mut round: Vec<_> = self.entries.iter().collect();
        if self.order == Order::Random {
            random.shuffle(&mut round);
        }
        round.sort_by_key(|entry| entry.mark);
        round.iter().map(|entry| entry.server.clone()).collect()
    }

    pub(crate) fn connected(&mut self, server: &Server) {
        self.mark(server, Mark::Fine);
    }

    /// A connection with it came to its end.
    pub(crate) fn lost(&mut self, server: &Server) {
        self.mark(server, Mark::Lost);
    }

    /// It cannot be used at present.
    pub(crate) fn failed(&mut self, server: &Server) {
        self.mark(server, Mark::Bad);
    }

    fn mark(&mut self, server: &Server, mark: Mark) {
        let mut entries = self.entries.iter_mut();
        if let Some(entry) = entries.find(|entry| entry.server == *server) {
            entry.mark = mark;
        }
    }

    /// What a server tells of its cluster, as it is now: others that it told of before are gone.
    pub(crate) fn told(&mut self, by: &Server, neighbours: &[String]) {
        // A cluster of one, and servers that are set up to tell nothing.
        if neighbours.is_empty() {
            return;
        }
        let neighbours: Vec<_> = neighbours
            .iter()
            .take(MAX_SERVERS)
            .filter_map(|text| by.neighbour(text))
            .collect();
        self.entries.retain(|entry| {
            entry.given
                || entry.server == *by
                || neighbours.iter().any(|one| one.is_at(&entry.server))
        });
        for server in neighbours {
            let known = self.entries.iter().any(|entry| entry.server.is_at(&server));
            if !known && self.entries.len() < MAX_SERVERS {
                self.entries.push(Entry {
                    server,
                    given: false,
                    addresses: Vec::new(),
                    mark: Mark::Fine,
                });
            }
        }
    }
}

/// How many there are beyond those that are shown.
fn more(count: usize, words: &str) -> String {
    match count.saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("{words} {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(urls: &[&str]) -> Servers {
        let given = urls.iter().map(|url| Server::parse(url).unwrap());
        Servers::new(given.collect(), Order::Listed)
    }

    fn round(servers: &Servers) -> Vec<String> {
        let round = servers.round(&mut fastrand::Rng::with_seed(1));
        round.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_scheme_has_its_usual_port() {
        for (text, whole) in [
            ("nats://hub", "nats://hub:4222"),
            ("tls://[::1]", "tls://[::1]:4222"),
            ("ws://hub/nats", "ws://hub:80/nats"),
            ("wss://hub:8443", "wss://hub:8443"),
        ] {
            assert_eq!(Server::parse(text).unwrap().to_string(), whole);
        }
        for text in [
            "http://hub",
            "nats://hub/path",
            "nats://me:secret@hub",
            "hub",
        ] {
            let error = Server::parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_is_lost_or_fails_is_tried_last() {
        let mut servers = servers(&["nats://a", "nats://b", "nats://c", "nats://a:4222"]);
        assert_eq!(servers.entries.len(), 3);
        let a = Server::parse("nats://a").unwrap();
        let b = Server::parse("nats://b").unwrap();
        servers.lost(&a);
        servers.failed(&b);
        assert_eq!(
            round(&servers),
            ["nats://c:4222", "nats://a:4222", "nats://b:4222"]
        );
        servers.connected(&b);
        assert_eq!(
            round(&servers),
            ["nats://b:4222", "nats://c:4222", "nats://a:4222"]
        );
    }

    #[test]
    fn a_cluster_tells_of_its_servers_and_takes_them_back() {
        let mut servers = servers(&["tls://nats.example:4222"]);
        let by = Server::parse("tls://nats.example:4222").unwrap();
        let told = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        servers.told(
            &by,
            &told(&["NATS.example:4222", "192.0.2.1:4222", "b.example:1", "x"]),
        );
        assert_eq!(
            round(&servers),
            [
                "tls://nats.example:4222",
                "tls://192.0.2.1:4222",
                "tls://b.example:1"
            ]
        );
        // The certificate of one that is told by its address is for the name that leads to it.
        let names: Vec<_> = servers
            .entries
            .iter()
            .map(|entry| &*entry.server.name)
            .collect();
        assert_eq!(names, ["nats.example", "nats.example", "b.example"]);
        servers.told(&by, &[]);
        assert_eq!(servers.entries.len(), 3);
        servers.told(&by, &told(&["192.0.2.1:4222"]));
        assert_eq!(servers.entries.len(), 2);
        let many: Vec<_> = (1..=1000).map(|port| format!("c.example:{port}")).collect();
        servers.told(&by, &many);
        assert_eq!(servers.entries.len(), MAX_SERVERS);
    }

    #[test]
    fn why_none_can_be_used_names_each_server_once_and_those_of_the_file_first() {
        let mut servers = servers(&["tls://a", "tls://b", "tls://c"]);
        let one = |text: &str| Server::parse(text).unwrap();
        let addresses = ["192.0.2.1:4222", "192.0.2.2:4222", "192.0.2.3:4222"];
        servers.told(&one("tls://a"), &addresses.map(str::to_owned));
        let all = servers.entries.iter().map(|entry| entry.server.clone());
        // In which order they were tried is of no account.
        let all: Vec<_> = all.rev().collect();
        for server in &all {
            let at = match server.host.as_str() {
                "a" => addresses[0],
                "b" => addresses[1],
                // Its name leads nowhere at present, and has never led anywhere.
                "c" => continue,
                address => &format!("{address}:4222"),
            };
            servers.found(server, vec![at.parse().unwrap()]);
        }
        servers.found(&one("tls://b"), Vec::new());
        let mut failed: Vec<_> = all
            .into_iter()
            .map(|server| (server, Fault::Refused))
            .collect();
        assert_eq!(
            servers.reasons(&failed),
            "tls://a:4222, tls://b:4222, tls://c:4222, and 1 more: nothing listens there: is the server running, and is \
             this its port?"
        );
        for (server, fault) in &mut failed {
            match server.host.as_str() {
                "b" => *fault = Fault::Late,
                "c" => *fault = Fault::NoHost,
                "192.0.2.3" => *fault = Fault::Mute,
                _ => {}
            }
        }
        assert_eq!(
            servers.reasons(&failed),
            "tls://a:4222: nothing listens there: is the server running, and is this its port?; tls://b:4222: it does \
             not answer: is it running, and is there no firewall between?; tls://c:4222: there is no such host; and 1 \
             more"
        );
    }

    #[test]
    fn nodes_spread_over_servers() {
        let mut firsts = std::collections::BTreeSet::new();
        let servers = Servers {
            order: Order::Random,
            ..servers(&["nats://a", "nats://b", "nats://c"])
        };
        for seed in 0..100 {
            let round = servers.round(&mut fastrand::Rng::with_seed(seed));
            firsts.insert(round[0].host.clone());
        }
        assert_eq!(firsts.len(), 3);
    }
}
