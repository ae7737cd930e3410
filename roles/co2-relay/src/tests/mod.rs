//! The role on the bench, with satellites and callers over the loopback.

mod identity;
mod life;
mod passing;
mod scene;
