use super::*;
use crate::candidate::{CandidateKind, LONGEST_CREDENTIAL, LONGEST_USER};
use crate::endpoint::PeerRefused;
use crate::reason::Reason;
use crate::stun::{Class, Method, Writer, attribute};

const SOON: Duration = Duration::from_secs(20);

fn pairs_of_kinds() -> Vec<[Kind; 2]> {
    let mut kinds = vec![Kind::None, Kind::Firewall];
    kinds.extend(Kind::TRANSLATING);
    kinds
        .iter()
        .flat_map(|one| kinds.iter().map(|other| [*one, *other]))
        .collect()
}

#[test]
fn there_is_a_way_through_all_kinds_of_routers_and_no_relay_where_it_can_be_helped() {
    for seed in seeds(3) {
        for kinds in pairs_of_kinds() {
            let plan = Plan {
                kinds,
                ..Plan::default()
            };
            let mut world = World::new(seed, plan);
            let context = || format!("seed {seed}, {kinds:?}");
            assert!(
                world.run_until(SOON, World::are_online),
                "{}: {:?}",
                context(),
                world.status(0)
            );
            assert!(
                world.now - world.start < Duration::from_secs(3),
                "{}: slow",
                context()
            );
            // A relay may have been found first.
            world.run(Duration::from_secs(15));
            let paths = world.path_kinds();
            let direct = kinds[0].can_be_passed_with(kinds[1]);
            for path in paths {
                assert_eq!(
                    path == Some(PathKind::Relayed),
                    !direct,
                    "{}: {paths:?}",
                    context()
                );
            }
            let relayed = world.servers[0].relayed;
            assert_eq!(world.converse(20), [20, 20], "{}", context());
            if direct {
                // Checks may still go there, data does not.
                assert!(world.servers[0].relayed - relayed < 20, "{}", context());
            } else {
                assert!(world.servers[0].relayed - relayed >= 40, "{}", context());
            }
        }
    }
}

#[test]
fn without_a_relay_there_is_a_reason_where_there_is_no_way() {
    for kinds in [
        [Kind::Symmetric; 2],
        [Kind::PortRestricted, Kind::Symmetric],
    ] {
        let plan = Plan {
            kinds,
            turn: false,
            ..Plan::default()
        };
        let mut world = World::new(1, plan);
        world.run(Duration::from_secs(60));
        for number in 0..2 {
            let status = world.status(number);
            assert!(
                matches!(status.state, State::Offline | State::Checking),
                "{:?}",
                status.state
            );
            assert!(
                matches!(status.reasons[..], [Reason::ChecksFailed { pairs: 1.. }]),
                "{:?}",
                status.reasons
            );
        }
    }
}

#[test]
fn loss_delay_and_another_order_only_cost_time() {
    for seed in seeds(10) {
        let mut random = Rng::with_seed(seed);
        let kinds = pairs_of_kinds();
        let plan = Plan {
            kinds: kinds[random.usize(..kinds.len())],
            loss: 0.2,
            dtls: true,
            apart: Duration::from_millis(random.u64(0..8000)),
            ..Plan::default()
        };
        let kinds = plan.kinds;
        let mut world = World::new(seed, plan);
        assert!(
            world.run_until(Duration::from_secs(60), World::are_online),
            "seed {seed}, {kinds:?}: {:?}",
            world.status(0)
        );
        world.run(Duration::from_secs(30));
        let arrived = world.converse(200);
        // Each of up to three ways loses a fifth.
        assert!(
            arrived.iter().all(|count| *count > 60),
            "seed {seed}, {kinds:?}: {arrived:?}"
        );
        for node in &world.nodes {
            assert_eq!(
                counts(&node.events).get("Offline"),
                None,
                "seed {seed}, {kinds:?}"
            );
        }
    }
}

