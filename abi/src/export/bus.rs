//! The tables of a [`Bus`].

use std::marker::PhantomData;

use abi_stable::library::{CheckTypeLayout, LibHeader, RootModuleResult};
use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString};

use super::{attach, erase, options};
use crate::ffi::{
    BusHostHandle, BusModule, BusModuleRef, BusParts, BusVtable, BusVtableRef, PublishParts,
    published,
};
use crate::guard::guarded;
use crate::{Bus, BusHost, Error, Publish};

/// The library header of a bus's shared object.
pub const fn bus_header<B: Bus>() -> LibHeader {
    // SAFETY: the constructor returns the erased `BusModuleRef`.
    unsafe { LibHeader::from_constructor::<BusModuleRef>(construct_bus::<B>, CheckTypeLayout::Yes) }
}

extern "C" fn construct_bus<B: Bus>() -> RootModuleResult {
    erase(bus_module::<B>())
}

/// The table for a bus type; the bus itself is behind the `data` pointer.
struct BusTable<B>(PhantomData<B>);

impl<B: Bus> BusTable<B> {
    const MODULE: &WithMetadata<BusModule> = &WithMetadata::new(BusModule {
        attach,
        create: Self::create,
        #[cfg(feature = "next-minor-fixture")]
        next_minor: super::next_minor,
    });

    const VTABLE: &WithMetadata<BusVtable> = &WithMetadata::new(BusVtable {
        run: Self::run,
        publish: Self::publish,
        subscribe: Self::subscribe,
        stop: Self::stop,
        drop: Self::drop,
        #[cfg(feature = "next-minor-fixture")]
        next_minor: Self::next_minor,
    });

    fn call<V>(
        data: *const (),
        method: impl FnOnce(&B) -> Result<V, Error>,
    ) -> RResult<V, RString> {
        guarded(|| {
            // SAFETY: `create` made it and `drop` was not called yet; a `Bus` is `Sync`.
            method(unsafe { &*data.cast::<B>() })
        })
    }

    extern "C" fn create(
        handle: BusHostHandle,
        bytes: RSlice<'_, u8>,
    ) -> RResult<BusParts, RString> {
        guarded(|| {
            let bus = B::init(options(bytes)?, &BusHost::new(handle))?;
            let data: *const B = Box::into_raw(Box::new(bus));
            Ok(BusParts {
                data: data.cast(),
                vtable: BusVtableRef(Self::VTABLE.static_as_prefix()),
            })
        })
    }

    extern "C" fn run(data: *const ()) -> RResult<(), RString> {
        Self::call(data, B::run)
    }

    extern "C" fn publish(
        data: *const (),
        subject: RStr<'_>,
        reply: ROption<RStr<'_>>,
        bytes: RSlice<'_, u8>,
    ) -> RResult<PublishParts, RString> {
        Self::call(data, |bus| {
            let reply = reply.into_option().map(|reply| reply.as_str());
            let (outcome, number) = match bus.publish(subject.as_str(), reply, bytes.as_slice()) {
                Publish::Accepted(number) => (published::ACCEPTED, number),
                Publish::Full => (published::FULL, 0),
                Publish::Down => (published::DOWN, 0),
            };
            Ok(PublishParts { outcome, number })
        })
    }

    extern "C" fn subscribe(data: *const (), pattern: RStr<'_>, on: bool) -> RResult<(), RString> {
        Self::call(data, |bus| {
            bus.subscribe(pattern.as_str(), on);
            Ok(())
        })
    }

    extern "C" fn stop(data: *const ()) -> RResult<(), RString> {
        Self::call(data, |bus| {
            bus.stop();
            Ok(())
        })
    }

    extern "C" fn drop(data: *const ()) -> RResult<(), RString> {
        guarded(|| {
            // SAFETY: `create` made it with `Box::into_raw`, and the host calls this once, last.
            drop(unsafe { Box::from_raw(data.cast::<B>().cast_mut()) });
            Ok(())
        })
    }

    #[cfg(feature = "next-minor-fixture")]
    extern "C" fn next_minor(_data: *const ()) -> u64 {
        super::next_minor()
    }
}

/// A bus's tables, as the library exports them.
pub fn bus_module<B: Bus>() -> BusModuleRef {
    BusModuleRef(BusTable::<B>::MODULE.static_as_prefix())
}
