//! The blocks of buses, and what the blocks of nodes say of the buses that they are on.
//!
//! The options of a bus are those of its block, with what a node has for itself in their place. So they are
//! checked for each node, and what is wrong with the block of the bus is told once.

use std::collections::HashSet;

use kozo_description::{
    Block, DefaultValue, Entry, ModuleBlock, ModuleKind, OptionSpec, Problem, Problems, Tree,
    TreeNode, Unknown, common,
};
use kozo_ground::names::{BusName, NodeName};
use kozo_ground::text::{join_path, nearest, quoted};

use super::assemble::{Assembly, Whose, entries};
use super::bus::{Bus, OnBus};
use super::bus_block::{BusBlock, Gateways, Told};
use super::catalog::Lookup;
use super::claims::Noted;
use super::known::KnownNodes;
use super::node::Node;
use super::parts::Parts;

/// The block at the root of the file with the buses.
pub(super) const BUSES: &str = "buses";

/// How many buses a file may have: a pair of nodes looks through all of them for one that they share.
pub const MAX_BUSES: usize = 32;

impl<'a> Assembly<'a> {
    /// The blocks of all buses, and what is wrong with them as far as they alone tell.
    pub(super) fn bus_blocks(&mut self, tree: &'a Tree) -> Vec<BusBlock<'a>> {
        let mut blocks: Vec<BusBlock<'a>> = Vec::new();
        self.bus_names = entries(tree, BUSES)
            .map(|entry| entry.key.as_str())
            .collect();
        for entry in entries(tree, BUSES) {
            let path = join_path(BUSES, &entry.key);
            if blocks.len() >= MAX_BUSES {
                let message = format!("there are more than {MAX_BUSES} buses");
                self.problems.push(
                    Problem::error(entry.key_place, path, message)
                        .with_help("let nodes of several buses share one"),
                );
                break;
            }
            blocks.extend(self.bus_block(tree, entry, path));
        }
        blocks
    }

    /// Whether the file has a bus of this name, with whatever mistakes.
    pub(super) fn is_bus(&self, name: &str) -> bool {
        self.bus_names.contains(name)
    }

    fn bus_block(
        &mut self,
        tree: &'a Tree,
        entry: &'a Entry,
        path: String,
    ) -> Option<BusBlock<'a>> {
        let name = self.name(entry, &path, "bus", BusName::new);
        let (module, place, type_path) = self.named_module(entry, &path);
        let metadata = module.as_ref().and_then(|module| {
            let is_local = self.is_local_on(tree, &entry.key);
            self.metadata(module, ModuleKind::Bus, is_local, place, &type_path)
        });
        let transport = self.catalog.transport(&entry.key);
        if matches!(transport, Lookup::Found(found) if found.kind == ModuleKind::Transport) {
            let bus = quoted(&entry.key);
            let message = format!("{bus} is the name of a transport, too");
            self.problems.push(
                Problem::warning(entry.key_place, &path, message).with_help(format!(
                    "blocks called {bus} below `transports` mean the bus: call it otherwise, so that \
                     nobody takes them for the transport"
                )),
            );
        }
        let what = match &module {
            Some(module) => format!("a bus of type {}", quoted(module.as_str())),
            None => "this bus".to_owned(),
        };
        let block = Block {
            tree: &entry.value,
            place: entry.key_place,
            path: &path,
            what: &what,
            noun: "option",
        };
        let own = common::of(ModuleKind::Bus).iter();
        let options = metadata.map_or(Vec::new(), |metadata| optional(&metadata.options));
        let mut wrong = Problems::new("");
        let values = self.telling(&mut wrong, |this| match metadata {
            Some(_) => this.check(&block, own.chain(&options), Unknown::REFUSED),
            None => this.check(&block, own, Unknown::Ignored),
        });
        let told = wrong.iter().map(told).collect();
        wrong
            .iter()
            .for_each(|problem| self.problems.push(problem.clone()));
        Some(BusBlock {
            entry,
            bus: Bus {
                name: name?,
                module: module?,
                description: values.text("description").map(str::to_owned),
                subject_secret_file: values.text(common::SUBJECT_SECRET_FILE).map(Into::into),
                place: entry.key_place,
            },
            path,
            what,
            metadata,
            options,
            told,
            has_nodes: false,
        })
    }

