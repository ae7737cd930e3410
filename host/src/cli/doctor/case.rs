//! What every subject starts from, found out once.

use std::io::ErrorKind;

use kozo_addresses::Endpoint;
use kozo_auth::keys;
use kozo_description::{Claimed, Format, ModuleKind, Value};
use kozo_ground::names::NodeName;
use kozo_ground::text::error_text;
use kozo_status::NodeStatus;

use super::machine::{Machine, Person};
use super::resolving::{Names, names_of};
use super::systemd::Unit;
use super::targets::{Target, unit_of};
use super::ways;
use crate::cli::check::{self, Checked};
use crate::cli::files::{self, ReadFile};
use crate::cli::prepare::Prepared;
use crate::config::{Bus, Network, Node, OnBus, Transport};
use crate::control::{Client, ClientError};
use crate::introspection::Request;
use crate::modules::Registry;
use crate::transports::AskedWay;

/// A node on this machine, with all that is known of it.
pub(super) struct Case {
    pub(super) machine: Machine,
    pub(super) target: Target,
    pub(super) checked: Checked,
    /// The daemon that runs as the node.
    pub(super) daemon: Running,
    /// What systemd says of the node's unit; none where it does not say anything.
    pub(super) unit: Result<Unit, String>,
    /// Whom the daemon runs as, or would.
    pub(super) person: Person,
    /// Whether that is known, and not only taken from who looks.
    pub(super) person_is_known: bool,
    /// The names of the file, looked up.
    pub(super) names: Names,
    /// The ways over which the node dials others, or why they are not known.
    pub(super) dialled: Result<Vec<AskedWay>, String>,
    /// The files that the node reads besides its key.
    pub(super) files: Vec<ReadFile>,
}

/// The daemon of a node.
pub(super) enum Running {
    /// It runs, and says so.
    Yes(Box<NodeStatus>, Client),
    /// None runs, or none is found.
    No(String),
    /// It may run, and cannot be asked.
    Unknown(ClientError),
}

/// What the file says, where it can be used, of a node that is in it.
#[derive(Clone, Copy)]
pub(super) struct Described<'a> {
    pub(super) network: &'a Network,
    pub(super) node: &'a Node,
    pub(super) prepared: &'a Prepared,
}

impl Case {
    /// Looks at everything that the subjects share. `daemon` is that of the node, if one was found.
    pub(super) fn open(target: Target, daemon: Result<Client, ClientError>) -> Self {
        let machine = Machine::this();
        let node = target.node.as_ref();
        let checked = check::look(&target.config, node, &[]);
        let daemon = running(daemon);
        let unit = match node {
            Some(node) => Unit::of(&machine, &unit_of(node)),
            None => Err("nothing says which node this machine is".to_owned()),
        };
        let known = match (&daemon, &unit) {
            (Running::Yes(status, _), _) => machine.person_of(status.pid),
            (_, Ok(unit)) => unit.person(&machine),
            _ => None,
        };
        let own = || machine.person_of(std::process::id());
        let person_is_known = known.is_some() || reads_key(&checked, node);
        let person = known.or_else(own).unwrap_or_else(Person::unnamed);
        let prepared = checked.prepared.as_ref();
        let described = described(&checked, node);
        let dialled = described.map(|it| ways::dialled(it.network, &it.node.name, it.registry()));
        let known = dialled.as_ref().and_then(|ways| ways.as_deref().ok());
        let names = prepared.map(|it| names_of(it, node, known));
        let names = Names::look_up(names.unwrap_or_default());
        let files = described.map(|it| files::of(it.prepared, it.network, it.node));
        Self {
            machine,
            target,
            checked,
            daemon,
            unit,
            person,
            person_is_known,
            names,
            dialled: dialled.unwrap_or_else(|| Ok(Vec::new())),
            files: files.unwrap_or_default(),
        }
    }

    /// What the file says; none where it cannot be used, or says nothing of the node.
    pub(super) fn described(&self) -> Option<Described<'_>> {
        described(&self.checked, self.target.node.as_ref())
    }

    /// What the running daemon says.
    pub(super) fn status(&self) -> Option<&NodeStatus> {
        match &self.daemon {
            Running::Yes(status, _) => Some(status),
            _ => None,
        }
    }

    /// Whether this process looks with the eyes of the daemon's user, as far as that one is known.
    pub(super) fn is_daemons_user(&self) -> bool {
        self.person_is_known && self.person.user.id == rustix::process::geteuid().as_raw()
    }
}

fn described<'a>(checked: &'a Checked, node: Option<&NodeName>) -> Option<Described<'a>> {
    let network = checked.network.as_ref()?;
    Some(Described {
        network,
        node: network.nodes.get(node?)?,
        prepared: checked.prepared.as_ref()?,
    })
}

