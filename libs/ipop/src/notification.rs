//! What tincan tells its controller.

use serde_json::{Map, Value, json};

use crate::fields::{Fields, NotAnObject, write_pretty};

/// An answer, or something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// `local_state`: who this node is. The first part of the answer to `get_state`.
    LocalState(LocalState),
    /// `peer_state`: how it stands with a peer. The other parts of that answer.
    PeerState(PeerState),
    /// `con_stat`: a link came up or went down.
    LinkStatus {
        /// The peer.
        uid: String,
        /// `online`, `offline` or `unknown`.
        data: String,
    },
    /// `con_req`: a peer asks for a link. The data begin with its fingerprint (`crate::fingerprint::split`).
    ConnectionRequest {
        /// The peer.
        uid: String,
        /// Its fingerprint, and its candidates perhaps.
        data: String,
    },
    /// `con_resp`: a peer that makes a link with us tells its candidates.
    ConnectionResponse {
        /// The peer.
        uid: String,
        /// Its fingerprint and its candidates.
        data: String,
    },
    /// `send_msg`, and what else a peer sent.
    Message {
        /// Under which name.
        kind: String,
        /// The peer.
        uid: String,
        /// What it sent.
        data: String,
    },
    /// `echo_request`: is anybody there? Also the answer to such a question.
    EchoRequest {
        /// What is to come back.
        message: String,
    },
    /// `echo_reply`.
    EchoReply,
    /// A fault: with the type `error` it is of tincan itself, without one of the request.
    Error {
        /// Which one.
        text: String,
    },
}

/// The names that only tincan itself says. A peer that sends a message of such a name is not to be believed, nor
/// its message handed on.
pub const RESERVED: [&str; 6] = [
    "local_state",
    "peer_state",
    "con_stat",
    "error",
    "echo_request",
    "echo_reply",
];

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalState {
    /// Its uid; empty until `set_local_ip`.
    pub uid: String,
    /// Its IPv4 address.
    pub ip4: String,
    /// Its IPv6 address.
    pub ip6: String,
    /// The fingerprint of its certificate.
    pub fpr: String,
    /// The address of its network device, `aa:bb:…`; since 14.07.
    pub mac: Option<String>,
    /// Whether it has its account on XMPP: `online`, or in words why not. Only Kōzō's tincan says so (`_xmpp`), and the
    /// public controllers do not mind.
    pub xmpp: Option<String>,
}

/// How it stands with a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerState {
    /// Who it is.
    pub uid: String,
    /// Whether its link is up.
    pub online: bool,
    /// How many seconds ago it was last seen on XMPP; since 14.01.1.
    pub xmpp_time: Option<i64>,
    /// Its IPv4 address here, once `set_remote_ip` told it.
    pub ip4: Option<String>,
    /// Its IPv6 address, likewise.
    pub ip6: Option<String>,
    /// Its fingerprint, where there is a link, be it up or not.
    pub fpr: Option<String>,
    /// How many seconds ago that link was made.
    pub last_time: Option<i64>,
    /// `dtls` or `none`, where the link is up.
    pub security: Option<String>,
    /// The figures of its ways, if they were asked for and it is up.
    pub stats: Option<Vec<Stats>>,
}

/// The figures of one pair of candidates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// This end's address, `ip:port`.
    pub local_addr: String,
    /// The other end's.
    pub rem_addr: String,
    /// How this end's address was found (`crate::candidate::Kind`).
    pub local_type: String,
    /// How the other end's was.
    pub rem_type: String,
    /// Whether this is the way that is used.
    pub best_conn: bool,
    /// Whether it can be written to.
    pub writable: bool,
    /// Whether something comes from there.
    pub readable: bool,
    /// Whether checks of it were not answered.
    pub timeout: bool,
    /// Whether it is new.
    pub new_conn: bool,
    /// How many milliseconds there and back take.
    pub rtt: u64,
    /// How many bytes were sent.
    pub sent_total_bytes: u64,
    /// How many in the last second.
    pub sent_bytes_second: u64,
    /// How many bytes were received.
    pub recv_total_bytes: u64,
    /// How many in the last second.
    pub recv_bytes_second: u64,
}

/// How many pairs are read of one peer at most.
pub const MAX_STATS: usize = 256;

impl Notification {
    /// Reads the JSON of a notification.
    ///
    /// # Errors
    /// It is no object.
    pub fn read(json: &[u8]) -> Result<Self, NotAnObject> {
        let fields = Fields::read(json)?;
        let (uid, data) = (|| fields.text("uid"), || fields.text("data"));
        Ok(match fields.text("type").as_str() {
            "local_state" => Self::LocalState(LocalState {
                uid: fields.text("_uid"),
                ip4: fields.text("_ip4"),
                ip6: fields.text("_ip6"),
                fpr: fields.text("_fpr"),
                mac: fields.optional_text("_mac"),
                xmpp: fields.optional_text("_xmpp"),
            }),
            "peer_state" => Self::PeerState(PeerState::read(&fields)),
            "con_stat" => Self::LinkStatus {
                uid: uid(),
                data: data(),
            },
            "con_req" => Self::ConnectionRequest {
                uid: uid(),
                data: data(),
            },
            "con_resp" => Self::ConnectionResponse {
                uid: uid(),
                data: data(),
            },
            "echo_request" => Self::EchoRequest {
                message: fields.text("msg"),
            },
            "echo_reply" => Self::EchoReply,
            "error" => Self::Error { text: data() },
            "" if fields.optional_text("error").is_some() => Self::Error {
                text: fields.text("error"),
            },
            kind => Self::Message {
                kind: kind.to_owned(),
                uid: uid(),
                data: data(),
            },
        })
    }

