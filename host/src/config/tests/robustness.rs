//! No file, whatever is in it, makes the reader panic or hang.

use proptest::prelude::*;

use super::*;

/// Characters that YAML gives a meaning, and some that it does not.
const PIECES: [&str; 40] = [
    "\n", "\n  ", "\n    ", " ", "\t", ": ", ":", "- ", "-", "? ", "?", "[", "]", "{", "}", ",",
    "&a ", "*a", "!", "!!str ", "!<x> ", "|\n", ">-\n", "'", "\"", "#", " #", "%", "@", "---\n",
    "...\n", "<<", "~", "012", "1e999", "\\x", "\u{0}", "\u{feff}", "é", "\r",
];

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = load_bytes(&bytes, Some("clock"));
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "\\PC{0,256}") {
        let _ = load_bytes(text.as_bytes(), Some("clock"));
    }

    #[test]
    fn arbitrary_pieces_of_yaml_are_read_or_refused(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..64)
    ) {
        let _ = load_bytes(pieces.concat().as_bytes(), Some("clock"));
    }

    #[test]
    fn a_good_file_with_a_mistake_anywhere_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        cut in 0_usize..20,
        piece in proptest::sample::select(&PIECES[..]),
    ) {
        let file = GOOD.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
        let start = at.index(file.len() + 1);
        let end = (start + cut).min(file.len());
        let mutated = [&file[..start], piece, &file[end..]].concat();
        if let Err(problems) = load_bytes(mutated.as_bytes(), Some("clock")) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.has_errors());
        }
    }

    #[test]
    fn a_good_file_with_a_byte_changed_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let file = GOOD.replace("KEY_A", KEY_A).replace("KEY_B", KEY_B);
        let mut bytes = file.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = load_bytes(&bytes, Some("clock"));
    }

    #[test]
    fn any_value_of_any_option_is_read_or_refused(value in "[ -~]{0,24}") {
        for option in crate::config::options::settings() {
            let _ = load(&and(&format!("{}: {value}\n", option.name)));
        }
        for option in ["publicKey: KEY_A", "privateKey: /var/lib/kozo/key", "tick: 60", "type: timer"] {
            let name = option.split(':').next().unwrap();
            let _ = load(&with(option, &format!("{name}: {value}")));
        }
    }
}
