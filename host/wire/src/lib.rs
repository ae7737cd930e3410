//! What goes over a link once it is encrypted and authenticated: length-prefixed frames with
//! MessagePack bodies. docs/protocol.md describes them for other implementations.
//!
//! Everything here is pure: bytes in, values out, and every length from a peer is checked against
//! a named limit before it sizes anything.

mod bus;
mod draft;
mod elements;
mod frame;
mod head;
mod hello;
mod interests;
mod likeness;
mod message;
mod message_error;
mod rows;
mod value;

pub use bus::{
    BUS_FRAME_COST, BusFrame, MAX_BUS_DATAGRAM_LEN, MAX_BUS_PART_LEN, MAX_BUS_SUBJECT_LEN,
    MAX_BUS_TEXT_LEN,
};
pub use draft::{Bodies, Draft, TakenBodies};
pub use elements::FrameError;
pub use frame::{
    AnswerFrame, Frame, FrameDecoder, FrameWriter, MAX_ANSWER_PART_LEN, MAX_BYE_LEN, MAX_FRAME_LEN,
    MAX_HELLO_LEN, MAX_PLACE_LEN, MAX_QUESTION_LEN, PendingFrame, QuestionFrame, TwinsFrame,
};
pub use hello::{BUS, Hello, LinkId, MAX_INTERESTS, PROTOCOL, QUESTIONS, RoleInterests, SessionId};
pub use interests::{SummedUp, ToldInterests};
pub use likeness::Likeness;
pub use message::{MESSAGE_OVERHEAD, Message};
pub use message_error::{MAX_CHANNEL_LEN, MAX_DATA_LEN, MAX_TYPE_LEN, MessageError};
pub use rows::MessageRows;
pub use value::{MAX_DEPTH, ValueError, value_len};

/// Takes the outcome of writing MessagePack to memory, which cannot fail.
fn put<T, E>(written: Result<T, E>) {
    debug_assert!(written.is_ok());
}
