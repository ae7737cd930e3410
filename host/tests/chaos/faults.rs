//! Random faults between two namespaces, each over when the next one comes.

use std::thread;
use std::time::Duration;

use super::daemon::Daemon;
use super::namespaces::Namespaces;

/// How many faults there are if `KOZO_CHAOS_FAULTS` does not say otherwise.
const DEFAULT_FAULTS: usize = 200;

/// One fault of so many does not wait for a link: it may hit dialling, or a link that has just
/// begun.
const BLIND: u8 = 8;

/// Makes faults, the same ones for the same seed.
pub(crate) struct Faults {
    random: fastrand::Rng,
    /// How many are made.
    pub(crate) count: usize,
    /// How many have begun while there was a link.
    pub(crate) hits: usize,
}

impl Faults {
    /// As many as the environment says.
    pub(crate) fn new() -> Self {
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seed = number("KOZO_SEED").unwrap_or_else(|| fastrand::u64(..));
        eprintln!("KOZO_SEED={seed}");
        let count = number("KOZO_CHAOS_FAULTS").and_then(|count| usize::try_from(count).ok());
        Self {
            random: fastrand::Rng::with_seed(seed),
            count: count.unwrap_or(DEFAULT_FAULTS),
            hits: 0,
        }
    }

    /// One fault, most often to a link that stands, then a while without.
    pub(crate) fn one(
        &mut self,
        namespaces: &Namespaces,
        daemons: &[Daemon; 2],
    ) -> Result<(), String> {
        if self.random.u8(..BLIND) > 0 {
            daemons.iter().for_each(Daemon::wait_until_linked);
        }
        self.hits += usize::from(daemons.iter().all(Daemon::is_linked));
        let end = self.random.usize(..2);
        match self.random.u8(..20) {
            0..10 => namespaces.reset(end)?,
            10..13 => {
                namespaces.set_cable(end, false)?;
                self.pause(20..800);
                namespaces.set_cable(end, true)?;
            }
            13..15 => {
                namespaces.remove_address(end)?;
                self.pause(20..500);
                namespaces.add_address(end)?;
            }
            // Longer than a peer may be silent, now and then.
            15..16 => {
                namespaces.set_silent(end, true)?;
                self.pause(2500..4000);
                namespaces.set_silent(end, false)?;
            }
            16..18 => {
                namespaces.set_silent(end, true)?;
                self.pause(20..800);
                namespaces.set_silent(end, false)?;
            }
            _ => {
                namespaces.set_slow(end, true)?;
                self.pause(100..800);
                namespaces.reset(end)?;
                namespaces.set_slow(end, false)?;
            }
        }
        self.pause(0..300);
        Ok(())
    }

    fn pause(&mut self, millis: std::ops::Range<u64>) {
        thread::sleep(Duration::from_millis(self.random.u64(millis)));
    }
}
