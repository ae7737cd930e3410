//! Connections to other nodes' services.
//!
//! Arti's attempts of one *isolation group* share their circuits. That makes a second connection to
//! a node quick, but an attempt that hangs (the other node froze at the wrong moment) would take all
//! later ones with it. So each node has a group of its own, which is given up for a new one as soon
//! as something goes wrong in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arti_client::config::BoolOrAuto;
use arti_client::{
    DataStream, ErrorKind, HasKind, HsClientDescEncKey, IsolationToken, KeystoreSelector,
    StreamPrefs,
};
use kozo_abi::{Connection, Error, error_text};
use tokio::time::{Instant, timeout_at};

use super::{Client, failure, lock, pipe};
use crate::options::Target;

/// How many times a connection is tried within its time limit, each in a group of its own. More
/// would leave the single one too little time for the real network.
const ATTEMPTS: u32 = 2;

/// The groups that were good so far, by the address that they lead to.
type Groups = Arc<Mutex<HashMap<String, IsolationToken>>>;

#[derive(Default)]
pub(super) struct Dialer {
    groups: Groups,
}

impl Dialer {
    /// Connects to a node.
    ///
    /// # Errors
    /// Why there is no connection; or there was none until `deadline`.
    pub(super) async fn connect(
        &self,
        client: &Arc<Client>,
        target: &Target,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        for left in (1..=ATTEMPTS).rev() {
            let now = Instant::now();
            let share = deadline.saturating_duration_since(now) / left;
            let group = self.group(target);
            // On its own, so that giving it up leaves nothing half done in arti.
            let attempt = tokio::spawn(attempt(Arc::clone(client), *target, group));
            let abort = attempt.abort_handle();
            match timeout_at(now + share, attempt).await {
                Ok(Ok(Ok(stream))) => return self.connected(stream, target, group),
                Ok(Ok(Err(error))) => {
                    renew(&self.groups, target, group);
                    return Err(match error.kind() {
                        ErrorKind::OnionServiceMissingClientAuth
                        | ErrorKind::OnionServiceWrongClientAuth => not_admitted(client, target),
                        _ => failure::of_connection(&error, target),
                    });
                }
                // It panicked, which the log has.
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {
                    abort.abort();
                    renew(&self.groups, target, group);
                }
            }
        }
        Err("there was no answer in time".into())
    }

    fn connected(
        &self,
        stream: DataStream,
        target: &Target,
        group: IsolationToken,
    ) -> Result<Connection, Error> {
        let (host, socket) = pipe::sockets()?;
        let (groups, to) = (Arc::clone(&self.groups), *target);
        tokio::spawn(async move {
            if pipe::run(stream, socket).await.is_err() {
                renew(&groups, &to, group);
            }
        });
        Ok(Connection::new(host, target.to_string()))
    }

    /// The group that leads to a node.
    fn group(&self, target: &Target) -> IsolationToken {
        *lock(&self.groups)
            .entry(target.to_string())
            .or_insert_with(IsolationToken::new)
    }
}

/// The node there has `onlyFor`, and this one is not in it. Its key for that node is made now, if it
/// was not before, and is used from the next try on.
fn not_admitted(client: &Client, target: &Target) -> Error {
    match discovery_key(client, target) {
        Ok(key) => format!(
            "the node there shows itself only to those whose key is in its `onlyFor`: this node's is `{key}`"
        )
        .into(),
        Err(error) => error_text(&error).into(),
    }
}

/// The key with which this node finds a node that has `onlyFor`; it is made if need be.
///
/// # Errors
/// It cannot be read or kept.
pub(super) fn discovery_key(
    client: &Client,
    target: &Target,
) -> arti_client::Result<HsClientDescEncKey> {
    let service = target.address.id();
    match client.get_service_discovery_key(service)? {
        Some(key) => Ok(key),
        None => client.generate_service_discovery_key(KeystoreSelector::Primary, service),
    }
}

/// Gives a group up, unless that was done already.
fn renew(groups: &Groups, target: &Target, bad: IsolationToken) {
    let mut groups = lock(groups);
    let target = target.to_string();
    if groups.get(&target) == Some(&bad) {
        groups.remove(&target);
    }
}

/// One try to open a stream, in an isolation group.
pub(super) async fn attempt(
    client: Arc<Client>,
    target: Target,
    group: IsolationToken,
) -> arti_client::Result<DataStream> {
    let mut preferences = StreamPrefs::new();
    preferences
        .connect_to_onion_services(BoolOrAuto::Explicit(true))
        .set_isolation(group);
    let address = (target.address.to_string(), target.port);
    client.connect_with_prefs(address, &preferences).await
}
