//! Characters that nobody sees: they come along when text is copied from a page or a chat, and what
//! looks right is not.

use std::fmt;

/// A character that cannot be seen, or that looks like a space and is none. It displays as its
/// name with its code point: "a no-break space (U+00A0)".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invisible(char);

impl Invisible {
    /// What `character` is, if it is one. Spaces, tabs and line ends are not: everybody counts on
    /// them.
    pub fn new(character: char) -> Option<Self> {
        (name(character).is_some() || is_other_control(character)).then_some(Self(character))
    }

    /// The first one in a text.
    pub fn first_in(text: &str) -> Option<Self> {
        text.chars().find_map(Self::new)
    }

    /// Whether some languages, or pictures made of several characters, need it, so that it may stand
    /// in the midst of a text.
    pub fn belongs_to_writing(self) -> bool {
        matches!(
            self.0,
            '\u{a0}' | '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202f}'
                | '\u{2066}'..='\u{2069}' | '\u{61c}'
        )
    }

    /// Whether it looks like a space.
    pub fn is_space(self) -> bool {
        self.0.is_whitespace()
    }
}

impl fmt::Display for Invisible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = name(self.0).unwrap_or("a control character");
        write!(f, "{name} (U+{:04X})", u32::from(self.0))
    }
}

fn is_other_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r')
}

fn name(character: char) -> Option<&'static str> {
    Some(match character {
        '\0' => "a NUL byte",
        '\u{a0}' => "a no-break space",
        '\u{ad}' => "a soft hyphen",
        '\u{200b}' => "a zero-width space",
        '\u{200c}' => "a zero-width non-joiner",
        '\u{200d}' => "a zero-width joiner",
        '\u{2060}' => "a word joiner",
        '\u{feff}' => "a byte order mark",
        '\u{2028}' | '\u{2029}' | '\u{85}' => "a line separator",
        '\u{202f}' => "a narrow no-break space",
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' => {
            "a space of a special width"
        }
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a mark of the direction of writing"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_called_by_its_name() {
        for (text, name) in [
            ("30\u{a0}", "a no-break space (U+00A0)"),
            ("\u{feff}x", "a byte order mark (U+FEFF)"),
            ("a\u{200b}b", "a zero-width space (U+200B)"),
            ("\0", "a NUL byte (U+0000)"),
            ("\u{1b}", "a control character (U+001B)"),
        ] {
            assert_eq!(Invisible::first_in(text).unwrap().to_string(), name);
        }
        for text in ["a b\tc\r\n", "Kōzō", "°C 👍"] {
            assert_eq!(Invisible::first_in(text), None, "{text}");
        }
    }
}
