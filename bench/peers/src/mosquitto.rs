//! MQTT over Debian's Mosquitto, with TLS and without acknowledgements (QoS 0).

use std::fs;
use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport,
};

use crate::receiver::Sink;
use crate::server::Server;
use crate::tls::{HOST, Tls};
use crate::{Failure, TOPIC};

/// How many packets wait between the measurement and the client's own task.
const SLOTS: usize = 4096;

/// How often the client says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Starts the server.
pub(crate) fn serve(tls: &Tls, port: u16) -> Result<Server, Failure> {
    let file = tls.folder().join("mosquitto.conf");
    let (certificate, key) = (tls.certificate(), tls.key());
    // Without a limit to its queue it drops as little as it can. It is not told to give up root,
    // for then it could not read the key.
    let text = format!(
        "listener {port} 127.0.0.1\ncertfile {}\nkeyfile {}\nallow_anonymous true\n\
         set_tcp_nodelay true\nmax_queued_messages 0\nuser root\n",
        certificate.display(),
        key.display()
    );
    fs::write(&file, text)?;
    Server::start("mosquitto", "-c", &file, port)
}

/// Publishes; its packets are written by a task of its own.
pub(crate) struct Publisher(AsyncClient);

impl Publisher {
    pub(crate) async fn new(tls: &Tls, port: u16) -> Result<Self, Failure> {
        let (client, mut events) = connect("source", tls, port)?;
        loop {
            if let Event::Incoming(Packet::ConnAck(_)) = events.poll().await? {
                break;
            }
        }
        tokio::spawn(async move { while events.poll().await.is_ok() {} });
        Ok(Self(client))
    }

    pub(crate) async fn publish(&self, data: &[u8]) -> Result<(), Failure> {
        let published = self.0.publish(TOPIC, QoS::AtMostOnce, false, data);
        Ok(published.await?)
    }
}

pub(crate) async fn receive(tls: &Tls, port: u16, sink: Sink) -> Result<(), Failure> {
    let (client, mut events) = connect("sink", tls, port)?;
    client.subscribe(TOPIC, QoS::AtMostOnce).await?;
    loop {
        match events.poll().await? {
            Event::Incoming(Packet::SubAck(_)) => sink.ready(),
            Event::Incoming(Packet::Publish(event)) => sink.take(&event.payload),
            _ => {}
        }
    }
}

fn connect(name: &str, tls: &Tls, port: u16) -> Result<(AsyncClient, EventLoop), Failure> {
    let mut options = MqttOptions::new(name, HOST, port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_transport(Transport::Tls(TlsConfiguration::Simple {
        ca: fs::read(tls.certificate())?,
        alpn: None,
        client_auth: None,
    }));
    let (client, mut events) = AsyncClient::new(options, SLOTS);
    events.network_options.set_tcp_nodelay(true);
    Ok((client, events))
}
