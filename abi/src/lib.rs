//! What a Kōzō role, transport or bus is written against.
//!
//! A module is one shared object that holds one role, one transport or one bus. Its author writes
//! plain Rust: a type that implements [`Role`], [`Transport`] or [`Bus`], a serde type for its options, a
//! `module.yaml` beside `Cargo.toml` that describes it, and one line that exports it:
//!
//! ```
//! use kozo_abi::{Error, Role, RoleHost, export_role};
//!
//! #[derive(serde::Deserialize)]
//! struct Options {
//!     greeting: String,
//! }
//!
//! struct Greeter(Options);
//!
//! impl Role for Greeter {
//!     type Options = Options;
//!
//!     fn new(options: Options, _host: &RoleHost) -> Result<Self, Error> {
//!         Ok(Self(options))
//!     }
//!
//!     fn run(&mut self, host: &RoleHost) -> Result<(), Error> {
//!         if let Some(message) = host.receive() {
//!             host.send_log(&format!("{}, {}", self.0.greeting, message.sender_role()))?;
//!         }
//!         Ok(())
//!     }
//! }
//! # // The macro itself needs a `module.yaml`; the shipped roles use it.
//! ```
//!
//! The crate is a `cdylib` and depends on `kozo-abi` alone. It needs neither the compiler nor the
//! versions that the host was built with: only C types, MessagePack bytes and file descriptors
//! cross between them, their layout is checked when a module is loaded, and no panic leaves a
//! module.
//!
//! # Versions
//! The version of this crate is the version of the interface. A minor version only adds: modules
//! and hosts of any two minor versions of one major version work together. It is a draft until
//! packages are published; until then even 1.x may change.

#[cfg(not(feature = "previous-minor-fixture"))]
mod batch;
#[cfg(feature = "bench")]
pub mod bench;
#[cfg(not(feature = "previous-minor-fixture"))]
mod bus;
#[cfg(not(feature = "previous-minor-fixture"))]
mod bus_host;
pub mod ffi;
mod given;
mod guard;
mod log;
mod message;
mod relay;
mod role;
mod role_host;
mod section;
mod transport;

#[doc(hidden)]
pub mod export;

#[cfg(not(feature = "previous-minor-fixture"))]
pub use bus::{Bus, MAX_SUBJECT, Publish, subject_matches};
#[cfg(not(feature = "previous-minor-fixture"))]
pub use bus_host::{BusHost, Delivered, Limits, Window};
pub use ffi::Descriptor;
pub use given::Readiness;
pub use log::Level;
pub use message::{Kind, Message, SendError};
pub use role::{InboxLimits, Pace, Role};
pub use role_host::{AskError, Filter, Outgoing, RoleHost};
pub use section::{METADATA_SECTION, Section, SectionError, Version};
pub use transport::{Connection, Peer, Priority, Transport, TransportHost};

/// The version of the interface that this crate describes: its own.
pub const VERSION: Version = Version {
    major: number(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: number(env!("CARGO_PKG_VERSION_MINOR")),
    patch: number(env!("CARGO_PKG_VERSION_PATCH")),
};

const fn number(text: &str) -> u16 {
    match u16::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("the crate's version is made of numbers"),
    }
}

/// Any error of a module's own: `?` turns every error type into it. Its text, with its sources,
/// goes to the host's log.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The text of an error and of what caused it, with a colon between each, as the log shows it. A
/// cause that the text before it quotes already is left out.
// The host's is the same; a module has none of the host's crates in it.
pub fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let of_cause = cause.to_string();
        if !text.contains(&of_cause) {
            text.push_str(": ");
            text.push_str(&of_cause);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Caused(&'static str, std::io::Error);

    impl fmt::Display for Caused {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Caused {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.1)
        }
    }

    fn text(own: &'static str) -> String {
        error_text(&Caused(own, std::io::Error::other("the disk is full")))
    }

    #[test]
    fn the_causes_of_an_error_follow_once_each() {
        let expected = "cannot write `x`: the disk is full";
        assert_eq!(text("cannot write `x`"), expected);
        assert_eq!(text(expected), expected);
        let quoted = "cannot write `x` (the disk is full): make room";
        assert_eq!(text(quoted), quoted);
    }
}
