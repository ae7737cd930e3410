//! Modules: roles and transports in files of their own.
//!
//! ```text
//! SearchFolders ──▶ candidates ──read──▶ bytes ──▶ Image (ELF, metadata section) ──▶ Metadata
//!  (search)        (search)   (file)             (elf, image)                      (inspect)
//!                                        │
//!        all that were found: Registry ◀─┘──▶ Content ──▶ Loader ──▶ RoleModule ──▶ RoleInstance
//!                           (registry)      (content)    (load)     (role; the same in transport)
//! ```
//!
//! Up to the registry nothing of a module is run. What the loader takes stays in the process for
//! good, in a private copy, so that whatever happens to its file disturbs nothing. Whatever is
//! wrong with a file is an error that says so; it never harms the host. What a module's code would do
//! once it is damaged is told by the file's checksum alone, if it has one (`seal`).
//!
//! `unsafe` is in `dynamic` (opens objects), `load` (finds what they export), `inherited` (closes what
//! a process got from another), `exit` and `signals` (what modules do to the whole process), `heap` (the memory
//! that reading them took), and `context` and `transport_host` (pointers and descriptors that come back
//! from modules); nothing outside this folder needs any.

pub mod architecture;
pub mod content;
pub mod description;
pub mod elf;
pub mod file;
pub mod image;
pub mod imports;
pub mod inspect;
pub mod link_error;
pub mod listing;
pub mod load;
pub mod memory;
pub mod registry;
pub mod role;
pub mod role_services;
pub mod seal;
pub mod search;
pub mod transport;
pub mod transport_services;

mod call_error;
mod context;
mod dynamic;
mod exit;
mod heap;
mod host_call;
mod inherited;
mod inside;
mod layout;
mod role_host;
pub(crate) mod signals;
mod transport_host;

pub use architecture::Architecture;
pub use call_error::CallError;
pub use content::Content;
pub(crate) use exit::ExitWatch;
pub use file::TrustedWriters;
pub(crate) use heap::{give_back, return_large_pieces};
pub(crate) use inherited::close_inherited;
pub use inspect::{InspectError, Inspected};
pub use load::{LoadError, Loader};
pub use registry::{FileState, ModuleFile, Refusal, Registry, RegistryError, RoleFile};
pub use role::{RoleInstance, RoleModule};
pub use role_services::{Outgoing, Received, RoleServices};
pub use search::{Environment, SearchFolders};
pub use transport::{Connection, PeerDescription, TransportInstance, TransportModule};
pub use transport_services::{TransportIdentity, TransportServices};