/// Whether this user, not being root, may read the key of the node: then it is most likely the daemon's.
fn reads_key(checked: &Checked, node: Option<&NodeName>) -> bool {
    let network = checked.network.as_ref();
    let node = node.and_then(|node| network?.nodes.get(node));
    !rustix::process::geteuid().is_root()
        && node.is_some_and(|node| keys::load_private(&node.private_key).is_ok())
}

fn running(daemon: Result<Client, ClientError>) -> Running {
    let answer = daemon.and_then(|daemon| Ok((daemon.ask(&Request::Status)?, daemon)));
    match answer {
        Ok((status, daemon)) => Running::Yes(Box::new(status), daemon),
        Err(error) if is_absent(&error) => Running::No(error_text(&error)),
        Err(error) => Running::Unknown(error),
    }
}

/// Whether nobody is there to answer, and not only nobody who does.
fn is_absent(error: &ClientError) -> bool {
    match error {
        ClientError::NoDaemon { .. } => true,
        // Sockets stay where a daemon was killed.
        ClientError::System { reason, .. } => {
            matches!(
                reason.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            )
        }
        _ => false,
    }
}

/// Something that a role, transport or bus of the node claims.
pub(super) struct OwnClaim {
    /// Whose it is, in words: "transport `tcp`".
    pub(super) of: String,
    pub(super) kind: ModuleKind,
    pub(super) claimed: Claimed,
}

impl<'a> Described<'a> {
    pub(super) fn registry(&self) -> &'a Registry {
        &self.prepared.registry
    }

    /// What the node's roles, transports and buses claim.
    pub(super) fn claims(&self) -> Vec<OwnClaim> {
        let roles = self.node.roles.iter().map(|role| {
            let of = format!("role `{}`", role.name);
            (ModuleKind::Role, &role.module, &role.options, of)
        });
        let transports = self.node.transports.iter().map(|transport| {
            let of = format!("transport `{}`", transport.name);
            (
                ModuleKind::Transport,
                &transport.module,
                &transport.options,
                of,
            )
        });
        let buses = self.buses().map(|(bus, on)| {
            let of = format!("bus `{}`", bus.name);
            (ModuleKind::Bus, &bus.module, &on.options, of)
        });
        let mut claims = Vec::new();
        for (kind, module, options, of) in roles.chain(transports).chain(buses) {
            let metadata = self.registry().metadata(kind, module.as_str());
            if let Some((metadata, options)) = metadata.zip(options.as_ref()) {
                let own = metadata.claimed(options).into_iter();
                claims.extend(own.map(|claimed| OwnClaim {
                    of: of.clone(),
                    kind,
                    claimed,
                }));
            }
        }
        claims
    }

    /// The buses that the node is on, with what it has of each.
    pub(super) fn buses(&self) -> impl Iterator<Item = (&'a Bus, &'a OnBus)> {
        let network = self.network;
        let on = self.node.buses.iter();
        on.filter_map(|on| Some((network.bus(on.bus.as_str())?, on)))
    }

    /// The hosts and ports through which the node's transports connect to others, each with the transport
    /// and the name of its option.
    pub(super) fn proxies(&self) -> Vec<(&'a Transport, String, Endpoint)> {
        let mut proxies = Vec::new();
        for transport in &self.node.transports {
            let module = transport.module.as_str();
            let metadata = self.registry().metadata(ModuleKind::Transport, module);
            let Some((metadata, options)) = metadata.zip(transport.options.as_ref()) else {
                continue;
            };
            let specs = metadata.options.iter();
            for spec in specs.filter(|spec| spec.format == Some(Format::Endpoint)) {
                let texts = options.value(&spec.name).into_iter().flat_map(Value::texts);
                let endpoints = texts.filter_map(|text| Endpoint::parse(text, None).ok());
                proxies.extend(endpoints.map(|it| (transport, spec.name.clone(), it)));
            }
        }
        proxies
    }

    /// Whether the node uses a module of this name.
    pub(super) fn uses(&self, kind: ModuleKind, module: &str) -> bool {
        match kind {
            ModuleKind::Role => {
                let mut roles = self.node.roles.iter();
                roles.any(|role| role.module.as_str() == module)
            }
            ModuleKind::Bus => self.buses().any(|(bus, _)| bus.module.as_str() == module),
            ModuleKind::Transport => {
                let mut transports = self.node.transports.iter();
                transports.any(|transport| transport.module.as_str() == module)
            }
        }
    }

    /// The other nodes that it has links with.
    pub(super) fn others(&self) -> impl Iterator<Item = (&'a NodeName, &'a Node)> {
        self.network.linked_with(&self.node.name).into_iter()
    }
}
