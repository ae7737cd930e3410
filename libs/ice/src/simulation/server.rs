//! A STUN and TURN server, as strict as the real ones.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::server::long_term_key;
use crate::stun::{Class, Message, Method, Transaction, Writer, attribute, is_stun};

const LIFETIME: Duration = Duration::from_secs(600);
const PERMISSION: Duration = Duration::from_secs(300);
const NONCE: Duration = Duration::from_secs(250);
const REALM: &str = "simulated";

pub(super) type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

#[derive(Debug)]
struct Allocation {
    client: SocketAddr,
    /// By which request; it may come again.
    transaction: Transaction,
    relayed: SocketAddr,
    until: Instant,
    permissions: HashMap<IpAddr, Instant>,
    channels: HashMap<u16, (SocketAddr, Instant)>,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) user: String,
    pub(super) password: String,
    /// How many relays it has.
    pub(super) quota: usize,
    /// Whether it answers at all.
    pub(super) silent: bool,
    allocations: Vec<Allocation>,
    next_port: u16,
    start: Instant,
    /// How many datagrams of peers it has passed on.
    pub(super) relayed: u64,
    pub(super) codes: HashSet<u16>,
}

impl Server {
    pub(super) fn new(now: Instant, address: SocketAddr) -> Self {
        Self {
            address,
            user: "user".to_owned(),
            password: "password".to_owned(),
            quota: 10,
            silent: false,
            allocations: Vec::new(),
            next_port: 50_000,
            start: now,
            relayed: 0,
            codes: HashSet::new(),
        }
    }

    pub(super) fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// It has forgotten everything.
    pub(super) fn restart(&mut self) {
        self.allocations.clear();
    }

    fn nonce(&self, now: Instant) -> String {
        format!(
            "nonce{}",
            now.duration_since(self.start).as_secs() / NONCE.as_secs()
        )
    }

