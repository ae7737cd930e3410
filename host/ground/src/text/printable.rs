//! Texts of others, fit to be shown: those of peers, modules, roles, files and the names of files.
//!
//! What a terminal would obey, or show the characters around it in another order for, is escaped as
//! Rust would write it. All that is printed or logged goes through here, so that there is one list of
//! what that is.

use std::borrow::Cow;

use super::Invisible;

/// How many bytes a word may have that a shortened text does without, rather than with a part of it.
const LONGEST_WORD: usize = 24;

/// Whether a terminal would obey this character, or show the ones around it in another order.
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// `text` as one line: whatever is harmful is escaped, line breaks included.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

/// `text` with its line breaks; whatever else is harmful is escaped.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n' && is_harmful(character))
}

/// `text` as one line of so many characters at most, not counting what escapes add. It ends with a whole word, unless
/// that one is long.
pub fn shortened(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => {
            let kept = &text[..end - word_begun(text, end)];
            Cow::Owned(printable(kept).into_owned() + "…")
        }
        None => printable(text),
    }
}

/// How many bytes before `end` belong to a word that goes on behind it, with the blank before it; 0 where that would be
/// too much to leave out.
fn word_begun(text: &str, end: usize) -> usize {
    let (before, behind) = text.split_at(end);
    if before.is_empty() || behind.starts_with(char::is_whitespace) {
        return 0;
    }
    let whole = before.rsplit_once(char::is_whitespace);
    let whole = whole.map_or("", |(whole, _)| whole.trim_end());
    let begun = before.len() - whole.len();
    match whole.is_empty() || begun > LONGEST_WORD {
        true => 0,
        false => begun,
    }
}

/// The same with the code of characters that nobody sees, too.
pub fn visible(text: &str, characters: usize) -> String {
    escaped(&shortened(text, characters), |character| {
        Invisible::new(character).is_some()
    })
    .into_owned()
}

/// `text` as one line of so many bytes at most, not counting what escapes add, and how many there
/// were more.
pub fn bounded(text: &str, bytes: usize) -> Cow<'_, str> {
    let mut ends = (0..=bytes.min(text.len())).rev();
    let end = ends.find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let (kept, cut) = text.split_at(end);
    match cut.len() {
        0 => printable(kept),
        more => Cow::Owned(format!("{}… ({more} bytes more)", printable(kept))),
    }
}

/// A JSON document, in which a text may hold what is harmful: the same document without.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let is_harmful = |character| character != '\n' && is_harmful(character);
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 8);
    for character in json.chars() {
        if is_harmful(character) {
            // All of them have four digits at most.
            safe.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// `text` with the code in place of each character that is to be escaped.
pub(super) fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_escaped(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARMFUL: &str = "a\x1b[2J\u{9b}31m\u{202e}b\r\u{200f}\t\u{2028}";
    const ESCAPED: &str = "a\\u{1b}[2J\\u{9b}31m\\u{202e}b\\r\\u{200f}\\t\\u{2028}";

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_letters_of_all_scripts_stay() {
        let letters = "Kōzō 構造 שלום 🕰";
        assert!(matches!(printable(letters), Cow::Borrowed(text) if text == letters));
        assert_eq!(printable(HARMFUL), ESCAPED);
        assert_eq!(printable("a\nb"), "a\\nb");
        assert_eq!(
            printable_lines(&format!("{HARMFUL}\nb")),
            format!("{ESCAPED}\nb")
        );
    }

    #[test]
    fn a_text_that_is_cut_says_so() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöü\x1b", 2), "äö…");
        let text = "is this its port?";
        for (characters, kept) in [
            (17, "is this its port?"),
            (16, "is this its…"),
            (12, "is this its…"),
            (11, "is this its…"),
            (10, "is this…"),
            (1, "i…"),
            (0, "…"),
        ] {
            assert_eq!(shortened(text, characters), kept);
        }
        let long = format!("see {}", "x".repeat(2 * LONGEST_WORD));
        assert_eq!(shortened(&long, 40), format!("see {}…", "x".repeat(36)));
        assert_eq!(bounded("äöü", 6), "äöü");
        assert_eq!(bounded("äöü", 5), "äö… (2 bytes more)");
        assert_eq!(bounded("\x07äöü", 3), "\\u{7}ä… (4 bytes more)");
    }

    #[test]
    fn a_json_document_stays_the_same() {
        let value = serde_json::json!({ "text": HARMFUL });
        let json = serde_json::to_string_pretty(&value).unwrap();
        let safe = printable_json(&json);
        assert!(!safe.contains(|c| c != '\n' && is_harmful(c)), "{safe}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
    }
}
