//! What a role in another process asks for, done by the services of one in this process.

use std::time::Duration;

use kozo_abi::ffi::MessageView;
use kozo_ground::interest::Kind;
use kozo_ground::text::error_text;
use serde_bytes::ByteBuf;

use crate::modules::{OutgoingMessage, Received, RoleServices, ServiceError};
use crate::roles::isolated::protocol::{
    Delivered, HostAnswer, HostRequest, MAX_ANSWERED, Sent, bounded,
};

/// Does what was asked for; takes as long as that does.
pub(super) fn serve(services: &impl RoleServices, request: HostRequest) -> HostAnswer {
    match request {
        HostRequest::Receive { wait } => receive(services, wait),
        HostRequest::ReceiveMany { wait, most } => receive_many(services, wait, most),
        HostRequest::SendMany { messages, wait } => {
            HostAnswer::SentMany(send_many(services, &messages, wait).map_err(text))
        }
        HostRequest::Send { message, wait } => {
            let sent = send(services, &message, wait);
            HostAnswer::Sent(sent.map_err(text))
        }
        HostRequest::Sleep { time } => HostAnswer::Slept(services.sleep(time)),
        HostRequest::Load => {
            let loaded = services.load().map_err(text);
            HostAnswer::Loaded(loaded.map(|value| value.map(ByteBuf::from)))
        }
        HostRequest::Store { value } => HostAnswer::Stored(services.store(&value).map_err(text)),
        HostRequest::Ask { question, wait } => {
            let answered = services.ask(&question, wait);
            let fits = answered.and_then(|answer| match answer.len() {
                0..=MAX_ANSWERED => Ok(ByteBuf::from(answer)),
                length => Err(format!(
                    "the answer has {length} bytes, and {MAX_ANSWERED} are the limit"
                )
                .into()),
            });
            HostAnswer::Answered(fits.map_err(text))
        }
    }
}

/// Sends a message of the role, as [`RoleServices::send`] does.
pub(super) fn send(
    services: &impl RoleServices,
    message: &Sent,
    wait: Duration,
) -> Result<bool, ServiceError> {
    services.send(outgoing(message)?, wait)
}

/// Sends messages of the role, as [`RoleServices::send_many`] does.
fn send_many(
    services: &impl RoleServices,
    messages: &[Sent],
    wait: Duration,
) -> Result<usize, ServiceError> {
    let messages = messages.iter().map(outgoing);
    services.send_many(&messages.collect::<Result<Vec<_>, _>>()?, wait)
}

fn outgoing(message: &Sent) -> Result<OutgoingMessage<'_>, ServiceError> {
    let kind = Kind::from_number(message.kind)
        .ok_or_else(|| format!("there are no messages of kind {}", message.kind))?;
    Ok(OutgoingMessage {
        kind,
        type_name: &message.type_name,
        channel: message.channel.as_deref(),
        data: &message.data,
    })
}

/// What of an error goes to the process.
fn text(error: ServiceError) -> String {
    bounded(&error_text(&*error))
}

fn receive(services: &impl RoleServices, wait: Option<Duration>) -> HostAnswer {
    let mut taken = None;
    let received = services.receive(wait, &mut |view| taken = Some(delivered(view)));
    match (received, taken) {
        (_, Some(message)) => HostAnswer::Message(message),
        (Received::Interrupted, None) => HostAnswer::Interrupted,
        (Received::Message | Received::Timeout, None) => HostAnswer::Timeout,
    }
}

fn receive_many(services: &impl RoleServices, wait: Option<Duration>, most: usize) -> HostAnswer {
    let mut taken = Vec::new();
    let received = services.receive_many(wait, most, &mut |view| taken.push(delivered(view)));
    match received {
        _ if !taken.is_empty() => HostAnswer::Messages(taken),
        Received::Interrupted => HostAnswer::Interrupted,
        Received::Message | Received::Timeout => HostAnswer::Timeout,
    }
}

fn delivered(view: &MessageView<'_>) -> Delivered {
    Delivered {
        kind: view.kind,
        sender_node: view.sender_node.to_string(),
        sender_role: view.sender_role.to_string(),
        type_name: view.type_name.to_string(),
        channel: view
            .channel
            .map(|channel| channel.to_string())
            .into_option(),
        timestamp: view.timestamp,
        age_nanos: view.age_nanos,
        data: ByteBuf::from(view.data.to_vec()),
    }
}
