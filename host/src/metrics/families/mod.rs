//! The table of all metrics: their names, which stay as they are, what they mean, and where their values come
//! from.

mod buses;
mod node;
mod peers;
mod process;
mod roles;

use super::family::Family;

/// All of them, in the order in which they are written.
pub(super) fn all() -> impl Iterator<Item = &'static Family> {
    [
        node::FAMILIES,
        roles::FAMILIES,
        peers::FAMILIES,
        buses::FAMILIES,
        process::FAMILIES,
    ]
    .into_iter()
    .flatten()
}