    /// The JSON of the notification: over several lines, as tincan writes it.
    pub fn write(&self) -> Vec<u8> {
        write_pretty(&self.to_value())
    }

    fn to_value(&self) -> Value {
        let told =
            |kind: &str, uid: &str, data: &str| json!({"type": kind, "uid": uid, "data": data});
        match self {
            Self::LocalState(state) => {
                let mut value = json!({
                    "type": "local_state",
                    "_uid": state.uid,
                    "_ip4": state.ip4,
                    "_ip6": state.ip6,
                    "_fpr": state.fpr,
                });
                if let Some(mac) = &state.mac {
                    value["_mac"] = json!(mac);
                }
                if let Some(xmpp) = &state.xmpp {
                    value["_xmpp"] = json!(xmpp);
                }
                value
            }
            Self::PeerState(state) => state.to_value(),
            Self::LinkStatus { uid, data } => told("con_stat", uid, data),
            Self::ConnectionRequest { uid, data } => told("con_req", uid, data),
            Self::ConnectionResponse { uid, data } => told("con_resp", uid, data),
            Self::Message { kind, uid, data } => told(kind, uid, data),
            Self::EchoRequest { message } => json!({"type": "echo_request", "msg": message}),
            Self::EchoReply => json!({"type": "echo_reply"}),
            Self::Error { text } => json!({"error": text}),
        }
    }

    /// The answer to what is no JSON.
    pub fn not_understood() -> Self {
        Self::Error {
            text: "json parsing failed".to_owned(),
        }
    }
}

impl PeerState {
    fn read(fields: &Fields) -> Self {
        let stats = fields.list("stats").map(|stats| {
            let objects = stats.iter().take(MAX_STATS).filter_map(Fields::of);
            objects.map(|fields| Stats::read(&fields)).collect()
        });
        Self {
            uid: fields.text("uid"),
            online: fields.text("status") == "online",
            xmpp_time: fields.optional_number("xmpp_time"),
            ip4: fields.optional_text("ip4"),
            ip6: fields.optional_text("ip6"),
            fpr: fields.optional_text("fpr"),
            last_time: fields.optional_number("last_time"),
            security: fields.optional_text("security"),
            stats,
        }
    }

    fn to_value(&self) -> Value {
        let mut value = Map::new();
        let mut add = |key: &str, field: Option<Value>| {
            if let Some(field) = field {
                value.insert(key.to_owned(), field);
            }
        };
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        add("type", Some(json!("peer_state")));
        add("uid", Some(json!(self.uid)));
        let status = if self.online { "online" } else { "offline" };
        add("status", Some(json!(status)));
        add("xmpp_time", self.xmpp_time.map(|time| json!(time)));
        add("ip4", text(&self.ip4));
        add("ip6", text(&self.ip6));
        add("fpr", text(&self.fpr));
        add("last_time", self.last_time.map(|time| json!(time)));
        add("security", text(&self.security));
        let stats = self.stats.as_ref();
        add(
            "stats",
            stats.map(|stats| stats.iter().map(Stats::to_value).collect()),
        );
        Value::Object(value)
    }
}

impl Stats {
    fn read(fields: &Fields) -> Self {
        Self {
            local_addr: fields.text("local_addr"),
            rem_addr: fields.text("rem_addr"),
            local_type: fields.text("local_type"),
            rem_type: fields.text("rem_type"),
            best_conn: fields.flag("best_conn"),
            writable: fields.flag("writable"),
            readable: fields.flag("readable"),
            timeout: fields.flag("timeout"),
            new_conn: fields.flag("new_conn"),
            rtt: fields.count("rtt"),
            sent_total_bytes: fields.count("sent_total_bytes"),
            sent_bytes_second: fields.count("sent_bytes_second"),
            recv_total_bytes: fields.count("recv_total_bytes"),
            recv_bytes_second: fields.count("recv_bytes_second"),
        }
    }

    fn to_value(&self) -> Value {
        json!({
            "local_addr": self.local_addr,
            "rem_addr": self.rem_addr,
            "local_type": self.local_type,
            "rem_type": self.rem_type,
            "best_conn": self.best_conn,
            "writable": self.writable,
            "readable": self.readable,
            "timeout": self.timeout,
            "new_conn": self.new_conn,
            "rtt": self.rtt,
            "sent_total_bytes": self.sent_total_bytes,
            "sent_bytes_second": self.sent_bytes_second,
            "recv_total_bytes": self.recv_total_bytes,
            "recv_bytes_second": self.recv_bytes_second,
        })
    }
}
