//! What a peer sends over a link once it is authenticated.

use kozo_ground::names::RoleName;
use kozo_wire::{
    BUS_FRAME_COST, Frame, FrameDecoder, FrameError, FrameWriter, Hello, LinkId,
    MAX_ANSWER_PART_LEN, MAX_BUS_PART_LEN, MAX_BYE_LEN, MAX_CHANNEL_LEN, MAX_FRAME_LEN,
    MAX_HELLO_LEN, MAX_INTERESTS, MAX_PLACE_LEN, MAX_QUESTION_LEN, MAX_TYPE_LEN, Message, PROTOCOL,
    SessionId, value_len,
};

/// A link's bytes: the first byte of the input says in what pieces the rest arrives.
///
/// The pieces make no difference, and what was read is written as what is read as the same.
pub fn frames(input: &[u8]) {
    let Some((&chunk, bytes)) = input.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, usize::from(chunk).max(1)), whole);
    whole.0.iter().for_each(written_as_read);
}

/// The body of one frame behind a hello: its length is always right, so it is looked at.
pub fn frame_body(body: &[u8]) {
    let Ok(length) = u32::try_from(body.len()) else {
        return;
    };
    let mut writer = FrameWriter::default();
    writer.hello(&greeting());
    let bytes = [&writer.take()[..], &length.to_be_bytes(), body].concat();
    let (frames, error) = read(&bytes, bytes.len());
    assert_eq!(frames.len(), if error.is_none() { 2 } else { 1 });
    frames.iter().for_each(written_as_read);
}

/// The map of a hello.
pub fn hello(map: &[u8]) {
    let Ok(length) = u32::try_from(map.len() + 2) else {
        return;
    };
    let (frames, _) = read(&[&length.to_be_bytes(), &[0x92, 1][..], map].concat(), 4096);
    frames.iter().for_each(written_as_read);
}

/// The body of a message.
pub fn message(body: &[u8]) {
    let Ok(message) = Message::parse(body) else {
        return;
    };
    assert_eq!(message.body(), body);
    assert_eq!(value_len(message.data()), Ok(message.data().len()));
    let role = RoleName::new(message.role()).expect("a role's name");
    let again = Message::new(
        message.kind(),
        &role,
        message.type_name(),
        message.channel(),
        message.timestamp(),
        message.data(),
    )
    .expect("what was read can be written");
    let read = Message::parse(again.body()).expect("what was written can be read");
    assert_eq!(read.body(), again.body());
    assert_eq!(read.data(), message.data());
    assert_eq!(read.kind(), message.kind());
    assert_eq!(read.role(), message.role());
    assert_eq!(read.type_name(), message.type_name());
    assert_eq!(read.channel(), message.channel());
}

/// The frames of a link's bytes, and how it ends, if it does.
fn read(bytes: &[u8], chunk: usize) -> (Vec<Seen>, Option<FrameError>) {
    let mut decoder = FrameDecoder::default();
    let mut frames = Vec::new();
    for chunk in bytes.chunks(chunk) {
        let result = decoder.decode(chunk, |frame| {
            frames.push(Seen(frame));
            Ok::<(), FrameError>(())
        });
        if let Err(error) = result {
            return (frames, Some(error));
        }
    }
    if let Some(pending) = decoder.pending() {
        assert_eq!(pending.place, frames.len() as u64);
        assert!(pending.here <= bytes.len(), "{pending:?}");
        assert!(
            pending.here < 4 || pending.here < pending.announced,
            "{pending:?}"
        );
        assert!(pending.announced <= MAX_FRAME_LEN + 4, "{pending:?}");
    }
    (frames, None)
}

/// A frame, compared by its bytes: a time may be no number, which is not equal to itself.
#[derive(Debug)]
struct Seen(Frame);

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        match (written(&self.0), written(&other.0)) {
            (Some(one), Some(other)) => one == other,
            _ => self.0 == other.0,
        }
    }
}

/// The bytes of a frame; none for those of later versions.
fn written(frame: &Frame) -> Option<Vec<u8>> {
    let mut writer = FrameWriter::default();
    match frame {
        Frame::Hello(hello) => writer.hello(hello),
        Frame::Heartbeat { clock, floor } => writer.heartbeat(*clock, *floor),
        Frame::Echo { clock } => writer.echo(*clock),
        Frame::Message {
            sequence,
            remaining,
            message,
        } => writer.message(*sequence, *remaining, message),
        Frame::Acknowledgement { sequence } => writer.acknowledgement(*sequence),
        Frame::Bye { reason } => writer.bye(reason),
        Frame::Twins(twins) => writer.twins(twins),
        Frame::Question(question) => writer.question(question),
        Frame::Answer(answer) => writer.answer(answer),
        Frame::Bus(frame) => writer.bus(frame),
        Frame::UnknownMessage { .. } | Frame::Unknown { .. } => return None,
    }
    Some(writer.take().to_vec())
}

/// Checks that a frame keeps to the limits, and is written as what is read as the same.
fn written_as_read(seen: &Seen) {
    match &seen.0 {
        Frame::Hello(hello) => {
            let interests = hello.interests.iter().map(|role| role.interests.len());
            assert!(interests.sum::<usize>() <= MAX_INTERESTS);
        }
        Frame::Message { message, .. } => {
            RoleName::check(message.role()).expect("a role's name");
            assert!(message.type_name().len() <= MAX_TYPE_LEN);
            assert!(message.channel().unwrap_or("").len() <= MAX_CHANNEL_LEN);
        }
        Frame::Bye { reason } => assert!(reason.len() <= MAX_BYE_LEN),
        Frame::Twins(twins) => {
            assert!(
                twins
                    .places
                    .iter()
                    .all(|place| place.len() <= MAX_PLACE_LEN)
            );
        }
        Frame::Question(question) => assert!(question.question.len() <= MAX_QUESTION_LEN),
        Frame::Answer(answer) => assert!(answer.part.len() <= MAX_ANSWER_PART_LEN),
        Frame::Bus(frame) => assert!(frame.cost() <= MAX_BUS_PART_LEN + BUS_FRAME_COST),
        _ => {}
    }
    let Some(bytes) = written(&seen.0) else {
        return;
    };
    let is_hello = matches!(seen.0, Frame::Hello(_));
    if is_hello && bytes.len() > MAX_HELLO_LEN {
        // What a peer abbreviates is written out here, and nobody passes on a hello.
        return;
    }
    let mut decoder = FrameDecoder::default();
    let mut again = Vec::new();
    // Until the hello has come, frames are short.
    let mut opening = FrameWriter::default();
    opening.hello(&greeting());
    let (opening, skipped) = match is_hello {
        true => (Vec::new(), 0),
        false => (opening.take().to_vec(), 1),
    };
    decoder
        .decode(&[opening, bytes.clone()].concat(), |frame| {
            again.push(frame);
            Ok::<(), FrameError>(())
        })
        .expect("what was written can be read");
    assert_eq!(again.len(), skipped + 1);
    assert_eq!(written(&again[skipped]), Some(bytes));
}

fn greeting() -> Hello {
    Hello {
        protocol: PROTOCOL,
        node: "clock".to_owned(),
        agent: String::new(),
        features: Vec::new(),
        session: SessionId(1),
        link: Some(LinkId(2)),
        rank: 0,
        alive: Vec::new(),
        heartbeat: 10_000,
        base: 1,
        seen: None,
        config: Vec::new().into(),
        interests: Vec::new(),
    }
}
