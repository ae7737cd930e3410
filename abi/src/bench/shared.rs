//! The bench's hosts behind their `context` pointers.

/// The functions `host`, `retain` and `release` for a host whose `handle` makes the pointer by `Arc::into_raw`.
macro_rules! shared {
    ($host:ident) => {
        fn host<'a>(context: *const ()) -> &'a $host {
            // SAFETY: the host's `handle` made the pointer, and whoever calls owns a share of it meanwhile.
            unsafe { &*context.cast::<$host>() }
        }

        extern "C" fn retain(context: *const ()) {
            // SAFETY: the host's `handle` made the pointer by `Arc::into_raw`, and the caller owns a share.
            unsafe { Arc::increment_strong_count(context.cast::<$host>()) }
        }

        extern "C" fn release(context: *const ()) {
            // SAFETY: as in `retain`; the caller gives its own share up.
            unsafe { Arc::decrement_strong_count(context.cast::<$host>()) }
        }
    };
}
pub(super) use shared;