    /// Whether the node that the network is built for is on the bus, as far as its block says.
    fn is_local_on(&self, tree: &Tree, bus: &str) -> bool {
        let Some(local) = self.local else {
            return false;
        };
        let mut files = self.members.of.iter();
        let group = files.find(|(_, file)| file.lines.iter().any(|line| line.name == *local));
        let block = group.map_or(local.as_str(), |(group, _)| group);
        speaks_with(tree, block, bus)
    }

    /// What a node has of a bus, where this entry of its transports is one.
    pub(super) fn on_bus(
        &mut self,
        entry: &Entry,
        node_path: &str,
        whose: Option<Whose<'_>>,
    ) -> Option<OnBus> {
        let at = self.bus_at(&entry.key)?;
        let path = join_path(&join_path(node_path, "transports"), &entry.key);
        let mut bus = self.buses.get_mut(at).and_then(Option::take)?;
        bus.has_nodes = true;
        let on = self.with_bus(&mut bus, entry, &path, whose);
        self.buses[at] = Some(bus);
        on
    }

    /// The place of the bus of this name.
    pub(super) fn bus_at(&self, name: &str) -> Option<usize> {
        let mut buses = self.buses.iter();
        buses.position(|bus| {
            bus.as_ref()
                .is_some_and(|bus| bus.bus.name.as_str() == name)
        })
    }

    fn with_bus(
        &mut self,
        bus: &mut BusBlock<'a>,
        entry: &Entry,
        path: &str,
        whose: Option<Whose<'_>>,
    ) -> Option<OnBus> {
        let name = quoted(bus.bus.name.as_str());
        let of_bus = |key: &str| {
            let known = common::of(ModuleKind::Bus)
                .iter()
                .any(|spec| spec.name == key);
            known.then(|| match key {
                "type" => format!(
                    "{name} is a bus of this file: remove the option, or call this block otherwise if it is \
                     another transport"
                ),
                _ => format!("{} belongs in the block of the bus: it holds for all on it", quoted(key)),
            })
        };
        let unknown = Unknown::Refused { elsewhere: &of_bus };
        let what = format!("a node on the bus {name}");
        let block = Block {
            tree: &entry.value,
            place: entry.key_place,
            path,
            what: &what,
            noun: "option",
        };
        let mut wrong = Problems::new("");
        let values = self.telling(&mut wrong, |this| {
            let own = common::on_bus().iter();
            match bus.metadata {
                Some(_) => this.check(&block, own.chain(&bus.options), unknown),
                None => this.check(&block, own, Unknown::Ignored),
            }
        });
        let mut told_here: HashSet<Told> = wrong.iter().map(told).collect();
        wrong
            .iter()
            .for_each(|problem| self.problems.push(problem.clone()));
        if bus.metadata.is_none()
            && let Some(given) = entry.value.entry("type")
        {
            let message = format!("{what} has no option `type`");
            self.problems.push(
                Problem::error(given.key_place, join_path(path, "type"), message)
                    .with_help(of_bus("type").unwrap_or_default()),
            );
        }
        let whose = whose?;
        let through = self.through(
            &bus.bus.name,
            &values.texts(common::THROUGH),
            entry,
            path,
            whose,
        );
        let mut on = OnBus {
            bus: bus.bus.name.clone(),
            through,
            options: None,
            fault: None,
            place: entry.key_place,
        };
        let Some(metadata) = bus.metadata else {
            return Some(on);
        };
        let merged = merged(&bus.entry.value, &entry.value, &bus.options);
        let block = ModuleBlock {
            block: Block {
                tree: &merged,
                place: bus.entry.key_place,
                path: &bus.path,
                what: &bus.what,
                noun: "option",
            },
            node: whose.filled_in,
            name: &entry.key,
            folder: Some(self.folder),
            severity: self.severity_at(Some(whose)),
        };
        let mut wrong = Problems::new("");
        let checked = block.check(metadata, &mut wrong);
        // What the node says itself is found in its block.
        let located = |of_option: &str| {
            let rest = of_option.strip_prefix(bus.path.as_str());
            let key = rest.map(|rest| rest.trim_start_matches('.'));
            let is_own = key.is_some_and(|key| {
                let key = key.split(['.', '[']).next().unwrap_or(key);
                entry.value.entry(key).is_some()
            });
            match rest {
                Some(rest) if is_own => (true, format!("{path}{rest}")),
                _ => (false, of_option.to_owned()),
            }
        };
        for problem in &wrong {
            let (is_own, path) = located(&problem.path);
            let is_new = match is_own {
                true => told_here.insert(told(problem)),
                false => bus.told.insert(told(problem)),
            };
            if is_new {
                self.problems.push(Problem {
                    path,
                    ..problem.clone()
                });
            }
        }
        for (claimed, place, of_option) in checked.claims {
            // What no block gives is the node's.
            let is_default = place == bus.entry.key_place;
            let (place, of_option) = match is_default {
                true => (entry.key_place, path.to_owned()),
                false => (place, located(&of_option).1),
            };
            self.claimed.push(Noted {
                claimed,
                block: path.to_owned(),
                path: of_option,
                place,
            });
        }
        match checked.options {
            Ok(options) => on.options = Some(options),
            Err(fault) => on.fault = Some(fault),
        }
        Some(on)
    }

