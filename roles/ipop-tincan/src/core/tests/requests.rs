//! Requests, one by one.

use super::*;

#[test]
fn a_controller_is_told_who_this_node_is() {
    let mut scene = Scene::new(Api::V14_07);
    let nobody =
        json!({"type": "local_state", "_uid": "", "_ip4": "", "_ip6": "", "_fpr": "", "_mac": ""});
    assert_eq!(scene.get_state(false), [nobody]);
    scene.request(&local_ip());
    let mut local = json!({"type": "local_state", "_uid": OWN, "_ip4": "172.31.0.100",
        "_ip6": "fd50:0dbc:41f2:4a3c:437e:4c04:7586:6c60", "_fpr": FINGERPRINT, "_mac": "02:00:00:00:00:01"});
    assert_eq!(scene.get_state(false), [local.clone()]);
    // The same sender now speaks the older version, which has no `_mac`.
    scene.api = Api::V14_01;
    local.as_object_mut().unwrap().remove("_mac");
    assert_eq!(scene.get_state(false), [local]);
}

#[test]
fn who_this_node_is_is_said_once() {
    let mut scene = Scene::new(Api::V14_07);
    for wrong in [
        json!({"m": "set_local_ip", "uid": &OWN[1..], "ip4": "172.31.0.100", "ip6": "fd50::1"}),
        json!({"m": "set_local_ip", "uid": OWN, "ip4": "172.31.0", "ip6": "fd50::1"}),
        json!({"m": "set_local_ip", "uid": OWN, "ip4": "172.31.0.100", "ip6": 7}),
        json!({"m": "set_local_ip"}),
    ] {
        scene.request(&wrong);
        assert!(scene.world.became.is_empty(), "{wrong}");
        assert_eq!(scene.world.said.pop().unwrap().0, Level::Warn, "{wrong}");
    }
    scene.world.refuses_node = true;
    scene.request(&local_ip());
    assert!(
        scene
            .world
            .said
            .pop()
            .unwrap()
            .1
            .contains("the network is taken")
    );
    scene.world.refuses_node = false;
    scene.request(
        &json!({"m": "set_local_ip", "uid": OWN, "ip4": "172.31.0.100", "ip6": "fd50::1"}),
    );
    scene.request(&local_ip());
    let node = Node {
        uid: uid(OWN),
        ip4: [172, 31, 0, 100].into(),
        ip4_bits: 24,
        ip6: "fd50::1".parse().unwrap(),
        ip6_bits: 64,
    };
    assert_eq!(scene.world.became, [node]);
}

#[test]
fn an_account_needs_all_of_its_parts_and_a_uid() {
    let account = |password: &str| json!({"m": "register_svc", "username": "alice@kozo.test", "password": password, "host": "127.0.0.1"});
    let mut scene = Scene::new(Api::V14_07);
    scene.request(&account("secret"));
    scene.request(&local_ip());
    scene.request(&account(""));
    assert!(scene.world.accounts.is_empty());
    scene.request(&account("secret"));
    assert_eq!(scene.world.accounts.len(), 1);
    let why = |scene: &mut Scene| scene.get_state(false)[0]["_xmpp"].clone();
    assert_eq!(why(&mut scene), "not logged in yet");
    scene
        .core
        .xmpp(Xmpp::Offline("the password is wrong".to_owned()));
    assert_eq!(why(&mut scene), "the password is wrong");
    scene.core.xmpp(Xmpp::Online);
    assert_eq!(why(&mut scene), "online");
    scene.request(&account("another"));
    assert_eq!(scene.world.accounts.len(), 1);
}

#[test]
fn what_happens_is_told_on_this_machine_alone() {
    let mut scene = Scene::new(Api::V14_07);
    for (ip, port) in [("192.0.2.1", 5801), ("::1", 0), ("nowhere", 5801)] {
        scene.request(&json!({"m": "set_cb_endpoint", "ip": ip, "port": port}));
        assert_eq!(scene.core.callback, None, "{ip}");
    }
    scene.request(&json!({"m": "set_cb_endpoint", "ip": "127.0.0.1", "port": 5801}));
    let callback = scene.core.callback.unwrap();
    assert_eq!(callback.address.to_string(), "127.0.0.1:5801");
    for ip in ["::", "0.0.0.0"] {
        scene.request(&json!({"m": "set_cb_endpoint", "ip": ip, "port": 1}));
        assert_eq!(scene.core.callback.unwrap().address.to_string(), CONTROLLER);
    }
}

