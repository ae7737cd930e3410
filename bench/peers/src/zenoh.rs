//! Zenoh, peer to peer, with TLS.

use std::time::Duration;

use zenoh::qos::CongestionControl;
use zenoh::{Config, Session};

use crate::receiver::Sink;
use crate::tls::Tls;
use crate::{Failure, TOPIC};

/// How long the other process may take to be found, looked for every [`POLL`].
const POLLS: u32 = 500;

/// See [`POLLS`].
const POLL: Duration = Duration::from_millis(20);

/// Publishes, and waits where there is no room, as a paced send does.
pub(crate) struct Publisher {
    publisher: zenoh::pubsub::Publisher<'static>,
    _session: Session,
}

impl Publisher {
    pub(crate) async fn new(tls: &Tls, port: u16) -> Result<Self, Failure> {
        let session = zenoh::open(config(tls, port, "connect")?).await?;
        let publisher = session
            .declare_publisher(TOPIC)
            .congestion_control(CongestionControl::Block)
            .await?;
        for _ in 0..POLLS {
            if publisher.matching_status().await?.matching() {
                return Ok(Self {
                    publisher,
                    _session: session,
                });
            }
            tokio::time::sleep(POLL).await;
        }
        Err("the two processes did not find each other".into())
    }

    pub(crate) async fn publish(&self, data: &[u8]) -> Result<(), Failure> {
        self.publisher.put(data).await
    }
}

pub(crate) async fn receive(tls: &Tls, port: u16, sink: Sink) -> Result<(), Failure> {
    let session = zenoh::open(config(tls, port, "listen")?).await?;
    let take = {
        let sink = sink.clone();
        move |sample: zenoh::sample::Sample| sink.take(&sample.payload().to_bytes())
    };
    let _subscriber = session.declare_subscriber(TOPIC).callback(take).await?;
    sink.ready();
    std::future::pending().await
}

/// A configuration in which this process only does one of `listen` and `connect`.
fn config(tls: &Tls, port: u16, verb: &str) -> Result<Config, Failure> {
    let other = if verb == "listen" {
        "connect"
    } else {
        "listen"
    };
    let mut config = Config::default();
    let mut set =
        |key: &str, value: serde_json::Value| config.insert_json5(key, &value.to_string());
    set("mode", "peer".into())?;
    set("scouting/multicast/enabled", false.into())?;
    let endpoint = format!("tls/127.0.0.1:{port}");
    set(&format!("{verb}/endpoints"), vec![endpoint].into())?;
    set(&format!("{other}/endpoints"), serde_json::json!([]))?;
    let certificate = tls.certificate().display().to_string();
    let key = tls.key().display().to_string();
    let tls = "transport/link/tls";
    set(
        &format!("{tls}/root_ca_certificate"),
        certificate.clone().into(),
    )?;
    set(&format!("{tls}/listen_certificate"), certificate.into())?;
    set(&format!("{tls}/listen_private_key"), key.into())?;
    Ok(config)
}