    /// The gateways that a node names; which ones there can be is only known once all nodes are.
    fn through(
        &mut self,
        bus: &BusName,
        texts: &[String],
        entry: &Entry,
        path: &str,
        whose: Whose<'_>,
    ) -> Vec<NodeName> {
        let Some(option) = entry
            .value
            .child(common::THROUGH)
            .filter(|option| !option.is_null())
        else {
            return Vec::new();
        };
        let path = join_path(path, common::THROUGH);
        if texts.is_empty() && !option.is_invalid() {
            self.problems.push(
                Problem::error(option.place, &path, "it names no gateway").with_help(
                    "name a node that is on the bus, or remove the option if this node is itself",
                ),
            );
        }
        let place = |index: usize| match &option.node {
            TreeNode::List(items) => items.get(index).map_or(option.place, |item| item.place),
            _ => option.place,
        };
        let named = texts.iter().cloned().enumerate();
        self.gateways.push(Gateways {
            block: whose.name.clone(),
            bus: bus.clone(),
            path,
            named: named.map(|(index, name)| (name, place(index))).collect(),
        });
        let names = texts.iter().filter_map(|text| NodeName::new(text).ok());
        names.collect()
    }

    /// Whether gateways can be what nodes name them for.
    pub(super) fn check_gateways(&mut self, parts: &Parts, known: &KnownNodes<'_>) {
        for Gateways {
            block,
            bus,
            path,
            named,
        } in std::mem::take(&mut self.gateways)
        {
            let Some(node) = parts.block(&block) else {
                continue;
            };
            let mut seen = HashSet::new();
            for (name, place) in &named {
                if !seen.insert(name) {
                    let message = format!("{} is named twice", quoted(name));
                    self.problems.push(
                        Problem::warning(*place, &path, message).with_help("remove one of them"),
                    );
                } else if let Some((message, help)) = no_gateway(name, &bus, node, parts, known) {
                    self.problems
                        .push(Problem::error(*place, &path, message).with_help(help));
                }
            }
        }
    }

    /// The buses; one that nobody is on is told.
    pub(super) fn buses(&mut self) -> Vec<Bus> {
        let blocks = std::mem::take(&mut self.buses).into_iter().flatten();
        let mut buses = Vec::new();
        for block in blocks {
            if !block.has_nodes {
                let name = &block.bus.name;
                self.problems.push(
                    Problem::warning(block.bus.place, &block.path, "no node is on this bus")
                        .with_help(format!(
                            "add `{name}: {{}}` to the `transports` of its nodes"
                        )),
                );
            }
            buses.push(block.bus);
        }
        buses
    }
}

