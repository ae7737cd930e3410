//! Pins of single-board computers, for roles that read or set them.
//!
//! A role names its pin with [`PinOptions`] and opens it on a [`Board`]: on [`Hardware`], by one of
//! two drivers, or in its tests on `fake::Fake` (feature `fake`). What it sees is whether a pin is
//! *active*; that is a high level, or with `activeLow` a low one.

mod edges;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod gpiochip;
mod options;
mod raspberry;

use std::time::Duration;

pub use error::PinError;
pub use options::{Driver, PinOptions, Pull};

/// What pins are opened on.
pub trait Board: Send + 'static {
    /// Opens a pin to read it.
    ///
    /// # Errors
    /// There is no such pin, it is taken, or this process may not use it.
    fn input(options: &PinOptions, pull: Pull) -> Result<Input, PinError>;

    /// Opens a pin to set it. It is active from the start or not, without a moment in between at
    /// the other level.
    ///
    /// # Errors
    /// As for [`input`](Self::input).
    fn output(options: &PinOptions, active: bool) -> Result<Output, PinError>;
}

/// This machine's own pins.
#[derive(Debug)]
pub enum Hardware {}

impl Board for Hardware {
    fn input(options: &PinOptions, pull: Pull) -> Result<Input, PinError> {
        let pin = match options.driver()? {
            Driver::Rppal => raspberry::input(options.pin()?, pull)?,
            Driver::Auto | Driver::Gpiochip => gpiochip::input(options, pull)?,
        };
        Ok(Input::new(pin, options))
    }

    fn output(options: &PinOptions, active: bool) -> Result<Output, PinError> {
        let high = active != options.active_low;
        let pin = match options.driver()? {
            Driver::Rppal => raspberry::output(options.pin()?, high)?,
            Driver::Auto | Driver::Gpiochip => gpiochip::output(options, high)?,
        };
        Ok(Output::new(pin, options))
    }
}

/// A pin that is read.
pub struct Input {
    pin: Box<dyn InputPin>,
    active_low: bool,
}

impl Input {
    fn new(pin: Box<dyn InputPin>, options: &PinOptions) -> Self {
        Self {
            pin,
            active_low: options.active_low,
        }
    }

    /// Whether the pin is active now.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub fn is_active(&self) -> Result<bool, PinError> {
        Ok(self.pin.is_high()? != self.active_low)
    }

    /// Calls `changed` on each edge, with whether the pin is active after it, until the pin is
    /// dropped or watched anew. The calls come from a thread of the pin's own, one after the
    /// other; that they are over is waited for. With `debounce`, a level counts when it has stood
    /// for so long.
    ///
    /// # Errors
    /// The pin has no interrupts, or they cannot be had.
    pub fn watch(
        &mut self,
        debounce: Duration,
        mut changed: impl FnMut(bool) + Send + 'static,
    ) -> Result<(), PinError> {
        let active_low = self.active_low;
        let changed = move |high: bool| changed(high != active_low);
        self.pin.watch(debounce, Box::new(changed))
    }
}

/// A pin that is set.
pub struct Output {
    pin: Box<dyn OutputPin>,
    active_low: bool,
}

impl Output {
    fn new(pin: Box<dyn OutputPin>, options: &PinOptions) -> Self {
        Self {
            pin,
            active_low: options.active_low,
        }
    }

    /// Makes the pin active, or not.
    ///
    /// # Errors
    /// It cannot be set any more.
    pub fn set(&mut self, active: bool) -> Result<(), PinError> {
        self.pin.set(active != self.active_low)
    }
}

/// What is told of an edge: whether the level is high after it.
type Changed = Box<dyn FnMut(bool) + Send>;

/// A driver's pin that is read.
trait InputPin: Send {
    fn is_high(&self) -> Result<bool, PinError>;

    /// As [`Input::watch`], but for levels. Ends its thread when dropped.
    fn watch(&mut self, debounce: Duration, changed: Changed) -> Result<(), PinError>;
}

/// A driver's pin that is set.
trait OutputPin: Send {
    fn set(&mut self, high: bool) -> Result<(), PinError>;
}
