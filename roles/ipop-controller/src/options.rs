//! The options, and what is made of them.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kozo_abi::{Error, RoleHost};
use kozo_ipop::address::{Group, Social};
use kozo_ipop::request::Password;
use kozo_ipop::{Api, Uid};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::core::{Addresses, MultihopSettings, Settings, Turn};

/// The longest password that is read, in bytes.
const MAX_PASSWORD: usize = 4096;

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    mode: Mode,
    ip4: String,
    ip4_prefix: Option<u8>,
    uid: Option<String>,
    addresses: BTreeMap<String, String>,
    xmpp_user: String,
    xmpp_host: Option<String>,
    xmpp_password_file: PathBuf,
    stun: Vec<String>,
    turn: Vec<TurnOption>,
    wait_time: f64,
    encrypt: bool,
    on_demand: bool,
    on_demand_timeout: f64,
    trim_relayed: bool,
    switch_mode: bool,
    multihop: bool,
    multihop_links: usize,
    multihop_hops: i64,
    multihop_max_hops: i64,
    multihop_wait: f64,
    pub(crate) icc: u16,
    ignore_interfaces: Vec<String>,
    api: String,
    pub(crate) tincan_port: u16,
    pub(crate) port: u16,
    tincan_logging: i64,
    pub(crate) watchdog: Option<String>,
    watchdog_time: f64,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Groupvpn,
    Socialvpn,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TurnOption {
    server: String,
    #[serde(default)]
    user: String,
    password_file: Option<PathBuf>,
}

/// What a node of a SocialVPN keeps.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Its uid.
    pub(crate) uid: String,
    /// Who has which address here.
    pub(crate) addresses: BTreeMap<String, Ipv4Addr>,
}

impl Kept {
    pub(crate) fn of(uid: Uid, social: &Social) -> Self {
        let addresses = social.peers().iter();
        Self {
            uid: uid.to_string(),
            addresses: addresses
                .map(|(uid, address)| (uid.to_string(), *address))
                .collect(),
        }
    }
}

impl Options {
    /// Whether controllers speak with each other.
    pub(crate) fn uses_icc(&self) -> bool {
        self.switch_mode || self.multihop
    }

    pub(crate) fn api(&self) -> Result<Api, Error> {
        Ok(self.api.parse()?)
    }

    /// All that the controller has to know.
    ///
    /// # Errors
    /// An option is wrong, or a file cannot be read; in words.
    pub(crate) fn settings(&self, host: &RoleHost) -> Result<(Settings, Addresses), Error> {
        let ip4: Ipv4Addr = self.ip4.parse().map_err(|_| {
            format!(
                "`ip4`: `{}` is no IPv4 address such as 172.31.0.100",
                self.ip4
            )
        })?;
        if ip4.is_unspecified() || ip4.is_loopback() || ip4.is_multicast() || ip4.is_broadcast() {
            return Err(format!(
                "`ip4`: {ip4} can be the address of no machine: take one of a private network"
            )
            .into());
        }
        let (uid, addresses) = match self.mode {
            Mode::Groupvpn => {
                let group = Group::around(ip4).ok_or_else(|| {
                    format!(
                        "`ip4`: {ip4} is in no group: the last two parts of an address are at most 254, as 172.31.0.100 has them"
                    )
                })?;
                (Uid::of_ip4(ip4), Addresses::Group(group))
            }
            Mode::Socialvpn => self.social(ip4, host)?,
        };
        let (user, domain) = account(&self.xmpp_user)?;
        let password = password("xmppPasswordFile", &self.xmpp_password_file)?;
        let turn = self
            .turn
            .iter()
            .map(TurnOption::read)
            .collect::<Result<_, _>>()?;
        if let Some(server) = self.stun.iter().find(|server| !is_server(server)) {
            return Err(format!(
                "`stun`: `{server}` is no server with a port, such as stun.example.org:3478"
            )
            .into());
        }
        let seconds = Duration::try_from_secs_f64;
        let multihop = MultihopSettings {
            links: self.multihop_links,
            hops: self.multihop_hops,
            max_hops: self.multihop_max_hops,
            wait: seconds(self.multihop_wait)?,
        };
        let settings = Settings {
            api: self.api()?,
            uid,
            ip4,
            ip4_prefix: self.ip4_prefix.unwrap_or(match self.mode {
                Mode::Groupvpn => 16,
                Mode::Socialvpn => 24,
            }),
            user: user.to_owned(),
            password,
            host: self.xmpp_host.clone().unwrap_or_else(|| domain.to_owned()),
            stun: self.stun.clone(),
            turn,
            wait: seconds(self.wait_time)?,
            encrypt: self.encrypt,
            on_demand: self
                .on_demand
                .then(|| seconds(self.on_demand_timeout))
                .transpose()?,
            trim_relayed: self.trim_relayed,
            switch: self.switch_mode,
            multihop: self.multihop.then_some(multihop),
            ignore: self.ignore_interfaces.clone(),
            logging: self.tincan_logging,
            silence: seconds(self.watchdog_time)?,
        };
        Ok((settings, addresses))
    }

    fn social(&self, ip4: Ipv4Addr, host: &RoleHost) -> Result<(Uid, Addresses), Error> {
        let kept = match (&self.uid, host.load()) {
            (_, Ok(kept)) => kept,
            // What is not kept need not be read.
            (Some(_), Err(_)) => None,
            (None, Err(error)) => return Err(no_storage(&error)),
        };
        let known = known_addresses(ip4, kept.as_ref(), &self.addresses)?;
        let uid: Uid = match (&self.uid, &kept) {
            (Some(uid), _) => uid.parse().map_err(|error| format!("`uid`: {error}"))?,
            (None, Some(kept)) => kept.uid.parse()?,
            (None, None) => {
                let mut bytes = [0; Uid::LEN];
                let random = SystemRandom::new();
                random
                    .fill(&mut bytes)
                    .map_err(|_| "the system gives no random numbers")?;
                Uid::new(bytes)
            }
        };
        let social = Social::new(ip4, known);
        let stored = host.store(&Kept::of(uid, &social));
        if let (None, Err(error)) = (&self.uid, stored) {
            return Err(no_storage(&error));
        }
        Ok((uid, Addresses::Social(social)))
    }
}

