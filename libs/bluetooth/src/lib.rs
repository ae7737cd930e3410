//! What Kōzō's Bluetooth modules share.
//!
//! - [`Bluetooth`]: the way to `bluetoothd` and to the adapter to use, found anew whenever it is
//!   needed, so that neither has to stay.
//! - [`Announcement`]: a service that others find by its UUID.
//! - [`Discovery`]: the devices in range.
//! - [`rfcomm`]: the streams; [`sdp`]: on which channel of a device a service is.
//! - [`Runtime`]: a thread for all of these, for modules, whose own calls block.
//!
//! Streams and questions for services are the kernel's sockets; `bluetoothd` has no part in them.
//! So a device is connected to without having been discovered before, a daemon that is started anew
//! disturbs no link, and any number of nodes on one machine may listen.

mod announcement;
mod discovery;
mod error;
mod name;
pub mod rfcomm;
mod runtime;
pub mod sdp;
mod stack;
mod text;

pub use announcement::{Announcement, Reach};
pub use bluer::{Address, Uuid};
pub use discovery::{Device, Discovery, MAX_DEVICES, Mode};
pub use error::Error;
pub use name::printable;
pub use runtime::{Runtime, Task};
pub use stack::Bluetooth;
pub use text::{parse_address, parse_uuid};

/// The result of what may fail for want of Bluetooth.
pub type Result<T> = std::result::Result<T, Error>;
