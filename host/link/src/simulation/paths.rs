//! Slow paths, paths that become slow, and nodes that stand still: none of that ends a link.

use super::scenarios::for_each_seed;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What links with security of their own, and those with SSH, make of the same path.
const BOTH: [bool; 2] = [false, true];

fn world(seed: u64, encrypted: bool, heartbeat: Duration) -> World {
    let mut world = World::new(seed, 2);
    world.encrypted = encrypted;
    world.heartbeat = heartbeat;
    world.start_all();
    world.run(SECOND * 5);
    world
}

/// Two links that are made at once may both have been up.
fn forget_the_start(world: &mut World) {
    world.notices.clear();
}

/// Sends so many messages of a kibibyte or so, and lets the path take some of them.
fn fill(world: &mut World, count: usize) {
    world.send_many(0, &[0; 1000], count);
}

#[test]
fn a_path_that_becomes_slow_under_way_keeps_its_link() {
    for_each_seed(3, |seed| {
        for (encrypted, seconds) in [(false, 1), (true, 1), (false, 10), (true, 10)] {
            let mut world = world(seed, encrypted, SECOND * seconds);
            forget_the_start(&mut world);
            // Enough that the path is known to be fast, and its buffers are full.
            for _ in 0..3 {
                fill(&mut world, 600);
                world.run(Duration::from_millis(30));
            }
            world.weather.rate = 16_000.0;
            fill(&mut world, 200);
            world.run(SECOND * 200);
            assert_eq!(world.lost_links(), [""; 0], "encrypted: {encrypted}");
            assert_eq!(world.got(1, 0).len(), 2000, "encrypted: {encrypted}");
        }
    });
}

#[test]
fn what_was_in_flight_on_a_fast_path_is_sent_again_at_a_slow_ones_pace() {
    for_each_seed(3, |seed| {
        for encrypted in BOTH {
            let mut world = world(seed, encrypted, SECOND);
            for _ in 0..3 {
                fill(&mut world, 600);
                world.run(Duration::from_millis(30));
            }
            fill(&mut world, 600);
            let in_flight = world.nodes[0].peers[&1].status(world.now).in_flight.bytes;
            assert!(
                in_flight > 4 * crate::rate::SLOWEST_IN_FLIGHT_BYTES,
                "{in_flight}"
            );
            let first = world.connections.len();
            world.weather.rate = 16_000.0;
            for connection in 0..first {
                world.connections[connection].cut = true;
                for side in 0..2 {
                    world.at(
                        SECOND,
                        Happening::Broken(ConnectionEnd { connection, side }),
                    );
                }
            }
            world.run(SECOND * 10);
            forget_the_start(&mut world);
            for _ in 0..30 {
                world.run(SECOND * 2);
                // A heartbeat does not wait behind more than the least that is in flight.
                let links = world.nodes[0].peers[&1].status(world.now).links;
                let trip = links[0].round_trip_seconds.unwrap();
                assert!(trip < 5.0, "{trip}");
            }
            world.run(SECOND * 250);
            assert_eq!(world.lost_links(), [""; 0], "encrypted: {encrypted}");
            assert_eq!(world.got(1, 0).len(), 2400);
            world.check_order();
        }
    });
}

#[test]
fn a_frequent_heartbeat_needs_no_fast_path() {
    for_each_seed(3, |seed| {
        for encrypted in BOTH {
            let mut world = world(seed, encrypted, SECOND);
            forget_the_start(&mut world);
            world.weather.rate = 12_000.0;
            world.weather.delay = SECOND / 10;
            for _ in 0..120 {
                let count = world.random.usize(0..24);
                fill(&mut world, count);
                world.send(1);
                world.run(SECOND);
            }
            world.run(SECOND * 60);
            assert_eq!(world.lost_links(), [""; 0], "encrypted: {encrypted}");
            let sent = world.nodes[0].next_number;
            assert_eq!(world.got(1, 0).len() as u64, sent);
        }
    });
}

