//! From a module's Rust types to the tables of [`crate::ffi`]: what the export macros call.

#![allow(unsafe_code)] // The module's side of every `data` pointer; each block has its reason.

#[cfg(not(feature = "previous-minor-fixture"))]
mod bus;

use std::marker::PhantomData;
use std::time::Duration;

use abi_stable::library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult};
use abi_stable::marker_type::ErasedPrefix;
use abi_stable::prefix_type::{PrefixRefTrait, WithMetadata};
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};

use crate::ffi::nanos;
use crate::ffi::{
    ConnectionParts, InboxParts, ModuleLog, PaceParts, PeerView, RoleHostHandle, RoleModule,
    RoleModuleRef, RoleParts, RoleVtable, RoleVtableRef, TransportHostHandle, TransportModule,
    TransportModuleRef, TransportParts, TransportVtable, TransportVtableRef,
};
use crate::guard::{self, guarded};
use crate::{Connection, Error, InboxLimits, Pace, Peer, Role, RoleHost, Transport, TransportHost};

pub use abi_stable::library::LibHeader as Header;
#[cfg(not(feature = "previous-minor-fixture"))]
pub use bus::{bus_header, bus_module};

/// The metadata of an exported type, for its tests.
pub trait Described {
    /// The text of `module.yaml`.
    const METADATA: &'static str;
}

/// Exports a [`Role`](crate::Role): the crate's shared object holds it, described by the
/// `module.yaml` beside the crate's `Cargo.toml`. Once a crate.
#[macro_export]
macro_rules! export_role {
    ($role:ty) => {
        $crate::__export!($role, $crate::export::role_header::<$role>());
    };
}

/// Exports a [`Transport`](crate::Transport): the crate's shared object holds it, described by
/// the `module.yaml` beside the crate's `Cargo.toml`. Once a crate.
#[macro_export]
macro_rules! export_transport {
    ($transport:ty) => {
        $crate::__export!($transport, $crate::export::transport_header::<$transport>());
    };
}

