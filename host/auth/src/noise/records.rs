//! Bytes to records and back: two bytes of length, then so many of a Noise message.

use std::sync::{Arc, RwLock};

use kozo_ground::lock::ReadWriteAnyway;
use snow::StatelessTransportState;

use super::agreement::{Agreement, MIN_RECORD};
use crate::secured::Refused;

/// The length in front of a record, in bytes.
pub(crate) const LENGTH_LEN: usize = 2;

/// What sealing adds to a record, in bytes.
const SEAL_LEN: usize = 16;

/// After so many records a direction has a new key, made of the old one, which is forgotten: what was sent before stays
/// secret when somebody learns the present one. It costs less than the records do, also with short ones.
const RECORDS_PER_KEY: u64 = 1 << 10;

/// The keys of both directions. They are changed so seldom that both directions share them.
type Keys = Arc<RwLock<StatelessTransportState>>;

/// Bytes that are put together one after the other, in room that is kept: what it held before is overwritten, and
/// need not be cleared.
#[derive(Default)]
pub(crate) struct Scratch {
    room: Vec<u8>,
    used: usize,
}

impl Scratch {
    /// What was put together.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room[..self.used]
    }

    /// How much room there is, in bytes.
    pub(crate) fn room(&self) -> usize {
        self.room.len()
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// Room for so many bytes more, with anything in it; [`Self::add`] says how many of them were used.
    fn space(&mut self, count: usize) -> &mut [u8] {
        let end = self.used + count;
        if self.room.len() < end {
            self.room.resize(end, 0);
        }
        &mut self.room[self.used..end]
    }

    fn add(&mut self, count: usize) {
        self.used += count;
    }
}

/// Both halves of what two ends have agreed on; this end takes records of at most `longest` bytes.
pub(crate) fn records(agreement: Agreement, longest: usize) -> (Sealer, Opener) {
    let keys = Arc::new(RwLock::new(agreement.keys));
    let sealer = Sealer {
        keys: keys.clone(),
        count: 0,
        longest: agreement.longest,
    };
    let opener = Opener {
        keys,
        count: 0,
        longest: longest.max(MIN_RECORD),
    };
    (sealer, opener)
}

/// Makes records.
pub(crate) struct Sealer {
    keys: Keys,
    count: u64,
    longest: usize,
}

impl Sealer {
    /// Adds `bytes` to `out`, as many records as it takes.
    ///
    /// # Errors
    /// When there are no more numbers for records, which a link does not live to see.
    pub(crate) fn seal(&mut self, bytes: &[u8], out: &mut Scratch) -> Result<(), snow::Error> {
        for piece in bytes.chunks(self.longest - SEAL_LEN) {
            self.record(piece, out)?;
        }
        Ok(())
    }

    /// Adds the record that says that nothing more comes.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub(crate) fn seal_end(&mut self, out: &mut Scratch) -> Result<(), snow::Error> {
        self.record(&[], out)
    }

    fn record(&mut self, piece: &[u8], out: &mut Scratch) -> Result<(), snow::Error> {
        let length = piece.len() + SEAL_LEN;
        let record = out.space(LENGTH_LEN + length);
        // Not longer than 65535, as every record.
        record[..LENGTH_LEN].copy_from_slice(&(length as u16).to_be_bytes());
        let sealed = &mut record[LENGTH_LEN..];
        let keys = self.keys.read_anyway();
        keys.write_message(self.count, piece, sealed)?;
        drop(keys);
        out.add(LENGTH_LEN + length);
        self.count += 1;
        if self.count.is_multiple_of(RECORDS_PER_KEY) {
            self.keys.write_anyway().rekey_outgoing();
        }
        Ok(())
    }
}

/// Takes records apart.
pub(crate) struct Opener {
    keys: Keys,
    count: u64,
    longest: usize,
}

/// What [`Opener::open`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// So many bytes are done with.
    pub(crate) taken: usize,
    /// There is something to do as soon as so many are there, without these.
    pub(crate) enough: usize,
    /// The other end has said that nothing more comes.
    pub(crate) ended: bool,
}

