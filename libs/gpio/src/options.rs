//! Which pin is meant.

use serde::Deserialize;

use crate::{PinError, raspberry};

/// The options of every role that has a pin, to be flattened into the role's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinOptions {
    /// The pin's BCM number: that of the processor, not the place on the header. Also the line of
    /// a GPIO chip where `line` is not given.
    pub pin: Option<u32>,
    /// How the pin is reached.
    pub driver: Driver,
    /// A GPIO chip: its number, its name or path in `/dev`, or its label. Only for
    /// [`Driver::Gpiochip`], which needs it on all machines but a Raspberry Pi.
    pub chip: Option<String>,
    /// A line of the chip: its number or its name. Only for [`Driver::Gpiochip`].
    pub line: Option<String>,
    /// Whether a low level is the active one.
    pub active_low: bool,
}

/// How a pin is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// [`Rppal`](Self::Rppal) on a Raspberry Pi where no chip is named, otherwise
    /// [`Gpiochip`](Self::Gpiochip).
    Auto,
    /// The registers of a Raspberry Pi.
    Rppal,
    /// The kernel's character devices, on any board.
    Gpiochip,
}

/// The resistor inside the processor that gives an open input a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// It is switched off: the sensor drives the pin both ways.
    None,
    /// An open input is high.
    Up,
    /// An open input is low.
    Down,
}

impl PinOptions {
    /// The driver to use: never `Auto`.
    pub(crate) fn driver(&self) -> Result<Driver, PinError> {
        let names_line = self.chip.is_some() || self.line.is_some();
        match self.driver {
            Driver::Rppal if names_line => Err(PinError::ChipForRppal),
            Driver::Auto if !names_line && raspberry::is_here() => Ok(Driver::Rppal),
            Driver::Auto => Ok(Driver::Gpiochip),
            driver => Ok(driver),
        }
    }

    /// The pin that is meant.
    pub(crate) fn pin(&self) -> Result<u32, PinError> {
        self.pin.ok_or(PinError::PinMissing)
    }

    /// The line that is meant, as the file names it.
    pub(crate) fn line(&self) -> Result<String, PinError> {
        match &self.line {
            Some(line) => Ok(line.clone()),
            None => Ok(self.pin()?.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(more: serde_json::Value) -> PinOptions {
        let mut all = serde_json::json!({
            "pin": 18, "driver": "auto", "chip": null, "line": null, "activeLow": false,
        });
        let entries = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(entries);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn the_line_is_the_pin_unless_it_is_named() {
        assert_eq!(options(serde_json::json!({})).line().unwrap(), "18");
        assert_eq!(
            options(serde_json::json!({"line": "PA7"})).line().unwrap(),
            "PA7"
        );
    }

    #[test]
    fn a_pin_that_is_not_named_is_asked_for() {
        let nowhere = options(serde_json::json!({"pin": null}));
        let error = nowhere.line().unwrap_err().to_string();
        assert!(error.contains("`pin`"), "{error}");
    }

    #[test]
    fn a_named_chip_means_the_driver_for_chips() {
        let named = options(serde_json::json!({"chip": "gpiochip0"}));
        assert_eq!(named.driver().unwrap(), Driver::Gpiochip);
        let both = options(serde_json::json!({"chip": "gpiochip0", "driver": "rppal"}));
        let error = both.driver().unwrap_err().to_string();
        assert!(error.contains("`driver: gpiochip`"), "{error}");
    }
}