    pub(super) fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Vec<Datagram> {
        self.allocations.retain(|allocation| allocation.until > now);
        if self.silent {
            return Vec::new();
        }
        if to != self.address {
            return self.pass_on(now, from, to, datagram).into_iter().collect();
        }
        if !is_stun(datagram) {
            return self.channel_data(now, from, datagram).into_iter().collect();
        }
        let Some(message) = Message::read(datagram) else {
            return Vec::new();
        };
        match (message.class, message.method) {
            (Class::Request, Method::Binding) => {
                let answer = Writer::new(Class::Success, Method::Binding, &message.transaction)
                    .address(attribute::XOR_MAPPED_ADDRESS, from);
                vec![(self.address, from, answer.into_bytes())]
            }
            (Class::Request, _) => {
                let answer = self.request(now, from, &message);
                vec![(self.address, from, answer)]
            }
            (Class::Indication, Method::Send) => {
                self.send(now, from, &message).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn error(&mut self, now: Instant, message: &Message<'_>, code: u16) -> Vec<u8> {
        self.codes.insert(code);
        let mut value = vec![0, 0];
        value.extend([
            u8::try_from(code / 100).unwrap(),
            u8::try_from(code % 100).unwrap(),
        ]);
        value.extend(b"because");
        let mut writer = Writer::new(Class::Error, message.method, &message.transaction)
            .attribute(attribute::ERROR_CODE, &value);
        if matches!(code, 401 | 438) {
            writer = writer
                .attribute(attribute::REALM, REALM.as_bytes())
                .attribute(attribute::NONCE, self.nonce(now).as_bytes());
        }
        writer.into_bytes()
    }

    fn request(&mut self, now: Instant, from: SocketAddr, message: &Message<'_>) -> Vec<u8> {
        let key = long_term_key(&self.user, REALM, &self.password);
        if message.attribute(attribute::USERNAME).is_none() {
            return self.error(now, message, 401);
        }
        if message.text(attribute::NONCE) != Some(&self.nonce(now)) {
            return self.error(now, message, 438);
        }
        if message.text(attribute::USERNAME) != Some(&self.user) || !message.is_signed_with(&key) {
            return self.error(now, message, 401);
        }
        let position = self
            .allocations
            .iter()
            .position(|allocation| allocation.client == from);
        let mut answer = Writer::new(Class::Success, message.method, &message.transaction);
        match (message.method, position) {
            (Method::Allocate, None) => {
                if message.attribute(attribute::REQUESTED_TRANSPORT) != Some(&[17, 0, 0, 0]) {
                    return self.error(now, message, 442);
                }
                if self.allocations.len() >= self.quota {
                    return self.error(now, message, 486);
                }
                self.next_port += 1;
                let relayed = SocketAddr::new(self.address.ip(), self.next_port);
                self.allocations.push(Allocation {
                    client: from,
                    transaction: message.transaction,
                    relayed,
                    until: now + LIFETIME,
                    permissions: HashMap::new(),
                    channels: HashMap::new(),
                });
                answer = answer
                    .address(attribute::XOR_RELAYED_ADDRESS, relayed)
                    .address(attribute::XOR_MAPPED_ADDRESS, from)
                    .attribute(attribute::LIFETIME, &600_u32.to_be_bytes());
            }
            (Method::Allocate, Some(position))
                if self.allocations[position].transaction == message.transaction =>
            {
                answer = answer
                    .address(
                        attribute::XOR_RELAYED_ADDRESS,
                        self.allocations[position].relayed,
                    )
                    .address(attribute::XOR_MAPPED_ADDRESS, from);
            }
            (Method::Allocate, Some(_)) | (_, None) => return self.error(now, message, 437),
            (Method::Refresh, Some(position)) => {
                if message.number(attribute::LIFETIME) == Some(0) {
                    self.allocations.remove(position);
                } else {
                    self.allocations[position].until = now + LIFETIME;
                }
                answer = answer.attribute(attribute::LIFETIME, &600_u32.to_be_bytes());
            }
            (Method::CreatePermission, Some(position)) => {
                let Some(peer) = message.address(attribute::XOR_PEER_ADDRESS) else {
                    return self.error(now, message, 400);
                };
                self.allocations[position]
                    .permissions
                    .insert(peer.ip(), now + PERMISSION);
            }
            (Method::ChannelBind, Some(position)) => {
                let number = message
                    .number(attribute::CHANNEL_NUMBER)
                    .map(|number| number >> 16);
                let (Some(peer), Some(number @ 0x4000..=0x4FFF)) =
                    (message.address(attribute::XOR_PEER_ADDRESS), number)
                else {
                    return self.error(now, message, 400);
                };
                let allocation = &mut self.allocations[position];
                let number = u16::try_from(number).unwrap();
                let taken = allocation
                    .channels
                    .iter()
                    .any(|(known, (bound, _))| (*known == number) != (*bound == peer));
                if taken {
                    return self.error(now, message, 400);
                }
                allocation.channels.insert(number, (peer, now + LIFETIME));
                allocation.permissions.insert(peer.ip(), now + PERMISSION);
            }
            _ => return self.error(now, message, 400),
        }
        answer.sign(&key).into_bytes()
    }

    fn of_client(&mut self, client: SocketAddr) -> Option<&mut Allocation> {
        self.allocations
            .iter_mut()
            .find(|allocation| allocation.client == client)
    }

    fn send(&mut self, now: Instant, from: SocketAddr, message: &Message<'_>) -> Option<Datagram> {
        let peer = message.address(attribute::XOR_PEER_ADDRESS)?;
        let data = message.attribute(attribute::DATA)?.to_vec();
        let allocation = self.of_client(from)?;
        (*allocation.permissions.get(&peer.ip())? > now).then_some(())?;
        let relayed = allocation.relayed;
        self.relayed += 1;
        Some((relayed, peer, data))
    }

    fn channel_data(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<Datagram> {
        let number = u16::from_be_bytes(datagram.get(..2)?.try_into().ok()?);
        let data = datagram.get(4..)?.to_vec();
        let allocation = self.of_client(from)?;
        let (peer, until) = *allocation.channels.get(&number)?;
        (until > now && *allocation.permissions.get(&peer.ip())? > now).then_some(())?;
        let relayed = allocation.relayed;
        self.relayed += 1;
        Some((relayed, peer, data))
    }

    fn pass_on(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
    ) -> Option<Datagram> {
        let address = self.address;
        let allocation = self
            .allocations
            .iter()
            .find(|allocation| allocation.relayed == to)?;
        (*allocation.permissions.get(&from.ip())? > now).then_some(())?;
        self.relayed += 1;
        let channel = allocation
            .channels
            .iter()
            .find(|(_, (peer, until))| *peer == from && *until > now);
        let contents = match channel {
            Some((number, _)) => {
                let mut contents = number.to_be_bytes().to_vec();
                contents.extend(u16::try_from(datagram.len()).unwrap().to_be_bytes());
                contents.extend(datagram);
                contents
            }
            None => Writer::new(Class::Indication, Method::Data, &[7; 12])
                .address(attribute::XOR_PEER_ADDRESS, from)
                .attribute(attribute::DATA, datagram)
                .into_bytes(),
        };
        Some((address, allocation.client, contents))
    }
}