/// Whether nodes of this block speak with the bus themselves, so that they need its module: who reaches it through others
/// needs nothing of it.
pub(super) fn speaks_with(tree: &Tree, block: &str, bus: &str) -> bool {
    let system = tree.child("system");
    let transports = system.and_then(|system| system.child(block)?.child("transports"));
    let on = transports.and_then(|transports| transports.entry(bus));
    on.is_some_and(|on| {
        let through = on.value.child(common::THROUGH);
        through.is_none_or(Tree::is_null)
    })
}

/// Why a node is no gateway to a bus for another, and what to do.
fn no_gateway(
    name: &str,
    bus: &BusName,
    node: &Node,
    parts: &Parts,
    known: &KnownNodes<'_>,
) -> Option<(String, String)> {
    let (quoted_name, quoted_bus) = (quoted(name), quoted(bus.as_str()));
    let of_bus = format!("name a node with `{bus}: {{}}` among its `transports`");
    if parts.groups.iter().any(|group| group.name.as_str() == name) {
        let message = format!("{quoted_name} is a group of nodes, and not a node");
        return Some((message, "name one of its members".to_owned()));
    }
    if node.group.is_none() && node.name.as_str() == name {
        let message = "a node cannot be its own gateway".to_owned();
        return Some((
            message,
            "name another node, or remove the option if this one speaks with the bus itself"
                .to_owned(),
        ));
    }
    let Some(gateway) = known.block(name) else {
        let help = match nearest(name, known.names()) {
            Some(near) => format!("did you mean {}? {of_bus}", quoted(near)),
            None => of_bus,
        };
        return Some((
            format!("no node of this file is called {quoted_name}"),
            help,
        ));
    };
    let Some(on) = gateway.buses.iter().find(|on| on.bus == *bus) else {
        return Some((
            format!("{quoted_name} is not on the bus {quoted_bus}"),
            of_bus,
        ));
    };
    if !on.through.is_empty() {
        let message = format!(
            "{quoted_name} does not speak with the bus {quoted_bus} itself, but through others"
        );
        return Some((message, of_bus));
    }
    let without = [(node, node.name.as_str()), (gateway, name)];
    let mut without = without
        .iter()
        .filter(|(node, _)| node.transports.is_empty());
    if let Some((_, which)) = without.next() {
        let message = format!(
            "there can be no link with {quoted_name}: {} has no transport that makes any",
            quoted(which)
        );
        return Some((
            message,
            "give both a transport, such as `tcp`, besides the bus".to_owned(),
        ));
    }
    if !node.may_dial(gateway) && !gateway.may_dial(node) {
        let message = format!("the policies of the file let no link be made with {quoted_name}");
        return Some((
            message,
            "let one of the two connect to the other: `selfToOthersConnectPolicy`, `othersToSelfConnectPolicy`"
                .to_owned(),
        ));
    }
    None
}

fn told(problem: &Problem) -> Told {
    (problem.place, problem.message.clone())
}

/// These options as if none had to be given: it may be given elsewhere.
fn optional(options: &[OptionSpec]) -> Vec<OptionSpec> {
    let optional = |option: &OptionSpec| OptionSpec {
        default: match &option.default {
            DefaultValue::Required => DefaultValue::None,
            default => default.clone(),
        },
        ..option.clone()
    };
    options.iter().map(optional).collect()
}

/// The options of the module in the block of a bus, with those of a node in their place.
fn merged(bus: &Tree, node: &Tree, options: &[OptionSpec]) -> Tree {
    let is_of_module = |key: &str| options.iter().any(|spec| spec.name == key);
    let of = |tree: &Tree| match &tree.node {
        TreeNode::Map(entries) => entries.clone(),
        _ => Vec::new(),
    };
    let own = of(node);
    let is_over = |key: &str| own.iter().any(|entry| entry.key == key);
    let mut all = of(bus);
    all.retain(|entry| is_of_module(&entry.key) && !is_over(&entry.key));
    all.extend(own.into_iter().filter(|entry| is_of_module(&entry.key)));
    Tree {
        place: bus.place,
        node: TreeNode::Map(all),
    }
}
