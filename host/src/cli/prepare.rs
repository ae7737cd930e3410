//! From the path of a configuration file to everything that a node is started with.

use std::path::{Path, PathBuf};

use crate::config::{self, Document, Network, Problems};
use crate::modules::{Environment, Registry, SearchPaths, Trust};
use crate::names::NodeName;

/// A network, and the modules of this machine.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) network: Network,
    pub(super) registry: Registry,
    /// What is odd about the file.
    pub(super) warnings: Problems,
}

/// Reads a configuration file for a node, or for nobody in particular. `modules` are folders that
/// are searched for modules before all others.
///
/// # Errors
/// Everything that is wrong with the file.
pub(super) fn prepare(
    config: &Path,
    local: Option<&NodeName>,
    modules: &[PathBuf],
) -> Result<Prepared, Problems> {
    let document = Document::read(config)?;
    let mut environment = Environment::read();
    for folders in [&mut environment.roles, &mut environment.transports] {
        folders.splice(0..0, modules.iter().cloned());
    }
    let paths = SearchPaths::new(&environment, &document.search_paths(local));
    let registry = Registry::scan(paths, Trust::of_this_process());
    let (network, warnings) = document.network(&registry, local)?;
    Ok(Prepared {
        network,
        registry,
        warnings,
    })
}

/// The modules of this machine, as far as they are found without a configuration file.
pub(super) fn installed_modules() -> Registry {
    let paths = SearchPaths::new(&Environment::read(), &config::SearchPaths::default());
    Registry::scan(paths, Trust::of_this_process())
}
