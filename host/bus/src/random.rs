//! Where randomness comes from.
//!
//! It is handed in, so that a simulation with a seed does the same again; a daemon hands in [`SystemRandom`].

use ring::rand::SecureRandom;

/// The system gave no random bytes: nothing that needs a secret can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandom;

/// A source of random bytes. What it gives becomes keys, so in a daemon it has to be the system's.
pub trait Random {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    /// There are none to be had.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom>;
}

/// The system's random bytes.
#[derive(Debug, Clone)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// A source of the system's random bytes.
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom> {
        self.0.fill(bytes).map_err(|_| NoRandom)
    }
}

/// So many random bytes.
///
/// # Errors
/// There are none to be had.
pub fn draw<const N: usize>(random: &mut dyn Random) -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

/// The same numbers again for the same seed.
#[cfg(test)]
#[derive(Debug, Clone)]
pub(crate) struct SeededRandom(pub(crate) fastrand::Rng);

#[cfg(test)]
impl SeededRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }
}

#[cfg(test)]
impl Random for SeededRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandom> {
        self.0.fill(bytes);
        Ok(())
    }
}
