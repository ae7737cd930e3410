//! What must not reach public controllers, and what has to.

use kozo_ipop::candidate;
use proptest::prelude::*;

use super::*;

#[test]
fn messages_of_peers_reach_the_controller() {
    for api in [Api::V14_01, Api::V14_07] {
        let mut scene = Scene::ready(api);
        for kind in ["con_req", "con_resp", "send_msg", "else"] {
            scene.heard(GREATER, kind, "some data");
            assert_eq!(
                scene.told(),
                [json!({"type": kind, "uid": GREATER, "data": "some data"})]
            );
        }
        assert_eq!(scene.get_state(false)[1]["xmpp_time"], 0);
    }
}

#[test]
fn peers_cannot_pretend_to_be_tincan() {
    let mut scene = Scene::ready(Api::V14_07);
    for kind in [
        "local_state",
        "peer_state",
        "con_stat",
        "error",
        "echo_request",
        "echo_reply",
        "",
    ] {
        scene.heard(GREATER, kind, "some data");
    }
    scene.heard(OWN, "con_req", OF_PEER);
    assert!(scene.told().is_empty());
    assert_eq!(
        scene.dropped()["messages that would harm the controller"],
        7
    );
}

#[test]
fn a_controller_that_does_not_know_this_node_hears_of_no_peer() {
    let mut scene = Scene::new(Api::V14_07);
    scene.heard(GREATER, "con_req", OF_PEER);
    scene.request(&json!({"m": "set_cb_endpoint", "ip": "::", "port": 1}));
    scene.get_state(false);
    scene.heard(GREATER, "con_req", OF_PEER);
    scene.request(&local_ip());
    scene.heard(GREATER, "con_req", OF_PEER);
    assert!(scene.told().is_empty());
    scene.get_state(false);
    scene.heard(GREATER, "con_req", OF_PEER);
    assert_eq!(scene.told().len(), 1);
    // It was started again.
    scene.request(&json!({"m": "set_cb_endpoint", "ip": "::", "port": 1}));
    scene.heard(GREATER, "con_req", OF_PEER);
    assert!(scene.told().is_empty());
}

#[test]
fn a_controller_may_have_another_socket_for_what_happens() {
    let mut scene = Scene::new(Api::V14_07);
    let place = "[::1]:40001".parse().unwrap();
    scene.request(&json!({"m": "set_cb_endpoint", "ip": "::1", "port": 40001}));
    scene.request(&local_ip());
    scene.heard(GREATER, "con_req", OF_PEER);
    assert!(scene.world.sent.is_empty());
    scene.get_state(false);
    scene.heard(GREATER, "con_req", OF_PEER);
    let [(to, _)] = &scene.world.sent[..] else {
        panic!("{:?}", scene.world.sent);
    };
    assert_eq!(*to, place);
}

#[test]
fn a_controller_from_before_14_01_1_takes_presences_for_requests() {
    let mut scene = Scene::ready(Api::V14_01);
    let offer = |scene: &mut Scene, status: &str| {
        let now = scene.now;
        scene
            .core
            .offered(uid(GREATER), status, now, &mut scene.world);
        scene.told()
    };
    // One that knows of figures asks for links itself.
    assert!(offer(&mut scene, OF_PEER).is_empty());
    scene.request(&json!({"m": "get_state"}));
    scene.told();
    assert_eq!(
        offer(&mut scene, OF_PEER),
        [json!({"type": "con_req", "uid": GREATER, "data": OF_PEER})]
    );
    assert!(offer(&mut scene, "away").is_empty());
    // What peers with such controllers take, this end says as well.
    scene.request(&json!({"m": "register_svc", "username": "alice@kozo.test", "password": "secret", "host": "::1"}));
    assert_eq!(scene.world.accounts[0].fingerprint, FINGERPRINT);
    scene.get_state(true);
    assert!(offer(&mut scene, OF_PEER).is_empty());
}

#[test]
fn a_group_hears_of_its_members_alone() {
    let mut scene = Scene::ready(Api::V14_07);
    let stranger = "0123456789".repeat(4);
    scene.heard(&stranger, "con_req", OF_PEER);
    assert!(scene.told().is_empty());
    assert_eq!(
        scene.dropped()["messages of peers that are not of the group"],
        1
    );
    // A SocialVPN has any uids.
    let mut scene = Scene::new(Api::V14_07);
    scene.request(&json!({"m": "set_cb_endpoint", "ip": "::", "port": 1}));
    let mut local = local_ip();
    local["uid"] = json!("1".repeat(40));
    scene.request(&local);
    scene.get_state(false);
    scene.heard(&stranger, "con_req", OF_PEER);
    assert_eq!(scene.told().len(), 1);
}

#[test]
fn nothing_is_longer_than_what_a_controller_reads() {
    let mut scene = Scene::linked(Api::V14_01, GREATER);
    scene.heard(GREATER, "con_resp", &"x".repeat(5000));
    assert!(scene.world.sent.is_empty());
    scene.world.stats = 200;
    let states = scene.get_state(true);
    assert!(states[1].to_string().len() < 4096);
    assert!(!states[1]["stats"].as_array().unwrap().is_empty());
    assert_eq!(
        scene.dropped()["messages that would harm the controller"],
        1
    );
}

