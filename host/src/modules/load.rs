//! The way from a file's bytes to a module whose functions can be called.
//!
//! ```text
//! Content (elsewhere: inspected, copied to memory) ──▶ architecture? ──▶ its imports
//!   ──▶ dlopen, all symbols ──▶ header of its interface ──▶ layout check ──▶ root module ──▶ attach
//! ```
//!
//! What went through once is kept for good, as are modules that failed after `dlopen`: they stay
//! mapped, and trying again would map them again.

#![allow(unsafe_code)] // The module's header is read from its symbol; each block has its reason.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use abi_stable::StableAbi;
use abi_stable::library::{AbiHeaderRef, RootModule};
use kozo_abi::Version;
use kozo_ground::lock::LockAnyway;
use kozo_ground::names::ModuleName;

use super::architecture::Architecture;
#[cfg(not(feature = "previous-minor-fixture"))]
use super::bus::BusModule;
use super::dynamic;
use super::file::TrustedWriters;
use super::image::{ENTRY_POINT, Image};
use super::imports::{ImportError, Imports};
use super::layout;
use super::link_error::LinkError;
use super::memory::Memory;
use super::role::RoleModule;
use super::transport::TransportModule;

/// Why a module cannot be loaded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is for another kind of machine.
    #[error("it is built for {module}, but this machine is {host}: build it for this one")]
    Architecture {
        /// What it is for.
        module: Architecture,
        /// What this is.
        host: Architecture,
    },
    /// A library from a folder of imports cannot be used.
    #[error("it needs the library `{}`, which cannot be used: {error}", .path.display())]
    Import {
        /// The library's file.
        path: PathBuf,
        /// Why.
        error: ImportError,
    },
    /// The system cannot load it.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Its entry point is none.
    #[error(
        "its entry point is not that of a module for this host ({0}): build it again with `kozo-abi` {major}",
        major = kozo_abi::VERSION.major
    )]
    Header(String),
    /// It was built for an interface whose major version differs.
    #[error(
        "its interface has version {module}, that of this host {host}: build it again with `kozo-abi` {}",
        .host.major
    )]
    Major {
        /// The module's version.
        module: Version,
        /// The host's.
        host: Version,
    },
    /// Its version fits, but its types do not.
    #[error(
        "its interface says that it has version {module}, but differs from this host's: {difference}; build it again with an unchanged `kozo-abi`"
    )]
    Layout {
        /// The version that it claims.
        module: Version,
        /// Where they differ.
        difference: String,
    },
}

/// Loads modules, and remembers them: a module with the same name and the same bytes is loaded
/// once.
#[derive(Debug)]
pub struct Loader {
    imports: Imports,
    roles: Cache<RoleModule>,
    transports: Cache<TransportModule>,
    #[cfg(not(feature = "previous-minor-fixture"))]
    buses: Cache<BusModule>,
}

/// A module to load.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The name that its metadata gives.
    pub name: &'a ModuleName,
    /// Where it was read from, for messages.
    pub path: &'a Path,
    /// The bytes of its file.
    pub code: &'a Arc<Memory>,
    /// What [`Image::read`] found in them.
    pub image: &'a Image,
}

impl Loader {
    /// A loader that finds the libraries of modules' own in these folders, the first one first.
    pub fn new(imports: Vec<PathBuf>, trust: TrustedWriters) -> Self {
        Self {
            imports: Imports::new(imports, trust),
            roles: Cache::default(),
            transports: Cache::default(),
            #[cfg(not(feature = "previous-minor-fixture"))]
            buses: Cache::default(),
        }
    }

    /// Loads a role's module.
    ///
    /// # Errors
    /// [`LoadError`] says what keeps it from being loaded. The program goes on as before.
    pub fn role(&self, source: Source<'_>) -> Result<Arc<RoleModule>, LoadError> {
        self.roles
            .load(source, || self.open(source, RoleModule::new))
    }

    /// Loads a transport's module.
    ///
    /// # Errors
    /// [`LoadError`] says what keeps it from being loaded. The program goes on as before.
    pub fn transport(&self, source: Source<'_>) -> Result<Arc<TransportModule>, LoadError> {
        self.transports
            .load(source, || self.open(source, TransportModule::new))
    }

