//! NATS over Debian's server, with TLS and without acknowledgements (core NATS).

use std::fs;

use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;

use crate::receiver::Sink;
use crate::server::Server;
use crate::tls::{HOST, Tls};
use crate::{Failure, TOPIC};

/// How many messages may wait in the receiving client. Enough for all: what is lost shall be lost
/// on the way.
const SUBSCRIPTION_CAPACITY: usize = 4 * 1024 * 1024;

/// Starts the server.
pub(crate) fn serve(tls: &Tls, port: u16) -> Result<Server, Failure> {
    let file = tls.folder().join("nats.conf");
    let (certificate, key) = (tls.certificate(), tls.key());
    // It closes the connection of a receiver that is behind by more than `max_pending`.
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nmax_pending: 1GB\nwrite_deadline: \"60s\"\n\
         tls {{ cert_file: \"{}\", key_file: \"{}\" }}\n",
        certificate.display(),
        key.display()
    );
    fs::write(&file, text)?;
    Server::start("nats-server", "--config", &file, port)
}

/// Publishes; its messages are written by a task of its own.
pub(crate) struct Publisher(Client);

impl Publisher {
    pub(crate) async fn new(tls: &Tls, port: u16) -> Result<Self, Failure> {
        Ok(Self(connect(tls, port).await?))
    }

    pub(crate) async fn publish(&self, data: &[u8]) -> Result<(), Failure> {
        Ok(self.0.publish(TOPIC, data.to_vec().into()).await?)
    }

    pub(crate) async fn flush(&self) -> Result<(), Failure> {
        Ok(self.0.flush().await?)
    }
}

pub(crate) async fn receive(tls: &Tls, port: u16, sink: Sink) -> Result<(), Failure> {
    let client = connect(tls, port).await?;
    let mut events = client.subscribe(TOPIC).await?;
    // The server has the subscription once it has answered what comes after it.
    client.flush().await?;
    sink.ready();
    while let Some(event) = events.next().await {
        sink.take(&event.payload);
    }
    Err("the server closed the connection".into())
}

async fn connect(tls: &Tls, port: u16) -> Result<Client, Failure> {
    let options = ConnectOptions::new()
        .add_root_certificates(tls.certificate())
        .require_tls(true)
        .subscription_capacity(SUBSCRIPTION_CAPACITY);
    Ok(options.connect(format!("tls://{HOST}:{port}")).await?)
}