#[test]
fn neighbours_behind_one_router_use_their_own_addresses() {
    for kind in Kind::TRANSLATING {
        let plan = Plan {
            kinds: [kind; 2],
            together: true,
            ..Plan::default()
        };
        let mut world = World::new(1, plan);
        assert!(world.run_until(SOON, World::are_online));
        world.run(Duration::from_secs(5));
        assert_eq!(world.path_kinds(), [Some(PathKind::Direct); 2]);
        assert_eq!(world.converse(10), [10, 10]);
    }
}

#[test]
fn ipv6_is_preferred_where_both_have_it() {
    let plan = Plan {
        kinds: [Kind::Symmetric; 2],
        ipv6: true,
        ..Plan::default()
    };
    let mut world = World::new(1, plan);
    assert!(world.run_until(SOON, World::are_online));
    world.run(Duration::from_secs(5));
    let path = world.status(0).path.unwrap();
    assert!(path.remote.is_ipv6(), "{path}");
    assert_eq!(path.kind(), PathKind::Direct);
    assert_eq!(world.converse(10), [10, 10]);
    // And each sort of address has its relay.
    let node = &world.nodes[0];
    let relayed: Vec<_> = node
        .endpoint
        .candidates(node.peer)
        .into_iter()
        .filter(|candidate| candidate.kind == CandidateKind::Relayed)
        .map(|candidate| candidate.address.is_ipv6())
        .collect();
    assert_eq!(relayed, [false, true]);
}

#[test]
fn who_wants_relays_only_names_no_other_address() {
    let plan = Plan {
        kinds: [Kind::None; 2],
        relay_only: true,
        ..Plan::default()
    };
    let mut world = World::new(1, plan);
    assert!(world.run_until(SOON, World::are_online));
    assert_eq!(world.path_kinds(), [Some(PathKind::Relayed); 2]);
    assert_eq!(world.converse(10), [10, 10]);
    for node in &world.nodes {
        let candidates = node.endpoint.candidates(node.peer);
        assert!(
            candidates
                .iter()
                .all(|candidate| candidate.kind == CandidateKind::Relayed)
        );
        assert!(
            candidates
                .iter()
                .all(|candidate| candidate.base.is_none() && candidate.interface.is_empty())
        );
    }
    let mut world = World::new(
        1,
        Plan {
            relay_only: true,
            turn: false,
            ..Plan::default()
        },
    );
    world.run(Duration::from_secs(10));
    assert!(world.status(0).reasons.contains(&Reason::NoRelay));
}

#[test]
fn a_cut_of_seconds_is_survived_and_a_longer_one_is_mended() {
    for seed in seeds(4) {
        for kinds in [[Kind::PortRestricted; 2], [Kind::Symmetric; 2]] {
            let plan = Plan {
                kinds,
                dtls: true,
                ..Plan::default()
            };
            let mut world = World::new(seed, plan);
            assert!(world.run_until(SOON, World::are_online));
            world.run(Duration::from_secs(20));
            world.nodes[0].cut = true;
            world.run(Duration::from_secs(5));
            world.nodes[0].cut = false;
            world.run(Duration::from_secs(4));
            assert_eq!(world.converse(10), [10, 10]);
            assert_eq!(counts(&world.nodes[0].events).get("Offline"), None);
            world.nodes[0].cut = true;
            world.run(Duration::from_secs(90));
            for number in 0..2 {
                let status = world.status(number);
                assert_eq!(status.state, State::Offline, "{status:?}");
                assert!(
                    status
                        .reasons
                        .iter()
                        .any(|reason| matches!(reason, Reason::Silent(_))),
                    "{:?}",
                    status.reasons
                );
            }
            world.nodes[0].cut = false;
            assert!(
                world.run_until(Duration::from_secs(60), World::are_online),
                "seed {seed} {kinds:?}: {:?} {:?}",
                world.status(0),
                world.status(1)
            );
            world.run(Duration::from_secs(5));
            assert_eq!(world.converse(10), [10, 10]);
        }
    }
}

