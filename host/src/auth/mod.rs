//! Who is at the other end.
//!
//! A node proves itself with the private key whose public half stands in the network file.

pub mod keys;
