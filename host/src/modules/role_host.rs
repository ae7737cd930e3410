//! The host as roles see it: the functions that role modules call.

use std::sync::Arc;
use std::time::Duration;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{ROption, RResult, RSlice, RStr, RString, RVec};
use kozo_abi::ffi::{
    MessageSink, OutgoingView, RoleHostHandle, RoleHostVtable, RoleHostVtableRef, received,
};
use kozo_ground::interest::Kind;

use super::call_error::{ServiceError, told};
use super::context;
use super::host_call::{duration, host_failed, level_from_number};
use super::role_services::{OutgoingMessage, Received, RoleServices};

type Context = context::Context<dyn RoleServices>;

const VTABLE: &WithMetadata<RoleHostVtable> = &WithMetadata::new(RoleHostVtable {
    retain: Context::retain,
    release: Context::release,
    node,
    name,
    receive,
    send,
    sleep,
    stopping,
    log,
    load,
    store,
    #[cfg(not(feature = "previous-minor-fixture"))]
    ask,
    #[cfg(not(feature = "previous-minor-fixture"))]
    set_status,
    #[cfg(not(feature = "previous-minor-fixture"))]
    receive_many,
    #[cfg(not(feature = "previous-minor-fixture"))]
    send_many,
    #[cfg(feature = "next-minor-fixture")]
    next_minor,
});

/// What a module gets, to call these services with.
pub(super) fn handle(services: Arc<dyn RoleServices>) -> RoleHostHandle {
    RoleHostHandle {
        context: Context::into_raw(services),
        vtable: RoleHostVtableRef(VTABLE.static_as_prefix()),
    }
}

extern "C" fn node(context: *const ()) -> RStr<'static> {
    Context::text(context, "node", |services| services.node())
}

extern "C" fn name(context: *const ()) -> RStr<'static> {
    Context::text(context, "name", |services| services.name())
}

extern "C" fn receive(
    context: *const (),
    wait: ROption<u64>,
    sink: *mut (),
    take: MessageSink,
) -> u8 {
    Context::call(
        context,
        "receive",
        || received::INTERRUPTED,
        |services| {
            let mut is_taken = false;
            let ended = services.receive(duration(wait), &mut |message| {
                is_taken = true;
                (take.take)(sink, message);
            });
            number(ended, is_taken)
        },
    )
}

/// How a wait for messages ended, as the interface has it.
fn number(ended: Received, is_taken: bool) -> u8 {
    match ended {
        Received::Message if is_taken => received::MESSAGE,
        Received::Message | Received::Timeout => received::TIMEOUT,
        Received::Interrupted => received::INTERRUPTED,
    }
}

extern "C" fn send(
    context: *const (),
    message: &OutgoingView<'_>,
    wait: u64,
) -> RResult<bool, RString> {
    Context::call(context, "send", host_failed, |services| {
        outgoing(message)
            .and_then(|message| services.send(message, Duration::from_nanos(wait)))
            .map_err(told)
            .into()
    })
}

/// A message of a role as this host knows it.
fn outgoing<'a>(message: &OutgoingView<'a>) -> Result<OutgoingMessage<'a>, ServiceError> {
    let Some(kind) = Kind::from_number(message.kind) else {
        return Err(format!("this host knows no messages of kind {}", message.kind).into());
    };
    Ok(OutgoingMessage {
        kind,
        type_name: message.type_name.as_str(),
        channel: message
            .channel
            .map(|channel| channel.as_str())
            .into_option(),
        data: message.data.as_slice(),
    })
}

extern "C" fn sleep(context: *const (), nanos: u64) -> bool {
    Context::call(
        context,
        "sleep",
        || false,
        |services| services.sleep(Duration::from_nanos(nanos)),
    )
}

extern "C" fn stopping(context: *const ()) -> bool {
    Context::call(context, "stopping", || true, |services| services.stopping())
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

extern "C" fn load(context: *const ()) -> RResult<ROption<RVec<u8>>, RString> {
    Context::call(context, "load", host_failed, |services| {
        services
            .load()
            .map(|value| value.map(RVec::from).into())
            .map_err(told)
            .into()
    })
}

extern "C" fn store(context: *const (), value: RSlice<'_, u8>) -> RResult<(), RString> {
    Context::call(context, "store", host_failed, |services| {
        services.store(value.as_slice()).map_err(told).into()
    })
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn ask(
    context: *const (),
    question: RSlice<'_, u8>,
    wait: u64,
) -> RResult<RVec<u8>, RString> {
    Context::call(context, "ask", host_failed, |services| {
        services
            .ask(question.as_slice(), Duration::from_nanos(wait))
            .map(RVec::from)
            .map_err(told)
            .into()
    })
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn set_status(context: *const (), text: RStr<'_>) {
    Context::call(
        context,
        "set_status",
        || (),
        |services| services.set_status(text.as_str()),
    );
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn receive_many(
    context: *const (),
    wait: ROption<u64>,
    most: u64,
    sink: *mut (),
    take: MessageSink,
) -> u8 {
    Context::call(
        context,
        "receive_many",
        || received::INTERRUPTED,
        |services| {
            let mut is_taken = false;
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let ended = services.receive_many(duration(wait), most, &mut |message| {
                is_taken = true;
                (take.take)(sink, message);
            });
            number(ended, is_taken)
        },
    )
}

#[cfg(not(feature = "previous-minor-fixture"))]
extern "C" fn send_many(
    context: *const (),
    messages: RSlice<'_, OutgoingView<'_>>,
    wait: u64,
) -> RResult<u64, RString> {
    Context::call(context, "send_many", host_failed, |services| {
        let messages: Result<Vec<_>, _> = messages.iter().map(outgoing).collect();
        messages
            .and_then(|messages| services.send_many(&messages, Duration::from_nanos(wait)))
            .map(|sent| sent as u64)
            .map_err(told)
            .into()
    })
}

#[cfg(feature = "next-minor-fixture")]
extern "C" fn next_minor(_context: *const ()) -> u64 {
    1
}
