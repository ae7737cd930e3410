//! What a controller asks of tincan.

use std::fmt;

use serde_json::{Value, json};

use crate::fields::{Fields, NotAnObject, write_short};

/// A request. Only [`GetState`](Self::GetState) and [`EchoRequest`](Self::EchoRequest) are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `set_logging`: how much tincan writes down; 0 nothing, 1 errors, 2 information, 3 what is confidential.
    SetLogging(i64),
    /// `set_cb_endpoint`: where what happens is told to. `::` and `0.0.0.0` mean: where this came from.
    SetCallback {
        /// The address.
        ip: String,
        /// The port.
        port: u16,
    },
    /// `set_local_ip`: who this node is. Only the first one counts, and only with a uid of 40 digits.
    SetLocalIp(LocalIp),
    /// `register_svc`: where to log in.
    RegisterService {
        /// The account, a bare JID.
        username: String,
        /// Its password.
        password: Password,
        /// The server to connect to.
        host: String,
    },
    /// `get_state`: asks for one `local_state`, and one `peer_state` for each peer.
    GetState {
        /// Whether with figures of links. None is what controllers say from before 14.01.1, which know of no such
        /// question.
        stats: Option<bool>,
        /// Only this peer, if it is not empty.
        uid: String,
    },
    /// `create_link`: makes a link with a peer, or, where there is one, tells it the peer's candidates.
    CreateLink(CreateLink),
    /// `set_remote_ip`: which addresses a peer has. Only the first one for a uid counts.
    SetRemoteIp {
        /// The peer.
        uid: String,
        /// Its address here.
        ip4: String,
        /// Its IPv6 address.
        ip6: String,
    },
    /// `trim_link`: ends the link with a peer.
    TrimLink {
        /// The peer.
        uid: String,
    },
    /// `set_translation`: whether IPv4 addresses are translated, since each node numbers its peers by itself.
    SetTranslation(bool),
    /// `set_switchmode`: whether ARP goes to the controller.
    SetSwitchMode(bool),
    /// `set_trimpolicy`: whether ways through relays are given up once there is another.
    SetTrimPolicy(bool),
    /// `set_network_ignore_list`: interfaces whose addresses are no candidates. None where it is no list, which is
    /// ignored.
    SetNetworkIgnoreList(Option<Vec<String>>),
    /// `echo_request`: is anybody there?
    EchoRequest {
        /// What comes back.
        message: String,
    },
    /// `echo_reply`: the answer to such a question of tincan's. Controllers write the name as they write none else: as
    /// the `type`.
    EchoReply,
    /// `con_req`, `send_msg` and all names that are not known: goes to a peer, as a message of that name.
    Forward {
        /// The name.
        method: String,
        /// Which overlay: 1.
        overlay_id: i64,
        /// The peer.
        uid: String,
        /// What it gets.
        data: String,
    },
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalIp {
    /// Its uid.
    pub uid: String,
    /// Its IPv4 address in the overlay.
    pub ip4: String,
    /// Its IPv6 address in the overlay.
    pub ip6: String,
    /// The length of the prefix of the overlay's IPv4 network.
    pub ip4_mask: u8,
    /// The length of the prefix of the overlay's IPv6 network.
    pub ip6_mask: u8,
    /// The length of the part of an IPv4 address by which peers are looked up.
    pub subnet_mask: u8,
}

/// A link to make, or candidates for one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateLink {
    /// The peer.
    pub uid: String,
    /// The fingerprint of its certificate.
    pub fpr: String,
    /// Which overlay: 1.
    pub overlay_id: i64,
    /// The STUN server, `host:port`; may be empty.
    pub stun: String,
    /// The TURN server, `host:port`; may be empty.
    pub turn: String,
    /// The account there.
    pub turn_user: String,
    /// Its password.
    pub turn_pass: Password,
    /// Whether the link is encrypted.
    pub sec: bool,
    /// The peer's candidates (`crate::candidate`), if they are known.
    pub cas: String,
}

/// A password, which no log shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "none"
        } else {
            "(not shown)"
        })
    }
}