#[test]
fn what_is_online_has_addresses() {
    let mut scene = Scene::ready(Api::V14_07);
    scene.request(&create_link(GREATER, OF_PEER, ""));
    scene.core.up(&uid(GREATER), "direct", &mut scene.world);
    scene.told();
    let state = &scene.get_state(true)[1];
    assert_eq!(
        (&state["status"], state.get("stats"), state.get("security")),
        (&json!("offline"), None, None)
    );
    assert!(state["xmpp_time"].as_i64().unwrap() > 1_000_000);
    scene.request(&remote_ip(GREATER, "172.31.0.103"));
    assert_eq!(scene.get_state(true)[1]["status"], "online");
}

#[test]
fn frames_that_look_like_json_do_not_reach_a_controller_of_14_01() {
    for (api, arrives) in [(Api::V14_01, false), (Api::V14_07, true)] {
        let mut scene = Scene::new(api);
        scene.request(&json!({"m": "set_cb_endpoint", "ip": "::", "port": 1}));
        let mut local = local_ip();
        // 7b is a brace.
        local["uid"] = json!("7b".repeat(20));
        scene.request(&local);
        scene.get_state(false);
        let mut data = with_room(&ipv4_frame([172, 31, 0, 103]));
        scene
            .core
            .frame_from_kernel(&mut data, scene.now, &mut scene.world);
        assert_eq!(!scene.world.sent.is_empty(), arrives, "{api}");
    }
}

#[test]
fn so_many_candidates_are_told_as_a_controller_reads() {
    let mut scene = Scene::ready(Api::V14_07);
    scene.world.present.insert(uid(GREATER));
    scene.request(&create_link(GREATER, OF_PEER, ""));
    let candidates = candidate::read(&[CANDIDATE; 60].join(" ")).list;
    scene
        .core
        .gathered(&uid(GREATER), &candidates, &mut scene.world);
    let (_, kind, data) = scene.world.signals.pop().unwrap();
    assert_eq!(kind, "con_resp");
    let told = data.strip_prefix(FINGERPRINT).unwrap();
    assert!(
        data.len() < 3800 && candidate::read(told).list.len() > 30,
        "{}",
        data.len()
    );
    assert_eq!(candidate::read(told).skipped, 0);
}

#[test]
fn a_peer_that_was_away_is_told_of_candidates_when_it_comes() {
    let mut scene = Scene::ready(Api::V14_07);
    scene.request(&create_link(GREATER, OF_PEER, ""));
    scene.core.gathered(
        &uid(GREATER),
        &candidate::read(CANDIDATE).list,
        &mut scene.world,
    );
    scene.world.signals.clear();
    scene.world.present.insert(uid(GREATER));
    scene.core.seen(uid(GREATER), scene.now, &mut scene.world);
    let told = (
        uid(GREATER),
        "con_resp".to_owned(),
        format!("{FINGERPRINT} {CANDIDATE}"),
    );
    assert_eq!(scene.world.signals, [told]);
    scene.core.seen(uid(GREATER), scene.now, &mut scene.world);
    assert_eq!(scene.world.signals.len(), 1);
}

#[test]
fn only_so_many_peers_are_remembered() {
    let mut scene = Scene::linked(Api::V14_07, GREATER);
    for number in 0..6000u32 {
        scene.wait(1);
        let mut bytes = [0; Uid::LEN];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        scene
            .core
            .seen(Uid::new(bytes), scene.now, &mut scene.world);
    }
    let states = scene.get_state(false);
    assert_eq!(states.len(), 1 + crate::core::MAX_PEERS);
    assert!(states.iter().any(|state| state["uid"] == GREATER));
}

fn some_datagram() -> impl Strategy<Value = Vec<u8>> {
    let names = "set_logging|set_cb_endpoint|set_local_ip|register_svc|get_state|create_link|set_remote_ip|trim_link|\
        set_translation|set_switchmode|set_trimpolicy|set_network_ignore_list|echo_request|con_req";
    let keys = "uid|ip|port|ip4|ip6|cas|fpr|sec|stun|turn|data|stats|ip4_mask|network_ignore_list";
    let value = prop_oneof![
        Just(json!(OWN)),
        Just(json!(GREATER)),
        Just(json!("172.31.0.103")),
        Just(json!(CANDIDATE)),
        Just(json!(OF_PEER)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|flag| json!(flag)),
        ".{0,50}".prop_map(|text| json!(text)),
        Just(json!(["docker0", null])),
        Just(json!({"a": {}})),
    ];
    let call =
        (names, prop::collection::btree_map(keys, value, 0..8)).prop_map(|(name, mut fields)| {
            fields.insert("m".to_owned(), json!(name));
            serde_json::to_vec(&fields).unwrap()
        });
    prop_oneof![
        4 => call.clone(),
        4 => call.prop_map(|json| Api::V14_07.control(&json)),
        1 => prop::collection::vec(any::<u8>(), 0..100),
        1 => prop::collection::vec(any::<u8>(), 40..100).prop_map(|rest| [&[2, 2], &rest[..]].concat()),
    ]
}

proptest! {
    #[test]
    fn whatever_is_sent_to_the_port_does_no_harm(datagrams in prop::collection::vec(some_datagram(), 1..40)) {
        let mut scene = Scene::ready(Api::V14_07);
        for datagram in datagrams {
            scene.datagram(&datagram);
        }
        // Whatever it is told can be read.
        for (_, datagram) in std::mem::take(&mut scene.world.sent) {
            let api = Api::of_message(&datagram).unwrap();
            let Ok(Datagram::Control(json)) = api.read(&datagram) else { panic!("no message") };
            prop_assert!(Notification::read(json).is_ok());
            prop_assert!(datagram.len() <= api.controller_buffer());
        }
    }
}
