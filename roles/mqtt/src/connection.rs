//! The thread that has the connection with the broker: it tries one broker after the other, tells the bridge what
//! happens, and says in words what keeps it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kozo_backoff::Backoff;
use kozo_mqtt::{Access, Broker, Fault, Happening, connect};
use kozo_tls::{first_line, read};

use crate::options::Reach;
use crate::shared::Shared;

/// The largest packet that is taken, in bytes.
pub(crate) const MAX_INCOMING: u32 = 256 * 1024;

/// The first wait after a round in which no broker could be reached, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long a connection has to stand to count as one.
const STOOD: Duration = Duration::from_secs(10);

/// After how many connections in a row that the broker closed at once another client is suspected.
const SUSPICIOUS: u32 = 3;

/// Keeps a connection for as long as the role is there.
pub(crate) fn run(shared: &Arc<Shared>, reach: &Reach) {
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    let mut random = fastrand::Rng::new();
    let mut closed_at_once = 0;
    while shared.wait_until_ready() {
        let mut stood = false;
        for broker in &reach.brokers {
            let began = Instant::now();
            let (connected, fault) = one(shared, reach, broker);
            if shared.is_stopping() {
                return;
            }
            let at_once = connected && began.elapsed() < STOOD;
            closed_at_once = match fault {
                Fault::Closed | Fault::TakenOver if at_once => closed_at_once + 1,
                _ => 0,
            };
            let suspicion = match closed_at_once >= SUSPICIOUS && fault == Fault::Closed {
                true => "; does another client have the same `clientId`?",
                false => "",
            };
            shared.failed(&format!("{broker}: {fault}{suspicion}"), connected);
            if connected && !at_once {
                stood = true;
                // The first one is the best one again.
                break;
            }
        }
        if stood {
            backoff.reset();
        }
        if !shared.sleep(backoff.next(&mut random)) {
            return;
        }
    }
}

/// One connection, from its beginning to its end: whether there was one, and why it is none any more.
fn one(shared: &Arc<Shared>, reach: &Reach, broker: &Broker) -> (bool, Fault) {
    let access = match access(shared, reach, broker) {
        Ok(access) => access,
        Err(fault) => return (false, fault),
    };
    shared.trying(broker);
    let (sender, mut receiver) = match connect(&access) {
        Ok(ends) => ends,
        Err(fault) => return (false, fault),
    };
    let filters = shared.begin(sender);
    let mut connected = false;
    let fault = loop {
        match receiver.wait() {
            Happening::Connected(welcome) => {
                if welcome.retains_nothing {
                    break Fault::RetainsNothing;
                }
                connected = true;
                shared.connected(&access, welcome, &filters);
            }
            Happening::Subscribed(taken) => {
                let refused = filters.iter().zip(&taken).filter(|(_, taken)| !**taken);
                let refused: Vec<_> = refused.map(|(filter, _)| filter.as_str()).collect();
                shared.subscribed(&refused);
            }
            Happening::Message {
                topic,
                payload,
                retained,
                ..
            } => shared.message(&topic, &payload, retained),
            Happening::Progress | Happening::Sent(_) | Happening::Taken(_) => {}
            Happening::Refused { reason, .. } => shared.refused(&reason),
            Happening::Lost(fault) => break fault,
        }
        shared.pump();
    };
    shared.end();
    (connected, fault)
}

fn access(shared: &Shared, reach: &Reach, broker: &Broker) -> Result<Access, Fault> {
    let password = match &reach.password_file {
        None => None,
        Some(path) => Some(first_line(read("passwordFile", path)?)),
    };
    let tls = match broker.scheme().is_secure() {
        true => Some(reach.identity.client_config().map_err(Fault::from)?),
        false => None,
    };
    Ok(Access {
        broker: broker.clone(),
        protocol: reach.protocol,
        client_id: reach.client_id.clone(),
        user: reach.user.clone(),
        password,
        tls,
        keep_alive: reach.keep_alive,
        will: Some(shared.will()),
        max_incoming: MAX_INCOMING,
    })
}
