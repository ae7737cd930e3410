//! The one file that knows the client of MQTT: a connection is opened by [`connect`], publishes by
//! [`Sender::publish`], subscribes by [`Sender::subscribe`], tells what comes by [`Receiver::wait`], and ends by
//! [`Sender::close`]. Another client would be put in here, and nothing else would change.
//!
//! A connection is one try: what ends it ends it for good, and nothing of it is sent again by the next one.
//! That what has to be there is there is for those who know what that is.

use std::error::Error as StdError;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, net};

use bytes::Bytes;
use rumqttc_v4 as v4;
use rumqttc_v5 as v5;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::broker::{Broker, Scheme};
use crate::fault::Fault;

/// How long a connection may take to come about: name, TCP, TLS, WebSocket and the broker's answer together.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How many publications wait for the connection's thread, at most.
const CHANNEL: usize = 64;

/// How many publications with QoS 1 are on their way without an answer, at most.
const IN_FLIGHT: u16 = 64;

/// The largest packet that is sent, in bytes.
pub const MAX_OUTGOING: usize = 256 * 1024;

/// The version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// 5.0.
    V5,
    /// 3.1.1.
    V311,
}

impl Protocol {
    /// Its number, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::V5 => "5",
            Self::V311 => "3.1.1",
        }
    }
}

/// What a connection is made of.
#[derive(Clone)]
pub struct Access {
    /// Where the broker is.
    pub broker: Broker,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// The client identifier; a broker has one connection with each.
    pub client_id: String,
    /// Who this is.
    pub user: Option<String>,
    /// That user's password.
    pub password: Option<Vec<u8>>,
    /// For the schemes that have it.
    pub tls: Option<Arc<ClientConfig>>,
    /// How often both ends let each other know that they are there, in whole seconds.
    pub keep_alive: Duration,
    /// What the broker publishes when this end is gone without leave.
    pub will: Option<Publication>,
    /// The largest packet that is taken, in bytes. With MQTT 5 a broker does not send larger ones.
    pub max_incoming: u32,
}

/// What is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// Whether it is asked for an answer (QoS 1).
    pub acknowledged: bool,
    /// Whether it is kept for those who come later.
    pub retained: bool,
}

/// What comes of a connection.
#[derive(Debug)]
pub enum Happening {
    /// It stands.
    Connected(Welcome),
    /// The broker has answered a subscription: whether it takes each.
    Subscribed(Vec<bool>),
    /// Somebody has published something.
    Message {
        /// Where.
        topic: String,
        /// What.
        payload: Bytes,
        /// Whether it was published before the subscription.
        retained: bool,
        /// Where an answer is waited for. MQTT 3.1.1 has no word for that.
        response: Option<String>,
    },
    /// Something went out, so there may be room again.
    Progress,
    /// A publication went out. Those that are to be answered get a number, other ones have 0; they go out in the order
    /// in which they were handed over.
    Sent(u16),
    /// The broker has the publication with this number.
    Taken(u16),
    /// The broker has not taken it, and says why. MQTT 3.1.1 has no word for that.
    Refused {
        /// Its number.
        number: u16,
        /// Why.
        reason: String,
    },
    /// It is over.
    Lost(Fault),
}

/// What the broker says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Welcome {
    /// It keeps no messages for those who come later.
    pub retains_nothing: bool,
    /// The largest packet that it takes.
    pub max_packet: Option<u32>,
    /// It hands back what this end publishes itself: MQTT 3.1.1 cannot ask it not to.
    pub hands_back: bool,
    /// It answers no publications.
    pub answers_nothing: bool,
    /// It knows no filters with wildcards.
    pub no_wildcards: bool,
}

/// Why something was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// There is no room at present.
    Full,
    /// It never will be: the connection is over, or the topic is none.
    Never,
}

/// The end of a connection that sends. It never waits.
pub struct Sender(SenderOf, Arc<Cut>);

enum SenderOf {
    V5(v5::Client),
    V4(v4::Client),
}

/// The other end, for a thread of its own.
pub struct Receiver(ReceiverOf);

enum ReceiverOf {
    V5(Box<v5::Connection>),
    V4(Box<v4::Connection>),
}

