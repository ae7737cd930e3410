//! Builds the network out of the tree: its root, its nodes, and what holds between nodes.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use kozo_addresses::Endpoint;
use kozo_auth::identity::NodeKey;
use kozo_auth::keys;
use kozo_auth::keys::PublicKey;
use kozo_description::{
    Block, Claimed, Entry, Format, OptionSpec, Problem, Problems, Severity, Tree, TreeNode,
    Unknown, Values,
};
use kozo_ground::interest::Pattern;
use kozo_ground::names::{NameError, NodeName};
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::text::{join_path, quoted};
use kozo_router::{OrderSources, SenderPattern};

use super::builtin::{self, DIRECT, OVERRIDE};
use super::bus_block::{BusBlock, Gateways};
use super::catalog::Catalog;
use super::claims::{Claims, Noted, Shared};
use super::disclosure::Disclosure;
use super::group::Group;
use super::known::KnownNodes;
use super::members::is_group;
use super::members::{MEMBERS, MembersFile, MembersFiles};
use super::node::{Node, Settings};
use super::node_path;
use super::parts::Parts;

/// Where a node is asked for metrics.
const METRICS: &str = "metrics";

/// What the name of the node is filled in with where a block is that of many.
const ANY_NODE: &str = "*";

/// Whose block it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whose<'n> {
    /// The name of the node, or of the group.
    pub(super) name: &'n NodeName,
    /// What stands where options have the name of the node in them.
    pub(super) filled_in: &'n str,
    /// It is the node that the network is built for.
    pub(super) is_local: bool,
}