#[test]
fn a_long_message_comes_over_a_slow_path_however_frequent_heartbeats_are() {
    for_each_seed(1, |seed| {
        for (encrypted, length, rate) in [
            (false, 4 << 20, 1e6),
            (true, 10 << 20, 1e6),
            (false, 1 << 20, 12_000.0),
            (true, 1 << 20, 12_000.0),
            (true, 200_000, 1_000.0),
        ] {
            let mut world = world(seed, encrypted, SECOND);
            forget_the_start(&mut world);
            world.weather.rate = rate;
            world.send_with(0, &vec![7; length]);
            world.send(0);
            world.run(Duration::from_secs_f64(length as f64 * 1.2 / rate) + SECOND * 20);
            assert_eq!(world.lost_links(), [""; 0], "{length} at {rate}");
            assert_eq!(world.got(1, 0), [1, 2], "{length} at {rate}");
        }
    });
}

#[test]
fn frames_that_follow_each_other_closely_have_their_time_each() {
    // Each read ends inside of some frame, so there is always one that is incomplete.
    let mut world = world(1, false, SECOND);
    forget_the_start(&mut world);
    world.weather.rate = 200_000.0;
    for _ in 0..60 {
        fill(&mut world, 200);
        world.run(SECOND);
    }
    assert_eq!(world.lost_links(), [""; 0]);
}

#[test]
fn a_doubt_about_a_link_that_is_busy_ends_when_bytes_move() {
    for_each_seed(1, |seed| {
        for encrypted in BOTH {
            let mut world = world(seed, encrypted, SECOND * 60);
            forget_the_start(&mut world);
            world.weather.rate = 20_000.0;
            world.send_with(0, &vec![7; 2 << 20]);
            for _ in 0..4 {
                let now = world.now;
                // What a heartbeat of node 0 waits behind takes more than a minute.
                world.peer(0, 1).recheck(now);
                world.drive(0);
                world.run(SECOND * 15);
            }
            world.run(SECOND * 60);
            assert_eq!(world.lost_links(), [""; 0], "encrypted: {encrypted}");
            assert_eq!(world.got(1, 0), [1]);
        }
    });
}

#[test]
fn nodes_that_stood_still_for_long_keep_their_link() {
    for_each_seed(10, |seed| {
        let mut world = world(seed, true, SECOND * 10);
        forget_the_start(&mut world);
        for _ in 0..5 {
            // The machine that both run on was held up, or suspended.
            let pause = SECOND * 40 + world.chance(SECOND * 100);
            for node in 0..2 {
                world.freeze(node, pause);
            }
            let pause = pause + world.chance(SECOND * 40);
            world.run(pause);
        }
        assert_eq!(world.lost_links(), [""; 0]);
        // And a link that is dead is found out all the same.
        world.connections.iter_mut().for_each(|it| it.cut = true);
        world.run(SECOND * 40);
        assert_eq!(world.lost_links().len(), 2);
    });
}

/// A link of node 0's and the peer at its other end, of which nothing more comes by itself.
fn lone_link(world: &mut World) -> LinkKey {
    world.connections.iter_mut().for_each(|it| it.cut = true);
    world.peer(0, 1).links().next().unwrap()
}

/// For how long the link lasts when this is done every second.
fn lasts(mut each_second: impl FnMut(&mut Peer, LinkKey, u64, Moment)) -> Duration {
    let mut world = world(1, true, SECOND * 10);
    let key = lone_link(&mut world);
    let start = world.now;
    for second in 0..3600 {
        let now = start + SECOND * second;
        let peer = world.peer(0, 1);
        each_second(peer, key, u64::from(second), now);
        peer.tick(now);
        if !peer.links().any(|link| link == key) {
            return now.since(start);
        }
    }
    SECOND * 3600
}

#[test]
fn bytes_that_never_become_anything_keep_no_link_for_ever() {
    let pending = |place, announced| {
        Some(PendingFrame {
            place,
            here: 100,
            announced,
        })
    };
    // Whoever sits on the path sends what encryption cannot make anything of.
    let unproven = lasts(|peer, key, _, now| peer.moved(key, now));
    assert!(unproven < SECOND * 180, "{unproven:?}");
    // The peer sends a frame that never ends.
    let endless = lasts(|peer, key, _, now| peer.heard(key, pending(0, 1000), now));
    assert!(endless < SECOND * 60, "{endless:?}");
    // Many frames that end inside of reads are another matter.
    let many = lasts(|peer, key, place, now| peer.heard(key, pending(place, 1000), now));
    assert_eq!(many, SECOND * 3600);
}
