//! What a role is for people and for other systems: a switch, a motion sensor. Each such thing is a
//! *face*; a role's module declares them in its metadata, the network's file may overrule them, and a node
//! tells them with its status.
//!
//! ```text
//!                     the role's event ──▶ Face::shown ──────▶ Reading ──▶ a screen, another system
//!  somebody's wish ──▶ Input ──▶ Face::order_data ──▶ the data of an order to the role
//! ```
//!
//! All of it is pure, and knows nothing of the host nor of those other systems. What comes from another node
//! may be of a later version: what is not known of it is kept as it is, or shows nothing, and spoils nothing
//! else.

mod command;
mod data;
mod face;
mod kind;
mod path;
mod reading;
mod wildcard;

pub use command::{Input, Refusal};
pub use data::Data;
pub use face::{Face, Source, Target};
pub use kind::FaceKind;
pub use path::{Found, MAX_PATH_LEN, MAX_STEPS, Path, PathError};
pub use reading::{MAX_SHOWN_TEXT, Reading};
pub use wildcard::fits;
