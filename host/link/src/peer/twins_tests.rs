use kozo_wire::{FrameDecoder, FrameError, FrameWriter};

use super::*;
use crate::peer::small::small_peer;
use crate::{Action, AttemptId, Candidate, LinkEnding, LinkOutput, LinkPath, Occurrence};

const STEP: Duration = Duration::from_millis(50);

/// A node, and daemons that run as another one and dial it. What one writes, the other reads in the
/// same step.
struct TwinWorld {
    now: Moment,
    node: Peer,
    daemons: Vec<Option<Peer>>,
    connections: Vec<TwinConnection>,
    /// What the node, and each daemon, told of.
    told: Vec<(Option<usize>, Notice)>,
}

struct TwinConnection {
    daemon: usize,
    /// The node's key, and the daemon's.
    keys: (LinkKey, LinkKey),
    decoders: (FrameDecoder, FrameDecoder),
}

fn peer(own: &str, other: &str, session: u64, now: Moment) -> Peer {
    small_peer(own, other, session, Duration::from_secs(1), now)
}

impl TwinWorld {
    fn new() -> Self {
        let now = Moment::ZERO + Duration::from_secs(1000);
        Self {
            now,
            node: peer("scribe", "clock", 1, now),
            daemons: Vec::new(),
            connections: Vec::new(),
            told: Vec::new(),
        }
    }

    /// One more daemon starts.
    fn start(&mut self) -> usize {
        let session = 100 + self.daemons.len() as u64;
        let mut daemon = peer("clock", "scribe", session, self.now);
        daemon.set_candidates(vec![Candidate {
            own: 0,
            peer: 0,
            rank: 8,
        }]);
        self.daemons.push(Some(daemon));
        self.daemons.len() - 1
    }

    /// A daemon is killed; its connections end.
    fn kill(&mut self, daemon: usize) {
        self.daemons[daemon] = None;
        let (ended, stay) = std::mem::take(&mut self.connections)
            .into_iter()
            .partition(|connection: &TwinConnection| connection.daemon == daemon);
        self.connections = stay;
        let ended: Vec<TwinConnection> = ended;
        for connection in ended {
            self.node
                .closed(connection.keys.0, LinkEnding::Fault, "reset", self.now);
        }
    }

    fn dial(&mut self, daemon: usize, attempt: AttemptId) {
        let path = |address: String| LinkPath {
            transport: "tcp".into(),
            address,
        };
        let dialled = self.daemons[daemon]
            .as_mut()
            .and_then(|peer| peer.linked(attempt, path("scribe".into()), self.now));
        let from = path(format!("machine {daemon}"));
        if let Some(dialled) = dialled
            && let Some(accepted) = self.node.accepted(from, self.now)
        {
            self.connections.push(TwinConnection {
                daemon,
                keys: (accepted, dialled),
                decoders: Default::default(),
            });
        }
    }

    /// Moves what both ends of each connection have to say, until they say nothing more.
    fn talk(&mut self) {
        let now = self.now;
        self.connections.retain_mut(|connection| {
            let Some(daemon) = self.daemons[connection.daemon].as_mut() else {
                return false;
            };
            let (of_node, of_daemon) = connection.keys;
            let (read_by_node, read_by_daemon) = &mut connection.decoders;
            loop {
                let one = say(
                    &mut self.node,
                    of_node,
                    daemon,
                    of_daemon,
                    read_by_daemon,
                    now,
                );
                let other = say(
                    daemon,
                    of_daemon,
                    &mut self.node,
                    of_node,
                    read_by_node,
                    now,
                );
                match (one, other) {
                    (Some(true), Some(true)) => {}
                    (Some(_), Some(_)) => return true,
                    _ => {
                        self.node.closed(of_node, LinkEnding::Fault, "closed", now);
                        daemon.closed(of_daemon, LinkEnding::Fault, "closed", now);
                        return false;
                    }
                }
            }
        });
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.now + STEP;
            self.act(None);
            for daemon in 0..self.daemons.len() {
                self.act(Some(daemon));
            }
            self.talk();
        }
    }

    fn act(&mut self, who: Option<usize>) {
        loop {
            let peer = match who {
                None => Some(&mut self.node),
                Some(daemon) => self.daemons[daemon].as_mut(),
            };
            let Some(peer) = peer else { return };
            peer.tick(self.now);
            match (peer.next_action(), who) {
                (None, _) => return,
                (Some(Action::Dial(attempt, _)), Some(daemon)) => self.dial(daemon, attempt),
                (Some(Action::Notice(notice)), _) => self.told.push((who, notice)),
                // The connection ends with the next word over it.
                (Some(_), _) => {}
            }
        }
    }

    /// What was told of twins: by whom, and their places.
    fn twins(&self) -> Vec<(Option<usize>, &[String; 2])> {
        let twins = self.told.iter().filter_map(|(who, notice)| match notice {
            Notice::Twins(twins) => Some((*who, &twins.places)),
            _ => None,
        });
        twins.collect()
    }

    /// How many links the node saw come up.
    fn ups(&self) -> usize {
        let up = |(who, notice): &&(Option<usize>, Notice)| {
            who.is_none() && matches!(notice, Notice::Link(Occurrence::Up { .. }))
        };
        self.told.iter().filter(up).count()
    }

    /// Which machine the node's link is with.
    fn linked(&self) -> Option<String> {
        let links = self.node.status(self.now).links;
        links.first().map(|link| link.address.clone())
    }
}

