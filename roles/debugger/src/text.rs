//! Texts for a terminal: nothing in them that it would obey, and columns.

use std::borrow::Cow;

/// Whether a terminal would obey this character, or show the ones around it in another order.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// `text` as one line: whatever is harmful is escaped, line breaks included.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

/// `text` with its line breaks and tabs; whatever else is harmful is escaped.
pub(crate) fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| !matches!(c, '\n' | '\t') && is_harmful(c))
}

fn escaped(text: &str, is_harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_harmful(character) {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

/// `text` as one line of so many characters at most.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text).into_owned(),
    }
}

/// Lines of cells below a line of titles, each column as wide as its widest cell.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(titles: &[&str]) -> Self {
        let titles = titles.iter().map(|&title| title.to_owned()).collect();
        Self { rows: vec![titles] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter();
        let clean = cells.map(|cell| printable(&cell).into_owned());
        self.rows.push(clean.collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The lines, without ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        self.rows.iter().map(move |row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            line.truncate(line.trim_end().len());
            line
        })
    }
}

/// A span of time for people: `3.2s`, `5m 10s`, `2d 3h`.
pub(crate) fn span(seconds: f64) -> String {
    // A float that is out of range becomes the nearest number.
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..=9 => format!("{:.1}s", seconds.max(0.0)),
        10..=59 => format!("{whole}s"),
        60..=3599 => format!("{}m {}s", whole / 60, whole % 60),
        3600..=86_399 => format!("{}h {}m", whole / 3600, whole % 3600 / 60),
        _ => format!("{}d {}h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// A number of bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(printable_lines("a\u{7}\n\tb\r"), "a\\u{7}\n\tb\\r");
        assert_eq!(printable("\u{202e}Kōzō"), "\\u{202e}Kōzō");
        assert_eq!(shortened("abc\n", 3), "abc…");
        assert_eq!(shortened("abc", 3), "abc");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["name", "x"]);
        assert!(table.is_empty());
        table.row(["a\nb".to_owned(), "1".to_owned()]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines, ["name  x", "a\\nb  1"]);
    }

    #[test]
    fn spans_and_sizes_are_readable() {
        for (seconds, text) in [
            (0.25, "0.2s"),
            (61.0, "1m 1s"),
            (7260.0, "2h 1m"),
            (90_000.0, "1d 1h"),
            (-1.0, "0.0s"),
        ] {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }
}
