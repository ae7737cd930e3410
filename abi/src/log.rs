//! Lines of modules for the host's own log.

use crate::ffi::level;

/// Levels of the host's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something that a user wants to see.
    Info,
    /// Something for whoever looks for a fault.
    Debug,
}

impl Level {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Error => level::ERROR,
            Self::Warn => level::WARN,
            Self::Info => level::INFO,
            Self::Debug => level::DEBUG,
        }
    }

    /// A level of a later version counts as debug.
    #[cfg(feature = "bench")]
    pub(crate) fn from_number(number: u8) -> Self {
        match number {
            level::ERROR => Self::Error,
            level::WARN => Self::Warn,
            level::INFO => Self::Info,
            _ => Self::Debug,
        }
    }
}

/// The four methods that write to the host's own log.
macro_rules! log_methods {
    () => {
        /// Writes a line to the host's own log.
        pub fn log(&self, level: $crate::Level, text: &str) {
            let text = abi_stable::std_types::RStr::from_str(text);
            self.handle.vtable.log()(self.handle.context, level.number(), text);
        }

        /// Something failed: a line for the host's own log.
        pub fn error(&self, text: &str) {
            self.log($crate::Level::Error, text);
        }

        /// Something is odd: a line for the host's own log.
        pub fn warn(&self, text: &str) {
            self.log($crate::Level::Warn, text);
        }

        /// Something that a user wants to see: a line for the host's own log.
        pub fn info(&self, text: &str) {
            self.log($crate::Level::Info, text);
        }

        /// Something for whoever looks for a fault: a line for the host's own log.
        pub fn debug(&self, text: &str) {
            self.log($crate::Level::Debug, text);
        }
    };
}
pub(crate) use log_methods;
