//! Two loops with real sockets, on one machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kozo_ice::{
    Credentials, Digest, Driver, Event, Identity, PathKind, PeerId, PeerSettings, Security,
    Settings, State,
};

/// How long anything may take on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(60);

struct Side {
    driver: Driver,
    peer: PeerId,
    credentials: Credentials,
    events: Vec<Event>,
}

impl Side {
    fn new(controlling: bool, security: Security) -> Self {
        let mut driver = Driver::new(Settings {
            loopback: true,
            ..Settings::default()
        })
        .unwrap();
        let credentials = Credentials::random();
        let settings = PeerSettings {
            credentials: credentials.clone(),
            controlling,
            security,
            stun: Vec::new(),
            turn: Vec::new(),
            relay_only: false,
        };
        let peer = driver.add_peer(settings).unwrap();
        Self {
            driver,
            peer,
            credentials,
            events: Vec::new(),
        }
    }

    fn run(&mut self) {
        let soon = Instant::now() + Duration::from_millis(5);
        self.driver.wait(&[], Some(soon)).unwrap();
        while let Some(event) = self.driver.next_event() {
            self.events.push(event);
        }
    }
}

/// Lets both go on until the condition holds.
fn until(sides: &mut [Side; 2], what: &str, condition: impl Fn(&[Side; 2]) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition(sides) {
        sides.iter_mut().for_each(Side::run);
        assert!(
            Instant::now() < deadline,
            "{what}: {:?}",
            sides.each_ref().map(|side| side.driver.status(side.peer))
        );
    }
}

fn introduce(sides: &mut [Side; 2]) {
    until(sides, "candidates", |sides| {
        sides
            .iter()
            .all(|side| side.events.contains(&Event::Gathered { peer: side.peer }))
    });
    for side in 0..2 {
        let other = &sides[1 - side];
        let candidates = other.driver.candidates(other.peer);
        let credentials = other.credentials.clone();
        let peer = sides[side].peer;
        sides[side]
            .driver
            .add_remote(peer, &credentials, candidates);
    }
}

fn is_online(side: &Side) -> bool {
    side.driver
        .status(side.peer)
        .is_some_and(|status| status.state == State::Online)
}

fn data(side: &Side) -> Vec<&[u8]> {
    side.events
        .iter()
        .filter_map(|event| match event {
            Event::Datagram { contents, .. } => Some(&contents[..]),
            _ => None,
        })
        .collect()
}

fn secured() -> [Side; 2] {
    let identities = ["a", "b"].map(|name| Arc::new(Identity::generate(name).unwrap()));
    std::array::from_fn(|side| {
        let security = Security::Dtls {
            identity: identities[side].clone(),
            fingerprint: identities[1 - side].fingerprint(Digest::Sha1),
            client: side == 0,
        };
        Side::new(side == 1, security)
    })
}

fn converse(sides: &mut [Side; 2]) {
    until(sides, "online", |sides| sides.iter().all(is_online));
    // Lengths that the system takes together, and such that end a batch.
    let lengths: Vec<usize> = (0..200)
        .map(|number| 1200 - 7 * (number / 50) * (number % 5))
        .collect();
    for side in &mut *sides {
        for (number, length) in lengths.iter().enumerate() {
            let mut contents = vec![u8::try_from(number).unwrap(); *length];
            contents[0] = 100;
            side.driver.send(side.peer, &contents).unwrap();
        }
    }
    until(sides, "all datagrams", |sides| {
        sides.iter().all(|side| data(side).len() >= lengths.len())
    });
    for side in sides {
        let received: Vec<_> = data(side)
            .iter()
            .map(|contents| (contents.len(), usize::from(contents[1])))
            .collect();
        let sent: Vec<_> = lengths
            .iter()
            .enumerate()
            .map(|(number, length)| (*length, number))
            .collect();
        assert_eq!(received, sent);
        let status = side.driver.status(side.peer).unwrap();
        assert_eq!(status.path.unwrap().kind(), PathKind::Direct);
        assert!(status.reasons.is_empty(), "{:?}", status.reasons);
        assert!(status.pairs[0].selected && status.pairs[0].received.bytes > 100_000);
    }
}

#[test]
fn two_loops_find_each_other_and_converse_with_dtls() {
    let mut sides = secured();
    introduce(&mut sides);
    converse(&mut sides);
    // One says farewell.
    let peer = sides[0].peer;
    sides[0].driver.remove_peer(peer);
    until(&mut sides, "farewell", |sides| {
        sides[1]
            .events
            .iter()
            .any(|event| matches!(event, Event::Offline { .. }))
    });
}

#[test]
fn datagrams_pass_as_they_are_without_dtls() {
    let mut sides = [true, false].map(|controlling| Side::new(controlling, Security::None));
    introduce(&mut sides);
    converse(&mut sides);
}

#[test]
fn a_wait_ends_when_it_is_woken_when_time_is_up_and_when_others_have_something_to_read() {
    let mut driver = Driver::new(Settings::default()).unwrap();
    let waker = driver.waker();
    let thread = std::thread::spawn(move || waker.wake());
    let ready = driver.wait(&[], Some(Instant::now() + DEADLINE)).unwrap();
    assert!(ready.woken);
    thread.join().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let others = [std::os::fd::AsFd::as_fd(&reader)];
    let soon = Instant::now() + Duration::from_millis(1);
    let ready = driver.wait(&others, Some(soon)).unwrap();
    assert_eq!((ready.others, ready.woken), (vec![false], false));
    std::io::Write::write_all(&mut &writer, b"x").unwrap();
    let ready = driver.wait(&others, None).unwrap();
    assert_eq!(ready.others, [true]);
}