#[test]
fn either_may_begin_anew_as_a_process_or_as_a_link() {
    for seed in seeds(4) {
        for number in 0..2 {
            for kinds in [[Kind::PortRestricted; 2], [Kind::Symmetric; 2]] {
                let context = format!("seed {seed}, node {number}, {kinds:?}");
                let plan = Plan {
                    kinds,
                    dtls: true,
                    ..Plan::default()
                };
                let mut world = World::new(seed, plan);
                assert!(world.run_until(SOON, World::are_online), "{context}");
                world.run(Duration::from_secs(20));
                world.renew(number);
                // Who has stayed is told again where it is, as the controllers do.
                world.introduce(number);
                assert!(
                    world.run_until(SOON, World::are_online),
                    "{context}: {:?}",
                    world.status(1 - number)
                );
                assert_eq!(world.converse(10), [10, 10], "{context}");
                world.restart(number);
                world.introduce(number);
                world.run(Duration::from_secs(2));
                assert!(
                    world.run_until(Duration::from_secs(40), World::are_online),
                    "{context}: {:?} {:?}",
                    world.status(0),
                    world.status(1)
                );
                assert_eq!(world.converse(10), [10, 10], "{context}");
            }
        }
    }
}

#[test]
fn an_hour_without_data_ends_neither_links_nor_relays() {
    for kinds in [[Kind::PortRestricted; 2], [Kind::Symmetric; 2]] {
        let plan = Plan {
            kinds,
            dtls: true,
            loss: 0.02,
            ..Plan::default()
        };
        let mut world = World::new(3, plan);
        assert!(world.run_until(SOON, World::are_online));
        world.run(Duration::from_secs(10));
        for _ in 0..12 {
            world.run(Duration::from_secs(300));
            let arrived = world.converse(20);
            assert!(arrived.iter().all(|count| *count > 10), "{arrived:?}");
        }
        for node in &world.nodes {
            assert_eq!(counts(&node.events).get("Offline"), None);
        }
        assert_eq!(world.servers[0].allocations(), 2);
        assert!(
            world.servers[0].codes.contains(&438),
            "no nonce has got stale"
        );
    }
}

#[test]
fn relays_that_nobody_needs_are_given_back() {
    let mut world = World::new(1, Plan::default());
    assert!(world.run_until(SOON, World::are_online));
    assert_eq!(world.servers[0].allocations(), 2);
    for number in 0..2 {
        let (now, peer) = (world.now, world.nodes[number].peer);
        world.nodes[number].endpoint.remove_peer(now, peer);
    }
    world.run(Duration::from_secs(150));
    assert_eq!(world.servers[0].allocations(), 0);
    assert_eq!(world.nodes[0].endpoint.poll_timeout(), None);
}

#[test]
fn a_relay_whose_server_forgot_it_is_replaced() {
    let plan = Plan {
        kinds: [Kind::Symmetric; 2],
        dtls: true,
        ..Plan::default()
    };
    let mut world = World::new(1, plan);
    assert!(world.run_until(SOON, World::are_online));
    world.servers[0].restart();
    let silent = |world: &World| (0..2).all(|number| world.status(number).state == State::Offline);
    assert!(
        world.run_until(Duration::from_secs(40), silent),
        "{:?}",
        world.status(0)
    );
    assert!(
        world.run_until(Duration::from_secs(40), World::are_online),
        "{:?}",
        world.status(0)
    );
    assert_eq!(world.converse(10), [10, 10]);
}

#[test]
fn a_relay_of_an_earlier_life_does_not_stand_in_the_way() {
    let plan = Plan {
        kinds: [Kind::Firewall; 2],
        relay_only: true,
        ..Plan::default()
    };
    let mut world = World::new(1, plan);
    assert!(world.run_until(SOON, World::are_online));
    // With the same port as before.
    world.nodes[0].port -= 1;
    world.restart(0);
    world.introduce(0);
    world.run(Duration::from_secs(2));
    assert!(world.servers[0].codes.contains(&437));
    assert!(
        world.run_until(Duration::from_secs(40), World::are_online),
        "{:?}",
        world.status(0)
    );
    assert_eq!(world.servers[0].allocations(), 2);
}

