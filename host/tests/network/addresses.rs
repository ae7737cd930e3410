//! The option `address` of the transport `tcp`.

use std::net::TcpListener;

use super::control::wait_for_why;
use super::scene::Scene;

/// Two nodes, of which the one with these addresses does not dial.
fn linked_under(addresses: &str, bind: &str) {
    let mut scene = Scene::new(&["clock", "scribe"]);
    let port = scene.port("scribe");
    let addresses = addresses.replace("PORT", &port.to_string());
    scene.tcp(
        "scribe",
        &format!("address: {addresses}, bindAddress: '{bind}'"),
    );
    scene.node_option("scribe", "selfToOthersConnectPolicy: never");
    let mut scribe = scene.start("scribe");
    scribe.wait_for_text("transport", "listening");
    let mut clock = scene.start("clock");
    let up = clock.wait_for_link("scribe");
    let address = up["fields"]["address"].as_str().unwrap().to_owned();
    assert!(
        address.ends_with(&format!(":{port}")),
        "{addresses}: {address}"
    );
    scribe.wait_for_link("clock");
}

#[test]
fn one_address_several_in_a_text_and_a_list_all_lead_there() {
    // A port that nobody listens on: an address that is dead.
    let dead = kozo_abi::bench::reserve_port().unwrap();
    for addresses in [
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "'127.0.0.1:PORT'".to_owned(),
        format!("'127.0.0.1:{dead}, 127.0.0.1'"),
        format!("['127.0.0.1:{dead}', no-such-host.invalid, 127.0.0.1]"),
    ] {
        linked_under(&addresses, "127.0.0.1");
    }
}

#[test]
fn an_address_that_leads_back_or_to_another_node_is_named_as_that() {
    let mut scene = Scene::new(&["attic", "clock", "garage", "scribe"]);
    let [clock, scribe] = ["clock", "scribe"].map(|node| scene.port(node));
    scene.tcp("attic", &format!("address: '127.0.0.1:{clock}'"));
    scene.tcp("garage", &format!("address: '127.0.0.1:{scribe}'"));
    let mut scribe = scene.start("scribe");
    scribe.wait_for_text("transport", "listening");
    let mut clock = scene.start("clock");
    for (peer, leads) in [
        ("attic", "back to this node itself, and not to `attic`"),
        ("garage", "to `scribe`, and not to `garage`"),
    ] {
        let reason = format!("the address leads {leads}: correct it in the network file");
        clock.wait_for_any_text(&reason);
        wait_for_why(&scene, "clock", peer, &[&reason]);
    }
    clock.wait_for_link("scribe");
}

#[test]
fn ipv6_works_as_well() {
    if let Err(error) = TcpListener::bind("[::1]:0") {
        super::process::skipped(format_args!("this machine has no IPv6: {error}"));
        return;
    }
    linked_under("'::1'", "::1");
    linked_under("'[::1]:PORT'", "::1");
    // All interfaces, of both families.
    linked_under("['::1', 127.0.0.1]", "");
}
