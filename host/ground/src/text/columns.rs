//! How wide texts are on a terminal, where one character may take two columns, or none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns of a terminal a text takes. It has to be printable: what moves the cursor has no width.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// A text with so many spaces behind it that it takes `width` columns; one that is wider stays as it is.
pub fn padded(text: &str, width: usize) -> String {
    let gap = width.saturating_sub(columns(text));
    format!("{text}{:gap$}", "")
}

/// As much of a text as takes `width` columns at most, with a mark at its end if there was more.
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let mut used = 0;
    let kept = text.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= room
    });
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_take_as_many_columns_as_a_terminal_gives_them() {
        for (text, width) in [
            ("", 0),
            ("clock", 5),
            ("鳩時計", 6),
            ("ｱｲｳ", 3),
            ("e\u{301}", 1),
            ("…", 1),
        ] {
            assert_eq!(columns(text), width, "{text}");
        }
    }

    #[test]
    fn texts_are_padded_to_columns_and_not_to_characters() {
        assert_eq!(padded("鳩", 4), "鳩  ");
        assert_eq!(padded("clock", 7), "clock  ");
        assert_eq!(padded("鳩時計", 4), "鳩時計");
    }

    #[test]
    fn what_is_cut_fits_and_says_that_there_was_more() {
        for (width, expected) in [
            (0, ""),
            (1, "…"),
            (2, "…"),
            (3, "鳩…"),
            (4, "鳩…"),
            (5, "鳩時…"),
            (6, "鳩時計"),
            (7, "鳩時計"),
        ] {
            assert_eq!(cut("鳩時計", width), expected, "{width}");
            assert!(columns(expected) <= width);
        }
    }
}
