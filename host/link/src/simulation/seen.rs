//! What people see of links, and what a changed network does to them.

use kozo_status::{EventKind, PeerState, PeerStatus};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn status(world: &World) -> PeerStatus {
    world.nodes[0].peers[&1].status(world.now)
}

fn state(world: &World) -> PeerState {
    status(world).state
}

fn recheck(world: &mut World, node: usize) {
    let now = world.now;
    for peer in world.nodes[node].peers.values_mut() {
        peer.recheck(now);
    }
    world.drive(node);
}

/// Makes every connection there is a dead one of which no end is told.
fn swallow_everything(world: &mut World) {
    for connection in &mut world.connections {
        connection.cut = true;
    }
}

/// The ends of links of node 0: whether each was in order.
fn ends(world: &World) -> Vec<bool> {
    let ends = world.notices.iter().filter_map(|notice| match notice {
        (0, _, Notice::Link(Occurrence::Down { orderly, .. })) => Some(*orderly),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_changed_network_ends_the_wait_for_the_next_try() {
    let mut world = World::new(1, 2);
    world.policies = vec![
        (ConnectPolicy::Constant, ConnectPolicy::Never),
        (ConnectPolicy::Never, ConnectPolicy::Constant),
    ];
    world.block(0, 1, 0);
    world.start_all();
    world.run(SECOND * 600);
    while status(&world)
        .next_dial_seconds
        .is_none_or(|wait| wait <= 20.0)
    {
        world.run(SECOND);
    }
    world.unblock();
    recheck(&mut world, 0);
    world.run(SECOND);
    assert_eq!(state(&world), PeerState::Up);
}

#[test]
fn a_dead_link_is_found_out_soon_after_the_network_changed() {
    let dead_after = |recheck_it: bool| {
        let mut world = World::new(2, 2);
        world.start_all();
        world.run(SECOND * 20);
        swallow_everything(&mut world);
        if recheck_it {
            recheck(&mut world, 0);
        }
        let start = world.now;
        while ends(&world).is_empty() {
            world.run(SECOND);
        }
        assert_eq!(ends(&world), [false]);
        world.now.since(start)
    };
    assert!(dead_after(true) <= SECOND * 11);
    assert!(dead_after(false) > SECOND * 15);
}

#[test]
fn a_link_that_stands_survives_the_question_whether_it_does() {
    let mut world = World::new(3, 2);
    world.weather.delay = SECOND * 2;
    world.start_all();
    world.run(SECOND * 60);
    assert_eq!(state(&world), PeerState::Up);
    world.notices.clear();
    for _ in 0..10 {
        recheck(&mut world, 0);
        recheck(&mut world, 1);
        world.run(SECOND * 15);
    }
    assert_eq!(ends(&world), [false; 0]);
}

#[test]
fn a_node_that_stops_ends_its_links_in_order_and_one_that_crashes_does_not() {
    let mut world = World::new(4, 2);
    world.start_all();
    world.run(SECOND * 20);
    let now = world.now;
    world.peer(1, 0).stop(now);
    world.drive(1);
    world.run(SECOND);
    assert_eq!(ends(&world), [true]);

    let mut world = World::new(5, 2);
    world.start_all();
    world.run(SECOND * 20);
    world.crash(1, SECOND * 5);
    world.run(SECOND * 60);
    assert!(ends(&world).contains(&false));
}

#[test]
fn how_it_stands_and_what_crossed_can_be_seen() {
    let mut world = World::new(6, 2);
    world.policies = vec![
        (ConnectPolicy::OnDemand, ConnectPolicy::Never),
        (ConnectPolicy::Never, ConnectPolicy::Constant),
    ];
    world.start_all();
    world.run(SECOND);
    assert_eq!(state(&world), PeerState::OnDemand);
    assert!(!status(&world).wanted);
    let there = &world.nodes[1].peers[&0];
    assert_eq!(there.state(world.now), PeerState::LeftToPeer);
    world.block(0, 1, 0);
    world.send(0);
    world.run(SECOND * 10);
    let history = world.nodes[0].peers[&1].history(world.now);
    let [failed] = history.as_slice() else {
        panic!("{history:?}");
    };
    assert_eq!(failed.what, EventKind::DialFailed);
    assert!(failed.times > 2, "{failed:?}");
    world.unblock();
    world.run(SECOND * 30);
    let status = status(&world);
    assert_eq!(state(&world), PeerState::Up);
    assert_eq!((status.links[0].sent, status.links[0].received), (1, 0));
    assert_eq!(status.links_made, 1);
    world.run(SECOND * 90);
    assert_eq!(state(&world), PeerState::OnDemand);
    world.peer(0, 1).set_candidates(vec![]);
    assert_eq!(state(&world), PeerState::NoWay);
}