    /// Loads a bus's module.
    ///
    /// # Errors
    /// [`LoadError`] says what keeps it from being loaded. The program goes on as before.
    #[cfg(not(feature = "previous-minor-fixture"))]
    pub fn bus(&self, source: Source<'_>) -> Result<Arc<BusModule>, LoadError> {
        self.buses
            .load(source, || self.open(source, BusModule::new))
    }

    fn open<M, T>(
        &self,
        source: Source<'_>,
        finish: impl FnOnce(&ModuleName, Version, M) -> T,
    ) -> Result<Opened<T>, LoadError>
    where
        M: RootModule,
    {
        let architecture = source.image.architecture;
        if let Some(host) = Architecture::native()
            && !architecture.is_native()
        {
            return Err(LoadError::Architecture {
                module: architecture,
                host,
            });
        }
        self.imports
            .open(&source.image.needs)
            .map_err(|(path, error)| LoadError::Import { path, error })?;
        let library = dynamic::open(&source.code.path(), source.path, self.imports.folders())?;

        // From here on the object is mapped, so its memory stays open whatever happens, even when
        // the loader is dropped: the system knows the object by its path, and were the number in
        // it given to another one, that would be taken for this.
        std::mem::forget(Arc::clone(source.code));
        // SAFETY: the symbol is the entry point that abi_stable reads in the same way, by its
        // address; `Image::read` saw that it is large enough to hold a header's beginning, which
        // `upgrade` checks before it reads on.
        let module = match unsafe { library.get::<AbiHeaderRef>(ENTRY_POINT) } {
            Ok(header) => root_module::<M>(*header),
            Err(error) => Err(LoadError::Header(error.to_string())),
        };
        let module = module.map(|(version, root)| Arc::new(finish(source.name, version, root)));
        Ok(Opened {
            memory: Arc::clone(source.code),
            module,
        })
    }
}

/// What `dlopen` took: the memory it mapped, and how it went on.
#[derive(Debug)]
struct Opened<T> {
    memory: Arc<Memory>,
    module: Result<Arc<T>, LoadError>,
}

/// All modules of a kind that were opened.
#[derive(Debug)]
struct Cache<T>(Mutex<Vec<(ModuleName, Opened<T>)>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Cache<T> {
    fn load(
        &self,
        source: Source<'_>,
        open: impl FnOnce() -> Result<Opened<T>, LoadError>,
    ) -> Result<Arc<T>, LoadError> {
        // Held while it is opened: the same module asked for twice is opened once.
        let mut all = self.0.lock_anyway();
        let known = all.iter().find(|(name, opened)| {
            let is_same = Arc::ptr_eq(&opened.memory, source.code);
            name == source.name && (is_same || opened.memory.equals(source.code))
        });
        if let Some((_, opened)) = known {
            return opened.module.clone();
        }
        let opened = open()?;
        let module = opened.module.clone();
        all.push((source.name.clone(), opened));
        module
    }
}

fn root_module<M: RootModule>(header: AbiHeaderRef) -> Result<(Version, M), LoadError> {
    let header_error = |error: &dyn std::error::Error| LoadError::Header(first_line(error));
    let header = header.upgrade().map_err(|error| header_error(&error))?;
    let parsed = header.version_strings().parsed();
    let parsed = parsed.map_err(|error| header_error(&error))?;
    let number = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let module = Version {
        major: number(parsed.major),
        minor: number(parsed.minor),
        patch: number(parsed.patch),
    };
    let host = kozo_abi::VERSION;
    if module.major != host.major {
        return Err(LoadError::Major { module, host });
    }
    let Some(of_module) = header.layout() else {
        let text = "it does not describe its types";
        return Err(LoadError::Header(text.to_owned()));
    };
    layout::check(<M as StableAbi>::LAYOUT, of_module, module)
        .map_err(|difference| LoadError::Layout { module, difference })?;
    // SAFETY: the layout was checked just now.
    let root = unsafe { header.init_root_module_with_unchecked_layout::<M>() };
    Ok((module, root.map_err(|error| header_error(&error))?))
}

fn first_line(text: &(impl ToString + ?Sized)) -> String {
    let text = text.to_string();
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default().trim().to_owned()
}