impl Request {
    /// Reads the JSON of a request.
    ///
    /// # Errors
    /// It is no object.
    pub fn read(json: &[u8]) -> Result<Self, NotAnObject> {
        let fields = Fields::read(json)?;
        Ok(match fields.text("m").as_str() {
            "set_logging" => {
                // Before 2013-12-17 it was `flag`.
                let level = fields.optional_number("logging");
                Self::SetLogging(level.unwrap_or_else(|| fields.number("flag")))
            }
            "set_cb_endpoint" => Self::SetCallback {
                ip: fields.text("ip"),
                port: fields.small("port"),
            },
            "set_local_ip" => Self::SetLocalIp(LocalIp {
                uid: fields.text("uid"),
                ip4: fields.text("ip4"),
                ip6: fields.text("ip6"),
                ip4_mask: fields.small("ip4_mask"),
                ip6_mask: fields.small("ip6_mask"),
                subnet_mask: fields.small("subnet_mask"),
            }),
            "register_svc" => Self::RegisterService {
                username: fields.text("username"),
                password: Password(fields.text("password")),
                host: fields.text("host"),
            },
            "get_state" => Self::GetState {
                stats: fields.has("stats").then(|| fields.flag("stats")),
                uid: fields.text("uid"),
            },
            "create_link" => Self::CreateLink(CreateLink {
                uid: fields.text("uid"),
                fpr: fields.text("fpr"),
                overlay_id: fields.number("overlay_id"),
                stun: fields.text("stun"),
                turn: fields.text("turn"),
                turn_user: fields.text("turn_user"),
                turn_pass: Password(fields.text("turn_pass")),
                sec: fields.flag("sec"),
                cas: fields.text("cas"),
            }),
            "set_remote_ip" => Self::SetRemoteIp {
                uid: fields.text("uid"),
                ip4: fields.text("ip4"),
                ip6: fields.text("ip6"),
            },
            "trim_link" => Self::TrimLink {
                uid: fields.text("uid"),
            },
            "set_translation" => Self::SetTranslation(fields.flag("translate")),
            "set_switchmode" => Self::SetSwitchMode(fields.flag("switchmode")),
            "set_trimpolicy" => Self::SetTrimPolicy(fields.flag("trim_enabled")),
            "set_network_ignore_list" => {
                Self::SetNetworkIgnoreList(fields.texts("network_ignore_list"))
            }
            "echo_request" => Self::EchoRequest {
                message: fields.text("msg"),
            },
            "echo_reply" => Self::EchoReply,
            "" if fields.text("type") == "echo_reply" => Self::EchoReply,
            method => Self::Forward {
                method: method.to_owned(),
                overlay_id: fields.number("overlay_id"),
                uid: fields.text("uid"),
                data: fields.text("data"),
            },
        })
    }

    /// The JSON of the request, on one line.
    pub fn write(&self) -> Vec<u8> {
        write_short(&self.to_value())
    }

    fn to_value(&self) -> Value {
        match self {
            Self::SetLogging(level) => json!({"m": "set_logging", "logging": level}),
            Self::SetCallback { ip, port } => {
                json!({"m": "set_cb_endpoint", "ip": ip, "port": port})
            }
            Self::SetLocalIp(local) => json!({
                "m": "set_local_ip",
                "uid": local.uid,
                "ip4": local.ip4,
                "ip6": local.ip6,
                "ip4_mask": local.ip4_mask,
                "ip6_mask": local.ip6_mask,
                "subnet_mask": local.subnet_mask,
            }),
            Self::RegisterService {
                username,
                password,
                host,
            } => json!({
                "m": "register_svc",
                "username": username,
                "password": password.0,
                "host": host,
            }),
            Self::GetState { stats, uid } => {
                let mut value = json!({"m": "get_state"});
                if let Some(stats) = stats {
                    value["stats"] = json!(stats);
                }
                if !uid.is_empty() {
                    value["uid"] = json!(uid);
                }
                value
            }
            Self::CreateLink(link) => json!({
                "m": "create_link",
                "uid": link.uid,
                "fpr": link.fpr,
                "overlay_id": link.overlay_id,
                "stun": link.stun,
                "turn": link.turn,
                "turn_user": link.turn_user,
                "turn_pass": link.turn_pass.0,
                "sec": link.sec,
                "cas": link.cas,
            }),
            Self::SetRemoteIp { uid, ip4, ip6 } => {
                json!({"m": "set_remote_ip", "uid": uid, "ip4": ip4, "ip6": ip6})
            }
            Self::TrimLink { uid } => json!({"m": "trim_link", "uid": uid}),
            // These two are numbers in the interface, the next one is a boolean.
            Self::SetTranslation(on) => {
                json!({"m": "set_translation", "translate": i32::from(*on)})
            }
            Self::SetSwitchMode(on) => json!({"m": "set_switchmode", "switchmode": i32::from(*on)}),
            Self::SetTrimPolicy(on) => json!({"m": "set_trimpolicy", "trim_enabled": on}),
            Self::SetNetworkIgnoreList(list) => {
                json!({"m": "set_network_ignore_list", "network_ignore_list": list})
            }
            Self::EchoRequest { message } => json!({"m": "echo_request", "msg": message}),
            Self::EchoReply => json!({"type": "echo_reply"}),
            Self::Forward {
                method,
                overlay_id,
                uid,
                data,
            } => json!({"m": method, "overlay_id": overlay_id, "uid": uid, "data": data}),
        }
    }
}
