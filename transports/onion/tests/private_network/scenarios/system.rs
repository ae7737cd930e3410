//! `service: system`, which is also the proof that this Tor and the original one understand each
//! other.

use kozo_abi::bench::reserve_port;

use crate::Stage;
use crate::c_tor::CTor;
use crate::scene::Scene;

pub(super) fn the_machines_tor_serves_and_connects(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("system"), &["own", "served", "dials"]);
    let network = stage.network.description();
    let port = reserve_port().unwrap();
    let tor = CTor::start(&stage.network, &stage.folder("system-tor"), 6027, port);
    scene.onion("own", &network, "");
    // Reached through the service of the machine's Tor, and only so.
    scene.transport(
        "served",
        "onion",
        &format!(
            "service: system, address: {}, port: {port}, onionPort: 6027, incomingOnly: true",
            tor.address
        ),
    );
    // Connects through its proxy, and only so.
    scene.transport(
        "dials",
        "onion",
        &format!(
            "service: system, socksProxy: '127.0.0.1:{}', outgoingOnly: true",
            tor.socks_port
        ),
    );
    let [own, served] = ["own", "served"].map(|node| scene.start(node));
    // The machine's Tor remembers for minutes where it has found nothing: both are found before.
    own.wait_for_status("reachable at ");
    own.wait_for_link_over("served", "onion");
    let dials = scene.start("dials");
    dials.wait_for_link_over("own", "onion");
    dials.wait_for_link_over("served", "onion");
    for (one, other) in [(&own, &served), (&dials, &own), (&served, &dials)] {
        one.send("hello");
        other.wait_for_lines(one, &["hello".to_owned()]);
    }
}

pub(super) fn what_is_on_its_way_when_tor_dies_arrives_when_it_is_back(stage: &Stage) {
    let mut scene = Scene::new(stage.folder("dies"), &["own", "served"]);
    let network = stage.network.description();
    let port = reserve_port().unwrap();
    let mut tor = CTor::start(&stage.network, &stage.folder("dies-tor"), 6027, port);
    let options = format!("outgoingOnly: true, network: {}", network.display());
    scene.transport("own", "onion", &options);
    let options = format!(
        "service: system, address: {}, port: {port}, onionPort: 6027, incomingOnly: true",
        tor.address
    );
    scene.transport("served", "onion", &options);
    let [own, served] = ["own", "served"].map(|node| scene.start(node));
    own.wait_for_link("served");
    // More than this Tor carries in the moment until it dies.
    let bulk = |node: &str| -> Vec<String> {
        let line = |number| format!("{node} {number} {}", "x".repeat(8_000));
        (0..60).map(line).collect()
    };
    own.send_all(&bulk("own"));
    served.send_all(&bulk("served"));
    tor.kill();
    own.wait_for_no_link("served");
    tor.start_again();
    served.wait_for_lines(&own, &bulk("own"));
    own.wait_for_lines(&served, &bulk("served"));
}
