//! What messages have in common that one role sends under one type and on one channel.

use std::ops::Range;

use kozo_ground::interest::Kind;
use kozo_ground::names::RoleName;
use rmp::encode;

use super::message_error::{MAX_CHANNEL_LEN, MAX_TYPE_LEN, MessageError};
use super::put;

/// The start of a message's body, before its timestamp: kind, role, type and channel, and where they stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) role: Span,
    pub(crate) type_name: Span,
    pub(crate) channel: Option<Span>,
    /// Where it ends, and the timestamp starts.
    end: u16,
}

/// From where to where in a body: its texts have limits, so that they end far below 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }

    /// The span of a text that ends where `bytes` do.
    fn at_end(bytes: &[u8], text: &str) -> Self {
        Self {
            start: (bytes.len() - text.len()) as u16,
            end: bytes.len() as u16,
        }
    }
}

impl Head {
    /// Writes one to an empty buffer.
    pub(crate) fn write(
        body: &mut Vec<u8>,
        kind: Kind,
        role: &RoleName,
        type_name: &str,
        channel: Option<&str>,
    ) -> Result<Self, MessageError> {
        check_type(type_name)?;
        channel.map_or(Ok(()), check_channel)?;
        let text = |body: &mut Vec<u8>, text: &str| {
            put(encode::write_str(body, text));
            Span::at_end(body, text)
        };
        put(encode::write_uint(body, kind as u64));
        let role = text(body, role.as_str());
        let type_name = text(body, type_name);
        let channel = channel.map(|channel| text(body, channel));
        if channel.is_none() {
            put(encode::write_nil(body));
        }
        Ok(Self {
            kind,
            role,
            type_name,
            channel,
            end: body.len() as u16,
        })
    }

    /// Reads the one that `body` starts with.
    ///
    /// # Errors
    /// The first thing that is not as [`write`](Self::write) would have written it.
    pub(crate) fn read(body: &[u8]) -> Result<Self, MessageError> {
        let field = MessageError::Field;
        let mut rest = body;
        let number: u64 = rmp::decode::read_int(&mut rest).map_err(|_| field("kind"))?;
        let kind = u8::try_from(number).ok().and_then(Kind::from_number);
        let kind = kind.ok_or(MessageError::Kind(number))?;
        let text = |rest: &mut &[u8], name, check: fn(&str) -> Result<(), MessageError>| {
            let (text, tail) = rmp::decode::read_str_from_slice(*rest).map_err(|_| field(name))?;
            check(text)?;
            *rest = tail;
            Ok::<_, MessageError>(Span::at_end(&body[..body.len() - tail.len()], text))
        };
        let role = text(&mut rest, "role", |role| Ok(RoleName::check(role)?))?;
        let type_name = text(&mut rest, "type", check_type)?;
        let channel = if rest.first() == Some(&rmp::Marker::Null.to_u8()) {
            rest = &rest[1..];
            None
        } else {
            Some(text(&mut rest, "channel", check_channel)?)
        };
        Ok(Self {
            kind,
            role,
            type_name,
            channel,
            end: (body.len() - rest.len()) as u16,
        })
    }

    /// Whether it says the same, in the body that `body` starts with.
    pub(crate) fn is(
        &self,
        body: &[u8],
        kind: Kind,
        type_name: &str,
        channel: Option<&str>,
    ) -> bool {
        let is_at = |span: Span, text: &str| body[span.range()] == *text.as_bytes();
        self.kind == kind
            && is_at(self.type_name, type_name)
            && match (self.channel, channel) {
                (Some(span), Some(text)) => is_at(span, text),
                (None, None) => true,
                _ => false,
            }
    }

    /// How many bytes of a body it takes.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.end)
    }
}

fn check_type(type_name: &str) -> Result<(), MessageError> {
    match type_name.len() {
        length if length > MAX_TYPE_LEN => Err(MessageError::TypeTooLong(length)),
        _ => Ok(()),
    }
}

fn check_channel(channel: &str) -> Result<(), MessageError> {
    match channel.len() {
        length if length > MAX_CHANNEL_LEN => Err(MessageError::ChannelTooLong(length)),
        _ => Ok(()),
    }
}
