//! What the page is served with: the node, what is known, and who may see it.

use std::sync::Arc;

use kozo_abi::RoleHost;
use tokio_rustls::TlsAcceptor;

use crate::access::{Guard, Names};
use crate::hub::Hub;

/// What all requests are answered with.
pub(crate) struct Site {
    pub(crate) host: RoleHost,
    pub(crate) hub: Arc<Hub>,
    pub(crate) names: Names,
    pub(crate) guard: Arc<Guard>,
    /// What protects connections; none: nothing does.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether messages may be sent from the page.
    pub(crate) may_send: bool,
}
