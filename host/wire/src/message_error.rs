//! What a message may have, and why something is none.

use kozo_ground::names::NameError;

use super::value::ValueError;

/// The longest type, in bytes.
pub const MAX_TYPE_LEN: usize = 255;
/// The longest channel, in bytes.
pub const MAX_CHANNEL_LEN: usize = 255;
/// The most data that one message carries, in bytes of MessagePack.
pub const MAX_DATA_LEN: usize = 16 * 1024 * 1024;

/// Why something is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The data is too large.
    #[error("the data has {0} bytes, and {MAX_DATA_LEN} are the limit")]
    DataTooLong(usize),
    /// The type is too long.
    #[error("the type has {0} bytes, and {MAX_TYPE_LEN} are the limit")]
    TypeTooLong(usize),
    /// The channel is too long.
    #[error("the channel has {0} bytes, and {MAX_CHANNEL_LEN} are the limit")]
    ChannelTooLong(usize),
    /// The data is not one MessagePack value.
    #[error("the data is not one MessagePack value: {0}")]
    Data(#[from] ValueError),
    /// More bytes follow the data.
    #[error("{0} bytes too many follow the message")]
    Trailing(usize),
    /// A field is missing, or is not what it has to be.
    #[error("the message's {0} is missing or of the wrong type")]
    Field(&'static str),
    /// The kind has a number that this version does not know.
    #[error("the message is of an unknown kind, {0}")]
    Kind(u64),
    /// The sender's name is none.
    #[error("the sending role's name is not a name: {0}")]
    Role(#[from] NameError),
}
