//! A Raspberry Pi's pins, by its registers.
//!
//! They belong to nobody: the kernel neither keeps another process from using them nor resets them
//! when this one is gone. Interrupts come from the kernel all the same.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rppal::gpio::{Error, Gpio, Level, Trigger};
use rppal::system::DeviceInfo;

use crate::{Changed, InputPin, OutputPin, PinError, Pull, gpiochip};

/// The labels of the chip that has the pins of the header, by generation.
pub(crate) const CHIPS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

/// Whether this machine is a Raspberry Pi that rppal knows.
pub(crate) fn is_here() -> bool {
    DeviceInfo::new().is_ok()
}

/// Opens a pin to read it.
pub(crate) fn input(pin: u32, pull: Pull) -> Result<Box<dyn InputPin>, PinError> {
    let input = open(pin)?;
    let input = match pull {
        Pull::None => input.into_input(),
        Pull::Up => input.into_input_pullup(),
        Pull::Down => input.into_input_pulldown(),
    };
    Ok(Box::new(PiInput { input, pin }))
}

/// Opens a pin to set it. The level stays when the pin is closed: a pin that falls back to an input
/// is at no level at all.
pub(crate) fn output(pin: u32, high: bool) -> Result<Box<dyn OutputPin>, PinError> {
    let output = open(pin)?;
    let mut output = if high {
        output.into_output_high()
    } else {
        output.into_output_low()
    };
    output.set_reset_on_drop(false);
    Ok(Box::new(PiOutput { output }))
}

fn open(pin: u32) -> Result<rppal::gpio::Pin, PinError> {
    let number = u8::try_from(pin).map_err(|_| PinError::NoSuchPin { pin })?;
    let gpio = Gpio::new().map_err(|error| explain(error, pin, "open"))?;
    let opened = gpio
        .get(number)
        .map_err(|error| explain(error, pin, "open"))?;
    // The registers would let us: what the kernel itself drives is left alone.
    match gpiochip::consumer(&CHIPS, pin) {
        Some(by) => Err(taken(pin, by)),
        None => Ok(opened),
    }
}

struct PiInput {
    input: rppal::gpio::InputPin,
    pin: u32,
}

impl InputPin for PiInput {
    fn is_high(&self) -> Result<bool, PinError> {
        Ok(self.input.is_high())
    }

    fn watch(&mut self, debounce: Duration, mut changed: Changed) -> Result<(), PinError> {
        let debounce = (!debounce.is_zero()).then_some(debounce);
        let failed = |error| explain(error, self.pin, "watch");
        // What waits in the background cannot say that it got no interrupts: ask for them here first.
        self.input
            .set_interrupt(Trigger::Both, debounce)
            .and_then(|()| self.input.clear_interrupt())
            .map_err(failed)?;
        self.input
            .set_async_interrupt(Trigger::Both, debounce, move |event| {
                changed(event.trigger == Trigger::RisingEdge);
            })
            .map_err(failed)
    }
}

struct PiOutput {
    output: rppal::gpio::OutputPin,
}

impl OutputPin for PiOutput {
    fn set(&mut self, high: bool) -> Result<(), PinError> {
        self.output.write(Level::from(high));
        Ok(())
    }
}

fn explain(error: Error, pin: u32, what: &str) -> PinError {
    let what = format!("{what} pin {pin}");
    match error {
        Error::UnknownModel => PinError::NoRaspberryPi,
        Error::PinNotAvailable(_) => PinError::NoSuchPin { pin },
        Error::PinUsed(_) => taken(pin, "another role of this daemon".to_owned()),
        Error::PermissionDenied(path) => PinError::Permission {
            path: PathBuf::from(path),
        },
        Error::Io(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            let by = gpiochip::consumer(&CHIPS, pin);
            taken(pin, by.unwrap_or_else(|| "something".to_owned()))
        }
        Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            let offered_nothing = format!(
                "{what}: this kernel offers neither `/dev/gpiomem` nor `/dev/mem`, or no chip with the pins' interrupts"
            );
            gpiochip::hidden().unwrap_or_else(|| PinError::system(offered_nothing, error))
        }
        Error::Io(error) => PinError::system(what, error),
        Error::ThreadPanic => PinError::system(what, io::Error::other("a thread panicked")),
    }
}

fn taken(pin: u32, by: String) -> PinError {
    PinError::Taken {
        line: format!("pin {pin}"),
        by,
    }
}
