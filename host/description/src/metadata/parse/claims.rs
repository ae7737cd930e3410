//! What a module's options stand for that only one can have.

use std::sync::LazyLock;

use kozo_ground::text::{enumerate, join_path};

use super::{Keys, List, Reader, optional};
use crate::metadata::MAX_CLAIMS;
use crate::metadata::claims::{ClaimTemplate, ClaimedTemplate};
use crate::metadata::template::Template;
use crate::{OptionSpec, Tree, ValueKind};

const CLAIMS: List = List {
    key: "claims",
    most: MAX_CLAIMS,
    owner: "a module",
    example: "write `- {resource: \"… {option}\"}` lines",
};

/// What a claim may be about: one of these.
const SUBJECTS: [&str; 4] = ["resource", "network", "listen", "reach"];

fn claim_keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let [resource, network, listen, reach] =
            SUBJECTS.map(|name| optional(name, ValueKind::Text));
        Keys {
            new: &[],
            table: vec![
                resource,
                network,
                listen,
                reach,
                optional("port", ValueKind::Text),
                optional("when", ValueKind::Block),
                optional("without", ValueKind::Texts),
            ],
        }
    });
    &KEYS
}

impl Reader<'_> {
    pub(super) fn claims(&mut self, tree: &Tree, options: &[OptionSpec]) -> Vec<ClaimTemplate> {
        let items = self.items(tree, &CLAIMS).iter().enumerate();
        items
            .filter_map(|(index, item)| self.claim(item, index, options))
            .collect()
    }

    fn claim(
        &mut self,
        item: &Tree,
        index: usize,
        options: &[OptionSpec],
    ) -> Option<ClaimTemplate> {
        let path = format!("claims[{index}]");
        let values = self.block(item, item.place, &path, "a claim", claim_keys());
        let when = self.conditions(item, &path, options);
        let mut field = |name: &str| -> Option<Template> {
            let text = values.text(name)?;
            let place = item.child(name).map_or(item.place, |tree| tree.place);
            let most_lists = usize::from(name != "port");
            self.template(
                text,
                place,
                &join_path(&path, name),
                options,
                &[],
                most_lists,
            )
        };
        let [resource, network, listen, reach] = SUBJECTS.map(&mut field);
        let port = field("port");
        let given = SUBJECTS.map(|name| values.text(name).is_some());
        let has_port = values.text("port").is_some();
        let wrong = match given {
            [true, false, false, false] if has_port => {
                Some("a `resource` has no `port`".to_owned())
            }
            [false, true, false, false] if has_port => {
                Some("what is of the `network` has no `port`".to_owned())
            }
            [false, false, true, false] if !has_port => Some("`listen` needs a `port`".to_owned()),
            _ if given.iter().filter(|given| **given).count() == 1 => None,
            // What this claims came with a later format.
            [false, false, false, false] if self.minor > super::FORMAT_MINOR => return None,
            _ => Some(format!("it takes one of {}", enumerate(SUBJECTS, "and"))),
        };
        if let Some(message) = wrong {
            self.error(item.place, &path, message);
        }
        let what = match (resource, network, listen, reach) {
            (Some(name), None, None, None) => ClaimedTemplate::Resource(name),
            (None, Some(name), None, None) => ClaimedTemplate::Network(name),
            (None, None, Some(address), None) => ClaimedTemplate::Port {
                address,
                port: port?,
            },
            (None, None, None, Some(address)) => ClaimedTemplate::Reach { address, port },
            _ => return None,
        };
        Some(ClaimTemplate {
            when,
            what,
            without: values.texts("without"),
        })
    }
}
