//! The host as buses see it: the functions that bus modules call.

use std::sync::Arc;
use std::time::Duration;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use kozo_abi::ffi::{
    BusHostHandle, BusHostVtable, BusHostVtableRef, LimitsView, WindowParts, delivered,
};
use kozo_abi::{Delivered, Limits};
use kozo_ground::queue::QueueLimits;

use super::bus_services::BusServices;
use super::context;
use super::host_call::{folder, host_failed, level_from_number, wait_for};

type Context = context::Context<dyn BusServices>;

const VTABLE: &WithMetadata<BusHostVtable> = &WithMetadata::new(BusHostVtable {
    retain: Context::retain,
    release: Context::release,
    node,
    name,
    module,
    stopping,
    wait_readable,
    log,
    up,
    down,
    deliver,
    wait_for_room,
    dropped,
    confirmed,
    window,
    nobody,
    refused,
    round_trip,
    state_dir,
    set_status,
    #[cfg(feature = "next-minor-fixture")]
    next_minor,
});

/// What a module gets, to call these services with.
pub(super) fn handle(services: Arc<dyn BusServices>) -> BusHostHandle {
    BusHostHandle {
        context: Context::into_raw(services),
        vtable: BusHostVtableRef(VTABLE.static_as_prefix()),
    }
}

extern "C" fn node(context: *const ()) -> RStr<'static> {
    Context::text(context, "node", |services| {
        services.identity().node.as_str()
    })
}

extern "C" fn name(context: *const ()) -> RStr<'static> {
    Context::text(context, "name", |services| {
        services.identity().name.as_str()
    })
}

extern "C" fn module(context: *const ()) -> RStr<'static> {
    Context::text(context, "module", |services| {
        services.identity().module.as_str()
    })
}

extern "C" fn stopping(context: *const ()) -> bool {
    Context::call(context, "stopping", || true, |services| services.stopping())
}

extern "C" fn wait_readable(
    context: *const (),
    fd: i32,
    wait: ROption<u64>,
) -> RResult<u8, RString> {
    Context::call(context, "wait_readable", host_failed, |services| {
        wait_for(fd, wait, |fd, timeout| services.wait_readable(fd, timeout))
    })
}

extern "C" fn log(context: *const (), level: u8, text: RStr<'_>) {
    tell(context, "log", |services| {
        services.log(level_from_number(level), text.as_str());
        crate::log::settle_module_line();
    });
}

extern "C" fn up(context: *const (), limits: &LimitsView<'_>) {
    tell(context, "up", |services| {
        let most = usize::try_from(limits.max_datagram).unwrap_or(usize::MAX);
        let of_engine = Limits::new(most, limits.server.as_str())
            .wildcards(limits.wildcards)
            .no_responders(limits.no_responders)
            .publish_from_roles(limits.publish_from_roles);
        services.up(of_engine);
    });
}

extern "C" fn down(context: *const (), reason: RStr<'_>) {
    tell(context, "down", |services| services.down(reason.as_str()));
}

extern "C" fn deliver(
    context: *const (),
    subject: RStr<'_>,
    reply: ROption<RStr<'_>>,
    data: RSlice<'_, u8>,
) -> u8 {
    // One that the host failed with is gone, rather than offered again for ever.
    Context::call(
        context,
        "deliver",
        || delivered::TAKEN,
        |services| {
            let reply = reply.into_option().map(|reply| reply.as_str());
            match services.deliver(subject.as_str(), reply, data.as_slice()) {
                Delivered::Taken => delivered::TAKEN,
                Delivered::Full => delivered::FULL,
            }
        },
    )
}

extern "C" fn wait_for_room(context: *const (), wait: u64) -> bool {
    Context::call(
        context,
        "wait_for_room",
        || false,
        |services| services.wait_for_room(Duration::from_nanos(wait)),
    )
}

extern "C" fn dropped(context: *const (), count: u64) {
    tell(context, "dropped", |services| services.dropped(count));
}

extern "C" fn confirmed(context: *const (), number: u64) {
    tell(context, "confirmed", |services| services.confirmed(number));
}

extern "C" fn window(context: *const ()) -> WindowParts {
    let none = || WindowParts {
        messages: 0,
        bytes: 0,
    };
    Context::call(context, "window", none, |services| {
        let QueueLimits { length, size } = services.window();
        WindowParts {
            messages: length as u64,
            bytes: size as u64,
        }
    })
}

extern "C" fn nobody(context: *const (), subject: RStr<'_>) {
    tell(context, "nobody", |services| {
        services.nobody(subject.as_str());
    });
}

extern "C" fn refused(context: *const (), subject: RStr<'_>, reason: RStr<'_>) {
    tell(context, "refused", |services| {
        services.refused(subject.as_str(), reason.as_str());
    });
}

extern "C" fn round_trip(context: *const (), nanos: u64) {
    tell(context, "round_trip", |services| {
        services.round_trip(Duration::from_nanos(nanos));
    });
}

extern "C" fn state_dir(context: *const ()) -> RResult<RVec<u8>, RString> {
    Context::call(context, "state_dir", host_failed, |services| {
        folder(services.state_dir())
    })
}

extern "C" fn set_status(context: *const (), text: RStr<'_>) {
    tell(context, "set_status", |services| {
        services.set_status(text.as_str());
    });
}

/// Calls a service that gives nothing back.
fn tell(context: *const (), what: &str, service: impl FnOnce(&(dyn BusServices + 'static))) {
    Context::call(context, what, || (), service);
}

#[cfg(feature = "next-minor-fixture")]
extern "C" fn next_minor(_context: *const ()) -> u64 {
    1
}
