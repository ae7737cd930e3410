//! Who is at the other end: node keys, and SSH over any byte stream.
//!
//! A node proves itself with the private key whose public half stands in the network file, and
//! both ends of a link do so. [`keys`] makes, loads and compares keys; [`secret_file`] reads what
//! nobody else may; [`identity`] holds who we are and whom we trust; [`algorithms`] turns the options
//! `cipher` and `hmac` into what is offered; [`ssh`] puts SSH 2 on a stream that a transport handed
//! over, and may let go of that stream for records of Noise (`noise`), which cost less. What comes out is
//! a [`secured::Secured`]: bytes to and from a peer whose name is proven. It does not say SSH, so that a transport with security of its own can stand behind the same:
//! [`plain`] makes one of its stream, and [`attest`] signs and verifies for it. [`SecuredLink`] is a
//! link of either kind.
//!
//! ```text
//!                either
//!               │      │
//!               ▼      ▼
//!    ┌──────── ssh    plain
//!    ▼          ├──▶ noise
//! attest        ├──────┤
//!  │  │         ▼      │
//!  │  └─▶ identity     ▼
//!  ▼          │     secured
//! algorithms  ▼        │
//!            keys      ▼
//!             │     stream
//!             ▼
//!        secret_file
//! ```
//!
//! No arrow leads upwards: `secured` says what an outlet is and knows of none.

pub mod algorithms;
pub mod attest;
mod either;
pub mod identity;
pub mod keys;
mod noise;
pub mod plain;
pub mod secret_file;
pub mod secured;
pub mod ssh;
mod stream;

pub use either::{EitherOutlet, SecuredLink};
