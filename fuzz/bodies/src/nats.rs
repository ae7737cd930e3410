//! NATS: what a server says to a bus, which may be anybody's.

use crate::nats_protocol::{MAX_MESSAGE, Op, Reader};

/// A stream as any server may send it: it is read as the same in pieces of any length, of which the first byte tells one,
/// and nothing is kept beyond the limits.
pub fn nats_stream(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read(bytes, usize::MAX);
    let pieces = read(bytes, usize::from(*piece).max(1));
    assert_eq!(whole.0, pieces.0);
    // What is no NATS may be found out before all of it is there, and a message too large before its end.
    assert_eq!(whole.1.is_some(), pieces.1.is_some());
}

/// The operations, and what ended them.
fn read(bytes: &[u8], piece: usize) -> (Vec<String>, Option<String>) {
    let mut reader = Reader::default();
    let mut operations = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.room().extend_from_slice(piece);
        loop {
            match reader.next() {
                Ok(Some(operation)) => {
                    if let Op::Message {
                        subject, payload, ..
                    } = &operation
                    {
                        assert!(!subject.is_empty() && !subject.contains(char::is_whitespace));
                        assert!(payload.len() <= MAX_MESSAGE.min(bytes.len()));
                    }
                    operations.push(format!("{operation:?}"));
                }
                Ok(None) => break,
                Err(violation) => return (operations, Some(violation.to_string())),
            }
        }
    }
    (operations, None)
}
