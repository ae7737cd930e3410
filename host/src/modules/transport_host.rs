//! The host as transports see it: the functions that transport modules call.

use std::sync::Arc;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use kozo_abi::ffi::{TransportHostHandle, TransportHostVtable, TransportHostVtableRef};

use super::call_error::told;
use super::context;
use super::host_call::{folder, host_failed, level_from_number, wait_for};
use super::transport_services::TransportServices;

type Context = context::Context<dyn TransportServices>;

const VTABLE: &WithMetadata<TransportHostVtable> = &WithMetadata::new(TransportHostVtable {
    retain: Context::retain,
    release: Context::release,
    node,
    name,
    module,
    local,
    stopping,
    wait_readable,
    log,
    sign,
    verify,
    state_dir,
    set_status,
    #[cfg(feature = "next-minor-fixture")]
    next_minor,
});

/// What a module gets, to call these services with.
pub(super) fn handle(services: Arc<dyn TransportServices>) -> TransportHostHandle {
    TransportHostHandle {
        context: Context::into_raw(services),
        vtable: TransportHostVtableRef(VTABLE.static_as_prefix()),
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

extern "C" fn local(context: *const ()) -> bool {
    Context::call(
        context,
        "local",
        || false,
        |services| services.identity().is_local,
    )
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
    Context::call(
        context,
        "log",
        || (),
        |services| {
            services.log(level_from_number(level), text.as_str());
            crate::log::settle_module_line();
        },
    );
}

extern "C" fn sign(context: *const (), data: RSlice<'_, u8>) -> RResult<RVec<u8>, RString> {
    Context::call(context, "sign", host_failed, |services| {
        match services.sign(data.as_slice()) {
            Ok(signature) => RResult::ROk(signature.into()),
            Err(reason) => RResult::RErr(told(reason)),
        }
    })
}

extern "C" fn verify(
    context: *const (),
    node: RStr<'_>,
    data: RSlice<'_, u8>,
    signature: RSlice<'_, u8>,
) -> RResult<(), RString> {
    Context::call(context, "verify", host_failed, |services| {
        let (data, signature) = (data.as_slice(), signature.as_slice());
        match services.verify(node.as_str(), data, signature) {
            Ok(()) => RResult::ROk(()),
            Err(reason) => RResult::RErr(told(reason)),
        }
    })
}

extern "C" fn state_dir(context: *const ()) -> RResult<RVec<u8>, RString> {
    Context::call(context, "state_dir", host_failed, |services| {
        folder(services.state_dir())
    })
}

extern "C" fn set_status(context: *const (), text: RStr<'_>) {
    Context::call(
        context,
        "set_status",
        || (),
        |services| services.set_status(text.as_str()),
    );
}

#[cfg(feature = "next-minor-fixture")]
extern "C" fn next_minor(_context: *const ()) -> u64 {
    1
}
