//! Makes transports from what the file says, whatever their modules do meanwhile.

use std::collections::HashSet;
use std::sync::Arc;

use kozo_auth::attest::Attestor;
use kozo_ground::names::{ModuleName, NodeName};
use kozo_ground::text::error_text;

use super::services::Services;
use super::{CALL_LIMIT, Made, OwnTransport, PeerTransport, StateFolders, encode};
use crate::config;
use crate::limited::{DroppedApart, NoResult, Worker};
use crate::link::Calls;
use crate::modules::registry::Registry;
use crate::modules::transport::{PeerDescription, TransportInstance, TransportServices};

pub(super) struct Maker {
    registry: Arc<Registry>,
    attestor: Arc<Attestor>,
    state: Arc<StateFolders>,
    /// Where modules are called.
    worker: Worker,
    /// The modules that did not come back: they are not asked again.
    hanging: HashSet<ModuleName>,
}

/// Why there is no transport.
enum NotMade {
    /// What its module, or the system, says.
    Refused(String),
    /// The module does not come back.
    Hangs(String),
}

/// What a module says of a transport that it has made.
struct Description {
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
    ) -> Result<OwnTransport, String> {
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
            Err(NotMade::Refused(reason)) => return Err(reason),
            Err(NotMade::Hangs(reason)) => own.fail(&reason),
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
    ) -> Result<Option<PeerTransport>, String> {
        let services = self.services(node, transport, false)?;
        // It is dropped where it was made.
        let said = self.make(transport, options, &services, |_, said| said);
        let said = said.map_err(|error| match error {
            NotMade::Refused(reason) | NotMade::Hangs(reason) => reason,
        })?;
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
    ) -> Result<Arc<Services>, String> {
        let services = Services::new(
            node,
            &transport.name,
            &transport.module,
            local,
            Arc::clone(&self.attestor),
            Arc::clone(&self.state),
        );
        services.map_err(|error| format!("no descriptor is left for its stop signal: {error}"))
    }

    fn make<T: Send + 'static>(
        &mut self,
        transport: &config::Transport,
        options: &kozo_description::ModuleOptions,
        services: &Arc<Services>,
        take: impl FnOnce(TransportInstance, Description) -> T + Send + 'static,
    ) -> Result<T, NotMade> {
        let module = transport.module.clone();
        if self.hanging.contains(&module) {
            return Err(NotMade::Hangs(format!(
                "its module `{module}` did not come back from making another one"
            )));
        }
        let (registry, name) = (Arc::clone(&self.registry), module.clone());
        let options = encode(options).map_err(NotMade::Refused)?;
        let services: Arc<dyn TransportServices> = Arc::clone(services) as _;
        let made = self.worker.within(CALL_LIMIT, "init", move || {
            let module = registry.load_transport(&name);
            let module = module.map_err(|error| error_text(&error))?;
            let instance = module.create(services, &options)?;
            let said = Description {
                priority: instance.priority()? as u8,
                can_accept: instance.can_accept()?,
            };
            Ok(take(instance, said))
        });
        match made {
            Ok(made) => made.map_err(NotMade::Refused),
            Err(error) => {
                if matches!(error, NoResult::Hangs { .. }) {
                    self.hanging.insert(module);
                }
                Err(NotMade::Hangs(error_text(&error)))
            }
        }
    }
}
