//! With real servers of NATS, of all versions that there are here, and with some that are none.

mod engine;
mod faults;
mod kit;
mod logins;