#[test]
fn what_is_wrong_with_servers_is_told() {
    let symmetric = Plan {
        kinds: [Kind::Symmetric; 2],
        ..Plan::default()
    };
    let reasons = |change: &dyn Fn(&mut Server)| {
        let mut world = World::new(1, symmetric.clone());
        change(&mut world.servers[0]);
        world.run(Duration::from_secs(40));
        world.status(0).reasons
    };
    let has = |reasons: &[Reason], text: &str| {
        assert!(
            reasons
                .iter()
                .any(|reason| reason.to_string().contains(text)),
            "{text}: {reasons:?}"
        );
    };
    let silent = reasons(&|server| server.silent = true);
    has(
        &silent,
        "no answer from STUN server `stun` (198.51.100.1:3478)",
    );
    has(
        &silent,
        "no answer from TURN server `turn` (198.51.100.1:3478)",
    );
    let wrong = reasons(&|server| server.password = "another".to_owned());
    has(
        &wrong,
        "TURN server `turn` does not accept user `user` or the password",
    );
    let used_up = reasons(&|server| server.quota = 0);
    has(
        &used_up,
        "TURN server `turn` has no relay left for user `user`",
    );
    has(&used_up, "pairs of addresses has worked so far");
    // Where there is a way without them, it is told all the same.
    let mut world = World::new(1, Plan::default());
    world.servers[0].silent = true;
    assert!(world.run_until(SOON, World::are_online));
    has(&world.status(0).reasons, "no answer from STUN server");
    // So is one whose name nobody knows, and it is looked up again.
    let mut world = World::new(1, symmetric.clone());
    world.names_are_known = false;
    world.run(Duration::from_secs(20));
    has(
        &world.status(0).reasons,
        "cannot find the address of server `turn`: nobody knows it",
    );
    world.names_are_known = true;
    assert!(
        world.run_until(Duration::from_secs(60), World::are_online),
        "{:?}",
        world.status(0)
    );
    // A server that comes back is used.
    let mut world = World::new(1, symmetric.clone());
    world.servers[0].silent = true;
    world.run(Duration::from_secs(40));
    world.servers[0].silent = false;
    assert!(
        world.run_until(Duration::from_secs(240), World::are_online),
        "{:?}",
        world.status(0)
    );
}

#[test]
fn addresses_that_come_and_go_are_followed() {
    let plan = Plan {
        dtls: true,
        ..Plan::default()
    };
    let mut world = World::new(1, plan);
    assert!(world.run_until(SOON, World::are_online));
    world.run(Duration::from_secs(5));
    let now = world.now;
    let [old, new] = ["192.0.2.1:4000", "192.0.2.77:4100"].map(|address| address.parse().unwrap());
    let endpoint = &mut world.nodes[0].endpoint;
    endpoint.remove_address(now, old);
    assert!(endpoint.add_address(now, new, "wlan0"));
    world.look(0);
    world.run(Duration::from_secs(1));
    assert!(
        world.run_until(SOON, World::are_online),
        "{:?}",
        world.status(0)
    );
    assert_eq!(world.status(0).path.unwrap().local, new);
    assert_eq!(world.converse(10), [10, 10]);
    assert!(!counts(&world.nodes[0].events).contains_key("Failed"));
}

