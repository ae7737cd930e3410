//! What one node needs for all its links, built once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use russh::{MethodKind, MethodSet, Preferred, SshId, client, server};

use super::terms::{QUEUE_SLOTS, VERSION_LINE, WINDOW};
use crate::algorithms::Algorithms;
use crate::attest::Attestor;
use crate::identity::{Identity, TrustedKeys};
use crate::noise::Cipher;

/// The smallest packet that is announced, in bytes; below it the framing costs more than it brings.
const MIN_PACKET: usize = 1024;

/// The largest packet that is announced, in bytes: what SSH implementations are tried with.
pub const MAX_PACKET: usize = 65535;

/// What is read from a stream at a time, and the largest packet that is announced, in bytes, when the
/// option `maxBufferReadSize` says so many: it is brought into
/// the range from 1024 to [`MAX_PACKET`].
pub fn read_size(max_buffer_read_size: usize) -> usize {
    max_buffer_read_size.clamp(MIN_PACKET, MAX_PACKET)
}

/// How often a caller may fail. OpenSSH spends one on asking for the methods.
const MAX_ATTEMPTS: usize = 3;

/// How long every refusal takes, whatever the reason, so that its time tells nothing.
const REJECTION_TIME: Duration = Duration::from_millis(100);

/// Who this node is, whom it trusts and what it offers. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint {
    pub(super) identity: Identity,
    pub(super) trust: Arc<TrustedKeys>,
    pub(super) server: Arc<server::Config>,
    pub(super) client: Arc<client::Config>,
    /// How much is read from a stream at a time, in bytes.
    pub(super) chunk: usize,
    /// What sessions may be handed over to; empty: they stay with SSH.
    pub(super) noise: Vec<Cipher>,
}

impl Endpoint {
    /// Prepares the links of `identity`.
    ///
    /// `max_packet` is the option `maxBufferReadSize` in bytes; [`read_size`] says what is made of it.
    pub fn new(
        identity: Identity,
        trust: Arc<TrustedKeys>,
        algorithms: &Algorithms,
        max_packet: usize,
    ) -> Self {
        let chunk = read_size(max_packet);
        let limits = russh::Limits::default();
        let preferred = algorithms.preferred();
        Self {
            server: Arc::new(server_config(&identity, preferred.clone(), chunk, &limits)),
            client: Arc::new(client_config(preferred, chunk, &limits)),
            identity,
            trust,
            chunk,
            noise: Cipher::ALL
                .into_iter()
                .filter(|cipher| algorithms.offers(cipher.ssh_name()))
                .collect(),
        }
    }

    /// The same with links that stay with SSH, if `ssh_only` says so.
    pub fn with_ssh_only(mut self, ssh_only: bool) -> Self {
        if ssh_only {
            self.noise.clear();
        }
        self
    }

    /// How much is read from a stream at a time, in bytes.
    pub fn read_size(&self) -> usize {
        self.chunk
    }

    /// Signs and verifies for transports that secure their streams by themselves.
    pub fn attestor(&self) -> Arc<Attestor> {
        Arc::new(Attestor::new(
            self.identity.clone(),
            Arc::clone(&self.trust),
        ))
    }

    /// The same with new keys after each `bytes`, so that tests need not move a gibibyte.
    #[cfg(test)]
    pub(super) fn with_rekey_after(mut self, bytes: usize) -> Self {
        let limits = russh::Limits::new(bytes, bytes, Duration::from_secs(3600));
        let preferred = self.client.preferred.clone();
        let server = server_config(&self.identity, preferred.clone(), self.chunk, &limits);
        self.server = Arc::new(server);
        self.client = Arc::new(client_config(preferred, self.chunk, &limits));
        self
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

fn server_config(
    identity: &Identity,
    preferred: Preferred,
    chunk: usize,
    limits: &russh::Limits,
) -> server::Config {
    server::Config {
        server_id: SshId::Standard(VERSION_LINE.into()),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: REJECTION_TIME,
        // Asking which methods there are gives nothing away.
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: MAX_ATTEMPTS,
        keys: vec![identity.key.as_ref().clone()],
        limits: limits.clone(),
        window_size: WINDOW,
        maximum_packet_size: packet_size(chunk),
        event_buffer_size: QUEUE_SLOTS,
        preferred,
        // The link above has heartbeats, and the caller limits the time until there is one.
        inactivity_timeout: None,
        keepalive_interval: None,
        ..server::Config::default()
    }
}

fn client_config(preferred: Preferred, chunk: usize, limits: &russh::Limits) -> client::Config {
    client::Config {
        client_id: SshId::Standard(VERSION_LINE.into()),
        limits: limits.clone(),
        window_size: WINDOW,
        maximum_packet_size: packet_size(chunk),
        preferred,
        inactivity_timeout: None,
        keepalive_interval: None,
        ..client::Config::default()
    }
}

fn packet_size(chunk: usize) -> u32 {
    u32::try_from(chunk).unwrap_or(u32::MAX)
}