/// Opens a connection. Nothing of it happens before [`Receiver::wait`] is called.
///
/// # Errors
/// The machine has no more threads or descriptors.
pub fn connect(access: &Access) -> Result<(Sender, Receiver), Fault> {
    let cut = Arc::new(Cut::default());
    let other = |error: &dyn StdError| Fault::Other(error.to_string());
    match access.protocol {
        Protocol::V5 => {
            let built = v5::Client::builder(options_v5(access, &cut)?).capacity(CHANNEL);
            let (client, connection) = built.try_build().map_err(|error| other(&error))?;
            let receiver = Receiver(ReceiverOf::V5(Box::new(connection)));
            Ok((Sender(SenderOf::V5(client), cut), receiver))
        }
        Protocol::V311 => {
            let built = v4::Client::builder(options_v4(access, &cut)?).capacity(CHANNEL);
            let (client, mut connection) = built.try_build().map_err(|error| other(&error))?;
            let mut network = v4::NetworkOptions::new();
            network.set_connection_timeout(CONNECT_LIMIT.as_secs());
            connection.eventloop.set_network_options(network);
            let receiver = Receiver(ReceiverOf::V4(Box::new(connection)));
            Ok((Sender(SenderOf::V4(client), cut), receiver))
        }
    }
}

/// What both crates call the same, without being the same.
macro_rules! options {
    ($of:ident, $access:expr, $cut:expr) => {{
        let Access {
            broker,
            client_id,
            tls,
            keep_alive,
            user,
            password,
            ..
        } = $access;
        let url = broker.url();
        let invalid = |error: $of::OptionError| Fault::Other(error.to_string());
        let tls_of = || {
            tls.clone()
                .map($of::TlsConfiguration::Rustls)
                .ok_or(Fault::NoTls)
        };
        let mut options = match broker.scheme() {
            Scheme::Mqtt => $of::MqttOptions::new(client_id, (broker.host(), broker.port())),
            Scheme::Mqtts => {
                let mut options = $of::MqttOptions::new(client_id, (broker.host(), broker.port()));
                options.set_transport($of::Transport::tls_with_config(tls_of()?));
                options
            }
            Scheme::Ws => {
                let target = $of::Broker::websocket(url).map_err(invalid)?;
                $of::MqttOptions::new(client_id, target)
            }
            Scheme::Wss => $of::MqttOptions::websocket_with_tls_config(client_id, url, tls_of()?)
                .map_err(invalid)?,
        };
        let place = (broker.host().to_owned(), broker.port());
        let cut = Arc::clone($cut);
        options.set_socket_connector(move |_, _| dial(place.clone(), Arc::clone(&cut)));
        options.set_keep_alive(u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX));
        match (user, password) {
            (Some(user), Some(password)) => {
                options.set_credentials(user.clone(), password.clone());
            }
            (Some(user), None) => {
                options.set_username(user.clone());
            }
            (None, _) => {}
        }
        options
    }};
}

fn options_v5(access: &Access, cut: &Arc<Cut>) -> Result<v5::MqttOptions, Fault> {
    let mut options = options!(v5, access, cut);
    if let Some(will) = &access.will {
        options.set_last_will(v5::LastWill::new(
            will.topic.clone(),
            will.payload.to_vec(),
            v5::QoS::AtLeastOnce,
            will.retained,
            None,
        ));
    }
    options.set_connect_timeout(CONNECT_LIMIT);
    options.set_max_packet_size(Some(access.max_incoming));
    options.set_outgoing_inflight_upper_limit(IN_FLIGHT);
    Ok(options)
}

fn options_v4(access: &Access, cut: &Arc<Cut>) -> Result<v4::MqttOptions, Fault> {
    let mut options = options!(v4, access, cut);
    if let Some(will) = &access.will {
        options.set_last_will(v4::LastWill::new(
            will.topic.clone(),
            will.payload.to_vec(),
            v4::QoS::AtLeastOnce,
            will.retained,
        ));
    }
    options.set_max_packet_size(access.max_incoming as usize, MAX_OUTGOING);
    options.set_inflight(IN_FLIGHT);
    Ok(options)
}

