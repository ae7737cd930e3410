//! From the configuration file to what a role is started with.

use kozo_description::Metadata;

use super::*;
use crate::config::{Catalog, Document, Lookup, Node};
use crate::roles::RoleStartError;
use crate::storage::Storage;

const FILE: &str = "\
system:
  clock:
    privateKey: /var/lib/kozo/key
    publicKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG/rmCrM8J69xo8l6Ge7BLSiFmyJA9CWAiwEDJoBalpF
    roles:
      timer1:
        type: timer
        tick: 60
        messageQueueLength: 3
connectionRetry: 7
";

/// Knows the module `timer`.
struct Timer(Metadata);

impl Catalog for Timer {
    fn role(&self, _module: &str) -> Lookup<'_> {
        Lookup::Found(&self.0)
    }

    fn transport(&self, _module: &str) -> Lookup<'_> {
        Lookup::Missing {
            looked_in: Vec::new(),
            reason: None,
        }
    }

    fn bus(&self, module: &str) -> Lookup<'_> {
        self.transport(module)
    }
}

fn node() -> Node {
    let timer = include_str!("../../../tests/data/modules/timer.yaml");
    let catalog = Timer(Metadata::parse(timer).unwrap());
    let name = NodeName::new("clock").unwrap();
    let document = Document::parse("net.yaml", "/etc/kozo", FILE.as_bytes()).unwrap();
    let (network, _) = document.network(&catalog, Some(&name)).unwrap();
    network.nodes[&name].clone()
}

#[test]
fn a_role_is_set_up_as_the_file_says() {
    let folder = tempfile::TempDir::new().unwrap();
    let node = node();
    let storage = Storage::open(folder.path(), &node.name).unwrap();
    let setup = RoleSetup::new(&node, &node.roles[0], Some(&storage)).unwrap();
    let names = (
        setup.node.as_str(),
        setup.name.as_str(),
        setup.module.as_str(),
    );
    assert_eq!(names, ("clock", "timer1", "timer"));
    assert_eq!(setup.inbox.length, 3);
    assert_eq!(setup.longest_wait, Duration::from_secs(7));
    assert_eq!(setup.restart, RestartPolicy::default());
    let file = setup.storage.unwrap().path();
    assert_eq!(file, folder.path().join("clock.timer1.kozo"));

    #[derive(serde::Deserialize)]
    struct TimerOptions {
        tick: f64,
        message: String,
    }
    let options: TimerOptions = rmp_serde::from_slice(&setup.options).unwrap();
    assert_eq!((options.tick, options.message.as_str()), (60.0, "Ping!"));
}

#[test]
fn a_role_whose_module_is_unknown_is_refused_by_name() {
    let node = node();
    let mut role = node.roles[0].clone();
    role.options = None;
    let error = RoleSetup::new(&node, &role, None).unwrap_err();
    assert!(matches!(error, RoleStartError::NoModule { .. }));
    assert!(
        error
            .to_string()
            .contains("role `timer1` needs the module `timer`")
    );
}
