//! A bus whose engine is a program on this machine, which does wrong what a test tells it to.

use tempfile::TempDir;

use super::process::wait_until;
use super::scene::{Scene, fixture_folder, fixtures_target};

#[path = "../../../fixtures/bus-hub/src/remote.rs"]
#[allow(dead_code, unreachable_pub)] // Others need the rest, from crates of their own.
mod remote;

/// A hub in a folder of its own: paths of sockets are short.
pub(crate) struct Hub {
    hub: remote::Hub,
    _folder: TempDir,
}

impl std::ops::Deref for Hub {
    type Target = remote::Hub;

    fn deref(&self) -> &remote::Hub {
        &self.hub
    }
}

impl std::ops::DerefMut for Hub {
    fn deref_mut(&mut self) -> &mut remote::Hub {
        &mut self.hub
    }
}

impl Hub {
    /// Starts one.
    pub(crate) fn start() -> Self {
        fixture_folder("fixture-bus-hub", "hub");
        let folder = TempDir::new().unwrap();
        let program = fixtures_target().join("debug/fixture-bus-hub");
        Self {
            hub: remote::Hub::start(&program, folder.path()),
            _folder: folder,
        }
    }

    /// Waits until these nodes are connected and have subscribed to all that they want: what is published before
    /// is not for them.
    pub(crate) fn wait_for_nodes(&self, nodes: &[&str]) {
        self.hub.wait_for_nodes(nodes);
        for node in nodes {
            // They subscribe in the order of the patterns, and this is the last.
            wait_until(&format!("all that {node} wants"), || {
                let patterns = self.hub.tell(&format!("patterns {node}"));
                let mut patterns = patterns.iter();
                patterns
                    .find(|pattern| pattern.starts_with("kozo.fleet.re."))
                    .map(|_| ())
            });
        }
    }

    /// A network of these nodes, which have no links: all are on the bus `fleet` alone.
    pub(crate) fn scene(&self, nodes: &[&str]) -> Scene {
        let mut scene = self.mixed(nodes);
        for node in nodes {
            scene.on_bus(node, "fleet", "{}").without_tcp(node);
        }
        scene
    }

    /// A network of these nodes with a bus `fleet` that none of them is on yet.
    pub(crate) fn mixed(&self, nodes: &[&str]) -> Scene {
        let mut scene = Scene::new(nodes);
        let modules = fixture_folder("fixture-bus-hub", "hub");
        scene.option("transportPath", modules.to_str().unwrap());
        let socket = self.hub.socket().display();
        scene.option(
            "buses",
            &format!("{{fleet: {{type: hub, socket: {socket}}}}}"),
        );
        scene
    }
}
