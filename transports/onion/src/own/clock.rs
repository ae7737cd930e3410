//! The machine's clock, which Tor believes nobody without: relays' certificates and the directory of
//! the network are good for hours.
//!
//! Arti takes what a wrong clock causes for a lack of relays that work, and waits ever longer before
//! it asks one again. So a relay is asked what the time is, and who sets the clock begins anew.

use std::time::{Duration, Instant, SystemTime};

use tokio::time::sleep;
use tor_circmgr::{DirInfo, Error};
use tor_proto::ClockSkew;

use super::Client;

/// By how much a clock is off when it is worth a word. Tor itself bears with some hours.
const NOTEWORTHY: Duration = Duration::from_secs(3600);

/// By how much it changes when somebody sets it, rather than keeps it right.
const JUMP: Duration = Duration::from_secs(600);

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How long to wait before a relay is asked again, where none answered.
const RETRY: Duration = Duration::from_secs(5);

/// What the clocks said at one time.
struct Reading {
    wall: SystemTime,
    /// On a clock that nobody sets.
    monotonic: Instant,
}

impl Reading {
    fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            monotonic: Instant::now(),
        }
    }

    /// Whether the clock was set between this and a later reading. A machine that slept looks the
    /// same.
    fn was_set(&self, later: &Self) -> bool {
        let passed = later.monotonic.saturating_duration_since(self.monotonic);
        let expected = self.wall + passed;
        let off = match later.wall.duration_since(expected) {
            Ok(ahead) => ahead,
            Err(behind) => behind.duration(),
        };
        off >= JUMP
    }
}

/// Waits until somebody sets the clock.
pub(super) async fn until_set() {
    let start = Reading::now();
    while !start.was_set(&Reading::now()) {
        sleep(LOOK).await;
    }
}

/// Asks a relay what the time is, until one has answered; what is wrong with this machine's clock
/// then, if anything is.
pub(super) async fn fault(client: &Client) -> Option<String> {
    loop {
        if let Some(skew) = skew(client).await {
            return describe(skew);
        }
        sleep(RETRY).await;
    }
}

/// How far this machine's clock is from that of a relay, by the authenticated handshake with it;
/// none when there was no such handshake.
async fn skew(client: &Client) -> Option<ClockSkew> {
    // There is none until the client has begun to connect.
    let circuits = client.circmgr().ok()?;
    // The one that it needs anyway, to ask for the directory. It leads through a bridge if need be.
    match circuits.get_or_launch_dir(DirInfo::Nothing).await {
        Ok(tunnel) => tunnel.first_hop_clock_skew().await.ok(),
        Err(error) => skew_of(&error),
    }
}

/// The same, where the relay's certificates seemed to have expired.
fn skew_of(error: &Error) -> Option<ClockSkew> {
    match error {
        Error::Channel { cause, .. } => cause.clock_skew(),
        Error::PendingFailed(cause) => skew_of(cause),
        Error::RequestFailed(causes) => causes.sources().find_map(|cause| skew_of(cause)),
        _ => None,
    }
}

/// What is wrong with a clock, and what to do about it; none where nothing is.
fn describe(skew: ClockSkew) -> Option<String> {
    let direction = match skew {
        ClockSkew::Slow(_) => "behind",
        ClockSkew::None => return None,
        ClockSkew::Fast(_) => "ahead",
    };
    (skew.magnitude() >= NOTEWORTHY).then(|| {
        format!(
            "this machine's clock is about {} {direction}, says a relay, and Tor needs it right: set it",
            amount(skew.magnitude())
        )
    })
}

/// A span of time in the unit in which people would say it.
fn amount(span: Duration) -> String {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    let (unit, name) = match span.as_secs() {
        seconds if seconds >= 2 * YEAR => (YEAR, "years"),
        seconds if seconds >= 2 * DAY => (DAY, "days"),
        _ => (HOUR, "hours"),
    };
    match (span.as_secs() + unit / 2) / unit {
        1 => "an hour".to_owned(),
        many => format!("{many} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_clock_that_is_set_is_told_from_one_that_goes() {
        let start = Reading::now();
        let after = |passed: Duration, wall: SystemTime| Reading {
            wall,
            monotonic: start.monotonic + passed,
        };
        // It goes, a little too fast or too slow.
        for wall in [start.wall + HOUR, start.wall + HOUR + HOUR / 100] {
            assert!(!start.was_set(&after(HOUR, wall)));
        }
        assert!(!start.was_set(&after(HOUR, start.wall + HOUR - HOUR / 100)));
        // It is set forward, and back.
        assert!(start.was_set(&after(HOUR, start.wall + 2 * HOUR)));
        assert!(start.was_set(&after(HOUR, start.wall)));
        assert!(start.was_set(&after(HOUR, SystemTime::UNIX_EPOCH)));
    }

    #[test]
    fn a_clock_that_is_far_off_is_told_of_in_units_of_people() {
        let text = |skew| describe(skew).unwrap_or_default();
        assert_eq!(text(ClockSkew::None), "");
        assert_eq!(text(ClockSkew::Slow(HOUR / 2)), "");
        assert!(text(ClockSkew::Slow(HOUR)).contains("about an hour behind, "));
        assert!(text(ClockSkew::Fast(HOUR * 30)).contains("about 30 hours ahead, "));
        assert!(text(ClockSkew::Fast(HOUR * 100)).contains("about 4 days ahead, "));
        assert!(text(ClockSkew::Slow(HOUR * 24 * 365 * 56)).contains("about 56 years behind, "));
    }
}
