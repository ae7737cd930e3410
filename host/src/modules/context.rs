//! The pointer by which a module calls the host: what it points to, and who owns it.

#![allow(unsafe_code)] // Turns the pointer back; each block has its reason.

use std::sync::Arc;

use abi_stable::std_types::RStr;

use super::host_call::guarded;

/// What `context` points to in the tables that modules get: the services for one role, transport or bus.
/// Whoever holds a handle owns a part of it.
pub(super) struct Context<S: ?Sized>(Arc<S>);

impl<S: ?Sized + 'static> Context<S> {
    /// A pointer for a module, which owns it from now on.
    pub(super) fn into_raw(services: Arc<S>) -> *const () {
        Arc::into_raw(Arc::new(Self(services))).cast()
    }

    /// Calls a service for a module.
    pub(super) fn call<T>(
        context: *const (),
        what: &str,
        fallback: impl FnOnce() -> T,
        service: impl FnOnce(&S) -> T,
    ) -> T {
        // SAFETY: a module calls the host's functions with the context of a handle that it owns, so
        // it comes from `into_raw` and lives until this call returns.
        let context = unsafe { &*context.cast::<Self>() };
        guarded(what, fallback, || service(&context.0))
    }

    /// Asks for a text that the services keep for as long as they live.
    pub(super) fn text(
        context: *const (),
        what: &str,
        text: impl FnOnce(&S) -> &str,
    ) -> RStr<'static> {
        // SAFETY: as in `call`. The services stay where they are and are only borrowed; the
        // interface says that the text lives as long as its owner.
        let context: &'static Self = unsafe { &*context.cast::<Self>() };
        let text = || RStr::from_str(text(&context.0));
        guarded(what, || RStr::from_str(""), text)
    }

    /// The module has made another owner.
    pub(super) extern "C" fn retain(context: *const ()) {
        // SAFETY: as in `call`; the count goes up for the new owner.
        unsafe { Arc::increment_strong_count(context.cast::<Self>()) };
    }

    /// An owner is gone.
    pub(super) extern "C" fn release(context: *const ()) {
        guarded(
            "release",
            || (),
            || {
                // SAFETY: it comes from `into_raw`, and the owner that calls this gives its part up.
                drop(unsafe { Arc::from_raw(context.cast::<Self>()) });
            },
        );
    }
}
