//! Who may use the page. What decides is pure: the time is an argument.
//!
//! ```text
//! request ─▶ origin (is it this page that asks?) ─▶ sessions (has somebody logged in?) ─▶ answer
//!                                       guard: login ─▶ throttle (may it be tried?) ─▶ password
//! ```

mod guard;
mod origin;
mod sessions;
mod throttle;

pub(crate) use guard::{Denied, Guard, MIN_TOKEN};
pub(crate) use origin::{Names, check_page};
