//! The lists of services that devices have (SDP, Bluetooth Core Specification, volume 3, part B).

mod client;
mod element;
mod record;

pub use client::{Answers, channels};
pub(crate) use record::record;
