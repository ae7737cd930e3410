//! The tasks of the relay: passing on, pinging, and all of it from start to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kozo_co2::document::write_call;
use kozo_co2::http::{self, Client, Limits, Listener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::limiter::Next;
use crate::relay::{Handle, Message, Relay};

/// How long a satellite has to answer a ping.
const PING_TIME: Duration = Duration::from_secs(5);

/// How many satellites are pinged at a time.
const PINGS_AT_A_TIME: usize = 32;

/// Serves until `stop` turns true.
pub(crate) async fn run(relay: Arc<Relay>, server: Listener, mut stop: watch::Receiver<bool>) {
    relay.restore();
    relay.reporter.info(&kozo_co2::log::listening(
        kozo_co2::time::now(),
        server.address(),
    ));
    let mut tasks = JoinSet::new();
    tasks.spawn(pass_on(Arc::clone(&relay)));
    tasks.spawn(ping_all(Arc::clone(&relay)));
    let keeping = Arc::clone(&relay);
    tasks.spawn(async move { keeping.keep_dump().await });
    let stopped = async move {
        let _ = stop.wait_for(|&stop| stop).await;
    };
    let handle = Arc::new(Handle(Arc::clone(&relay)));
    http::serve(server, handle, Limits::default(), stopped).await;
    relay.end_deliveries();
    // The counts have changed since a satellite last came or went.
    relay.keeper.keep().await;
    tasks.shutdown().await;
}

/// Takes messages out of the limiter, for all satellites but their sender.
async fn pass_on(relay: Arc<Relay>) {
    loop {
        let next = relay.shared().limiter.next(Instant::now());
        match next {
            Next::Pass(message) => {
                distribute(&relay, &message);
                // So that many of them do not keep everything else waiting.
                tokio::task::yield_now().await;
            }
            Next::Wait(until) => tokio::time::sleep_until(until.into()).await,
            Next::Nothing => relay.queued.notified().await,
        }
    }
}

fn distribute(relay: &Relay, message: &Message) {
    let mut overtaken = Vec::new();
    {
        let mut shared = relay.shared();
        let shared = &mut *shared;
        for (host_id, delivery) in &shared.deliveries {
            if *host_id == message.sender {
                continue;
            }
            let pushed = delivery.push(message.notify.clone());
            if pushed.out > 0 {
                shared.registry.missed(host_id, pushed.out);
            }
            if pushed.first {
                overtaken.push(host_id.clone());
            }
        }
    }
    for host_id in overtaken {
        relay.reporter.warn(&format!(
            "{host_id} takes messages too slowly: the oldest of those that wait for it are dropped"
        ));
    }
}

async fn ping_all(relay: Arc<Relay>) {
    let places = Arc::new(Semaphore::new(PINGS_AT_A_TIME));
    let mut pings = JoinSet::new();
    loop {
        let (due, next) = {
            let mut shared = relay.shared();
            let due = shared.pinger.take_due(Instant::now());
            (due, shared.pinger.next())
        };
        for host_id in due {
            let Ok(address) = relay
                .shared()
                .registry
                .satellite(&host_id)
                .map(|satellite| satellite.address)
            else {
                continue;
            };
            let (relay, places) = (Arc::clone(&relay), Arc::clone(&places));
            pings.spawn(async move {
                let _place = places.acquire().await;
                let Ok(document) = write_call("ping", Vec::new()) else {
                    return;
                };
                let mut client = Client::new(address.into(), PING_TIME);
                let begun = Instant::now();
                let answered = client.call([document.into()]).await.is_ok();
                let time = begun.elapsed().as_secs_f64() * 1000.0;
                relay.pinged(&host_id, answered.then_some(time)).await;
            });
        }
        let wait = async {
            match next {
                Some(next) => tokio::time::sleep_until(next.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            () = relay.pinging.notified() => {}
            Some(_) = pings.join_next() => {}
        }
    }
}
