//! Modules: roles and transports in files of their own.

pub mod metadata;
