//! Frames: a decimal length, a line feed, and so many bytes of XML-RPC, a call with one struct.

use std::io::{self, BufRead, Read};

use kozo_co2::document::{DocumentError, MAX_DOCUMENT, read_call, write_call};
use kozo_co2::{Struct, Value};

/// The longest frame that is read, in bytes: a document, and what stands around it.
const MAX_FRAME: usize = MAX_DOCUMENT + 64 * 1024;

/// The digits of a length, at most.
const MAX_DIGITS: u64 = 8;

/// What one side says to the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) fields: Struct,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Heard {
    /// A frame.
    Frame(Frame),
    /// So many bytes that are none; what comes behind it can be read.
    Unreadable(String),
    /// The end.
    End,
}

/// Writes a frame.
///
/// # Errors
/// A field cannot be written.
pub(super) fn write(name: &str, fields: Struct) -> Result<Vec<u8>, DocumentError> {
    let document = write_call(name, vec![Value::Struct(fields)])?;
    Ok(format!("{}\n{document}", document.len()).into_bytes())
}

/// Reads a frame.
///
/// # Errors
/// What was read is no length, or one that is too large: nothing that follows can be understood.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Heard> {
    let mut length = Vec::new();
    input
        .by_ref()
        .take(MAX_DIGITS + 1)
        .read_until(b'\n', &mut length)?;
    if length.is_empty() {
        return Ok(Heard::End);
    }
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "it writes no frames");
    let digits = length
        .strip_suffix(b"\n")
        .and_then(|digits| std::str::from_utf8(digits).ok());
    let length: usize = digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(wrong)?;
    if length > MAX_FRAME {
        return Err(wrong());
    }
    let mut document = vec![0; length];
    match input.read_exact(&mut document) {
        Ok(()) => {}
        // It ended in the middle.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Heard::End),
        Err(error) => return Err(error),
    }
    Ok(match read_call(&document, None) {
        Ok(call) => match call.arguments.into_iter().next() {
            Some(Value::Struct(fields)) => Heard::Frame(Frame {
                name: call.method,
                fields,
            }),
            _ => Heard::Unreadable("it is no call with one struct".to_owned()),
        },
        Err(error) => Heard::Unreadable(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written_whatever_is_in_them() {
        let fields = Struct::from([(
            "data".to_owned(),
            Value::Array(vec![
                Value::String("ü <&>\n\r".to_owned()),
                Value::Base64(vec![0, 255]),
                Value::Double(0.1),
            ]),
        )]);
        let one = write("receive", fields.clone()).unwrap();
        let two = write("exit", Struct::new()).unwrap();
        let all = [one, two, b"3\nabc7".to_vec()].concat();
        let mut input = all.as_slice();
        let mut next = || read(&mut input).unwrap();
        assert!(
            matches!(next(), Heard::Frame(frame) if frame.name == "receive" && frame.fields == fields)
        );
        assert!(matches!(next(), Heard::Frame(frame) if frame.name == "exit"));
        assert!(matches!(next(), Heard::Unreadable(_)));
        assert!(read(&mut input).is_err());
    }

    #[test]
    fn a_length_that_is_none_or_too_large_takes_no_memory() {
        for text in ["99999999\n", "999999999999999\n", "-1\n", "x\n", "12"] {
            assert!(read(&mut text.as_bytes()).is_err(), "{text}");
        }
        assert!(matches!(
            read(&mut "10\nabc".as_bytes()).unwrap(),
            Heard::End
        ));
        assert!(matches!(read(&mut "".as_bytes()).unwrap(), Heard::End));
    }
}
