//! What messages order.

use std::time::Duration;

use kozo_abi::Message;

/// What shall happen with the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// `gpio set`: on or off.
    Set(bool),
    /// `gpio toggle`: on if it is off, and off if it is on.
    Toggle,
    /// `gpio pulse`: on for this long, then off; none: for as long as the option says.
    Pulse(Option<Duration>),
}

/// Why an order is not carried out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("its data should be {0}")]
    Data(&'static str),
    #[error("the pulse is longer than {} s", .0.as_secs_f64())]
    TooLong(Duration),
}

impl Order {
    /// Reads an order that the interests in `module.yaml` let in.
    pub(crate) fn read(message: &Message) -> Result<Self, OrderError> {
        match message.type_name() {
            "gpio set" => match message.data() {
                Ok(on) => Ok(Self::Set(on)),
                Err(_) => Err(OrderError::Data("true or false")),
            },
            "gpio toggle" => Ok(Self::Toggle),
            _ => match message.data() {
                Ok(None) => Ok(Self::Pulse(None)),
                Ok(Some(seconds)) => match Duration::try_from_secs_f64(seconds) {
                    Ok(length) if !length.is_zero() => Ok(Self::Pulse(Some(length))),
                    _ => Err(OrderError::Data("a number of seconds above 0")),
                },
                Err(_) => Err(OrderError::Data("a number of seconds, or null")),
            },
        }
    }
}
