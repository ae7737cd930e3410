//! What can be wrong, and that it is said.

use kozo_testnet::{Host, Nat, Server, XmppOptions};

use crate::scene::{NODES, Scene, lines};

#[test]
fn what_keeps_a_node_from_its_server_is_said() {
    let Some(scene) = Scene::start(Nat::Cone, XmppOptions::default()) else {
        return;
    };
    let good = scene.account();
    for (account, words) in [
        (
            good.replace("/password,", "/wrong-password,"),
            "wrong password, or no such account",
        ),
        (
            good.replace("/password,", "/no-password,"),
            "cannot be used: No such file",
        ),
        (
            format!("passwordFile: {}", scene.path("password").display()),
            "authority",
        ),
    ] {
        scene.configure_with(&account, &good);
        let cabin = scene.daemon(Host::A, "cabin");
        cabin.wait_for_words(words);
        cabin.wait_for_failure("barn", words);
    }
    // The other node's server says that nobody is there.
    scene.configure();
    let cabin = scene.daemon(Host::A, "cabin");
    cabin.wait_for_failure("barn", "`barn` is not connected with its XMPP server");
}

#[test]
fn a_server_without_encryption_is_told_nothing() {
    let options = XmppOptions {
        without_tls: true,
        ..XmppOptions::default()
    };
    let Some(scene) = Scene::start(Nat::Cone, options) else {
        return;
    };
    scene.configure();
    let cabin = scene.daemon(Host::A, "cabin");
    cabin.wait_for_words("offers no encryption (STARTTLS)");
    cabin.wait_for_failure("barn", "offers no encryption (STARTTLS)");
}

#[test]
fn links_outlive_their_servers_and_are_made_anew_with_them() {
    let Some(mut scene) = Scene::start(Nat::Symmetric, XmppOptions::default()) else {
        return;
    };
    let (cabin, barn) = scene.daemons();
    cabin.wait_for_link("barn", "ice");
    cabin.wait_for_words("barn: relayed");

    // Without the XMPP server the link stays.
    scene.kill("xmpp-prosody/prosody.pid");
    scene.xmpp = None;
    cabin.wait_for_words("XMPP server");
    let (there, back) = (lines("there", 40), lines("back", 40));
    cabin.send(&there[..20]);
    barn.wait_for_lines(&cabin, &there[..20]);
    let accounts = NODES.map(|(_, account)| account);
    scene.xmpp = Some(
        scene
            .network
            .xmpp(Server::Prosody, &accounts)
            .expect("it did before"),
    );
    cabin.wait_for_words("connected as alice@kozo.test");
    barn.wait_for_words("connected as bob@kozo.test");

    // Without the relay there is none, until there is one again.
    scene.kill("relay/turn.pid");
    scene.relay = None;
    cabin.wait("the link is lost", |status| {
        let links = crate::daemon::peer_of(status, "barn")["links"]
            .as_array()?
            .len();
        (links == 0).then_some(())
    });
    cabin.send(&there[20..]);
    barn.send(&back);
    cabin.wait_for_failure("barn", "TURN server");
    scene.relay = Some(scene.network.relay().expect("it did before"));
    barn.wait_for_lines(&cabin, &there);
    cabin.wait_for_lines(&barn, &back);
}
