//! Why there is no pin.

use std::io;
use std::path::PathBuf;

/// Why a pin cannot be opened, read or set, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// Neither `pin` nor `line`.
    #[error(
        "no pin is named: give `pin` its BCM number, or `chip` and `line` those of a GPIO chip"
    )]
    PinMissing,
    /// `chip` or `line` beside `driver: rppal`.
    #[error(
        "`chip` and `line` are for `driver: gpiochip`: remove them, or the line with `driver: rppal`"
    )]
    ChipForRppal,
    /// `driver: rppal` on another machine.
    #[error(
        "this machine is no Raspberry Pi that `driver: rppal` knows: use `driver: gpiochip` with `chip` and `line`"
    )]
    NoRaspberryPi,
    /// There is no saying which chip is meant.
    #[error("this machine is no Raspberry Pi, so `chip` has to name a GPIO chip: {there}")]
    ChipMissing {
        /// The chips that there are.
        there: String,
    },
    /// There is no such chip.
    #[error("there is no GPIO chip `{chip}`: {there}")]
    NoSuchChip {
        /// What `chip` says.
        chip: String,
        /// The chips that there are.
        there: String,
    },
    /// Several chips have the label.
    #[error("several GPIO chips have the label `{label}`: give `chip` the name of one; {there}")]
    LabelOfSeveral {
        /// What `chip` says.
        label: String,
        /// The chips that there are.
        there: String,
    },
    /// The chip has fewer lines.
    #[error("there is no line {line} on {chip}: its lines are 0 to {last}")]
    NoSuchLine {
        /// The line's number.
        line: u32,
        /// The chip's name and label.
        chip: String,
        /// The number of its last line.
        last: u32,
    },
    /// No line has the name.
    #[error("there is no line named `{name}` on {chip}: `gpioinfo` lists them")]
    NoSuchName {
        /// What `line` says.
        name: String,
        /// The chip's name and label.
        chip: String,
    },
    /// The Raspberry Pi has fewer pins.
    #[error(
        "there is no pin {pin} on this Raspberry Pi: pins have BCM numbers, and those on the header are 0 to 27"
    )]
    NoSuchPin {
        /// The pin's BCM number.
        pin: u32,
    },
    /// Somebody else has the line.
    #[error("{line} is taken by `{by}`: choose another one, or stop what uses it")]
    Taken {
        /// The line or pin.
        line: String,
        /// What it calls itself.
        by: String,
    },
    /// The device's permissions.
    #[error(
        "no permission for `{}`: add the daemon's user to the group `gpio`; under systemd the unit has to let \
         the device in as well, as the drop-in of the package `kozo-gpio` does",
        path.display()
    )]
    Permission {
        /// The device.
        path: PathBuf,
    },
    /// The machine has the device, and this process does not see it.
    #[error(
        "`{}` is hidden from this process: under systemd the unit has to let the device in, as the drop-in \
         of the package `kozo-gpio` does; a container has to be given it",
        path.display()
    )]
    Hidden {
        /// The device.
        path: PathBuf,
    },
    /// Anything else that the system says.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: String,
        /// What it said.
        source: io::Error,
    },
}

impl PinError {
    /// What the system said to an attempt.
    pub(crate) fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::System {
            what: what.into(),
            source,
        }
    }
}
