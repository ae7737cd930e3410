//! Tables on a terminal.

use super::{columns, padded, printable};

/// How a cell looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As any other text.
    Plain,
    /// A heading.
    Strong,
    /// As it should be.
    Good,
    /// Not as it should be, or not yet.
    Doubtful,
    /// Wrong.
    Bad,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Doubtful => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// A text with a tone, if colours are wanted.
pub fn toned(text: &str, tone: Tone, colour: bool) -> String {
    if colour && tone != Tone::Plain {
        format!("{}{text}\x1b[0m", tone.code())
    } else {
        text.to_owned()
    }
}

/// Rows of aligned columns.
#[derive(Debug, Default)]
pub struct Table {
    /// What stands before each row.
    margin: &'static str,
    rows: Vec<Vec<(String, Tone)>>,
}

impl Table {
    /// A table with a heading, set in from the margin.
    pub fn new(heading: &[&str]) -> Self {
        let mut table = Self {
            margin: "  ",
            ..Self::default()
        };
        table.row(heading.iter().map(|cell| (*cell, Tone::Strong)));
        table
    }

    /// A table with a heading, at the margin.
    pub fn at_margin(heading: &[&str]) -> Self {
        Self {
            margin: "",
            ..Self::new(heading)
        }
    }

    /// Adds a row. What would move a terminal's cursor is escaped.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = (S, Tone)>) {
        let cells = cells
            .into_iter()
            .map(|(cell, tone)| (printable(cell.as_ref()).into_owned(), tone));
        self.rows.push(cells.collect());
    }

    /// The lines of the table.
    pub fn render(&self, colour: bool) -> String {
        let longest = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..longest)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|(cell, _)| columns(cell)).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let last = row
                .iter()
                .rposition(|(cell, _)| !cell.is_empty())
                .map_or(0, |place| place + 1);
            text.push_str(self.margin);
            for (place, ((cell, tone), width)) in row.iter().zip(&widths).enumerate().take(last) {
                text.push_str(&toned(cell, *tone, colour));
                if place + 1 < last {
                    let gap = width - columns(cell) + 2;
                    text.push_str(&padded("", gap));
                }
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_where_characters_are_wide() {
        let mut table = Table::at_margin(&["node", "state"]);
        table.row([("鳩時計", Tone::Plain), ("up", Tone::Good)]);
        table.row([("clock", Tone::Plain), ("up", Tone::Good)]);
        let lines = "node    state\n鳩時計  up\nclock   up\n";
        assert_eq!(table.render(false), lines);
    }

    #[test]
    fn columns_are_aligned_and_colours_take_no_room() {
        let mut table = Table::new(&["node", "state"]);
        table.row([("clock", Tone::Plain), ("up", Tone::Good)]);
        table.row([("a", Tone::Plain), ("\x1b[2J", Tone::Bad)]);
        let plain = table.render(false);
        let lines: Vec<_> = plain.lines().collect();
        assert_eq!(lines[..2], ["  node   state", "  clock  up"]);
        assert!(lines[2].starts_with("  a      ") && !plain.contains('\x1b'));
        let coloured = table.render(true);
        assert!(coloured.contains("\x1b[32mup\x1b[0m"), "{coloured:?}");
    }
}
