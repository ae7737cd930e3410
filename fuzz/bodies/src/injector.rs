//! Lines of the message injector.

use kozo_wire::value_len;

use crate::command::{Command, Content};
use crate::literal;

/// What the notations are made of.
pub(crate) const PIECES: [&str; 34] = [
    "(", ")", "[", "]", "{", "}", ",", ":", ": ", "'", "\"", "'''", "\"\"\"", "\\", "\\x", "\\u",
    "\\ud83d", "\\N{", "b'", "u'", "r'", "None", "True", "0x", "0o7", "1_0", "1e999", "-", "5j",
    "&a ", "*a", "!!str ", "#", "~",
];

/// A line that a client sends. What it carries is data of a message, and where a literal ends to be
/// one lies in the line.
pub fn injector_line(bytes: &[u8]) {
    let Ok(line) = std::str::from_utf8(bytes) else {
        return;
    };
    match Command::parse(line) {
        Ok(Command::Event(Content { data, .. }) | Command::Order(Content { data, .. })) => {
            let data = rmp_serde::to_vec_named(&data).expect("data can be written");
            assert_eq!(value_len(&data), Ok(data.len()));
        }
        Ok(Command::Log(_)) => {}
        Err(reason) => assert!(!reason.is_empty()),
    }
    if let Err(error) = literal::parse(line) {
        let error = error.to_string();
        let place = error
            .strip_prefix("character ")
            .and_then(|rest| rest.split(':').next()?.parse::<usize>().ok())
            .expect("a place");
        assert!((1..=line.chars().count() + 1).contains(&place), "{error}");
    }
}
