//! What the checker asks of whoever knows the modules.

use std::path::PathBuf;

use kozo_description::Metadata;

/// What is known of modules on this machine.
pub trait Catalog {
    /// The role module of this name.
    fn role(&self, module: &str) -> Lookup<'_>;

    /// The transport module of this name.
    fn transport(&self, module: &str) -> Lookup<'_>;

    /// The bus module of this name.
    fn bus(&self, module: &str) -> Lookup<'_>;
}

/// The answer of a [`Catalog`].
#[derive(Debug, Clone)]
pub enum Lookup<'a> {
    /// The module is there.
    Found(&'a Metadata),
    /// It is not, or cannot be used.
    Missing {
        /// The folders that were looked through.
        looked_in: Vec<PathBuf>,
        /// Why a module that is there cannot be used.
        reason: Option<String>,
    },
}
