//! Sets a GPIO pin as it is ordered to, by `gpio set`, `gpio pulse` and `gpio toggle`, and reports
//! its state as an event `gpio state`.

mod order;
mod switch;

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use kozo_abi::{Error, Message, Role, RoleHost, export_role};
use kozo_gpio::{Board, Hardware, Output, PinOptions};
use serde::Deserialize;

use self::order::Order;
use self::switch::{Limits, Switch};

#[cfg(test)]
mod tests;

/// The longest pulse where `maximumOn` sets no limit: a day.
const LONGEST_PULSE: Duration = Duration::from_secs(86_400);

/// The options that `module.yaml` describes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(flatten)]
    place: PinOptions,
    channel: String,
    initial_state: bool,
    safe_state: bool,
    pulse: f64,
    maximum_on: Option<f64>,
    log: bool,
}

struct GpioOutput<B> {
    pin: Output,
    switch: Switch,
    channel: String,
    safe_state: bool,
    log: bool,
    started: Instant,
    board: PhantomData<B>,
}

impl<B: Board> Role for GpioOutput<B> {
    type Options = Options;

    fn new(options: Options, host: &RoleHost) -> Result<Self, Error> {
        let seconds = Duration::try_from_secs_f64;
        let maximum_on = options.maximum_on.map(seconds).transpose()?;
        let limits = Limits {
            pulse: seconds(options.pulse)?,
            longest_pulse: maximum_on.unwrap_or(LONGEST_PULSE),
            maximum_on,
        };
        if limits.pulse > limits.longest_pulse {
            return Err("`pulse` is longer than `maximumOn`: make it shorter".into());
        }
        let role = Self {
            pin: B::output(&options.place, options.initial_state)?,
            switch: Switch::new(limits, options.initial_state, Duration::ZERO),
            channel: options.channel,
            safe_state: options.safe_state,
            log: options.log,
            started: Instant::now(),
            board: PhantomData,
        };
        role.report(host)?;
        Ok(role)
    }

    fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
        let order = match self.switch.off_in(self.now()) {
            Some(left) => host.receive_timeout(left),
            None => host.receive(),
        };
        if self.switch.pass(self.now()) {
            self.pin.set(false)?;
            self.tell(host, "off, its time is over")?;
        }
        match order {
            Some(order) => self.obey(&order, host),
            None => Ok(()),
        }
    }

    fn stop(&mut self, host: &RoleHost) -> Result<(), Error> {
        let was_on = self.switch.is_on();
        self.pin.set(self.safe_state)?;
        self.switch.end(self.safe_state);
        if was_on != self.safe_state {
            self.tell(host, "in its safe state, the role ends")?;
        }
        Ok(())
    }
}

impl<B: Board> GpioOutput<B> {
    fn obey(&mut self, message: &Message, host: &RoleHost) -> Result<(), Error> {
        let was_on = self.switch.is_on();
        let order = Order::read(message).and_then(|order| {
            let now = self.now();
            self.switch.obey(order, now)
        });
        if let Err(error) = order {
            // Anybody who may order can be mistaken: that is no reason to stop.
            host.warn(&format!("{message} is not carried out: {error}"));
            return Ok(());
        }
        let on = self.switch.is_on();
        self.pin.set(on)?;
        if on == was_on {
            // The answer to who asked for it.
            return self.report(host);
        }
        let state = if on { "on" } else { "off" };
        let (role, node) = (message.sender_role(), message.sender_node());
        self.tell(host, &format!("{state}, as {role}@{node} ordered"))
    }

    /// Tells of a change.
    fn tell(&self, host: &RoleHost, what: &str) -> Result<(), Error> {
        self.report(host)?;
        if self.log {
            host.send_log(&format!("{}: {what}", self.channel))?;
        }
        Ok(())
    }

    fn report(&self, host: &RoleHost) -> Result<(), Error> {
        let event = host.event("gpio state").channel(&self.channel);
        Ok(event.send(&self.switch.is_on())?)
    }

    /// The time since the role began.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Also after an error or a panic, when `stop` is not called.
impl<B> Drop for GpioOutput<B> {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.pin.set(self.safe_state);
    }
}

export_role!(GpioOutput<Hardware>);