/// Connects as far as TCP. The crate itself would take an IPv6 address for a name.
async fn dial((host, port): (String, u16), cut: Arc<Cut>) -> io::Result<TcpStream> {
    let stream = tokio::select! {
        stream = TcpStream::connect((host.as_str(), port)) => stream?,
        () = cut.wait() => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    stream.set_nodelay(true)?;
    cut.keep(&stream)?;
    Ok(stream)
}

/// What ends a connection at once, in whatever state it is.
#[derive(Debug, Default)]
struct Cut {
    is_cut: watch::Sender<bool>,
    /// A descriptor of the socket, once there is one.
    socket: Mutex<Option<net::TcpStream>>,
}

impl Cut {
    fn cut(&self) {
        self.is_cut.send_replace(true);
        if let Some(socket) = &*self.socket.lock().unwrap_or_else(PoisonError::into_inner) {
            // One that is gone already need not be ended.
            let _ = socket.shutdown(net::Shutdown::Both);
        }
    }

    async fn wait(&self) {
        let mut is_cut = self.is_cut.subscribe();
        // The other end is here.
        let _ = is_cut.wait_for(|is_cut| *is_cut).await;
    }

    fn keep(&self, stream: &TcpStream) -> io::Result<()> {
        let socket = stream.as_fd().try_clone_to_owned()?;
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket.into());
        match *self.is_cut.borrow() {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }
}

impl Sender {
    /// Hands over what is to be published.
    ///
    /// # Errors
    /// [`Unsent`]
    pub fn publish(&self, publication: &Publication) -> Result<(), Unsent> {
        self.ask(publication, None)
    }

    /// The same, with the topic at which an answer is waited for. MQTT 3.1.1 cannot say that.
    ///
    /// # Errors
    /// [`Unsent`]
    pub fn ask(&self, publication: &Publication, response: Option<&str>) -> Result<(), Unsent> {
        let Publication {
            topic,
            payload,
            acknowledged,
            retained,
        } = publication;
        match &self.0 {
            SenderOf::V5(client) => {
                let qos = match acknowledged {
                    true => v5::QoS::AtLeastOnce,
                    false => v5::QoS::AtMostOnce,
                };
                let mut options = v5::PublishOptions::new(qos).retain(*retained);
                if let Some(response) = response {
                    options = options.properties(v5::PublishProperties {
                        response_topic: Some(response.to_owned()),
                        ..Default::default()
                    });
                }
                let sent = client.try_publish(topic.clone(), payload.clone(), options);
                sent.map_err(|error| of_client_v5(&error))
            }
            SenderOf::V4(client) => {
                let qos = match acknowledged {
                    true => v4::QoS::AtLeastOnce,
                    false => v4::QoS::AtMostOnce,
                };
                let options = v4::PublishOptions::new(qos).retain(*retained);
                let sent = client.try_publish(topic.clone(), payload.clone(), options);
                sent.map_err(|error| of_client_v4(&error))
            }
        }
    }

    /// Asks for what is published on topics that fit one of these filters; with MQTT 5, by others. The answer is
    /// one [`Happening::Subscribed`]. Each message is answered if the broker is to send it again otherwise.
    ///
    /// # Errors
    /// [`Unsent`]
    pub fn subscribe(&self, filters: &[String], acknowledged: bool) -> Result<(), Unsent> {
        match &self.0 {
            SenderOf::V5(client) => {
                let qos = match acknowledged {
                    true => v5::QoS::AtLeastOnce,
                    false => v5::QoS::AtMostOnce,
                };
                let filters = filters
                    .iter()
                    .map(|filter| v5::SubscribeFilterInput::new(filter, qos).no_local(true));
                let sent = client.try_subscribe_many(filters);
                sent.map_err(|error| of_client_v5(&error))
            }
            SenderOf::V4(client) => {
                let qos = match acknowledged {
                    true => v4::QoS::AtLeastOnce,
                    false => v4::QoS::AtMostOnce,
                };
                let filters = filters
                    .iter()
                    .map(|filter| v4::SubscribeFilterInput::new(filter, qos));
                let sent = client.try_subscribe_many(filters);
                sent.map_err(|error| of_client_v4(&error))
            }
        }
    }

    /// Asks for it no longer.
    ///
    /// # Errors
    /// [`Unsent`]
    pub fn unsubscribe(&self, filter: &str) -> Result<(), Unsent> {
        match &self.0 {
            SenderOf::V5(client) => {
                let sent = client.try_unsubscribe(filter);
                sent.map_err(|error| of_client_v5(&error))
            }
            SenderOf::V4(client) => {
                let sent = client.try_unsubscribe(filter);
                sent.map_err(|error| of_client_v4(&error))
            }
        }
    }

    /// Ends the connection at once and without leave, also one that has not come about.
    pub fn cut(&self) {
        self.1.cut();
    }

    /// Takes leave of the broker, once what was handed over is out, or in two seconds.
    pub fn close(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        // Where there is no room for that, the connection is dropped with this.
        match &self.0 {
            SenderOf::V5(client) => drop(client.try_disconnect_with_timeout(PATIENCE)),
            SenderOf::V4(client) => drop(client.try_disconnect_with_timeout(PATIENCE)),
        }
    }
}

fn of_client_v5(error: &v5::ClientError) -> Unsent {
    match error {
        v5::ClientError::RequestChannelFull(_) => Unsent::Full,
        _ => Unsent::Never,
    }
}

fn of_client_v4(error: &v4::ClientError) -> Unsent {
    match error {
        v4::ClientError::RequestChannelFull(_) => Unsent::Full,
        _ => Unsent::Never,
    }
}

impl Receiver {
    /// Waits for what happens next. After [`Happening::Lost`] nothing does.
    pub fn wait(&mut self) -> Happening {
        match &mut self.0 {
            ReceiverOf::V5(connection) => match connection.recv() {
                Ok(Ok(event)) => of_v5(event),
                Ok(Err(error)) => Happening::Lost(fault_v5(&error)),
                Err(_) => Happening::Lost(Fault::Left),
            },
            ReceiverOf::V4(connection) => match connection.recv() {
                Ok(Ok(event)) => of_v4(event),
                Ok(Err(error)) => Happening::Lost(fault_v4(&error)),
                Err(_) => Happening::Lost(Fault::Left),
            },
        }
    }
}

fn of_v5(event: v5::Event) -> Happening {
    match event {
        v5::Event::Incoming(v5::Packet::ConnAck(answer)) => {
            let properties = answer.properties.as_ref();
            Happening::Connected(Welcome {
                retains_nothing: properties.and_then(|all| all.retain_available) == Some(0),
                max_packet: properties.and_then(|all| all.max_packet_size),
                hands_back: false,
                answers_nothing: properties.and_then(|all| all.max_qos) == Some(0),
                no_wildcards: properties.and_then(|all| all.wildcard_subscription_available)
                    == Some(0),
            })
        }
        v5::Event::Outgoing(v5::Outgoing::Publish(number)) => Happening::Sent(number),
        v5::Event::Incoming(v5::Packet::Publish(message)) => Happening::Message {
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            payload: message.payload,
            retained: message.retain,
            response: message.properties.and_then(|all| all.response_topic),
        },
        v5::Event::Incoming(v5::Packet::SubAck(answer)) => {
            let taken = |code: &v5::SubscribeReasonCode| {
                matches!(code, v5::SubscribeReasonCode::Success(_))
            };
            Happening::Subscribed(answer.return_codes.iter().map(taken).collect())
        }
        v5::Event::Incoming(v5::Packet::PubAck(answer)) => match answer.reason {
            v5::PubAckReason::Success | v5::PubAckReason::NoMatchingSubscribers => {
                Happening::Taken(answer.pkid)
            }
            reason => Happening::Refused {
                number: answer.pkid,
                reason: format!("{reason:?}"),
            },
        },
        v5::Event::Incoming(v5::Packet::Disconnect(words)) => {
            Happening::Lost(disconnected(words.reason_code))
        }
        _ => Happening::Progress,
    }
}

fn of_v4(event: v4::Event) -> Happening {
    match event {
        v4::Event::Incoming(v4::Packet::ConnAck(_)) => Happening::Connected(Welcome {
            hands_back: true,
            ..Welcome::default()
        }),
        v4::Event::Incoming(v4::Packet::Publish(message)) => Happening::Message {
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            payload: message.payload,
            retained: message.retain,
            response: None,
        },
        v4::Event::Outgoing(v4::Outgoing::Publish(number)) => Happening::Sent(number),
        v4::Event::Incoming(v4::Packet::PubAck(answer)) => Happening::Taken(answer.pkid),
        v4::Event::Incoming(v4::Packet::SubAck(answer)) => {
            let taken = |code: &v4::SubscribeReasonCode| {
                matches!(code, v4::SubscribeReasonCode::Success(_))
            };
            Happening::Subscribed(answer.return_codes.iter().map(taken).collect())
        }
        _ => Happening::Progress,
    }
}

fn disconnected(code: v5::DisconnectReasonCode) -> Fault {
    use v5::DisconnectReasonCode as Code;
    match code {
        Code::SessionTakenOver => Fault::TakenOver,
        Code::PacketTooLarge => Fault::TooLarge,
        Code::NotAuthorized => Fault::NotAllowed,
        Code::RetainNotSupported => Fault::RetainsNothing,
        Code::ServerShuttingDown => Fault::ShutsDown,
        Code::KeepAliveTimeout => Fault::Silent,
        code => Fault::Told(format!("{code:?}")),
    }
}

fn fault_v5(error: &v5::ConnectionError) -> Fault {
    use v5::{ConnectReturnCode as Code, ConnectionError as Kind, StateError as State};
    match error {
        Kind::ConnectionRefused(code) => match code {
            Code::BadUserNamePassword => Fault::Credentials,
            Code::NotAuthorized | Code::Banned => Fault::NotAllowed,
            Code::ClientIdentifierNotValid | Code::BadClientId => Fault::ClientId,
            Code::UnsupportedProtocolVersion | Code::RefusedProtocolVersion => Fault::Version,
            Code::PacketTooLarge => Fault::TooLarge,
            Code::RetainNotSupported => Fault::RetainsNothing,
            code => Fault::Told(format!("{code:?}")),
        },
        Kind::Timeout(_) => Fault::Late,
        Kind::MqttState(State::ServerDisconnect { reason_code, .. }) => disconnected(*reason_code),
        Kind::MqttState(State::AwaitPingResp) => Fault::Silent,
        Kind::MqttState(State::ConnectionAborted) => Fault::Closed,
        Kind::MqttState(
            State::IncomingPacketTooLarge { .. } | State::OutgoingPacketTooLarge { .. },
        ) => Fault::TooLarge,
        Kind::MqttState(State::RetainNotSupported) => Fault::RetainsNothing,
        Kind::MqttState(State::Deserialization(error)) => match error {
            v5::mqttbytes::Error::PayloadSizeLimitExceeded { .. } => Fault::TooLarge,
            error => of_causes(error),
        },
        error => of_causes(error),
    }
}

fn fault_v4(error: &v4::ConnectionError) -> Fault {
    use v4::{ConnectReturnCode as Code, ConnectionError as Kind, StateError as State};
    match error {
        Kind::ConnectionRefused(code) => match code {
            Code::BadUserNamePassword => Fault::Credentials,
            Code::NotAuthorized => Fault::NotAllowed,
            Code::BadClientId => Fault::ClientId,
            Code::RefusedProtocolVersion => Fault::Version,
            code => Fault::Told(format!("{code:?}")),
        },
        Kind::NetworkTimeout | Kind::FlushTimeout => Fault::Late,
        Kind::MqttState(State::AwaitPingResp) => Fault::Silent,
        Kind::MqttState(State::ConnectionAborted) => Fault::Closed,
        Kind::MqttState(State::Deserialization(error)) => match error {
            v4::mqttbytes::Error::PayloadSizeLimitExceeded { .. } => Fault::TooLarge,
            error => of_causes(error),
        },
        error => of_causes(error),
    }
}

/// What some cause of an error is known as.
fn of_causes(error: &(dyn StdError + 'static)) -> Fault {
    let mut cause = Some(error);
    let mut last = error.to_string();
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Fault::Tls(kozo_tls::Fault::of(tls));
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // An error that is in one of I/O is none of its causes.
            if let Some(inner) = error.get_ref() {
                let inner: &(dyn StdError + 'static) = inner;
                return of_causes(inner);
            }
            match error.kind() {
                io::ErrorKind::ConnectionRefused => return Fault::Refused,
                io::ErrorKind::TimedOut => return Fault::Late,
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof => return Fault::Closed,
                _ => {}
            }
        }
        last = error.to_string();
        cause = error.source();
    }
    Fault::Other(last)
}