#[test]
fn foreign_and_repeated_messages_change_nothing() {
    for kinds in [[Kind::None; 2], [Kind::Symmetric; 2]] {
        let plan = Plan {
            kinds,
            dtls: true,
            ..Plan::default()
        };
        let mut world = World::new(1, plan);
        world.record = Some(Vec::new());
        assert!(world.run_until(SOON, World::are_online));
        world.run(Duration::from_secs(30));
        assert!(world.converse(5) == [5, 5]);
        let record = world.record.take().unwrap();
        let pairs = |world: &World, number| -> Vec<_> {
            let pairs = world.status(number).pairs;
            pairs
                .iter()
                .map(|pair| (pair.path.local, pair.path.remote))
                .collect()
        };
        let before = [0, 1].map(|number| pairs(&world, number));
        let sent = world.sent;
        world.nodes.iter_mut().for_each(|node| node.events.clear());
        let now = world.now;
        for (number, local, from, contents) in &record {
            for attempt in 0..5_u8 {
                let elsewhere = SocketAddr::from(([198, 18, 0, attempt + 1], 5000));
                let mut contents = contents.clone();
                if attempt == 4 {
                    // From the right place, but changed on the way.
                    let position = contents.len() / 2;
                    contents[position] ^= 0x40;
                    world.nodes[*number]
                        .endpoint
                        .handle(now, *local, *from, &contents);
                }
                world.nodes[*number]
                    .endpoint
                    .handle(now, *local, elsewhere, &contents);
            }
            // Again, as it was.
            world.nodes[*number]
                .endpoint
                .handle(now, *local, *from, contents);
        }
        for number in 0..2 {
            let drops = world.nodes[number].endpoint.drops();
            assert!(
                drops.replayed_stun > 0 && drops.foreign_stun > 0 && drops.foreign_datagrams > 0,
                "{drops:?}"
            );
            world.look(number);
        }
        // Nothing went to addresses from which nothing true has come.
        assert!(
            world.sent - sent <= record.len() as u64 * 2,
            "{} {}",
            world.sent - sent,
            record.len()
        );
        world.run(Duration::from_secs(40));
        assert!(world.are_online());
        for (number, before) in before.iter().enumerate() {
            let after = pairs(&world, number);
            assert!(after.iter().all(|pair| before.contains(pair)), "{after:?}");
            let events = counts(&world.nodes[number].events);
            assert!(
                !events.contains_key("Datagram") && !events.contains_key("Offline"),
                "{events:?}"
            );
        }
        assert_eq!(world.converse(5), [5, 5]);
    }
}

#[test]
fn nobody_takes_the_place_from_which_another_peer_sends() {
    let plan = Plan {
        dtls: true,
        ..Plan::default()
    };
    let mut world = World::new(1, plan);
    assert!(world.run_until(SOON, World::are_online));
    world.run(Duration::from_secs(5));
    let path = world.status(0).path.unwrap();
    let (local, remote) = ("192.0.2.1:4000".parse().unwrap(), path.remote);
    // Another peer, which knows what it needs for checks of its own.
    let second = second_peer(&mut world, "stun");
    let own = Credentials {
        user: "second".to_owned(),
        password: "second's own password".to_owned(),
    };
    let now = world.now;
    let endpoint = &mut world.nodes[0].endpoint;
    endpoint.add_remote(now, second.0, &own, []);
    for number in 0..3 {
        let contents = Writer::new(Class::Request, Method::Binding, &[number; 12])
            .attribute(
                attribute::USERNAME,
                format!("{}:{}", second.1.user, own.user).as_bytes(),
            )
            .attribute(0x0024, &[0x7E, 0, 0, 0])
            .attribute(attribute::ICE_CONTROLLING, &[1; 8])
            .sign(second.1.password.as_bytes())
            .with_fingerprint()
            .into_bytes();
        let now = world.now;
        let endpoint = &mut world.nodes[0].endpoint;
        let before = endpoint.drops().foreign_stun;
        endpoint.handle(now, local, remote, &contents);
        assert_eq!(endpoint.drops().foreign_stun, before);
        assert_eq!(world.converse(5), [5, 5]);
        let events = &world.nodes[0].events;
        assert!(events.iter().all(|event| event.peer() != second.0));
    }
}