impl Opener {
    /// Adds what is in all whole records of `bytes` to `out`.
    ///
    /// # Errors
    /// [`Refused`] for a record that is longer than this end takes, or that is not the other end's next one.
    pub(crate) fn open(&mut self, bytes: &[u8], out: &mut Scratch) -> Result<Opened, Refused> {
        let mut taken = 0;
        let opened = |taken, enough, ended| {
            Ok(Opened {
                taken,
                enough,
                ended,
            })
        };
        loop {
            let rest = &bytes[taken..];
            let Some((length, rest)) = rest.split_first_chunk::<LENGTH_LEN>() else {
                return opened(taken, LENGTH_LEN, false);
            };
            let length = usize::from(u16::from_be_bytes(*length));
            if length < SEAL_LEN || length > self.longest {
                return Err(Refused::new(format!(
                    "a record of {length} bytes, where {SEAL_LEN} to {} are allowed",
                    self.longest
                )));
            }
            let Some(sealed) = rest.get(..length) else {
                return opened(taken, LENGTH_LEN + length, false);
            };
            let keys = self.keys.read_anyway();
            // Ring opens it in place: so there has to be room for its seal as well.
            let read = keys.read_message(self.count, sealed, out.space(length));
            drop(keys);
            let read = read.map_err(|_| Refused::new("a record that is not the next one"))?;
            out.add(read);
            taken += LENGTH_LEN + length;
            if read == 0 {
                return opened(taken, LENGTH_LEN, true);
            }
            self.count += 1;
            if self.count.is_multiple_of(RECORDS_PER_KEY) {
                self.keys.write_anyway().rekey_incoming();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::agreement::{Cipher, Offer, answer};
    use super::*;

    const LONGEST: usize = 2000;

    fn ends() -> [(Sealer, Opener); 2] {
        let offer = Offer::new(Cipher::Aes256Gcm, LONGEST).unwrap();
        let (answer, far) = answer(offer.text(), LONGEST, &Cipher::ALL).unwrap();
        let near = offer.conclude(&answer).unwrap();
        [near, far].map(|agreement| records(agreement, LONGEST))
    }

    fn sealed(sealer: &mut Sealer, bytes: &[u8]) -> Vec<u8> {
        let mut out = Scratch::default();
        sealer.seal(bytes, &mut out).unwrap();
        out.bytes().to_vec()
    }

    #[test]
    fn what_is_sealed_comes_out_again_however_it_is_cut() {
        let [(mut sealer, _), (_, mut opener)] = ends();
        let bytes: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
        let stream = [sealed(&mut sealer, &bytes), sealed(&mut sealer, b"end")].concat();
        let (mut out, mut waiting, mut enough) = (Scratch::default(), Vec::new(), LENGTH_LEN);
        for piece in stream.chunks(777) {
            waiting.extend_from_slice(piece);
            if waiting.len() >= enough {
                let opened = opener.open(&waiting, &mut out).unwrap();
                waiting.drain(..opened.taken);
                enough = opened.enough;
                assert!(waiting.len() < enough && enough <= LENGTH_LEN + LONGEST);
            }
        }
        assert!(waiting.is_empty());
        assert_eq!(out.bytes(), [&bytes[..], b"end"].concat());
    }

    #[test]
    fn what_was_changed_left_out_said_again_or_exchanged_is_refused() {
        let refused = |change: &dyn Fn([Vec<u8>; 3]) -> Vec<u8>| {
            let [(mut sealer, mut own), (_, mut opener)] = ends();
            let records = [b"one", b"two", b"six"].map(|text| sealed(&mut sealer, text));
            let stream = change(records.clone());
            let mut out = Scratch::default();
            // What this end has sealed itself is nothing that the other one says.
            assert!(own.open(&records[0], &mut Scratch::default()).is_err());
            (
                opener.open(&stream, &mut out).is_err(),
                out.bytes().to_vec(),
            )
        };
        let (is_refused, out) = refused(&|all| all.concat());
        assert!(!is_refused && out == b"onetwosix");
        assert!(refused(&|[one, _, six]| [one, six].concat()).0);
        assert!(refused(&|[one, two, _]| [one.clone(), one, two].concat()).0);
        assert!(refused(&|[one, two, six]| [two, one, six].concat()).0);
        let changed = |place: usize| {
            move |[mut one, two, _]: [Vec<u8>; 3]| {
                one[place] ^= 1;
                [one, two].concat()
            }
        };
        for place in LENGTH_LEN..LENGTH_LEN + 3 + SEAL_LEN {
            assert!(refused(&changed(place)).0, "{place}");
        }
    }

    #[test]
    fn a_record_has_a_longest_and_a_shortest_length() {
        for length in [0, SEAL_LEN - 1, LONGEST + 1, 65535] {
            let [(_, mut opener), _] = ends();
            let announced = (length as u16).to_be_bytes();
            let refused = opener
                .open(&announced, &mut Scratch::default())
                .unwrap_err();
            assert!(refused.to_string().contains(&length.to_string()));
        }
    }

    #[test]
    fn keys_change_at_the_same_record_at_both_ends() {
        let [(mut near, mut near_opener), (mut far, mut far_opener)] = ends();
        near.count = RECORDS_PER_KEY - 2;
        far_opener.count = near.count;
        let before = sealed(&mut near, b"x");
        let mut out = Scratch::default();
        far_opener.open(&before, &mut out).unwrap();
        for _ in 0..4 {
            let there = sealed(&mut near, b"y");
            far_opener.open(&there, &mut out).unwrap();
            // The other direction keeps its own.
            let back = sealed(&mut far, b"z");
            near_opener.open(&back, &mut out).unwrap();
        }
        assert_eq!(out.bytes(), b"xyzyzyzyz");
        // With the keys of before, it would not have been readable.
        let [(mut one, _), (_, mut two)] = ends();
        one.count = RECORDS_PER_KEY - 1;
        two.count = RECORDS_PER_KEY;
        let last = sealed(&mut one, b"x");
        assert!(two.open(&last, &mut out).is_err());
        let next = sealed(&mut one, b"y");
        assert!(
            two.open(&next, &mut out).is_err(),
            "two has not changed keys"
        );
    }
}
