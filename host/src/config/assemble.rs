//! Builds the network out of the tree: its root, its nodes, and what holds between nodes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use kozo_addresses::Endpoint;
use kozo_auth::keys;
use kozo_auth::keys::PublicKey;
use kozo_description::{
    Block, Claimed, Entry, Format, OptionSpec, Place, Problem, Problems, Severity, Tree, TreeNode,
    Unknown, Values,
};
use kozo_ground::interest::Pattern;
use kozo_ground::names::{NameError, NodeName};
use kozo_ground::policy::ConnectPolicy;
use kozo_ground::text::{join_path, quoted};
use kozo_router::{OrderSources, SenderPattern};

use super::builtin::{self, OVERRIDE};
use super::catalog::Catalog;
use super::claims::{Claims, Noted};
use super::disclosure::Disclosure;
use super::network::{Node, Settings};
use super::node_path;

/// Where a node is asked for metrics.
const METRICS: &str = "metrics";

/// The network under construction.
pub(super) struct Assembly<'a> {
    pub(super) folder: &'a Path,
    pub(super) catalog: &'a dyn Catalog,
    pub(super) local: Option<&'a NodeName>,
    /// How bad it is when another node than the local one could do nothing with its options.
    others: Severity,
    pub(super) problems: &'a mut Problems,
    root: Values,
    /// The nodes by the fingerprints of their keys.
    key_owners: HashMap<String, String>,
    /// What the roles and transports of the node at hand claim.
    pub(super) claimed: Vec<Noted>,
    claims: Claims,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(
        folder: &'a Path,
        catalog: &'a dyn Catalog,
        local: Option<&'a NodeName>,
        others: Severity,
        problems: &'a mut Problems,
    ) -> Self {
        Self {
            folder,
            catalog,
            local,
            others,
            problems,
            root: Values::default(),
            key_owners: HashMap::new(),
            claimed: Vec::new(),
            claims: Claims::default(),
        }
    }

    /// All nodes; what is wrong with the file is pushed to the problems.
    pub(super) fn nodes(mut self, tree: &Tree) -> BTreeMap<NodeName, Node> {
        let root = Block {
            tree,
            place: tree.place,
            path: "",
            what: "the root of the file",
            noun: "option",
        };
        self.root = self.check(&root, builtin::root().iter(), Unknown::REFUSED);
        let mut nodes = BTreeMap::new();
        for entry in entries(tree, "system") {
            if let Some(node) = self.node(entry) {
                nodes.insert(node.name.clone(), node);
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
        self.unmatched_senders(&nodes);
        nodes
    }

    fn node(&mut self, entry: &Entry) -> Option<Node> {
        let path = node_path(&entry.key);
        let name = self.name(entry, &path, "node", NodeName::new);
        let root_option = |key: &str| {
            let known = builtin::settings().iter().any(|spec| spec.name == key);
            known.then(|| {
                let key = quoted(key);
                format!(
                    "{key} belongs at the root of the file, or in `{OVERRIDE}` for this node alone"
                )
            })
        };
        let block = Block {
            tree: &entry.value,
            place: entry.key_place,
            path: &path,
            what: "a node",
            noun: "option",
        };
        let unknown = Unknown::Refused {
            elsewhere: &root_option,
        };
        let values = self.check(&block, builtin::node().iter(), unknown);
        let settings = self.settings(&entry.value, &path);
        let public_keys = self.public_keys(entry, &path);
        let values = values.with_defaults(builtin::node().iter());
        let role_storage = values.text("roleStorage").map(PathBuf::from);

        let roles = entries(&entry.value, "roles");
        let roles: Vec<_> = roles
            .filter_map(|role| self.role(role, &path, name.as_ref(), role_storage.is_some()))
            .collect();
        let transports = entries(&entry.value, "transports");
        let transports: Vec<_> = transports
            .filter_map(|transport| self.transport(transport, &path, name.as_ref()))
            .collect();

        let metrics = self.metrics(entry, &values, &path);
        let policy = |option| {
            let name = values.text(option)?;
            ConnectPolicy::from_name(name)
        };
        let others_to_self = policy("othersToSelfConnectPolicy");
        let is_dialled = others_to_self != Some(ConnectPolicy::Never);
        let claimed = std::mem::take(&mut self.claimed);
        self.claims.add(&path, is_dialled, claimed, self.problems);
        let place_of = |option| match entry.value.child(option) {
            Some(value) => value.place,
            None => entry.key_place,
        };
        let node = Node {
            name: name?,
            // Missing ones were reported, and no network comes of it.
            private_key: values.text("privateKey").map(PathBuf::from)?,
            private_key_place: place_of("privateKey"),
            public_keys,
            group: None,
            role_storage,
            role_storage_place: place_of("roleStorage"),
            transport_storage: values.text("transportStorage").map(PathBuf::from),
            self_to_others: policy("selfToOthersConnectPolicy")?,
            others_to_self: others_to_self?,
            introspection: values
                .text("introspection")
                .and_then(Disclosure::from_name)?,
            introspection_for: values
                .value("introspectionFor")
                .map(|list| list.texts().map(Pattern::new).collect()),
            metrics,
            settings,
            roles,
            transports,
            buses: Vec::new(),
            direct: Vec::new(),
        };
        if let Some(summed_up) = node.told_interests().summed_up {
            self.problems.push(
                Problem::warning(
                    entry.key_place,
                    join_path(&path, "roles"),
                    summed_up.to_string(),
                )
                .with_help("say it in fewer patterns: `*` stands for any run of characters"),
            );
        }
        Some(node)
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

    fn public_keys(&mut self, node: &Entry, node_path: &str) -> Vec<PublicKey> {
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
                    self.claim_key(&key, &node.key, line.place, &path);
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

    /// Keys tell who is at the other end of a link, so no two nodes may have the same.
    fn claim_key(&mut self, key: &PublicKey, node: &str, place: Place, path: &str) {
        let fingerprint = keys::fingerprint(key);
        let Some(owner) = self.key_owners.get(&fingerprint) else {
            self.key_owners.insert(fingerprint, node.to_owned());
            return;
        };
        self.problems.push(if owner == node {
            Problem::warning(place, path, "the same key stands here twice")
                .with_help("remove one of them")
        } else {
            let (owner, node) = (quoted(owner), quoted(node));
            let message = format!("the nodes {owner} and {node} have the same public key");
            Problem::error(place, path, message)
                .with_help("make a key pair for each node: it is what tells them apart")
        });
    }

    /// A pattern that no node fits is probably a slip.
    fn unmatched_senders(&mut self, nodes: &BTreeMap<NodeName, Node>) {
        let roles = nodes
            .values()
            .flat_map(|node| node.roles.iter().map(move |role| (node, role)));
        for (node, role) in roles {
            let OrderSources::Listed(patterns) = &role.accept_orders_from else {
                continue;
            };
            for SenderPattern { node: pattern, .. } in patterns {
                let text = pattern.as_str();
                if nodes.contains_key(text)
                    || nodes.keys().any(|name| pattern.matches(name.as_str()))
                {
                    continue;
                }
                let path = ["roles", role.name.as_str(), "acceptOrdersFrom"]
                    .iter()
                    .fold(node_path(node.name.as_str()), |path, key| {
                        join_path(&path, key)
                    });
                let message = format!("no node of this file fits {}", quoted(text));
                self.problems.push(
                    Problem::warning(role.place, path, message)
                        .with_help("check the name: nobody there can give this role an order"),
                );
            }
        }
    }

    /// How bad it is when this node could do nothing with options of its.
    pub(super) fn severity_at(&self, node: Option<&NodeName>) -> Severity {
        match node.is_some() && node == self.local {
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
fn entries<'t>(tree: &'t Tree, key: &str) -> impl Iterator<Item = &'t Entry> {
    let entries: &[Entry] = match tree.child(key).map(|child| &child.node) {
        Some(TreeNode::Map(entries)) => entries,
        _ => &[],
    };
    entries.iter()
}
