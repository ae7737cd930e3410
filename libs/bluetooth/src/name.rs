//! Names that strangers chose.

/// How many bytes a name has at most: what Bluetooth allows.
const MAX_BYTES: usize = 248;

/// The name of a device as it may be shown and passed on. Whoever is in range chooses it: so it has
/// neither control characters, nor those that change the direction of what follows, nor more than
/// 248 bytes.
#[must_use]
pub fn printable(name: &str) -> String {
    let mut printable = String::new();
    for character in name.trim().chars() {
        let character = if is_tricky(character) {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        };
        if printable.len() + character.len_utf8() > MAX_BYTES {
            break;
        }
        printable.push(character);
    }
    printable
}

fn is_tricky(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Line and paragraph ends, marks and overrides of the direction, invisible ones.
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["Anna's phone", "Küche", "電話 📱", ""] {
            assert_eq!(printable(name), name);
        }
        assert_eq!(printable("  tag\t"), "tag");
    }

    #[test]
    fn control_characters_and_overrides_are_replaced() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(printable("x\u{202e}gpj.exe"), "x\u{fffd}gpj.exe");
        assert_eq!(printable("nul\0nul"), "nul\u{fffd}nul");
    }

    #[test]
    fn long_names_end_at_a_whole_character() {
        let name = printable(&"ü".repeat(500));
        assert_eq!(name, "ü".repeat(124));
        assert_eq!(printable(&"\u{1}".repeat(500)).len(), 246);
    }
}