#[test]
fn a_link_is_made_once_and_told_of_candidates_later() {
    let mut scene = Scene::ready(Api::V14_01);
    scene.request(&create_link(GREATER, OF_PEER, ""));
    scene.request(&create_link(GREATER, OF_PEER, ""));
    scene.request(&create_link(SMALLER, OF_PEER, CANDIDATE));
    scene.request(&create_link(OWN, OF_PEER, ""));
    let links = &scene.world.links;
    assert_eq!(links.len(), 2);
    let (greater, smaller) = (&links[&uid(GREATER)], &links[&uid(SMALLER)]);
    assert_eq!((greater.controlling, greater.client), (false, true));
    assert_eq!((smaller.controlling, smaller.client), (true, false));
    assert_eq!((greater.candidates.len(), smaller.candidates.len()), (0, 1));
    scene.request(&create_link(
        GREATER,
        OF_PEER,
        &format!("{CANDIDATE} nonsense 1:2:3"),
    ));
    let candidate = &scene.world.links[&uid(GREATER)].candidates[0];
    assert_eq!(candidate.address.to_string(), "192.0.2.151:40000");
    assert_eq!(candidate.username, "name5900");
    assert_eq!(scene.dropped()["candidates that cannot be read"], 2);
}

#[test]
fn a_link_that_is_to_be_encrypted_needs_a_fingerprint() {
    let mut scene = Scene::ready(Api::V14_07);
    let null = ["00"; 20].join(":");
    for fingerprint in ["", &null, "nonsense", &OF_PEER[1..]] {
        scene.request(&create_link(GREATER, fingerprint, CANDIDATE));
        assert!(scene.world.links.is_empty(), "{fingerprint}");
        assert!(
            scene
                .world
                .said
                .pop()
                .unwrap()
                .1
                .contains("is no fingerprint")
        );
    }
    let mut plain = create_link(GREATER, "", "");
    plain["sec"] = json!(false);
    scene.request(&plain);
    assert!(!scene.world.links[&uid(GREATER)].sec);
}

#[test]
fn a_peer_with_a_new_certificate_gets_a_new_link() {
    let mut scene = Scene::ready(Api::V14_07);
    scene.request(&create_link(GREATER, OF_PEER, CANDIDATE));
    scene.request(&create_link(GREATER, FINGERPRINT, ""));
    assert!(scene.world.links[&uid(GREATER)].candidates.is_empty());
    let states = scene.get_state(false);
    assert_eq!(states[1]["fpr"], FINGERPRINT);
    // One that is up is thrown away only when the peer has told where it is now.
    scene.core.up(&uid(GREATER), "direct", &mut scene.world);
    scene.request(&create_link(GREATER, OF_PEER, ""));
    scene.told();
    assert_eq!(scene.get_state(false)[1]["fpr"], FINGERPRINT);
    scene.request(&create_link(GREATER, OF_PEER, CANDIDATE));
    let lost = json!({"type": "con_stat", "uid": GREATER, "data": "offline"});
    assert_eq!(scene.told(), [lost]);
    assert_eq!(scene.get_state(false)[1]["fpr"], OF_PEER);
    assert_eq!(scene.world.links[&uid(GREATER)].candidates.len(), 1);
}

#[test]
fn states_tell_of_links_and_addresses() {
    let mut scene = Scene::linked(Api::V14_07, GREATER);
    scene.world.stats = 2;
    scene.core.seen(uid(SMALLER), scene.now, &mut scene.world);
    scene.wait(7);
    let states = scene.get_state(true);
    let uids: Vec<_> = states[1..]
        .iter()
        .map(|state| state["uid"].as_str().unwrap())
        .collect();
    assert_eq!(uids, [SMALLER, GREATER]);
    assert_eq!(
        states[1],
        json!({"type": "peer_state", "uid": SMALLER, "status": "offline", "xmpp_time": 7})
    );
    let mut state = states[2].clone();
    let stats = state.as_object_mut().unwrap().remove("stats").unwrap();
    assert_eq!(stats.as_array().unwrap().len(), 2);
    assert!(stats[0]["sent_total_bytes"].is_u64() && stats[0]["recv_total_bytes"].is_u64());
    assert_eq!(
        state,
        json!({"type": "peer_state", "uid": GREATER, "status": "online", "xmpp_time": 7, "ip4": "172.31.0.103",
            "ip6": "fd50:0dbc:41f2:4a3c:6e25:917a:5bf2:5897", "fpr": OF_PEER, "last_time": 7, "security": "dtls"})
    );
    scene.request(&json!({"m": "get_state", "uid": GREATER}));
    let states = scene.told();
    assert_eq!(states.len(), 2);
    assert_eq!(states[1].get("stats"), None);
}

