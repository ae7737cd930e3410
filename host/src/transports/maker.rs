//! Makes transports from what the file says, whatever their modules do meanwhile.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use kozo_auth::attest::Attestor;
use kozo_ground::names::{ModuleName, NodeName};
use kozo_ground::text::error_text;

use super::error::TransportError;
use super::own::{Made, OwnTransport};
use super::services::Services;
use super::state_folders::StateFolders;
use crate::config;
use crate::limited::{DroppedApart, NoResult, Worker};
use crate::link::Calls;
use crate::modules::Registry;
use crate::modules::{PeerDescription, TransportIdentity, TransportInstance, TransportServices};

/// How long a module may take for a call in which nothing is to happen that takes time.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Makes transports one after another.
pub(super) struct Maker {
    registry: Arc<Registry>,
    attestor: Arc<Attestor>,
    state: Arc<StateFolders>,
    /// Where modules are called.
    worker: Worker,
    /// The modules that did not come back: they are not asked again.
    hanging: HashSet<ModuleName>,
}

/// A transport of another node, as far as this one needs to know it.
pub(super) struct PeerTransport {
    pub(super) description: Arc<PeerDescription>,
    pub(super) priority: u8,
}

/// What a module says of a transport that it has made.
struct Abilities {
    priority: u8,
    can_accept: bool,
}

impl Maker {
    pub(super) fn new(
        registry: &Arc<Registry>,
        attestor: &Arc<Attestor>,
        state: StateFolders,
    ) -> Self {
        Self {
            registry: Arc::clone(registry),
            attestor: Arc::clone(attestor),
            state: Arc::new(state),
            worker: Worker::default(),
            hanging: HashSet::new(),
        }
    }

    /// Makes a transport of the node that runs.
    pub(super) fn own(
        &mut self,
        node: &NodeName,
        transport: &config::Transport,
        options: &kozo_description::ModuleOptions,
    ) -> Result<OwnTransport, TransportError> {
        let services = self.services(node, transport, true)?;
        let made = self.make(transport, options, &services, |instance, said| {
            (instance, said)
        });
        let name = transport.name.as_str().to_owned();
        let mut own = OwnTransport {
            name,
            services,
            made: None,
            reaches: HashSet::new(),
        };
        match made {
            Ok((instance, said)) => {
                let instance = Arc::new(DroppedApart::new(instance, &own.name));
                own.made = Some(Made {
                    calls: Calls::new(Arc::clone(&instance), &own.name),
                    instance,
                    priority: said.priority,
                    can_accept: said.can_accept,
                });
            }
            Err(reason @ (TransportError::Hangs(_) | TransportError::Hung(_))) => {
                own.fail(&error_text(&reason));
            }
            Err(reason) => return Err(reason),
        }
        Ok(own)
    }

    /// Makes a transport of another node, for what it says of itself. None when it is not one that
    /// takes connections.
    pub(super) fn peer(
        &mut self,
        node: &NodeName,
        transport: &config::Transport,
        options: &kozo_description::ModuleOptions,
    ) -> Result<Option<PeerTransport>, TransportError> {
        let services = self.services(node, transport, false)?;
        // It is dropped where it was made.
        let said = self.make(transport, options, &services, |_, said| said)?;
        if !said.can_accept {
            return Ok(None);
        }
        let description = PeerDescription {
            node: node.as_str().to_owned(),
            name: transport.name.as_str().to_owned(),
            module: transport.module.as_str().to_owned(),
            options: encode(options)?,
        };
        Ok(Some(PeerTransport {
            description: Arc::new(description),
            priority: said.priority,
        }))
    }

    fn services(
        &self,
        node: &NodeName,
        transport: &config::Transport,
        local: bool,
    ) -> Result<Arc<Services>, TransportError> {
        let identity = identity(node, transport, local);
        let (attestor, state) = (Arc::clone(&self.attestor), Arc::clone(&self.state));
        Services::new(identity, attestor, state).map_err(TransportError::StopSignal)
    }

    fn make<T: Send + 'static>(
        &mut self,
        transport: &config::Transport,
        options: &kozo_description::ModuleOptions,
        services: &Arc<Services>,
        take: impl FnOnce(TransportInstance, Abilities) -> T + Send + 'static,
    ) -> Result<T, TransportError> {
        let module = transport.module.clone();
        if self.hanging.contains(&module) {
            return Err(TransportError::Hung(module));
        }
        let (registry, name) = (Arc::clone(&self.registry), module.clone());
        let options = encode(options)?;
        let services: Arc<dyn TransportServices> = Arc::clone(services) as _;
        let made = self.worker.within(CALL_LIMIT, "init", move || {
            let module = registry.load_transport(&name)?;
            let instance = module.create(services, &options)?;
            let said = Abilities {
                priority: instance.priority()? as u8,
                can_accept: instance.can_accept()?,
            };
            Ok(take(instance, said))
        });
        made.unwrap_or_else(|error| {
            if matches!(error, NoResult::Hangs { .. }) {
                self.hanging.insert(module);
            }
            Err(error.into())
        })
    }
}

/// Which transport of which node it is.
pub(super) fn identity(
    node: &NodeName,
    transport: &config::Transport,
    is_local: bool,
) -> TransportIdentity {
    TransportIdentity {
        node: node.clone(),
        name: transport.name.clone(),
        module: transport.module.clone(),
        is_local,
    }
}

/// Options as modules get them.
pub(super) fn encode(
    options: &kozo_description::ModuleOptions,
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    rmp_serde::to_vec_named(options)
}
