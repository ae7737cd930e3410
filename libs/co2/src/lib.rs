//! CO2, as the roles `co2-relay` and `co2-satellite` speak it: XML-RPC over HTTP, with one struct as the argument of
//! nearly every method.
//!
//! ```text
//! bytes ─▶ http ─▶ encoding ─▶ document ─▶ methods ─▶ the role
//!            ▲                                          │
//!            └──────────── document ◀── value, fault ◀──┘
//! ```
//! All but [`http`] is pure. What peers send is bounded: [`http::Limits`], [`value::MAX_DEPTH`].

pub mod document;
pub mod encoding;
pub mod fault;
pub mod http;
pub mod log;
pub mod messagepack;
pub mod methods;
pub mod page;
pub mod properties;
pub mod time;
pub mod value;

pub use fault::Fault;
pub use value::{Allowed, DateTime, Struct, Value, Wide};