#[test]
fn addresses_are_said_once_and_outlive_links() {
    let mut scene = Scene::ready(Api::V14_07);
    for wrong in [
        json!({"m": "set_remote_ip", "uid": GREATER, "ip4": "", "ip6": "fd50::2"}),
        json!({"m": "set_remote_ip", "uid": GREATER, "ip4": "172.31.0.103", "ip6": ""}),
        json!({"m": "set_remote_ip", "uid": &GREATER[1..], "ip4": "172.31.0.103", "ip6": "fd50::2"}),
    ] {
        scene.request(&wrong);
    }
    scene.request(&remote_ip(GREATER, "172.31.0.103"));
    scene.request(&remote_ip(GREATER, "172.31.0.104"));
    scene.request(&create_link(GREATER, OF_PEER, ""));
    assert_eq!(scene.get_state(false)[1]["ip4"], "172.31.0.103");
    scene.request(&json!({"m": "trim_link", "uid": GREATER}));
    assert!(scene.world.links.is_empty());
    assert_eq!(scene.told(), [] as [Value; 0]);
    scene.core.seen(uid(GREATER), scene.now, &mut scene.world);
    let state = &scene.get_state(false)[1];
    assert_eq!(
        (state.get("fpr"), &state["ip4"]),
        (None, &json!("172.31.0.103"))
    );
}

#[test]
fn what_is_not_known_goes_to_the_peer() {
    let mut scene = Scene::ready(Api::V14_01);
    scene.world.present.insert(uid(GREATER));
    for method in ["con_req", "send_msg", "whatever"] {
        scene.request(&json!({"m": method, "overlay_id": 1, "uid": GREATER, "data": "something"}));
        let sent = scene.world.signals.pop().unwrap();
        assert_eq!(
            sent,
            (uid(GREATER), method.to_owned(), "something".to_owned())
        );
    }
    scene.request(&json!({"m": "send_msg", "uid": SMALLER, "data": "something"}));
    scene.request(&json!({"m": "", "uid": GREATER, "data": "something"}));
    scene.request(&json!({"uid": &GREATER[1..]}));
    assert_eq!(
        scene.dropped()["messages for peers that are not on XMPP"],
        3
    );
}

#[test]
fn echoes_and_nonsense_are_answered() {
    let mut scene = Scene::new(Api::V14_07);
    scene.request(&json!({"m": "echo_request", "msg": "there?"}));
    assert_eq!(
        scene.told(),
        [json!({"type": "echo_request", "msg": "there?"})]
    );
    scene.request(&json!({"m": "echo_reply"}));
    scene.datagram(b"\x02\x01{\"m\": ");
    scene.datagram(b"\x02\x01[1, 2]");
    let error = json!({"error": "json parsing failed"});
    assert_eq!(scene.told(), [error.clone(), error]);
    // Not all of very many.
    for _ in 0..1000 {
        scene.datagram(b"\x02\x01nonsense");
    }
    assert!(scene.told().len() <= 100);
    assert_eq!(scene.dropped()["requests that are no JSON"], 1002);
}

#[test]
fn modes_and_lists_are_taken() {
    let mut scene = Scene::new(Api::V14_07);
    scene.request(&json!({"m": "set_switchmode", "switchmode": 1}));
    scene.request(&json!({"m": "set_translation", "translate": 1}));
    scene.request(&json!({"m": "set_trimpolicy", "trim_enabled": true}));
    scene.request(&json!({"m": "set_logging", "logging": 3}));
    assert!(scene.core.overlay.switch && scene.core.overlay.translate);
    scene.request(&json!({"m": "set_network_ignore_list", "network_ignore_list": ["docker0", 7, "a-very-long-name"]}));
    assert_eq!(scene.world.ignored, ["docker0"]);
    scene.request(&json!({"m": "set_network_ignore_list", "network_ignore_list": "docker0"}));
    assert_eq!(scene.world.ignored, ["docker0"]);
    scene.request(&json!({"m": "set_switchmode", "switchmode": 0}));
    assert!(!scene.core.overlay.switch);
}
