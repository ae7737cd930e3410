//! What is done in the thread of the server: serving, and asking the node for it.

use std::sync::Arc;

use kozo_http::{Listener, ServerThread, StartError};
use tokio::sync::watch;

use crate::site::Site;
use crate::{server, watch as watching};

/// How many questions to the node are under way at once; others wait.
const MAX_QUESTIONS: usize = 8;

/// Listens on an address and a port, 0 being any, and serves the site there.
pub(crate) fn start(address: &str, port: u16, site: Site) -> Result<ServerThread, StartError> {
    let work = move |listener, stopped| run(listener, Arc::new(site), stopped);
    ServerThread::start("dashboard", (address, port), Some(MAX_QUESTIONS), work)
}

async fn run(listener: Listener, site: Arc<Site>, stopped: watch::Receiver<bool>) {
    let (hub, host) = (&site.hub, &site.host);
    let asking = [
        tokio::spawn(watching::own(Arc::clone(hub), host.clone())),
        tokio::spawn(watching::network(Arc::clone(hub), host.clone())),
        tokio::spawn(watching::messages(Arc::clone(hub), host.clone())),
    ];
    server::serve(listener, site, stopped).await;
    asking.iter().for_each(tokio::task::JoinHandle::abort);
}
