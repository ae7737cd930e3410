//! Numbers as people read them, and tables.

use std::fmt::Write;

use crate::log::printable;

/// A span of time with two units at most: `120 µs`, `45 ms`, `3.2 s`, `4 min 10 s`, `2 d 3 h`.
pub(super) fn span(seconds: f64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let whole = seconds.max(0.0) as u64;
    match whole {
        0 if seconds < 0.000_000_5 => "0 ms".to_owned(),
        0 if seconds < 0.000_999_5 => format!("{:.0} µs", seconds * 1_000_000.0),
        0 if seconds < 0.01 => format!("{:.1} ms", seconds * 1000.0),
        0 => format!("{:.0} ms", (seconds * 1000.0).min(999.0)),
        1..10 => format!("{seconds:.1} s"),
        10..MINUTE => format!("{whole} s"),
        MINUTE..HOUR => two(whole / MINUTE, "min", whole % MINUTE, "s"),
        HOUR..DAY => two(whole / HOUR, "h", whole % HOUR / MINUTE, "min"),
        _ => two(whole / DAY, "d", whole % DAY / HOUR, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

/// A number of bytes: `512 B`, `4.0 KiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"");
    while value >= 1023.95 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `1 message`, `2 messages`.
pub(super) fn count(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// How a cell looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
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
pub(super) fn toned(text: &str, tone: Tone, colour: bool) -> String {
    if colour && tone != Tone::Plain {
        format!("{}{text}\x1b[0m", tone.code())
    } else {
        text.to_owned()
    }
}

/// Rows of aligned columns.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<(String, Tone)>>,
}

impl Table {
    /// A table with a heading.
    pub(super) fn new(heading: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(heading.iter().map(|cell| (*cell, Tone::Strong)));
        table
    }

    /// Adds a row. What would move a terminal's cursor is escaped.
    pub(super) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = (S, Tone)>) {
        let cells = cells
            .into_iter()
            .map(|(cell, tone)| (printable(cell.as_ref()).into_owned(), tone));
        self.rows.push(cells.collect());
    }

    /// The lines of the table.
    pub(super) fn render(&self, colour: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .map(|(cell, _)| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let last = row
                .iter()
                .rposition(|(cell, _)| !cell.is_empty())
                .map_or(0, |place| place + 1);
            text.push_str("  ");
            for (place, ((cell, tone), width)) in row.iter().zip(&widths).enumerate().take(last) {
                text.push_str(&toned(cell, *tone, colour));
                if place + 1 < last {
                    let gap = width - cell.chars().count() + 2;
                    // Writing to a text cannot fail.
                    let _ = write!(text, "{:gap$}", "");
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
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0.0, "0 ms"),
            (0.000_12, "120 µs"),
            (0.000_999_9, "1.0 ms"),
            (0.0012, "1.2 ms"),
            (0.0456, "46 ms"),
            (0.9999, "999 ms"),
            (3.21, "3.2 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (250.0, "4 min 10 s"),
            (7260.0, "2 h 1 min"),
            (183_600.0, "2 d 3 h"),
            (-1.0, "0 ms"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn bytes_have_units_of_1024() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (4 << 20, "4.0 MiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
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
