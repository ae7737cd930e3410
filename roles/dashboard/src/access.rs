//! Who may use the page, pure: the time is an argument.
//!
//! ```text
//! request ─▶ origin (is it this page that asks?) ─▶ sessions (has somebody logged in?) ─▶ answer
//!                                       login ─▶ throttle (may it be tried?) ─▶ password
//! ```

mod origin;
mod sessions;
mod throttle;

pub(crate) use origin::{Foreign, Names, check_page};
pub(crate) use sessions::{SESSION_BYTES, Sessions};
pub(crate) use throttle::Throttle;