#[test]
fn a_server_may_have_several_names() {
    let plan = Plan {
        kinds: [Kind::PortRestricted; 2],
        ..Plan::default()
    };
    let mut world = World::new(1, plan);
    assert!(world.run_until(SOON, World::are_online));
    let (peer, _) = second_peer(&mut world, "the same server");
    world.run(Duration::from_secs(5));
    let kinds = |world: &World, peer| -> Vec<_> {
        let candidates = world.nodes[0].endpoint.candidates(peer);
        candidates.iter().map(|candidate| candidate.kind).collect()
    };
    let seen = CandidateKind::ServerReflexive;
    assert!(kinds(&world, peer).contains(&seen));
    // It is kept for as long as one of them is wanted.
    let (now, first) = (world.now, world.nodes[0].peer);
    world.nodes[0].endpoint.remove_peer(now, first);
    world.run(Duration::from_secs(300));
    assert!(kinds(&world, peer).contains(&seen));
}

/// A second peer of the first node, and what it needs to be believed there.
fn second_peer(world: &mut World, stun: &str) -> (PeerId, Credentials) {
    let credentials = Credentials::random();
    let settings = PeerSettings {
        credentials: credentials.clone(),
        controlling: false,
        security: Security::None,
        stun: vec![stun.to_owned()],
        turn: Vec::new(),
        relay_only: false,
    };
    let now = world.now;
    let peer = world.nodes[0].endpoint.add_peer(now, settings).unwrap();
    world.look(0);
    (peer, credentials)
}

#[test]
fn random_datagrams_are_counted_and_forgotten() {
    let mut world = World::new(
        1,
        Plan {
            dtls: true,
            ..Plan::default()
        },
    );
    assert!(world.run_until(SOON, World::are_online));
    let mut random = Rng::with_seed(7);
    let path = world.status(0).path.unwrap();
    for _ in 0..20_000 {
        let mut contents: Vec<u8> = (0..random.usize(0..200)).map(|_| random.u8(..)).collect();
        if random.bool() && contents.len() >= 20 {
            let length = u16::try_from(contents.len() - 20).unwrap();
            contents[0] &= 1;
            contents[2..4].copy_from_slice(&length.to_be_bytes());
            contents[4..8].copy_from_slice(&0x2112_A442_u32.to_be_bytes());
        }
        let from = if random.bool() {
            path.remote
        } else {
            SocketAddr::from((random.u32(..).to_be_bytes(), random.u16(..)))
        };
        let now = world.now;
        world.nodes[0]
            .endpoint
            .handle(now, path.local, from, &contents);
    }
    world.look(0);
    world.run(Duration::from_secs(5));
    assert_eq!(world.converse(5), [5, 5]);
    assert!(world.status(0).drops.not_authentic > 1000);
}

#[test]
fn a_peer_without_what_it_needs_is_refused_and_never_left_without_protection() {
    let mut endpoint = Endpoint::new(Settings {
        mtu: 10,
        ..Settings::default()
    });
    let now = Instant::now();
    let [own, other] = identities();
    let settings = PeerSettings {
        credentials: Credentials::random(),
        controlling: true,
        security: Security::Dtls {
            identity: own,
            fingerprint: other.fingerprint(Digest::Sha1),
            client: true,
        },
        stun: Vec::new(),
        turn: Vec::new(),
        relay_only: false,
    };
    assert_eq!(
        endpoint.add_peer(now, settings.clone()),
        Err(PeerRefused::NoDtls)
    );
    let plain = PeerSettings {
        security: Security::None,
        ..settings
    };
    assert!(endpoint.add_peer(now, plain.clone()).is_ok());
    assert_eq!(
        endpoint.add_peer(now, plain.clone()),
        Err(PeerRefused::SameCredentials)
    );
    let unusable = PeerSettings {
        credentials: Credentials {
            user: "a:b".to_owned(),
            password: "c".to_owned(),
        },
        ..plain.clone()
    };
    assert_eq!(
        endpoint.add_peer(now, unusable),
        Err(PeerRefused::UnusableCredentials)
    );
    let many = PeerSettings {
        credentials: Credentials::random(),
        stun: vec!["stun".to_owned(); 9],
        ..plain
    };
    assert_eq!(
        endpoint.add_peer(now, many),
        Err(PeerRefused::TooManyServers)
    );
}