/// One end writes, the other reads. Whether anything was said; none when the connection is over.
fn say(
    from: &mut Peer,
    of_from: LinkKey,
    to: &mut Peer,
    of_to: LinkKey,
    decoder: &mut FrameDecoder,
    now: Moment,
) -> Option<bool> {
    let mut writer = FrameWriter::default();
    let output = from.output(of_from, &mut writer, now);
    let bytes = writer.take();
    let mut frames = Vec::new();
    decoder
        .decode(&bytes, |frame| {
            frames.push(frame);
            Ok::<(), FrameError>(())
        })
        .unwrap();
    if !bytes.is_empty() {
        to.heard(of_to, decoder.pending(), now);
    }
    for frame in frames {
        to.received(of_to, frame, now).unwrap();
    }
    (output != LinkOutput::Last).then_some(!bytes.is_empty())
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_daemons_that_run_as_one_node_are_told_of_once_and_the_link_stays_with_one() {
    let mut world = TwinWorld::new();
    world.start();
    world.run(SECOND * 5);
    world.start();
    world.run(SECOND * 300);
    assert_eq!(world.linked().as_deref(), Some("machine 1"));
    assert_eq!(world.ups(), 2);
    let places = ["machine 1".to_owned(), "machine 0".to_owned()];
    let mut twins = world.twins();
    twins.sort();
    assert_eq!(
        twins,
        [(None, &places), (Some(0), &places), (Some(1), &places)]
    );
    assert_eq!(world.node.twins(world.now).unwrap().node.as_str(), "clock");
    for daemon in world.daemons.iter().flatten() {
        assert_eq!(daemon.twins(world.now).unwrap().node.as_str(), "clock");
    }
}

#[test]
fn the_daemon_that_was_sent_away_takes_over_when_the_other_one_is_gone() {
    let mut world = TwinWorld::new();
    world.start();
    world.run(SECOND * 5);
    world.start();
    world.run(SECOND * 30);
    world.kill(1);
    world.run(SENT_AWAY + SECOND * 2);
    assert_eq!(world.linked().as_deref(), Some("machine 0"));
    // It is told of for a while, and then no more.
    assert!(world.node.twins(world.now).is_some());
    world.run(REMEMBERED);
    assert_eq!(world.node.twins(world.now), None);
    assert_eq!(world.twins().len(), 3);
    assert_eq!(world.linked().as_deref(), Some("machine 0"));
}

#[test]
fn a_daemon_that_is_restarted_again_and_again_is_linked_at_once_and_not_mistaken_for_two() {
    let mut world = TwinWorld::new();
    for life in 0..40 {
        let daemon = world.start();
        world.run(SECOND);
        let machine = format!("machine {daemon}");
        assert_eq!(world.linked(), Some(machine), "life {life}");
        world.run(SECOND * (life % 7));
        // Its connections end, or nobody hears of their end.
        match life % 2 {
            0 => world.kill(daemon),
            _ => world.daemons[daemon] = None,
        }
    }
    assert_eq!(world.twins(), []);
}

#[test]
fn what_a_daemon_said_before_it_was_restarted_and_comes_late_proves_nothing() {
    let mut world = TwinWorld::new();
    world.start();
    world.run(SECOND * 5);
    // It dials once more over a slow path, dies, and its successor is faster.
    let late = world.daemons[0].take().unwrap();
    world.kill(0);
    world.start();
    world.run(SECOND);
    assert_eq!(world.linked().as_deref(), Some("machine 1"));
    world.daemons[0] = Some(late);
    world.run(SECOND);
    world.kill(0);
    world.run(SECOND * 60);
    assert_eq!(world.twins(), []);
    assert_eq!(world.linked().as_deref(), Some("machine 1"));
    assert_eq!(world.ups(), 2);
}
