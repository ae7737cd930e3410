//! Role and transport blocks: their module, its options, and what follows from them.

use kozo_description::{
    Block, Entry, Metadata, ModuleBlock, ModuleKind, ModuleOptions, Place, Problem, Tree, Unknown,
    Value, Values, common,
};
use kozo_faces::Face;
use kozo_ground::grant::{Grant, Grants};
use kozo_ground::interest::Interests;
use kozo_ground::names::{ModuleName, RoleName, TransportName};
use kozo_ground::text::{enumerate, join_path, quoted};
use kozo_router::{OrderSources, SenderPattern};

use super::assemble::{Assembly, Whose};
use super::catalog::Lookup;
use super::claims::Noted;
use super::node::{InboxLimits, Isolation, Role, Transport};

/// A role or transport block whose module and values were checked.
struct Instance<'m> {
    module: ModuleName,
    metadata: Option<&'m Metadata>,
    values: Values,
    /// What the module gets; none when it is not known here, or could do nothing with them.
    options: Option<ModuleOptions>,
    /// What is wrong with them.
    fault: Option<String>,
    /// What a role is for people and other systems.
    faces: Vec<Face>,
}

impl<'a> Assembly<'a> {
    pub(super) fn role(
        &mut self,
        entry: &Entry,
        node_path: &str,
        whose: Option<Whose<'_>>,
        has_storage: bool,
    ) -> Option<Role> {
        let path = join_path(&join_path(node_path, "roles"), &entry.key);
        let name = self.name(entry, &path, "role", RoleName::new);
        let instance = self.instance(entry, &path, whose, ModuleKind::Role)?;
        let Instance {
            module,
            metadata,
            values,
            options,
            faces,
            ..
        } = instance;
        if metadata.is_some_and(|metadata| metadata.storage) && !has_storage {
            let message = format!(
                "a role of type {} has to remember things, and its node has no `roleStorage`",
                quoted(module.as_str())
            );
            self.problems.push(
                Problem::error(entry.key_place, &path, message)
                    .with_help("add `roleStorage: FOLDER` to the node"),
            );
        }
        let granted = values.grants("grant");
        if let Some(metadata) = metadata {
            self.check_grants(metadata, granted, entry, &path);
        }
        let accept_orders_from = self.order_sources(&entry.value, &values, &path);
        let (whose, name) = (whose?, name?);
        let interests = match (metadata, &options) {
            (Some(metadata), Some(options)) => {
                Interests::Known(metadata.interests(options, whose.filled_in, &name))
            }
            _ => Interests::Unknown,
        };
        let values = values.with_defaults(common::role().iter());
        let isolation = self.isolation(&entry.value, &values, &path);
        Some(Role {
            name,
            module,
            description: values.text("description").map(str::to_owned),
            inbox: InboxLimits {
                length: values.count("messageQueueLength"),
                size: values.count("messageQueueSize"),
            },
            accept_orders_from,
            granted,
            isolation,
            options,
            interests,
            faces,
            place: entry.key_place,
        })
    }

    pub(super) fn transport(
        &mut self,
        entry: &Entry,
        node_path: &str,
        whose: Option<Whose<'_>>,
    ) -> Option<Transport> {
        let path = join_path(&join_path(node_path, "transports"), &entry.key);
        let name = self.name(entry, &path, "transport", TransportName::new);
        let instance = self.instance(entry, &path, whose, ModuleKind::Transport)?;
        let Instance {
            module,
            values,
            options,
            fault,
            ..
        } = instance;
        whose?;
        Some(Transport {
            name: name?,
            module,
            description: values.text("description").map(str::to_owned),
            options,
            fault,
            place: entry.key_place,
        })
    }

