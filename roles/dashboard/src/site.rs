//! What the page is served with: the node, what is known, and who may see it.

use std::sync::Arc;

use kozo_abi::RoleHost;

use crate::access::Names;
use crate::hub::Hub;

/// What all requests are answered with.
pub(crate) struct Site {
    pub(crate) host: RoleHost,
    pub(crate) hub: Arc<Hub>,
    pub(crate) names: Names,
}
