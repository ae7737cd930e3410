//! How often a password may be tried.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How many wrong passwords one address may try before it has to wait.
const FREE_TRIES: u32 = 5;

/// The longest that one address waits for its next try.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// After how long without a try an address is forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);

/// How many addresses are remembered. Those that are not share what is left.
const MAX_ADDRESSES: usize = 1024;

/// How many wrong passwords all together may try in a minute: so a thousand addresses guess no faster than a few.
const TRIES_A_MINUTE: u32 = 60;

/// Wrong passwords, by address.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    addresses: HashMap<IpAddr, Tries>,
    /// The present minute's start, and its tries.
    minute: Option<(Instant, u32)>,
}

#[derive(Debug)]
struct Tries {
    wrong: u32,
    last: Instant,
}

impl Throttle {
    /// Counts a try, as a wrong one until it is [`right`](Self::right).
    ///
    /// # Errors
    /// How long it has to wait.
    pub(super) fn try_now(&mut self, ip: IpAddr, now: Instant) -> Result<(), Duration> {
        let ip = network(ip);
        let minute = Duration::from_secs(60);
        let (start, tries) = match self.minute {
            Some((start, tries)) if now.saturating_duration_since(start) < minute => (start, tries),
            _ => (now, 0),
        };
        if tries >= TRIES_A_MINUTE {
            return Err(minute - now.saturating_duration_since(start));
        }
        if let Some(known) = self.addresses.get(&ip) {
            let wait = wait(known.wrong);
            let passed = now.saturating_duration_since(known.last);
            if passed < wait {
                return Err(wait - passed);
            }
        } else if self.addresses.len() >= MAX_ADDRESSES {
            self.addresses
                .retain(|_, tries| now.saturating_duration_since(tries.last) < FORGET);
            if self.addresses.len() >= MAX_ADDRESSES {
                return Err(minute);
            }
        }
        self.minute = Some((start, tries + 1));
        let tries = self.addresses.entry(ip).or_insert(Tries {
            wrong: 0,
            last: now,
        });
        tries.wrong = tries.wrong.saturating_add(1);
        tries.last = now;
        Ok(())
    }

    /// The last try of this address was right.
    pub(super) fn right(&mut self, ip: IpAddr) {
        self.addresses.remove(&network(ip));
    }
}

/// What one machine has for itself: with IPv6 that is a network.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

fn wait(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE_TRIES) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(16)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_take_longer_and_longer_and_a_right_one_ends_that() {
        let mut throttle = Throttle::default();
        let ip: IpAddr = [192, 0, 2, 1].into();
        let mut now = Instant::now();
        for _ in 0..FREE_TRIES {
            assert_eq!(throttle.try_now(ip, now), Ok(()));
        }
        assert_eq!(throttle.try_now(ip, now), Err(Duration::from_secs(1)));
        now += Duration::from_secs(1);
        assert_eq!(throttle.try_now(ip, now), Ok(()));
        assert_eq!(throttle.try_now(ip, now), Err(Duration::from_secs(2)));
        // Another address is not kept from it.
        assert_eq!(throttle.try_now([192, 0, 2, 2].into(), now), Ok(()));
        now += Duration::from_secs(2);
        assert_eq!(throttle.try_now(ip, now), Ok(()));
        throttle.right(ip);
        let of_network = |last: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last).into();
        for last in 0..5 {
            assert_eq!(throttle.try_now(of_network(last), now), Ok(()));
        }
        assert!(throttle.try_now(of_network(9), now).is_err());
        assert_eq!(throttle.try_now(ip, now), Ok(()));
    }

    #[test]
    fn many_addresses_guess_no_faster_and_are_bounded() {
        let mut throttle = Throttle::default();
        let start = Instant::now();
        let mut tried = 0;
        for number in 0..5000_u32 {
            let now = start + Duration::from_millis(u64::from(number));
            let ip = IpAddr::from(number.to_be_bytes());
            tried += u32::from(throttle.try_now(ip, now).is_ok());
        }
        assert_eq!(tried, TRIES_A_MINUTE);
        assert!(throttle.addresses.len() <= MAX_ADDRESSES);
    }
}
