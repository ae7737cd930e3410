//! What a module's options stand for that only one can have.

use super::Metadata;
use super::template::Template;
use crate::conflict::Condition;
use crate::{ModuleOptions, Value};

/// Something that only one can have, as the options of a role or transport name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// What it is.
    pub(crate) what: Claimed,
    /// The options that name it.
    pub(crate) options: Vec<String>,
    /// Which item of them does, where they have several.
    pub(crate) item: usize,
}

/// What a claim is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// A thing of the node's machine, in words: `GPIO line 18`.
    Resource(String),
    /// A thing of the whole network, in words. `*` stands in it for any run of characters.
    Network(String),
    /// A TCP port of the node's machine, to listen on.
    Port {
        /// The IP address or name to listen on; empty: all addresses.
        address: String,
        /// The port.
        port: String,
    },
    /// Where other nodes reach this one.
    Reach {
        /// An address, or whatever else others know it by.
        address: String,
        /// The port of an address without one.
        port: Option<String>,
    },
}

/// A claim in which options are still to be filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClaimTemplate {
    /// It is made when all of these hold.
    pub(super) when: Vec<Condition>,
    pub(super) what: ClaimedTemplate,
    /// Beginnings of values that make no difference; of those that fit, the first one is left out.
    pub(super) without: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum ClaimedTemplate {
    Resource(Template),
    Network(Template),
    Port {
        address: Template,
        port: Template,
    },
    Reach {
        address: Template,
        port: Option<Template>,
    },
}

impl Metadata {
    /// What a role or transport of this module claims with these options, which were checked.
    pub fn claimed(&self, options: &ModuleOptions) -> Vec<Claimed> {
        let claims = self.claims(options, |_| true).into_iter();
        claims.map(|claim| claim.what).collect()
    }

    /// What a role or transport of this module claims with these options. One of which an option
    /// has no value, or none that `is_sound`, is not made.
    pub(crate) fn claims(
        &self,
        options: &ModuleOptions,
        is_sound: impl Fn(&str) -> bool,
    ) -> Vec<Claim> {
        let holds = |condition: &Condition| is_sound(&condition.option) && condition.holds(options);
        let made = |claim: &&ClaimTemplate| {
            claim.when.iter().all(holds) && claim.references().all(&is_sound)
        };
        let claims = self.claims.iter().filter(made);
        claims.flat_map(|claim| claim.fill(options)).collect()
    }
}

impl ClaimTemplate {
    fn references(&self) -> impl Iterator<Item = &str> {
        let (first, port) = match &self.what {
            ClaimedTemplate::Resource(name) | ClaimedTemplate::Network(name) => (name, None),
            ClaimedTemplate::Port { address, port } => (address, Some(port)),
            ClaimedTemplate::Reach { address, port } => (address, port.as_ref()),
        };
        let port = port.into_iter().flat_map(Template::references);
        first.references().chain(port)
    }

    fn fill(&self, options: &ModuleOptions) -> Vec<Claim> {
        let values = |name: &str| match options.value(name)? {
            Value::Null => None,
            Value::List(items) => Some(items.iter().map(|item| self.text(item)).collect()),
            single => Some(vec![self.text(single)]),
        };
        let fill = |template: &Template| template.fill(&values);
        // No list stands in it.
        let single = |template: &Template| fill(template)?.into_iter().next();
        let claimed: Option<Vec<Claimed>> = match &self.what {
            ClaimedTemplate::Resource(name) => {
                fill(name).map(|names| names.into_iter().map(Claimed::Resource).collect())
            }
            ClaimedTemplate::Network(name) => {
                fill(name).map(|names| names.into_iter().map(Claimed::Network).collect())
            }
            ClaimedTemplate::Port { address, port } => {
                let addresses = fill(address).zip(single(port));
                addresses.map(|(addresses, port)| {
                    let one = |address| Claimed::Port {
                        address,
                        port: port.clone(),
                    };
                    addresses.into_iter().map(one).collect()
                })
            }
            ClaimedTemplate::Reach { address, port } => {
                let port = match port {
                    Some(port) => single(port).map(Some),
                    None => Some(None),
                };
                fill(address).zip(port).map(|(addresses, port)| {
                    let one = |address| Claimed::Reach {
                        address,
                        port: port.clone(),
                    };
                    addresses.into_iter().map(one).collect()
                })
            }
        };
        let named_by: Vec<&str> = match &self.what {
            // The port is only for addresses without one.
            ClaimedTemplate::Reach { address, .. } => address.references().collect(),
            _ => self.references().collect(),
        };
        let claim = |(item, what)| Claim {
            what,
            options: named_by.iter().map(|&name| name.to_owned()).collect(),
            item,
        };
        let claimed = claimed.into_iter().flatten().enumerate();
        claimed.map(claim).collect()
    }

    fn text(&self, value: &Value) -> String {
        let text = value.to_text();
        let bare = self
            .without
            .iter()
            .find_map(|beginning| text.strip_prefix(beginning));
        bare.map_or(text.clone(), str::to_owned)
    }
}
