//! Frames, and links that come and go.

use super::*;

#[test]
fn frames_go_to_whom_they_are_for() {
    let mut scene = Scene::linked(Api::V14_07, GREATER);
    let frame = ipv4_frame([172, 31, 0, 103]);
    scene
        .core
        .frame_from_kernel(&mut with_room(&frame), scene.now, &mut scene.world);
    let header = [*uid(OWN).bytes(), *uid(GREATER).bytes()].concat();
    let expected = [&header[..], &frame].concat();
    assert_eq!(scene.world.frames, [(uid(GREATER), expected)]);
    // What all get, those get whose links are up.
    scene.world.frames.clear();
    scene.request(&create_link(SMALLER, OF_PEER, ""));
    scene.request(&remote_ip(SMALLER, "172.31.0.2"));
    scene.core.frame_from_kernel(
        &mut with_room(&ipv4_frame([224, 0, 0, 251])),
        scene.now,
        &mut scene.world,
    );
    assert_eq!(scene.world.frames.len(), 1);
    scene.core.up(&uid(SMALLER), "relayed", &mut scene.world);
    scene.core.frame_from_kernel(
        &mut with_room(&ipv4_frame([172, 31, 0, 255])),
        scene.now,
        &mut scene.world,
    );
    let (peer, data) = &scene.world.frames[1];
    assert_eq!(
        (*peer, &data[20..40]),
        (uid(SMALLER), &uid(SMALLER).bytes()[..])
    );
    assert_eq!(scene.world.frames.len(), 3);
}

#[test]
fn frames_for_a_link_that_is_being_made_are_counted() {
    let mut scene = Scene::ready(Api::V14_07);
    scene.request(&create_link(GREATER, OF_PEER, ""));
    scene.request(&remote_ip(GREATER, "172.31.0.103"));
    scene.core.frame_from_kernel(
        &mut with_room(&ipv4_frame([172, 31, 0, 103])),
        scene.now,
        &mut scene.world,
    );
    assert!(scene.world.frames.is_empty() && scene.world.sent.is_empty());
    assert_eq!(scene.dropped()["frames for links that are not up"], 1);
}

#[test]
fn the_controller_gets_some_of_what_nobody_is_known_for() {
    for api in [Api::V14_01, Api::V14_07] {
        let mut scene = Scene::ready(api);
        let frame = ipv4_frame([172, 31, 0, 103]);
        scene
            .core
            .frame_from_kernel(&mut with_room(&frame), scene.now, &mut scene.world);
        let packet = Packet {
            source: uid(OWN),
            destination: Uid::NULL,
            frame: &frame,
        };
        let (to, datagram) = scene.world.sent.pop().unwrap();
        assert_eq!(
            (to.to_string().as_str(), datagram),
            (CONTROLLER, api.packet(&packet))
        );
        // One that it has given an address, but no link.
        scene.request(&remote_ip(GREATER, "172.31.0.103"));
        scene
            .core
            .frame_from_kernel(&mut with_room(&frame), scene.now, &mut scene.world);
        let packet = Packet {
            destination: uid(GREATER),
            ..packet
        };
        assert_eq!(scene.world.sent.pop().unwrap().1, api.packet(&packet));
        for _ in 0..1000 {
            scene
                .core
                .frame_from_kernel(&mut with_room(&frame), scene.now, &mut scene.world);
        }
        let sent = scene.world.sent.len();
        assert!((10..=50).contains(&sent), "{sent}");
        assert_eq!(
            scene.dropped()["frames that nobody is known for"],
            1000 - sent as u64
        );
    }
}

