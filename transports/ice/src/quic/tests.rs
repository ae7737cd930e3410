//! Two ends in one thread, with a way between them that loses, repeats and reorders, on a simulated clock.

use std::collections::VecDeque;

use super::*;

type Tested = Result<(), Error>;

/// Signs with a key that everybody has, so that what is signed decides.
struct Everybody(&'static str);

impl Notary for Everybody {
    fn node(&self) -> &str {
        self.0
    }

    fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        Ok([self.0.as_bytes(), data].concat())
    }

    fn verify(&self, node: &str, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        match signature == [node.as_bytes(), data].concat() {
            true => Ok(()),
            false => Err("another's signature".into()),
        }
    }
}

struct Pair {
    ends: [Quic<Everybody>; 2],
    /// On their way to each of the ends.
    under_way: [VecDeque<Vec<u8>>; 2],
    now: Instant,
    random: fastrand::Rng,
    /// Of a hundred datagrams, how many are lost, and how many come twice or late.
    faults: u32,
    happenings: [Vec<Happening>; 2],
}

impl Pair {
    fn new(names: [&'static str; 2], expected: [&str; 2], faults: u32) -> Result<Self, Error> {
        let quic = |name, peer: &str| Quic::new(Everybody(name), vec![peer.to_owned()]);
        Ok(Self {
            ends: [quic(names[0], expected[1])?, quic(names[1], expected[0])?],
            under_way: Default::default(),
            now: Instant::now(),
            random: fastrand::Rng::with_seed(7),
            faults,
            happenings: Default::default(),
        })
    }

    /// Lets some time pass, in which everything that is under way arrives, or does not.
    fn step(&mut self) {
        self.now += Duration::from_millis(5);
        for end in 0..2 {
            self.ends[end].handle_timeout(self.now);
            for datagram in self.ends[end].datagrams() {
                let queue = &mut self.under_way[1 - end];
                match self.random.u32(0..100) {
                    fate if fate < self.faults => {}
                    fate if fate < 2 * self.faults => {
                        queue.push_back(datagram.contents.clone());
                        queue.push_back(datagram.contents);
                    }
                    fate if fate < 3 * self.faults => queue.push_front(datagram.contents),
                    _ => queue.push_back(datagram.contents),
                }
            }
        }
        for end in 0..2 {
            while let Some(datagram) = self.under_way[end].pop_front() {
                self.ends[end].received(0, datagram, self.now);
            }
            let happenings = self.ends[end].happenings();
            self.happenings[end].extend(happenings);
        }
    }

    /// Steps until there is something.
    fn until<T>(&mut self, mut condition: impl FnMut(&mut Self) -> Option<T>) -> Option<T> {
        for _ in 0..20_000 {
            if let Some(found) = condition(self) {
                return Some(found);
            }
            self.step();
        }
        None
    }

    fn opened(&self, end: usize) -> Option<Handle> {
        self.happenings[end]
            .iter()
            .find_map(|happening| match happening {
                Happening::Open { handle, .. } => Some(*handle),
                _ => None,
            })
    }

    fn ended(&self, end: usize) -> Option<String> {
        self.happenings[end]
            .iter()
            .find_map(|happening| match happening {
                Happening::Ended { why, .. } => Some(why.clone()),
                _ => None,
            })
    }
}

const NAMES: [&str; 2] = ["cabin", "barn"];

#[test]
fn streams_arrive_whole_in_both_directions_over_bad_ways() -> Tested {
    for faults in [0, 10] {
        let mut pair = Pair::new(NAMES, NAMES, faults)?;
        pair.ends[0].connect(0, DialId(1), pair.now)?;
        let handles = pair.until(|pair| Some([pair.opened(0)?, pair.opened(1)?]));
        let handles = handles.ok_or("no connection")?;
        let sent: Vec<u8> = (0..200_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let mut written = [0, 0];
        let mut read = [Vec::new(), Vec::new()];
        let done = pair.until(|pair| {
            let mut ended = 0;
            for end in 0..2 {
                let (quic, handle, now) = (&mut pair.ends[end], handles[end], pair.now);
                if written[end] < sent.len() {
                    written[end] += quic.write(handle, &sent[written[end]..]);
                    if written[end] == sent.len() {
                        quic.finish(handle);
                    }
                }
                loop {
                    match quic.read(handle, now) {
                        Read::Some(bytes) => read[end].extend_from_slice(&bytes),
                        Read::Nothing => break,
                        Read::End => {
                            ended += usize::from(quic.is_finished(handle));
                            break;
                        }
                    }
                }
                quic.flush(handle, now);
            }
            (ended == 2).then_some(())
        });
        assert!(
            done.is_some(),
            "{written:?} {:?}",
            read.each_ref().map(Vec::len)
        );
        assert!(read.iter().all(|read| *read == sent));
        pair.ends[0].close(handles[0], "it is done", pair.now);
        pair.until(|pair| pair.ended(1))
            .ok_or("the other end is not told")?;
        // What has ended is forgotten.
        let forgotten = |pair: &mut Pair| {
            pair.ends
                .iter()
                .all(|quic| quic.links.is_empty())
                .then_some(())
        };
        pair.until(forgotten).ok_or("it is not forgotten")?;
    }
    Ok(())
}

#[test]
fn who_is_not_who_is_expected_there_gets_no_connection() -> Tested {
    // Of the dialler, the listener expects another name; and the other way round.
    for expected in [["shed", "barn"], ["cabin", "shed"]] {
        let mut pair = Pair::new(NAMES, expected, 0)?;
        pair.ends[0].connect(0, DialId(1), pair.now)?;
        let ends = pair
            .until(|pair| Some([pair.ended(0)?, pair.ended(1)?]))
            .ok_or("it goes on")?;
        let said = ends
            .iter()
            .any(|why| why.contains("but `shed` is expected there"));
        assert!(said, "{ends:?}");
        assert!(pair.opened(0).is_none());
    }
    Ok(())
}

#[test]
fn datagrams_that_are_no_quic_and_silence_are_harmless() -> Tested {
    let mut pair = Pair::new(NAMES, NAMES, 0)?;
    for _ in 0..10_000 {
        let length = pair.random.usize(0..1500);
        let datagram = std::iter::repeat_with(|| pair.random.u8(..))
            .take(length)
            .collect();
        pair.ends[1].received(0, datagram, pair.now);
    }
    assert!(pair.ends[1].links.len() <= MAX_CONNECTIONS);
    pair.ends[1].datagrams();
    pair.ends[0].connect(0, DialId(1), pair.now)?;
    for _ in 0..3000 {
        pair.step();
        pair.under_way.iter_mut().for_each(VecDeque::clear);
        if pair.ended(0).is_some() {
            break;
        }
    }
    // Nothing got there, since all was taken away before it arrived.
    Ok(())
}

#[test]
fn connections_with_one_node_are_bounded() -> Tested {
    let mut pair = Pair::new(NAMES, NAMES, 0)?;
    for number in 0..MAX_CONNECTIONS {
        pair.ends[0].connect(0, DialId(number as u64), pair.now)?;
    }
    assert!(pair.ends[0].connect(0, DialId(99), pair.now).is_err());
    let all = |pair: &mut Pair| {
        let open = |happening: &&Happening| matches!(happening, Happening::Open { .. });
        (pair.happenings[1].iter().filter(open).count() == MAX_CONNECTIONS).then_some(())
    };
    pair.until(all).ok_or("not all are open")?;
    Ok(())
}
