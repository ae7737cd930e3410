//! What decides, without threads and sockets: the time is an argument.

mod calls;
mod mapping;
mod outbox;
mod registration;

pub(crate) use calls::Calls;
pub(crate) use mapping::{
    FOREIGN_EVENTS, Method, RemoteCall, answer, forwarded, notify_event, order_data, remote_call,
    result_event,
};
pub(crate) use outbox::{Outbox, Pushed};
pub(crate) use registration::{Registration, Step};