/// The network under construction.
pub(super) struct Assembly<'a> {
    pub(super) folder: &'a Path,
    pub(super) catalog: &'a dyn Catalog,
    pub(super) local: Option<&'a NodeName>,
    /// How bad it is when another node than the local one could do nothing with its options.
    others: Severity,
    pub(super) problems: &'a mut Problems,
    pub(super) members: &'a MembersFiles,
    root: Values,
    /// The nodes by their keys.
    key_owners: HashMap<NodeKey, NodeName>,
    /// What the roles and transports of the node at hand claim.
    pub(super) claimed: Vec<Noted>,
    claims: Claims,
    /// The buses; one is missing while the block of a node is checked with it.
    pub(super) buses: Vec<Option<BusBlock<'a>>>,
    /// Their names, also of those with mistakes.
    pub(super) bus_names: HashSet<&'a str>,
    /// The gateways that nodes named.
    pub(super) gateways: Vec<Gateways>,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(
        folder: &'a Path,
        catalog: &'a dyn Catalog,
        local: Option<&'a NodeName>,
        others: Severity,
        members: &'a MembersFiles,
        problems: &'a mut Problems,
    ) -> Self {
        Self {
            folder,
            catalog,
            local,
            others,
            members,
            problems,
            root: Values::default(),
            key_owners: HashMap::new(),
            claimed: Vec::new(),
            claims: Claims::default(),
            buses: Vec::new(),
            bus_names: HashSet::new(),
            gateways: Vec::new(),
        }
    }

    /// What the network is made of; what is wrong with the file is pushed to the problems.
    pub(super) fn parts(mut self, tree: &'a Tree) -> Parts {
        let root = Block {
            tree,
            place: tree.place,
            path: "",
            what: "the root of the file",
            noun: "option",
        };
        self.root = self.check(&root, builtin::root().iter(), Unknown::REFUSED);
        self.buses = self.bus_blocks(tree).into_iter().map(Some).collect();
        let mut parts = Parts::default();
        let mut is_complete = true;
        for entry in entries(tree, "system") {
            if is_group(entry) {
                is_complete &= self.members.of(&entry.key).is_some();
                parts.groups.extend(self.group(entry, &mut parts.nodes));
            } else if let Some(node) = self.own_block(entry) {
                parts.nodes.insert(node.name.clone(), node);
            }
        }
        if let Some(system) = tree.entry("system")
            && matches!(&system.value.node, TreeNode::Map(entries) if entries.is_empty())
        {
            self.problems.push(
                Problem::error(system.key_place, "system", "the network has no nodes")
                    .with_help("describe each node in a block under its name"),
            );
        }
        self.names_of_members(tree);
        let mut known = KnownNodes::new(&parts, self.members, is_complete);
        self.unmatched_senders(&parts, &mut known);
        self.check_direct(&parts, &mut known);
        self.check_gateways(&parts, &known);
        parts.buses = self.buses();
        let held = self.key_owners.into_iter();
        parts.keys = held.map(|(key, node)| (node, vec![key])).collect();
        parts
    }

    /// A node with a block of its own.
    fn own_block(&mut self, entry: &Entry) -> Option<Node> {
        let path = node_path(&entry.key);
        let name = self.name(entry, &path, "node", NodeName::new);
        let whose = name.as_ref().map(|name| Whose {
            name,
            filled_in: name.as_str(),
            is_local: Some(name) == self.local,
        });
        let node = self.block(entry, &path, whose);
        let claimed = std::mem::take(&mut self.claimed);
        let is_dialled = node.as_ref().is_none_or(|node| node.is_dialled());
        self.claims.add(&path, is_dialled, claimed, self.problems);
        node
    }

    /// A group. If the node that the network is built for is a member of it, that one is added to the nodes.
    fn group(&mut self, entry: &Entry, nodes: &mut BTreeMap<NodeName, Node>) -> Option<Group> {
        let path = node_path(&entry.key);
        let name = self.name(entry, &path, "group", NodeName::new);
        let file = self.members.of(&entry.key);
        self.keys_of_members(file);
        if let Some(key) = entry.value.entry("publicKey") {
            let message = "the keys of members stand in their file";
            self.problems.push(
                Problem::error(key.key_place, join_path(&path, "publicKey"), message)
                    .with_help("remove the option here, or the option `members` for a single node"),
            );
        }
        let whose = name.as_ref().map(|name| Whose {
            name,
            filled_in: ANY_NODE,
            is_local: false,
        });
        let lines = file.map_or(&[][..], |file| &file.lines);
        let local = self
            .local
            .filter(|local| lines.iter().any(|line| line.name == **local));
        let block = match local {
            None => self.block(entry, &path, whose),
            Some(local) => {
                let own = Whose {
                    name: local,
                    filled_in: local.as_str(),
                    is_local: true,
                };
                let own = self.block(entry, &path, Some(own));
                // What is wrong with the block is told once, as it is for this node; what it claims is what all
                // members do.
                self.claimed.clear();
                let gateways = self.gateways.len();
                let mut told = Problems::new(self.problems.file());
                let block = self.telling(&mut told, |this| this.block(entry, &path, whose));
                self.gateways.truncate(gateways);
                if let Some(mut own) = own {
                    own.group = name.clone();
                    let lines = || lines.iter().filter(|line| line.name == *local);
                    own.public_keys = lines().filter_map(|line| line.key.public_key()).collect();
                    if let Some(file) = file {
                        let lines = lines().map(|line| line.place.line);
                        own.public_keys_stand = file.words_for_keys_on(lines);
                    }
                    nodes.insert(local.clone(), own);
                }
                block
            }
        };
        let claimed = std::mem::take(&mut self.claimed);
        let is_dialled = block.as_ref().is_none_or(|block| block.is_dialled());
        let mut names: Vec<_> = lines.iter().map(|line| &line.name).collect();
        names.sort();
        names.dedup();
        let members = names.len();
        let shared = Shared {
            group: &entry.key,
            members,
        };
        let claims = &mut self.claims;
        claims.add_shared(&path, is_dialled, claimed, &shared, self.problems);
        // Where each line has a mistake, that is what is to be corrected.
        if members == 0 && file.is_some_and(|file| !file.has_mistakes) {
            let option = entry.value.child(MEMBERS);
            let place = option.map_or(entry.key_place, |option| option.place);
            let message = "the file of members has none, so this block describes no node";
            self.problems.push(
                Problem::warning(place, join_path(&path, MEMBERS), message)
                    .with_help("add a line `NAME ssh-ed25519 AAAA...` for each node"),
            );
        }
        Some(Group {
            name: name?,
            file: file?.path.clone(),
            block: block?,
            members,
        })
    }

    /// The block of a node or of a group, without its claims, which are left where they are collected.
    fn block(&mut self, entry: &Entry, path: &str, whose: Option<Whose<'_>>) -> Option<Node> {
        let root_option = |key: &str| {
            let known = builtin::settings().iter().any(|spec| spec.name == key);
            known.then(|| {
                let key = quoted(key);
                format!(
                    "{key} belongs at the root of the file, or in `{OVERRIDE}` for this node alone"
                )
            })
        };
        let is_group = is_group(entry);
        let block = Block {
            tree: &entry.value,
            place: entry.key_place,
            path,
            what: if is_group { "a group" } else { "a node" },
            noun: "option",
        };
        let unknown = Unknown::Refused {
            elsewhere: &root_option,
        };
        // That a group has no key was said.
        let specs = builtin::node().iter();
        let values = match is_group {
            true => self.check(&block, builtin::group().iter(), unknown),
            false => self.check(&block, specs.clone(), unknown),
        };
        let settings = self.settings(&entry.value, path);
        let public_keys = match is_group {
            true => Vec::new(),
            false => self.public_keys(entry, whose, path),
        };
        let values = values.with_defaults(specs);
        let role_storage = values.text("roleStorage").map(PathBuf::from);

        let roles = entries(&entry.value, "roles");
        let roles: Vec<_> = roles
            .filter_map(|role| self.role(role, path, whose, role_storage.is_some()))
            .collect();
        let transports = entries(&entry.value, "transports");
        let (buses, transports): (Vec<_>, Vec<_>) =
            transports.partition(|entry| self.is_bus(&entry.key));
        let transports: Vec<_> = transports
            .into_iter()
            .filter_map(|transport| self.transport(transport, path, whose))
            .collect();
        let mut buses: Vec<_> = buses
            .into_iter()
            .filter_map(|entry| self.on_bus(entry, path, whose))
            .collect();
        buses.sort_by_key(|on| self.bus_at(on.bus.as_str()));

        let metrics = self.metrics(entry, &values, path);
        let policy = |option| {
            let name = values.text(option)?;
            ConnectPolicy::from_name(name)
        };
        let place_of = |option| match entry.value.child(option) {
            Some(value) => value.place,
            None => entry.key_place,
        };
        let patterns = |option| {
            let value = values.value(option)?;
            Some(value.texts().map(Pattern::new).collect::<Vec<_>>())
        };
        let node = Node {
            name: whose?.name.clone(),
            // Missing ones were reported, and no network comes of it.
            private_key: values.text("privateKey").map(PathBuf::from)?,
            private_key_place: place_of("privateKey"),
            public_keys,
            public_keys_stand: "`publicKey`".to_owned(),
            group: None,
            role_storage,
            role_storage_place: place_of("roleStorage"),
            transport_storage: values.text("transportStorage").map(PathBuf::from),
            self_to_others: policy("selfToOthersConnectPolicy")?,
            others_to_self: policy("othersToSelfConnectPolicy")?,
            introspection: values
                .text("introspection")
                .and_then(Disclosure::from_name)?,
            introspection_for: patterns("introspectionFor"),
            metrics,
            settings,
            roles,
            transports,
            buses,
            direct: patterns(DIRECT).unwrap_or_default(),
            direct_place: place_of(DIRECT),
        };
        if let Some(summed_up) = node.told_interests().summed_up {
            self.problems.push(
                Problem::warning(
                    entry.key_place,
                    join_path(path, "roles"),
                    summed_up.to_string(),
                )
                .with_help("say it in fewer patterns: `*` stands for any run of characters"),
            );
        }
        Some(node)
    }

    /// Does something whose problems go elsewhere.
    pub(super) fn telling<T>(
        &mut self,
        told: &mut Problems,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        std::mem::swap(self.problems, told);
        let result = work(self);
        std::mem::swap(self.problems, told);
        result
    }

    /// Takes the keys of a group's members.
    fn keys_of_members(&mut self, file: Option<&MembersFile>) {
        let Some(file) = file else {
            return;
        };
        let shown = file.path.display().to_string();
        for line in &file.lines {
            self.claim_key(line.key.clone(), &line.name, |problem| Problem {
                place: Some(line.place),
                ..problem.in_file(shown.as_str())
            });
        }
    }

    /// No member is called as another node or a group is.
    fn names_of_members(&mut self, tree: &Tree) {
        let blocks: HashMap<&str, &Entry> = entries(tree, "system")
            .map(|entry| (entry.key.as_str(), entry))
            .collect();
        let mut groups: HashMap<&NodeName, &str> = HashMap::new();
        for (group, file) in &self.members.of {
            let mut told: HashSet<&NodeName> = HashSet::new();
            for line in &file.lines {
                let name = line.name.as_str();
                let first = *groups.entry(&line.name).or_insert(group);
                let message = match blocks.get(name) {
                    Some(entry) if is_group(entry) => {
                        format!("the name {} is that of a group", quoted(name))
                    }
                    Some(_) => format!("the node {} has a block of its own", quoted(name)),
                    None if first != group => {
                        format!("{} is a member of {}, too", quoted(name), quoted(first))
                    }
                    None => continue,
                };
                if told.insert(&line.name) {
                    self.problems.push(
                        Problem::error(line.place, name, message)
                            .in_file(file.path.display().to_string())
                            .with_help("give each node a name of its own, and one block"),
                    );
                }
            }
        }
    }

    fn settings(&mut self, node: &Tree, node_path: &str) -> Settings {
        let mut values = self.root.clone();
        if let Some(entry) = node.entry(OVERRIDE) {
            let path = join_path(node_path, OVERRIDE);
            let block = Block {
                tree: &entry.value,
                place: entry.key_place,
                path: &path,
                what: "`overrideMainConfiguration`",
                noun: "option",
            };
            // A value that is no mapping was reported with the options of the node.
            if matches!(entry.value.node, TreeNode::Map(_)) {
                let over = self.check(&block, builtin::settings().iter(), Unknown::REFUSED);
                values = values.overridden_by(&over);
            }
        }
        Settings::new(&values.with_defaults(builtin::settings().iter()))
    }

    /// Where the node listens for those who collect metrics. Nobody has to prove who he is there.
    fn metrics(&mut self, node: &Entry, values: &Values, node_path: &str) -> Option<Endpoint> {
        let text = values.text(METRICS)?;
        let path = join_path(node_path, METRICS);
        let place = node.value.child(METRICS)?.place;
        let endpoint = match Endpoint::parse_listening(text) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                self.problems.push(
                    Problem::error(place, &path, error.to_string())
                        .with_help(Format::ListeningEndpoint.advice()),
                );
                return None;
            }
        };
        if !endpoint.is_loopback() {
            let message = format!("whoever reaches `{endpoint}` reads what this node does");
            self.problems.push(
                Problem::warning(place, &path, message)
                    .with_help("listen on `127.0.0.1`, or let a firewall decide who reaches it"),
            );
        }
        self.claimed.push(Noted {
            claimed: Claimed::Port {
                address: endpoint.host.clone(),
                port: endpoint.port.to_string(),
            },
            block: path.clone(),
            path,
            place,
        });
        Some(endpoint)
    }

    fn public_keys(
        &mut self,
        node: &Entry,
        whose: Option<Whose<'_>>,
        node_path: &str,
    ) -> Vec<PublicKey> {
        let Some(tree) = node.value.child("publicKey") else {
            return Vec::new();
        };
        let path = join_path(node_path, "publicKey");
        let lines = match &tree.node {
            TreeNode::List(items) => items.as_slice(),
            _ => std::slice::from_ref(tree),
        };
        let mut found = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            // What is not a text was reported with the options of the node.
            let TreeNode::Scalar(scalar) = &line.node else {
                continue;
            };
            if scalar.is_null() {
                continue;
            }
            let path = match &tree.node {
                TreeNode::List(_) => format!("{path}[{index}]"),
                _ => path.clone(),
            };
            match keys::parse_public(&scalar.text) {
                Ok(key) => {
                    if let Some(whose) = whose {
                        self.claim_key(NodeKey::new(&key), whose.name, |problem| Problem {
                            place: Some(line.place),
                            path,
                            ..problem
                        });
                    }
                    found.push(key);
                }
                Err(error) => self.problems.push(
                    Problem::error(line.place, path, error.to_string()).with_help(error.help()),
                ),
            }
        }
        found
    }

    pub(super) fn name<N>(
        &mut self,
        entry: &Entry,
        path: &str,
        what: &str,
        parse: impl Fn(&str) -> Result<N, NameError>,
    ) -> Option<N> {
        let error = match parse(&entry.key) {
            Ok(name) => return Some(name),
            Err(error) => error,
        };
        let message = format!(
            "{} is not the name of a {what}: {error}",
            quoted(&entry.key)
        );
        self.problems
            .push(Problem::error(entry.key_place, path, message).with_help("choose another name"));
        None
    }

    /// Keys tell who is at the other end of a link, so no two nodes may have the same. `place` says where
    /// this one stands.
    fn claim_key(&mut self, key: NodeKey, node: &NodeName, place: impl FnOnce(Problem) -> Problem) {
        let owner = match self.key_owners.entry(key) {
            Slot::Vacant(slot) => {
                slot.insert(node.clone());
                return;
            }
            Slot::Occupied(slot) => slot.get().clone(),
        };
        self.problems.push(place(if owner == *node {
            Problem::warning(None, node.as_str(), "the same key stands here twice")
                .with_help("remove one of them")
        } else {
            let (owner, name) = (quoted(owner.as_str()), quoted(node.as_str()));
            let message = format!("the nodes {owner} and {name} have the same public key");
            Problem::error(None, node.as_str(), message)
                .with_help("make a key pair for each node: it is what tells them apart")
        }));
    }

    /// A pattern that no node fits is probably a slip.
    fn unmatched_senders(&mut self, parts: &Parts, known: &mut KnownNodes<'_>) {
        for node in parts.blocks() {
            for role in &node.roles {
                let OrderSources::Listed(patterns) = &role.accept_orders_from else {
                    continue;
                };
                for SenderPattern { node: pattern, .. } in patterns {
                    if known.some_fits(pattern) {
                        continue;
                    }
                    let path = ["roles", role.name.as_str(), "acceptOrdersFrom"]
                        .iter()
                        .fold(node_path(node.name.as_str()), |path, key| {
                            join_path(&path, key)
                        });
                    let message = format!("no node of this file fits {}", quoted(pattern.as_str()));
                    self.problems.push(
                        Problem::warning(role.place, path, message)
                            .with_help("check the name: nobody there can give this role an order"),
                    );
                }
            }
        }
    }

    /// Likewise one that says with whom there are links.
    fn check_direct(&mut self, parts: &Parts, known: &mut KnownNodes<'_>) {
        for node in parts.blocks() {
            let Some(first) = node.direct.first() else {
                continue;
            };
            let path = join_path(&node_path(node.name.as_str()), DIRECT);
            let mut warn = |message: String, help: &str| {
                let problem = Problem::warning(node.direct_place, &path, message);
                self.problems.push(problem.with_help(help));
            };
            if node.transports.is_empty() {
                let message = format!(
                    "there can be no link with {}: this node has no transport that makes any",
                    quoted(first.as_str())
                );
                warn(
                    message,
                    "give it a transport, such as `tcp`, besides the bus",
                );
                continue;
            }
            for pattern in &node.direct {
                let text = quoted(pattern.as_str());
                if !known.some_fits(pattern) {
                    let message = format!("no node of this file fits {text}");
                    warn(message, "check the name: nobody is reached by links for it");
                } else if known
                    .block(pattern.as_str())
                    .is_some_and(|other| other.transports.is_empty())
                {
                    let message = format!(
                        "there can be no link with {text}: it has no transport that makes any"
                    );
                    warn(
                        message,
                        "give it a transport, such as `tcp`, besides the bus",
                    );
                }
            }
        }
    }

    /// How bad it is when this node could do nothing with options of its.
    pub(super) fn severity_at(&self, whose: Option<Whose<'_>>) -> Severity {
        match whose.is_some_and(|whose| whose.is_local) {
            true => Severity::Error,
            false => self.others,
        }
    }

    pub(super) fn check<'s>(
        &mut self,
        block: &Block<'_>,
        specs: impl Iterator<Item = &'s OptionSpec> + Clone,
        unknown: Unknown<'_>,
    ) -> Values {
        block.check(specs, unknown, Some(self.folder), self.problems)
    }
}

/// The entries of a mapping inside of a mapping; none where it is missing or something else,
/// which is reported with the options around it.
pub(super) fn entries<'t>(tree: &'t Tree, key: &str) -> impl Iterator<Item = &'t Entry> {
    let entries: &[Entry] = match tree.child(key).map(|child| &child.node) {
        Some(TreeNode::Map(entries)) => entries,
        _ => &[],
    };
    entries.iter()
}