#[test]
fn a_controller_puts_frames_into_the_device() {
    for api in [Api::V14_01, Api::V14_07] {
        let mut scene = Scene::ready(api);
        let frame = ipv4_frame([172, 31, 0, 100]);
        let packet = Packet {
            source: Uid::NULL,
            destination: Uid::NULL,
            frame: &frame,
        };
        scene.datagram(&api.packet(&packet));
        assert_eq!(scene.world.kernel, std::slice::from_ref(&frame));
        for wrong in [&frame[..13], &[0; 1600]] {
            scene.datagram(&api.packet(&Packet {
                frame: wrong,
                ..packet
            }));
        }
        assert_eq!(scene.world.kernel.len(), 1);
        assert_eq!(scene.dropped()["frames of the controller that are none"], 2);
    }
}

#[test]
fn frames_of_peers_reach_the_kernel() {
    let mut scene = Scene::linked(Api::V14_07, GREATER);
    let header = [*uid(GREATER).bytes(), *uid(OWN).bytes()].concat();
    let mut frame = ipv4_frame([172, 31, 0, 100]);
    frame[26..30].copy_from_slice(&[172, 31, 0, 103]);
    let mut data = [&header[..], &frame].concat();
    scene
        .core
        .frame_from_peer(&uid(GREATER), &mut data, &mut scene.world);
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    assert_eq!(scene.world.kernel, [frame]);
    let mut foreign = data.clone();
    foreign[19] ^= 1;
    scene
        .core
        .frame_from_peer(&uid(GREATER), &mut foreign, &mut scene.world);
    scene
        .core
        .frame_from_peer(&uid(SMALLER), &mut data, &mut scene.world);
    assert_eq!(scene.world.kernel.len(), 1);
    assert_eq!(scene.dropped()["frames with another's uid"], 1);
}

#[test]
fn the_network_is_told_of_links() {
    let mut scene = Scene::linked(Api::V14_07, GREATER);
    let change = |status, path: Option<&'static str>| Change {
        uid: GREATER.to_owned(),
        ip4: Some("172.31.0.103".to_owned()),
        ip6: Some(uid(GREATER).ip6_text()),
        status,
        security: path.map(|_| "dtls"),
        path,
    };
    assert_eq!(scene.world.reported, [change("online", Some("direct"))]);
    scene.core.up(&uid(GREATER), "direct", &mut scene.world);
    scene.core.up(&uid(GREATER), "relayed", &mut scene.world);
    scene.core.down(&uid(GREATER), &mut scene.world);
    scene.core.down(&uid(GREATER), &mut scene.world);
    assert_eq!(
        scene.world.reported[1..],
        [change("online", Some("relayed")), change("offline", None)]
    );
    assert_eq!(
        scene.told(),
        [json!({"type": "con_stat", "uid": GREATER, "data": "offline"})]
    );
    scene.core.up(&uid(GREATER), "direct", &mut scene.world);
    assert!(scene.core.trim(&uid(GREATER), &mut scene.world));
    assert!(!scene.core.trim(&uid(GREATER), &mut scene.world));
    assert_eq!(scene.world.reported.last(), Some(&change("offline", None)));
    let status = scene.core.status();
    assert_eq!((status.peers, status.online, status.xmpp), (1, 0, false));
    let trouble = Some("the password is wrong");
    assert_eq!(
        status.text(trouble),
        "172.31.0.100, 0 of 1 peers linked, not logged in to XMPP: the password is wrong"
    );
}

#[test]
fn an_order_asks_a_peer_for_a_link() {
    let mut scene = Scene::new(Api::V14_07);
    assert!(scene.core.connect(&uid(GREATER), &mut scene.world).is_err());
    scene.request(&local_ip());
    assert!(scene.core.connect(&uid(OWN), &mut scene.world).is_err());
    assert!(scene.core.connect(&uid(GREATER), &mut scene.world).is_err());
    scene.world.present.insert(uid(GREATER));
    assert_eq!(scene.core.connect(&uid(GREATER), &mut scene.world), Ok(()));
    let asked = (uid(GREATER), "con_req".to_owned(), FINGERPRINT.to_owned());
    assert_eq!(scene.world.signals.last(), Some(&asked));
}
