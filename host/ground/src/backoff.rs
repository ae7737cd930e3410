//! How long to wait between tries of whatever has failed.

use std::time::Duration;

/// A wait of `first` that has doubled so many times, but is not longer than `ceiling`.
///
/// It is a random part between half of that and all of it, so that many who failed together do not
/// try again together.
pub fn wait(
    first: Duration,
    doublings: u32,
    ceiling: Duration,
    random: &mut fastrand::Rng,
) -> Duration {
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let wait = first.saturating_mul(factor).min(ceiling);
    wait.mul_f64(0.5 + random.f64() / 2.0)
}
