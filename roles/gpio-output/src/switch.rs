//! Whether the pin is on, and for how long.

use std::time::Duration;

use crate::order::{Order, OrderError};

/// How long the pin may be on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The length of a pulse that is ordered without one.
    pub(crate) pulse: Duration,
    /// The longest pulse that may be ordered.
    pub(crate) longest_pulse: Duration,
    /// The longest time without a further order.
    pub(crate) maximum_on: Option<Duration>,
}

/// The state of the pin. Times are since the role began.
#[derive(Debug)]
pub(crate) struct Switch {
    limits: Limits,
    on: bool,
    /// When it goes off by itself.
    off_at: Option<Duration>,
}

impl Switch {
    pub(crate) fn new(limits: Limits, on: bool, now: Duration) -> Self {
        let mut switch = Self {
            limits,
            on: false,
            off_at: None,
        };
        switch.set(on, now);
        switch
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// Does what an order says; the last one counts.
    pub(crate) fn obey(&mut self, order: Order, now: Duration) -> Result<(), OrderError> {
        match order {
            Order::Set(on) => self.set(on, now),
            Order::Toggle => self.set(!self.on, now),
            Order::Pulse(length) => {
                let length = length.unwrap_or(self.limits.pulse);
                if length > self.limits.longest_pulse {
                    return Err(OrderError::TooLong(self.limits.longest_pulse));
                }
                self.on = true;
                self.off_at = Some(now + length);
            }
        }
        Ok(())
    }

    /// How long until it goes off by itself.
    pub(crate) fn off_in(&self, now: Duration) -> Option<Duration> {
        self.off_at.map(|off_at| off_at.saturating_sub(now))
    }

    /// Lets time pass: whether it has just gone off.
    pub(crate) fn pass(&mut self, now: Duration) -> bool {
        let over = self.off_at.is_some_and(|off_at| off_at <= now);
        if over {
            self.end(false);
        }
        over
    }

    /// It is on or off, whatever the time.
    pub(crate) fn end(&mut self, on: bool) {
        self.on = on;
        self.off_at = None;
    }

    fn set(&mut self, on: bool, now: Duration) {
        self.on = on;
        self.off_at = match self.limits.maximum_on {
            Some(maximum) if on => Some(now + maximum),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn switch(maximum_on: Option<Duration>) -> Switch {
        let limits = Limits {
            pulse: SECOND,
            longest_pulse: maximum_on.unwrap_or(100 * SECOND),
            maximum_on,
        };
        Switch::new(limits, false, Duration::ZERO)
    }

    #[test]
    fn a_pulse_ends_when_its_time_is_over() {
        let mut switch = switch(None);
        switch.obey(Order::Pulse(None), 5 * SECOND).unwrap();
        assert!(switch.is_on());
        assert_eq!(switch.off_in(5 * SECOND + SECOND / 4), Some(SECOND * 3 / 4));
        assert!(!switch.pass(6 * SECOND - SECOND / 1000));
        assert!(switch.pass(6 * SECOND));
        assert!(!switch.is_on());
        assert!(!switch.pass(7 * SECOND), "once");
    }

    #[test]
    fn the_last_order_counts() {
        let mut switch = switch(None);
        let pulse = |seconds: u32| Order::Pulse(Some(seconds * SECOND));
        switch.obey(pulse(10), Duration::ZERO).unwrap();
        switch.obey(pulse(2), SECOND).unwrap();
        assert_eq!(switch.off_in(SECOND), Some(2 * SECOND), "another pulse");
        switch.obey(Order::Set(true), 2 * SECOND).unwrap();
        assert_eq!(switch.off_in(2 * SECOND), None, "on for good");
        switch.obey(pulse(1), 2 * SECOND).unwrap();
        switch.obey(Order::Toggle, 2 * SECOND).unwrap();
        assert!(!switch.is_on(), "toggled in a pulse");
        assert_eq!(switch.off_in(2 * SECOND), None);
    }

    #[test]
    fn it_is_never_on_for_longer_than_it_may() {
        let mut switch = switch(Some(3 * SECOND));
        switch.obey(Order::Set(true), SECOND).unwrap();
        assert_eq!(switch.off_in(SECOND), Some(3 * SECOND));
        switch.obey(Order::Set(true), 2 * SECOND).unwrap();
        assert_eq!(
            switch.off_in(2 * SECOND),
            Some(3 * SECOND),
            "a further order"
        );
        assert!(switch.pass(5 * SECOND));

        let too_long = Order::Pulse(Some(3 * SECOND + SECOND / 1000));
        let error = switch.obey(too_long, 5 * SECOND).unwrap_err();
        assert_eq!(error, OrderError::TooLong(3 * SECOND));
        assert!(!switch.is_on());
        switch
            .obey(Order::Pulse(Some(3 * SECOND)), 5 * SECOND)
            .unwrap();
        assert!(switch.is_on());
    }

    #[test]
    fn it_may_be_on_from_the_start() {
        let limits = Limits {
            pulse: SECOND,
            longest_pulse: SECOND,
            maximum_on: Some(SECOND),
        };
        let mut switch = Switch::new(limits, true, Duration::ZERO);
        assert!(switch.is_on());
        assert!(switch.pass(SECOND));
    }
}