#[test]
fn user_names_are_no_longer_than_checks_can_carry() {
    let start = Instant::now();
    let mut endpoint = Endpoint::new(Settings::default());
    endpoint.add_address(start, "192.0.2.1:4000".parse().unwrap(), "eth0");
    let with_user = |user: String| Credentials {
        user,
        password: "p".repeat(LONGEST_CREDENTIAL),
    };
    let settings = PeerSettings {
        credentials: with_user("a".repeat(LONGEST_USER)),
        controlling: true,
        security: Security::None,
        stun: Vec::new(),
        turn: Vec::new(),
        relay_only: false,
    };
    let peer = endpoint.add_peer(start, settings).unwrap();
    let address = "192.0.2.2:4000".parse().unwrap();
    let candidate = Candidate {
        kind: CandidateKind::Host,
        address,
        base: None,
        priority: 1,
        foundation: "1".to_owned(),
        interface: String::new(),
    };
    let mut now = start;
    for (length, is_taken) in [
        (256, false),
        (LONGEST_USER + 1, false),
        (LONGEST_USER, true),
    ] {
        let credentials = with_user("b".repeat(length));
        endpoint.add_remote(now, peer, &credentials, [candidate.clone()]);
        let end = now + Duration::from_secs(1);
        while let Some(due) = endpoint.poll_timeout().filter(|due| *due <= end) {
            now = due.max(now);
            endpoint.handle_timeout(now);
        }
        let sent = std::iter::from_fn(|| endpoint.poll_transmit());
        assert_eq!(
            sent.filter(|sent| sent.to == address).count() > 0,
            is_taken,
            "{length}"
        );
    }
    assert_eq!(endpoint.status(now, peer).unwrap().drops.candidates, 2);
}

#[test]
fn candidates_of_harm_are_refused_and_counted() {
    let mut world = World::new(1, Plan::default());
    world.run(Duration::from_secs(1));
    let now = world.now;
    let peer = world.nodes[0].peer;
    let hostile: Vec<_> = (0..5000_u32)
        .map(|number| Candidate {
            kind: CandidateKind::Host,
            address: SocketAddr::from(((number + 0x0A00_0000).to_be_bytes(), 1000)),
            base: None,
            priority: u32::MAX - number,
            foundation: "1".to_owned(),
            interface: String::new(),
        })
        .collect();
    let mut worse: Vec<_> = [
        "127.0.0.1:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "192.0.2.9:0",
        "0.0.0.0:5",
    ]
    .map(|address| Candidate {
        address: address.parse().unwrap(),
        ..hostile[0].clone()
    })
    .into();
    worse.push(Candidate {
        address: "192.0.2.200:9".parse().unwrap(),
        foundation: "x".repeat(1000),
        ..hostile[0].clone()
    });
    let count = hostile.len() + worse.len();
    let credentials = world.nodes[1].credentials.clone();
    let endpoint = &mut world.nodes[0].endpoint;
    endpoint.add_remote(now, peer, &credentials, worse.into_iter().chain(hostile));
    assert!(endpoint.status(now, peer).unwrap().drops.candidates >= count as u64 - 32);
    let sent = world.sent;
    world.run(Duration::from_secs(30));
    // The pace of checks does not depend on who names how many.
    assert!(world.sent - sent < 4000, "{}", world.sent - sent);
}
