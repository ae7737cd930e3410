//! Transports that come and go: a better one takes over, and where it fails, this one does.

use kozo_testnet::{Host, Nat, XmppOptions};

use crate::scene::{Scene, lines};

#[test]
fn links_move_to_tcp_and_back_without_loss() {
    let Some(mut scene) = Scene::start(Nat::Cone, XmppOptions::default()) else {
        return;
    };
    scene.others = "      tcp: {address: 192.168.1.2, port: {port}}\n".to_owned();
    scene.configure();
    // Both in one home, where TCP leads from one to the other, unless it is forbidden.
    let forbid = "add table inet shut; add chain inet shut input { type filter hook input priority -5; }; \
        add rule inet shut input tcp dport 6020-6021 drop; add rule inet shut input tcp sport 6020-6021 drop";
    let allow = "delete table inet shut";
    let rules = |rules: &str| {
        scene
            .network
            .run(Host::A, "nft", &[rules])
            .expect("a host takes rules");
    };
    rules(forbid);
    let cabin = scene.daemon(Host::A, "cabin");
    let barn = scene.daemon(Host::A, "barn");
    cabin.wait_for_link("barn", "ice");
    let (there, back) = (lines("there", 90), lines("back", 90));
    cabin.send(&there[..30]);
    barn.send(&back[..30]);
    rules(allow);
    cabin.wait_for_link("barn", "tcp");
    cabin.send(&there[30..60]);
    barn.send(&back[30..60]);
    rules(forbid);
    cabin.send(&there[60..]);
    barn.send(&back[60..]);
    cabin.wait_for_link("barn", "ice");
    barn.wait_for_lines(&cabin, &there);
    cabin.wait_for_lines(&barn, &back);
}