/// Exports a [`Bus`](crate::Bus): the crate's shared object holds it, described by the
/// `module.yaml` beside the crate's `Cargo.toml`. Once a crate.
#[cfg(not(feature = "previous-minor-fixture"))]
#[macro_export]
macro_rules! export_bus {
    ($bus:ty) => {
        $crate::__export!($bus, $crate::export::bus_header::<$bus>());
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($module:ty, $header:expr) => {
        #[cfg(panic = "abort")]
        compile_error!(
            "a Kōzō module must unwind, so that its panics harm nobody else: remove `panic = \"abort\"` from the profile"
        );

        impl $crate::export::Described for $module {
            const METADATA: &'static str =
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/module.yaml"));
        }

        const _: () = {
            const METADATA: &str = <$module as $crate::export::Described>::METADATA;

            // `used` alone keeps it from the compiler, but older ones let the linker drop what
            // nothing refers to; a symbol that the shared object exports stays.
            #[used]
            #[allow(unsafe_code)]
            #[unsafe(link_section = ".kozo.meta")]
            #[unsafe(no_mangle)]
            pub static KOZO_MODULE_METADATA: [u8; $crate::export::section_len(METADATA)] =
                $crate::export::build_section(METADATA);

            // The name under which the host's loader looks for the header.
            #[allow(unsafe_code, non_upper_case_globals)]
            #[unsafe(no_mangle)]
            pub static _1as_0lib_1header_0root_bmodule_bloader: $crate::export::Header = $header;
        };
    };
}

pub use crate::section::{build_section, section_len};

/// The library header of a role's shared object.
pub const fn role_header<R: Role>() -> LibHeader {
    // SAFETY: the constructor returns the erased `RoleModuleRef`.
    unsafe {
        LibHeader::from_constructor::<RoleModuleRef>(construct_role::<R>, CheckTypeLayout::Yes)
    }
}

/// The library header of a transport's shared object.
pub const fn transport_header<T: Transport>() -> LibHeader {
    // SAFETY: the constructor returns the erased `TransportModuleRef`.
    unsafe {
        LibHeader::from_constructor::<TransportModuleRef>(
            construct_transport::<T>,
            CheckTypeLayout::Yes,
        )
    }
}

extern "C" fn construct_role<R: Role>() -> RootModuleResult {
    erase(role_module::<R>())
}

extern "C" fn construct_transport<T: Transport>() -> RootModuleResult {
    erase(transport_module::<T>())
}

fn erase<M: RootModule + PrefixRefTrait>(module: M) -> RootModuleResult {
    // SAFETY: the host casts it back to the same type, after it has checked the layout that the
    // header carries.
    RResult::ROk(unsafe { module.to_prefix_ref().cast::<ErasedPrefix>() })
}

extern "C" fn attach(log: ModuleLog, name: RStr<'_>) {
    // There is nothing to report to if this fails.
    let _ = guarded(|| {
        guard::attach(log, name.as_str());
        Ok(())
    });
}

fn options<T: serde::de::DeserializeOwned>(bytes: RSlice<'_, u8>) -> Result<T, Error> {
    rmp_serde::from_slice(bytes.as_slice()).map_err(|error| {
        format!("the options do not fit the module's own type, a fault of the module: {error}")
            .into()
    })
}

/// A role with its host, behind the `data` pointer.
struct RoleState<R> {
    role: R,
    host: RoleHost,
}

/// The table for a role type.
struct RoleTable<R>(PhantomData<R>);

impl<R: Role> RoleTable<R> {
    const MODULE: &WithMetadata<RoleModule> = &WithMetadata::new(RoleModule {
        attach,
        create: Self::create,
        #[cfg(feature = "next-minor-fixture")]
        next_minor,
    });

    const VTABLE: &WithMetadata<RoleVtable> = &WithMetadata::new(RoleVtable {
        run: Self::run,
        pace: Self::pace,
        inbox: Self::inbox,
        reopen: Self::reopen,
        stop: Self::stop,
        drop: Self::drop,
        #[cfg(feature = "next-minor-fixture")]
        next_minor: Self::next_minor,
    });

    fn call<T>(
        data: *mut (),
        method: impl FnOnce(&mut RoleState<R>) -> Result<T, Error>,
    ) -> RResult<T, RString> {
        guarded(|| {
            // SAFETY: `create` made it, `drop` was not called yet, and the host makes one call at
            // a time.
            method(unsafe { &mut *data.cast::<RoleState<R>>() })
        })
    }

    extern "C" fn create(
        handle: RoleHostHandle,
        bytes: RSlice<'_, u8>,
    ) -> RResult<RoleParts, RString> {
        guarded(|| {
            let mut host = RoleHost::new(handle);
            let role = R::new(options(bytes)?, &host)?;
            host.set_filter(role.filter());
            let data = Box::into_raw(Box::new(RoleState { role, host })).cast();
            Ok(RoleParts {
                data,
                vtable: RoleVtableRef(Self::VTABLE.static_as_prefix()),
            })
        })
    }

    extern "C" fn run(data: *mut ()) -> RResult<(), RString> {
        Self::call(data, |state| state.role.run(&state.host))
    }

    extern "C" fn pace(data: *mut ()) -> RResult<PaceParts, RString> {
        Self::call(data, |state| {
            let every = |interval: Duration, messages_interrupt| PaceParts {
                interval_nanos: ROption::RSome(nanos(interval)),
                messages_interrupt,
            };
            Ok(match state.role.pace() {
                Pace::AtOnce => PaceParts {
                    interval_nanos: ROption::RNone,
                    messages_interrupt: true,
                },
                Pace::Every(interval) => every(interval, false),
                Pace::EveryOrMessage(interval) => every(interval, true),
            })
        })
    }

    extern "C" fn inbox(data: *mut (), configured: InboxParts) -> RResult<InboxParts, RString> {
        Self::call(data, |state| {
            let InboxParts { length, size } = configured;
            let InboxLimits { length, size } = state.role.inbox(InboxLimits { length, size });
            Ok(InboxParts { length, size })
        })
    }

    extern "C" fn reopen(data: *mut ()) -> RResult<(), RString> {
        Self::call(data, |state| state.role.reopen(&state.host))
    }

    extern "C" fn stop(data: *mut ()) -> RResult<(), RString> {
        Self::call(data, |state| state.role.stop(&state.host))
    }

    extern "C" fn drop(data: *mut ()) -> RResult<(), RString> {
        guarded(|| {
            // SAFETY: `create` made it with `Box::into_raw`, and the host calls this once, last.
            drop(unsafe { Box::from_raw(data.cast::<RoleState<R>>()) });
            Ok(())
        })
    }

    #[cfg(feature = "next-minor-fixture")]
    extern "C" fn next_minor(_data: *mut ()) -> u64 {
        next_minor()
    }
}

#[cfg(feature = "next-minor-fixture")]
extern "C" fn next_minor() -> u64 {
    1
}

/// A role's tables, as the library exports them.
pub fn role_module<R: Role>() -> RoleModuleRef {
    RoleModuleRef(RoleTable::<R>::MODULE.static_as_prefix())
}

/// A transport with its host, behind the `data` pointer.
struct TransportState<T> {
    transport: T,
    host: TransportHost,
}

/// The table for a transport type.
struct TransportTable<T>(PhantomData<T>);

impl<T: Transport> TransportTable<T> {
    const MODULE: &WithMetadata<TransportModule> = &WithMetadata::new(TransportModule {
        attach,
        create: Self::create,
        own_address: Self::own_address,
        #[cfg(feature = "next-minor-fixture")]
        next_minor,
    });

    const VTABLE: &WithMetadata<TransportVtable> = &WithMetadata::new(TransportVtable {
        local_init: Self::local_init,
        bind: Self::bind,
        accept: Self::accept,
        addresses: Self::addresses,
        connect: Self::connect,
        priority: Self::priority,
        can_accept: Self::can_accept,
        can_connect: Self::can_connect,
        stop: Self::stop,
        drop: Self::drop,
        #[cfg(feature = "next-minor-fixture")]
        next_minor: Self::next_minor,
    });

    fn call<V>(
        data: *const (),
        method: impl FnOnce(&TransportState<T>) -> Result<V, Error>,
    ) -> RResult<V, RString> {
        guarded(|| {
            // SAFETY: `create` made it and `drop` was not called yet; a `Transport` is `Sync`.
            method(unsafe { &*data.cast::<TransportState<T>>() })
        })
    }

    fn call_with_peer<V>(
        data: *const (),
        view: &PeerView<'_>,
        method: impl FnOnce(&T, &Peer<'_>) -> Result<V, Error>,
    ) -> RResult<V, RString> {
        Self::call(data, |state| {
            method(&state.transport, &Peer::new(view, state.host.module()))
        })
    }

    extern "C" fn create(
        handle: TransportHostHandle,
        bytes: RSlice<'_, u8>,
    ) -> RResult<TransportParts, RString> {
        guarded(|| {
            let host = TransportHost::new(handle);
            let transport = T::init(options(bytes)?, &host)?;
            let data: *const TransportState<T> =
                Box::into_raw(Box::new(TransportState { transport, host }));
            let vtable = TransportVtableRef(Self::VTABLE.static_as_prefix());
            Ok(TransportParts {
                data: data.cast(),
                vtable,
            })
        })
    }

    extern "C" fn own_address(
        handle: TransportHostHandle,
        bytes: RSlice<'_, u8>,
    ) -> RResult<ROption<RString>, RString> {
        guarded(|| {
            let host = TransportHost::new(handle);
            let address = T::own_address(&options(bytes)?, &host)?;
            Ok(address.map(RString::from).into())
        })
    }

    extern "C" fn local_init(data: *const ()) -> RResult<(), RString> {
        Self::call(data, |state| state.transport.local_init())
    }

    extern "C" fn bind(data: *const ()) -> RResult<(), RString> {
        Self::call(data, |state| state.transport.bind())
    }

    extern "C" fn accept(data: *const ()) -> RResult<ROption<ConnectionParts>, RString> {
        Self::call(data, |state| {
            Ok(state.transport.accept()?.map(parts).into())
        })
    }

    extern "C" fn addresses(
        data: *const (),
        peer: &PeerView<'_>,
    ) -> RResult<RVec<RString>, RString> {
        Self::call_with_peer(data, peer, |transport, peer| {
            Ok(transport
                .addresses(peer)?
                .into_iter()
                .map(RString::from)
                .collect())
        })
    }

    extern "C" fn connect(
        data: *const (),
        peer: &PeerView<'_>,
        address: RStr<'_>,
        timeout: u64,
    ) -> RResult<ConnectionParts, RString> {
        Self::call_with_peer(data, peer, |transport, peer| {
            let timeout = Duration::from_nanos(timeout);
            Ok(parts(transport.connect(peer, address.as_str(), timeout)?))
        })
    }

    extern "C" fn priority(data: *const ()) -> RResult<u8, RString> {
        Self::call(data, |state| Ok(state.transport.priority().number()))
    }

    extern "C" fn can_accept(data: *const ()) -> RResult<bool, RString> {
        Self::call(data, |state| Ok(state.transport.can_accept()))
    }

    extern "C" fn can_connect(data: *const (), peer: &PeerView<'_>) -> RResult<bool, RString> {
        Self::call_with_peer(
            data,
            peer,
            |transport, peer| Ok(transport.can_connect(peer)),
        )
    }

    extern "C" fn stop(data: *const ()) -> RResult<(), RString> {
        Self::call(data, |state| {
            state.transport.stop();
            Ok(())
        })
    }

    extern "C" fn drop(data: *const ()) -> RResult<(), RString> {
        guarded(|| {
            // SAFETY: `create` made it with `Box::into_raw`, and the host calls this once, last.
            drop(unsafe { Box::from_raw(data.cast::<TransportState<T>>().cast_mut()) });
            Ok(())
        })
    }

    #[cfg(feature = "next-minor-fixture")]
    extern "C" fn next_minor(_data: *const ()) -> u64 {
        next_minor()
    }
}

fn parts(connection: Connection) -> ConnectionParts {
    ConnectionParts {
        stream: connection.stream.into(),
        address: connection.address.into(),
        authenticated: connection.node.map(RString::from).into(),
    }
}

/// A transport's tables, as the library exports them.
pub fn transport_module<T: Transport>() -> TransportModuleRef {
    TransportModuleRef(TransportTable::<T>::MODULE.static_as_prefix())
}
