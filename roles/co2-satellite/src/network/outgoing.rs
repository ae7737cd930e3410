//! Orders `call`: methods of other satellites, or of the relay.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kozo_co2::Value;
use kozo_co2::document::write_call;
use kozo_co2::http::{Client, Endpoint};
use tokio::sync::{Semaphore, mpsc};

use super::source;
use crate::core::{RemoteCall, result_event};
use crate::shared::Shared;

/// How many calls are under way at a time.
const AT_A_TIME: usize = 16;

/// How long a called satellite may take to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// Calls others.
pub(super) struct Outgoing {
    shared: Arc<Shared>,
    own: SocketAddr,
}

impl Outgoing {
    pub(super) fn new(shared: Arc<Shared>, own: SocketAddr) -> Self {
        Self { shared, own }
    }

    /// Calls as it is ordered to, until nobody can order any more.
    pub(super) async fn run(self, mut ordered: mpsc::Receiver<RemoteCall>) {
        let this = Arc::new(self);
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        while let Some(call) = ordered.recv().await {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let this = Arc::clone(&this);
            tokio::task::spawn_local(async move {
                let result = this.call(&call).await;
                tell(&this.shared, call, result);
                drop(place);
            });
        }
    }

    async fn call(&self, call: &RemoteCall) -> Result<Value, String> {
        let endpoint = match &call.host_id {
            Some(host_id) => of_satellite(host_id)?,
            None => self
                .shared
                .settings
                .relay
                .clone()
                .ok_or("there is no relay")?,
        };
        let source = source(self.own, &endpoint);
        let document = write_call(&call.method, call.argument.clone());
        let document = document.map_err(|error| error.to_string())?;
        let mut client = Client::new(endpoint, LIMIT).from_address(source);
        let called = client.call([Bytes::from(document)]).await;
        called.map_err(|error| kozo_abi::error_text(&error))
    }
}

/// Tells what came of a call.
pub(crate) fn tell(shared: &Shared, call: RemoteCall, result: Result<Value, String>) {
    let told = result_event(call, result).map_err(|error| error.to_string());
    let sent = told.and_then(|data| {
        let event = shared
            .host
            .event("result")
            .channel(&shared.settings.channel);
        event.send_bytes(&data).map_err(|error| error.to_string())
    });
    if let Err(error) = sent {
        shared.host.warn(&format!(
            "the result of a call cannot become an event: {error}"
        ));
    }
}

/// Where the satellite with this id listens.
fn of_satellite(host_id: &str) -> Result<Endpoint, String> {
    let place = host_id.split_once('@').map(|(_, place)| place);
    let endpoint = place.and_then(|place| Endpoint::from_str(place).ok());
    endpoint.ok_or_else(|| {
        let shown = host_id.escape_debug();
        format!("`{shown}` is no id of a satellite, such as `124571645@192.0.2.7:2004`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_its_satellite_is() {
        let endpoint = of_satellite("124571645@127.0.0.1:2004").unwrap();
        assert_eq!(endpoint.to_string(), "http://127.0.0.1:2004/RPC2");
        assert_eq!(of_satellite("1@[::1]:7").unwrap().port, 7);
        assert!(of_satellite("127.0.0.1:2004").is_err());
    }
}
