//! What servers do for us, each at one socket of ours: telling its address as the world sees it (STUN), relaying (TURN).

mod binding;
mod request;
mod turn;

pub(crate) use binding::Binding;
pub(crate) use turn::Allocation;
#[cfg(test)]
pub(crate) use turn::long_term_key;
