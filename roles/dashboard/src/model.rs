//! The network as the page shows it, pure: what nodes tell becomes a list of nodes and one of links, in which
//! each entry knows when it changed last. So whoever has seen a version is told what is newer, and nothing is
//! queued for anybody.

mod events;
mod link;
mod node;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::told::{Network, Report, Status};

pub(crate) use events::{Event, Events};
pub(crate) use link::LinkView;
pub(crate) use node::NodeView;

/// How far apart two moments may be that are worked out of spans and are still the same, in seconds.
const SAME_MOMENT: f64 = 2.0;

/// The most nodes that are shown. The file may have more.
const MAX_NODES: usize = 1000;

/// The network as far as this node knows it.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// This node's name.
    node: String,
    version: u64,
    /// Since which version there have been these nodes and no others.
    whole_since: u64,
    nodes: BTreeMap<String, Entry<NodeView>>,
    links: BTreeMap<(String, String), Entry<LinkView>>,
    /// What each node has told last; of some nothing is known but what others tell.
    told: BTreeMap<String, Status>,
    events: Events,
}

#[derive(Debug)]
struct Entry<T> {
    changed: u64,
    value: T,
}

/// What a browser is told: everything, or what has changed since it was told last.
#[derive(Debug, Serialize)]
pub(crate) struct Changes<'a> {
    pub(crate) version: u64,
    /// Whether it is everything, so that what is not in it is not there any more.
    pub(crate) whole: bool,
    /// The time of this, on the clock that `since` and the like are on, in seconds.
    pub(crate) now: f64,
    pub(crate) node: &'a str,
    pub(crate) nodes: Vec<&'a NodeView>,
    pub(crate) links: Vec<&'a LinkView>,
    pub(crate) events: Vec<&'a Event>,
}

impl Model {
    /// A number that is another one when something has changed.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// What has changed since a version, or everything where that is none of this model's.
    pub(crate) fn changes(&self, since: Option<u64>, now: f64) -> Changes<'_> {
        let whole = since.is_none_or(|since| since < self.whole_since || since > self.version);
        let since = if whole { 0 } else { since.unwrap_or(0) };
        Changes {
            version: self.version,
            whole,
            now,
            node: &self.node,
            nodes: newer(self.nodes.values(), since, whole),
            links: newer(self.links.values(), since, whole),
            events: self.events.since(if whole { 0 } else { since }),
        }
    }

    /// Takes what this node tells of itself. True: something has changed.
    pub(crate) fn take_own(&mut self, status: Status, now: f64) -> bool {
        self.node.clone_from(&status.node);
        let mut names: Vec<String> = vec![status.node.clone()];
        names.extend(status.peers.iter().map(|peer| peer.peer.clone()));
        let report = Report {
            node: status.node.clone(),
            status: Some(status),
            ..Report::default()
        };
        self.take(vec![report], Some(names), now)
    }

    /// Takes what all nodes tell. True: something has changed.
    pub(crate) fn take_network(&mut self, network: Network, now: f64) -> bool {
        self.take(network.nodes, None, now)
    }

    /// Forgets what others have told: they are not asked any more.
    pub(crate) fn forget_others(&mut self) {
        self.told.retain(|name, _| *name == self.node);
    }

    /// Takes reports; where names are given, there are no other nodes than those.
    fn take(&mut self, reports: Vec<Report>, names: Option<Vec<String>>, now: f64) -> bool {
        let next = self.version + 1;
        let mut changed = false;
        if let Some(mut names) = names {
            names.truncate(MAX_NODES);
            let is_gone = |name: &String| !names.contains(name);
            if self.nodes.keys().any(is_gone) {
                self.nodes.retain(|name, _| names.contains(name));
                self.links
                    .retain(|(a, b), _| names.contains(a) && names.contains(b));
                self.told.retain(|name, _| names.contains(name));
                self.whole_since = next;
                changed = true;
            }
            for name in names {
                self.nodes.entry(name.clone()).or_insert_with(|| {
                    changed = true;
                    Entry {
                        changed: next,
                        value: NodeView::unknown(name),
                    }
                });
            }
        }
        for report in reports {
            let Some(entry) = self.nodes.get_mut(&report.node) else {
                continue;
            };
            let is_own = report.node == self.node;
            let view = NodeView::new(&report, is_own, &entry.value, now);
            if view != entry.value {
                self.events.compare_nodes(&entry.value, &view, next, now);
                entry.value = view;
                entry.changed = next;
                changed = true;
            }
            match report.status {
                Some(status) => drop(self.told.insert(report.node, status)),
                // Nothing old is shown for what is.
                None => drop(self.told.remove(&report.node)),
            }
        }
        changed |= self.link_up(next, now);
        if changed {
            self.version = next;
        }
        changed
    }

    /// Makes the links of what the nodes have told.
    fn link_up(&mut self, next: u64, now: f64) -> bool {
        let mut views: BTreeMap<(&str, &str), LinkView> = BTreeMap::new();
        for (name, status) in &self.told {
            for peer in &status.peers {
                if peer.peer == *name || !self.nodes.contains_key(&peer.peer) {
                    continue;
                }
                let is_first = *name < peer.peer;
                let pair = match is_first {
                    true => (name.as_str(), peer.peer.as_str()),
                    false => (peer.peer.as_str(), name.as_str()),
                };
                let view = views
                    .entry(pair)
                    .or_insert_with(|| LinkView::new(pair.0, pair.1));
                // Of its own links this node knows first, and is asked more often.
                let is_own = pair.0 == self.node || pair.1 == self.node;
                let decides = !is_own || *name == self.node;
                view.add(peer, is_first, decides, now);
            }
        }
        let mut changed = false;
        for ((a, b), mut view) in views {
            let key = (a.to_owned(), b.to_owned());
            match self.links.get_mut(&key) {
                Some(entry) => {
                    view.follow(&entry.value, now);
                    if view != entry.value {
                        self.events.compare_links(&entry.value, &view, next, now);
                        entry.value = view;
                        entry.changed = next;
                        changed = true;
                    }
                }
                None => {
                    let entry = Entry {
                        changed: next,
                        value: view,
                    };
                    self.links.insert(key, entry);
                    changed = true;
                }
            }
        }
        changed
    }
}

fn newer<'a, T>(
    entries: impl Iterator<Item = &'a Entry<T>>,
    since: u64,
    whole: bool,
) -> Vec<&'a T> {
    let newer = entries.filter(|entry| whole || entry.changed > since);
    newer.map(|entry| &entry.value).collect()
}

/// The moment that was `span` seconds ago, in whole seconds; the same as before where it differs little.
fn moment(now: f64, span: f64, before: Option<f64>) -> f64 {
    let moment = (now - span).round();
    match before {
        Some(before) if (before - moment).abs() <= SAME_MOMENT => before,
        _ => moment,
    }
}

#[cfg(test)]
mod tests;