/// Who has which address: as it was kept, and as the file says.
fn known_addresses(
    own: Ipv4Addr,
    kept: Option<&Kept>,
    fixed: &BTreeMap<String, String>,
) -> Result<BTreeMap<Uid, Ipv4Addr>, Error> {
    let mut known = BTreeMap::new();
    for (uid, address) in kept.iter().flat_map(|kept| &kept.addresses) {
        // Of another network, since `ip4` was changed: such a peer gets a new one.
        if address.octets()[..3] == own.octets()[..3] {
            known.insert(uid.parse()?, *address);
        }
    }
    for (uid, address) in fixed {
        let uid = uid
            .parse()
            .map_err(|error| format!("`addresses`: `{uid}`: {error}"))?;
        let address: Ipv4Addr = address
            .parse()
            .map_err(|_| format!("`addresses`: `{address}` is no IPv4 address"))?;
        known.retain(|_, other| *other != address);
        known.insert(uid, address);
    }
    Ok(known)
}

fn no_storage(error: &Error) -> Error {
    format!(
        "the uid of this machine cannot be kept: {error}; give the node a folder (`roleStorage`), or the role a `uid` of 40 \
         hexadecimal digits"
    )
    .into()
}

impl TurnOption {
    fn read(&self) -> Result<Turn, Error> {
        if !is_server(&self.server) {
            let server = &self.server;
            return Err(format!(
                "`turn`: `{server}` is no server with a port, such as turn.example.org:3478"
            )
            .into());
        }
        let password = match &self.password_file {
            Some(file) if file.is_absolute() => password("turn", file)?,
            Some(file) => {
                return Err(format!(
                    "`turn`: the path `{}` has to begin with a `/`",
                    file.display()
                )
                .into());
            }
            None => Password::default(),
        };
        Ok(Turn {
            server: self.server.clone(),
            user: self.user.clone(),
            password,
        })
    }
}

/// A name or an address, and a port.
fn is_server(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    !host.is_empty()
        && !host.contains(char::is_whitespace)
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// An account without a resource, which the uid is, and its domain.
fn account(text: &str) -> Result<(&str, &str), Error> {
    let parts = text
        .split_once('@')
        .filter(|(node, domain)| !node.is_empty() && !domain.is_empty());
    match parts {
        Some((_, domain)) if !domain.contains(['/', '@']) => Ok((text, domain)),
        _ => Err(format!("`xmppUser`: `{text}` is no account such as cabin@example.org, without a `/` and what is behind").into()),
    }
}

/// The first line of a file with a password.
fn password(option: &str, file: &Path) -> Result<Password, Error> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        format!("`{option}`: the password in `{shown}` cannot be read: {error}; it is a file that the daemon's user can read")
    })?;
    let line = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches('\r');
    match line.len() {
        0 => Err(format!("`{option}`: the first line of `{shown}` is empty, and no password").into()),
        1..=MAX_PASSWORD => Ok(Password(line.to_owned())),
        _ => Err(format!("`{option}`: the first line of `{shown}` is longer than {MAX_PASSWORD} bytes, and no password").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_addresses_are_of_the_network_and_give_way_to_those_of_the_file() {
        let uid = |number: u8| Uid::new([number; Uid::LEN]);
        let own = Ipv4Addr::new(172, 31, 0, 100);
        let before = [
            (uid(1), [172, 31, 0, 101]),
            (uid(2), [172, 31, 0, 102]),
            (uid(3), [10, 0, 0, 101]),
        ];
        let before = before.map(|(uid, address)| (uid, Ipv4Addr::from(address)));
        let kept = Kept::of(uid(9), &Social::new(own, before));
        let fixed = BTreeMap::from([(uid(4).to_string(), "172.31.0.101".to_owned())]);
        let known = known_addresses(own, Some(&kept), &fixed).unwrap();
        let expected = [
            (uid(2), [172, 31, 0, 102].into()),
            (uid(4), [172, 31, 0, 101].into()),
        ];
        assert_eq!(known, BTreeMap::from(expected));
        for (uid, address) in [("x", "172.31.0.101"), (&*uid(4).to_string(), "x")] {
            let fixed = BTreeMap::from([(uid.to_owned(), address.to_owned())]);
            let error = known_addresses(own, None, &fixed).unwrap_err().to_string();
            assert!(error.starts_with("`addresses`: `x`"), "{error}");
        }
    }

    #[test]
    fn an_account_is_a_bare_jid_and_a_server_has_a_port() {
        assert_eq!(
            account("cabin@example.org").unwrap(),
            ("cabin@example.org", "example.org")
        );
        for wrong in [
            "",
            "cabin",
            "@example.org",
            "cabin@",
            "cabin@example.org/x",
            "a@b@c",
        ] {
            assert!(account(wrong).is_err(), "{wrong}");
        }
        for (server, is_one) in [
            ("stun:3478", true),
            ("[::1]:1", true),
            ("stun", false),
            ("stun:0", false),
            (":1", false),
            ("a b:1", false),
        ] {
            assert_eq!(is_server(server), is_one, "{server}");
        }
    }
}