    /// Finds the module of a role or transport block and checks the block's options with it.
    fn instance(
        &mut self,
        entry: &Entry,
        path: &str,
        whose: Option<Whose<'_>>,
        kind: ModuleKind,
    ) -> Option<Instance<'a>> {
        let (module, type_place, type_path) = self.named_module(entry, path);
        let metadata = module.as_ref().and_then(|module| {
            let is_local = whose.is_some_and(|whose| whose.is_local);
            self.metadata(module, kind, is_local, type_place, &type_path)
        });
        let what = match &module {
            Some(module) => format!("a {kind} of type {}", quoted(module.as_str())),
            None => format!("this {kind}"),
        };
        let block = Block {
            tree: &entry.value,
            place: entry.key_place,
            path,
            what: &what,
            noun: "option",
        };
        let Some(metadata) = metadata else {
            let values = self.check(&block, common::of(kind).iter(), Unknown::Ignored);
            return Some(Instance {
                module: module?,
                metadata,
                values,
                options: None,
                fault: None,
                faces: Vec::new(),
            });
        };
        let block = ModuleBlock {
            block,
            node: whose.map_or("", |whose| whose.filled_in),
            name: &entry.key,
            folder: Some(self.folder),
            severity: self.severity_at(whose),
        };
        let checked = block.check(metadata, self.problems);
        let claims = checked.claims.into_iter();
        self.claimed
            .extend(claims.map(|(claimed, place, of_option)| Noted {
                claimed,
                block: path.to_owned(),
                path: of_option,
                place,
            }));
        let (options, fault) = match checked.options {
            Ok(options) => (Some(options), None),
            Err(fault) => (None, Some(fault)),
        };
        Some(Instance {
            module: module?,
            metadata: Some(metadata),
            values: checked.values,
            options,
            fault,
            faces: checked.faces,
        })
    }

    /// The name of the module that a block is of, if that is one, with its place and the way to it.
    pub(super) fn named_module(
        &mut self,
        entry: &Entry,
        path: &str,
    ) -> (Option<ModuleName>, Place, String) {
        let given = entry.value.child("type").filter(|given| !given.is_null());
        let (type_name, place, type_path) = match given {
            Some(given) => (given.text(), given.place, join_path(path, "type")),
            None => (Some(entry.key.as_str()), entry.key_place, path.to_owned()),
        };
        // A type that is no text is reported with the other options.
        let module = match type_name.map(ModuleName::new) {
            Some(Err(error)) if given.is_some() => {
                let type_name = quoted(type_name.unwrap_or_default());
                let message = format!("{type_name} is not the name of a module: {error}");
                self.problems.push(
                    Problem::error(place, &type_path, message)
                        .with_help("write the name of the module, not that of its file"),
                );
                None
            }
            // The name of the block itself was reported as such.
            parsed => parsed.and_then(Result::ok),
        };
        (module, place, type_path)
    }

    /// What is known of a module. One that is missing is told.
    pub(super) fn metadata(
        &mut self,
        module: &ModuleName,
        kind: ModuleKind,
        is_local: bool,
        place: Place,
        path: &str,
    ) -> Option<&'a Metadata> {
        let lookup = match kind {
            ModuleKind::Role => self.catalog.role(module.as_str()),
            ModuleKind::Transport => self.catalog.transport(module.as_str()),
            ModuleKind::Bus => self.catalog.bus(module.as_str()),
        };
        let (looked_in, reason) = match lookup {
            Lookup::Found(metadata) if metadata.kind == kind => return Some(metadata),
            Lookup::Found(metadata) => (
                Vec::new(),
                Some(format!("it is a {} module", metadata.kind)),
            ),
            Lookup::Missing { looked_in, reason } => (looked_in, reason),
        };
        let name = quoted(module.as_str());
        let message = match reason {
            Some(reason) => format!("the {kind} module {name} cannot be used: {reason}"),
            None => format!("there is no {kind} module {name} on this machine"),
        };
        let folders: Vec<_> = looked_in
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        let searched = match enumerate(folders.iter().map(String::as_str), "and") {
            none if none.is_empty() => String::new(),
            folders => format!("; looked in {folders}"),
        };
        let option = kind.search_path();
        let is_bus = kind == ModuleKind::Transport
            && matches!(self.catalog.bus(module.as_str()), Lookup::Found(found) if found.kind == ModuleKind::Bus);
        self.problems.push(if kind == ModuleKind::Transport && self.bus_at(module.as_str()).is_some() {
            Problem::error(place, path, message).with_help(format!(
                "{name} is a bus of this file: call the block {name}, without `type`, to be on it"
            ))
        } else if is_bus {
            Problem::error(place, path, message).with_help(
                "describe the bus in a block below `buses`, at the root of the file, and name that block here",
            )
        } else if is_local {
            Problem::error(place, path, message).with_help(format!(
                "name an installed module with `type`, or the folder of this one with `{option}`{searched}"
            ))
        } else {
            Problem::warning(place, path, message)
                .with_help(format!("its options are checked where it is installed{searched}"))
        });
        None
    }

    /// A role has what it needs, and is told to the reader if it has more.
    fn check_grants(&mut self, metadata: &Metadata, granted: Grants, entry: &Entry, path: &str) {
        let names = |grants: Grants| {
            let names: Vec<_> = grants.iter().map(Grant::name).collect();
            names.join(", ")
        };
        let missing = metadata.needs.without(granted);
        if !missing.is_empty() {
            let message = format!(
                "a role of type {} needs to be granted {} of its node",
                quoted(metadata.name.as_str()),
                names(missing),
            );
            self.problems.push(
                Problem::error(entry.key_place, path, message).with_help(format!(
                    "add `grant: [{}]` to the role, if you trust it with that",
                    names(metadata.needs)
                )),
            );
        }
        let idle = granted.without(metadata.needs).without(metadata.uses);
        if !idle.is_empty() {
            let place = entry
                .value
                .child("grant")
                .map_or(entry.key_place, |tree| tree.place);
            let message = format!(
                "a role of type {} does not ask for {}",
                quoted(metadata.name.as_str()),
                names(idle),
            );
            self.problems.push(
                Problem::warning(place, join_path(path, "grant"), message)
                    .with_help("grant it only what it needs"),
            );
        }
    }

    fn isolation(&mut self, block: &Tree, values: &Values, path: &str) -> Option<Isolation> {
        let memory_limit = values.value(common::MEMORY_LIMIT);
        if values.value("isolate") == Some(&Value::Boolean(true)) {
            let bytes = memory_limit.and_then(Value::as_integer);
            return Some(Isolation {
                memory_limit: bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            });
        }
        if memory_limit.is_some() {
            let place = block.child(common::MEMORY_LIMIT).map(|tree| tree.place);
            let message = "only a role in a process of its own can have a limit to its memory";
            self.problems.push(
                Problem::error(place, join_path(path, common::MEMORY_LIMIT), message)
                    .with_help("add `isolate: true`, or leave the limit out"),
            );
        }
        None
    }

    fn order_sources(&mut self, block: &Tree, values: &Values, path: &str) -> OrderSources {
        let Some(value) = values.value("acceptOrdersFrom") else {
            return OrderSources::Everybody;
        };
        let mut patterns = Vec::new();
        for text in value.texts() {
            match SenderPattern::parse(text) {
                Some(pattern) => patterns.push(pattern),
                None => {
                    let place = block.child("acceptOrdersFrom").map(|tree| tree.place);
                    let message = format!("{} can be no sender of orders", quoted(text));
                    self.problems.push(
                        Problem::error(place, join_path(path, "acceptOrdersFrom"), message)
                            .with_help("write `NODE` or `ROLE@NODE`, in which `*` stands for any run of characters"),
                    );
                }
            }
        }
        OrderSources::Listed(patterns)
    }
}
