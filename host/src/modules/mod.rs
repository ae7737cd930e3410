//! Modules: roles, transports and buses in files of their own.
//!
//! ```text
//! SearchFolders ──▶ candidates ──read──▶ bytes ──▶ Image (ELF, metadata section) ──▶ Metadata
//!  (search)        (search)   (file)             (elf, image)                      (inspect)
//!                                        │
//!        all that were found: Registry ◀─┘──▶ Content ──▶ Loader ──▶ RoleModule ──▶ RoleInstance
//!                           (registry)      (content)    (load)     (role; the same in transport, bus)
//! ```
//!
//! Up to the registry nothing of a module is run. Of those that a node does not use only what they say of themselves
//! is read (`outline`), and of those that its file does not name only which ones they are. What the loader takes stays
//! in the process for good, in a private copy, so that whatever happens to its file disturbs nothing. Whatever is
//! wrong with a file is an error that says so; it never harms the host. What a module's code would do
//! once it is damaged is told by the file's checksum alone, if it has one (`seal`).
//!
//! `unsafe` is in `dynamic` (opens objects), `load` (finds what they export), `inherited` (closes what
//! a process got from another), `exit` and `signals` (what modules do to the whole process), `heap` (the memory
//! that reading them took), and `context`, `transport_host` and `bus_host` (pointers and descriptors that come back
//! from modules); nothing outside this folder needs any.

pub mod description;
pub mod image;
pub mod listing;
pub mod load;
pub mod memory;
pub mod seal;

mod architecture;
mod bus;
mod bus_host;
mod bus_services;
mod call_error;
mod content;
mod context;
mod dynamic;
mod elf;
mod exit;
mod file;
mod heap;
mod host_call;
mod imports;
mod inherited;
mod inside;
mod inspect;
mod layout;
mod link_error;
mod outline;
mod registry;
mod role;
mod role_host;
mod role_services;
mod search;
pub(crate) mod signals;
mod transport;
mod transport_host;
mod transport_services;

pub use architecture::Architecture;
pub use bus::{BusInstance, BusModule};
pub use bus_services::{BusIdentity, BusServices};
pub use call_error::{CallError, ServiceError};
pub use content::Content;
pub(crate) use exit::ExitWatch;
pub use file::TrustedWriters;
pub(crate) use heap::{give_back, return_large_pieces};
pub(crate) use host_call::level_from_number;
pub(crate) use inherited::close_inherited;
pub use inspect::{InspectError, Inspected};
pub use load::{LoadError, Loader};
pub use registry::{FileState, ModuleFile, Refusal, Registry, RegistryError, RoleFile};
pub use role::{RoleInstance, RoleModule};
pub use role_services::{OutgoingMessage, Received, RoleServices};
pub use search::{Environment, SearchFolders};
pub use transport::{PeerDescription, TransportConnection, TransportInstance, TransportModule};
pub use transport_services::{TransportIdentity, TransportServices};
