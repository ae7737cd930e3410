//! The bridge as a whole: what it decides, on made-up times, and what it does with real brokers.

mod announcing;
mod brokers;
mod faults;
mod hostile;
mod model;
mod real;
mod world;
