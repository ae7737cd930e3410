//! What a line of the log looks like.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use kozo_abi::{Error, Message};

/// How many bytes of a message's text are logged at most.
const MAX_TEXT: usize = 64 * 1024;

/// How lines are written.
#[derive(Debug, Clone)]
pub(crate) struct LineFormat {
    /// In the notation of `strftime`.
    time_prefix: String,
    /// Whether lines tell the node that they came from.
    with_node: bool,
}

/// A line, without a line feed at its end.
pub(crate) struct Line {
    /// The time, or whatever the prefix says.
    pub(crate) prefix: String,
    /// The sender and its text.
    pub(crate) text: String,
}

impl LineFormat {
    /// # Errors
    /// The prefix is no format of a time.
    pub(crate) fn new(time_prefix: String, nodes: &[String]) -> Result<Self, Error> {
        jiff::fmt::strtime::format(&time_prefix, &Zoned::now())
            .map_err(|error| format!("`timePrefix` is no format of a time: {error}"))?;
        let one_node = matches!(nodes, [node] if !node.contains('*'));
        Ok(Self {
            time_prefix,
            with_node: !one_node,
        })
    }

    /// The line for a message.
    pub(crate) fn line(&self, message: &Message) -> Line {
        let mut text = match (message.sender_role(), message.sender_node()) {
            (role, node) if self.with_node => format!("<{role}@{node}> "),
            (role, _) => format!("<{role}> "),
        };
        match message.data::<String>() {
            Ok(data) => push_escaped(&mut text, &data),
            Err(_) => text.push_str("(a log message whose data is no text)"),
        }
        let now = Timestamp::now();
        Line {
            prefix: self.prefix(now.checked_sub(message.age()).unwrap_or(now)),
            text,
        }
    }

    /// A line of the logger's own.
    pub(crate) fn own_line(&self, text: String) -> Line {
        Line {
            prefix: self.prefix(Timestamp::now()),
            text,
        }
    }

    fn prefix(&self, time: Timestamp) -> String {
        let time = time.to_zoned(TimeZone::system());
        // It was tried at the start; a line without a time is better than none.
        jiff::fmt::strtime::format(&self.time_prefix, &time).unwrap_or_default()
    }
}

/// Why the times of lines are not those of this machine's time zone, if so.
pub(crate) fn time_zone_problem() -> Option<String> {
    let error = TimeZone::try_system().err()?;
    Some(format!(
        "the time zone of this machine is not known, so the times of lines are in UTC: {error}; \
         is the variable `TZ` right, and is `tzdata` installed?"
    ))
}

/// Appends a text from somebody else. What could begin a new line, move a terminal's cursor or
/// turn the direction of writing is escaped, so that nobody forges a line. (Writing to a string
/// does not fail.)
fn push_escaped(line: &mut String, text: &str) {
    for (at, c) in text.char_indices() {
        if at >= MAX_TEXT {
            let _ = write!(line, "… ({} bytes more)", text.len() - at);
            return;
        }
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                push_code(line, c);
            }
            c if c.is_control() => push_code(line, c),
            c => line.push(c),
        }
    }
}

fn push_code(line: &mut String, c: char) {
    let _ = write!(line, "\\u{{{:x}}}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_begin_a_line_or_steer_a_terminal() {
        let mut line = String::new();
        push_escaped(
            &mut line,
            "é\n[now] <a@b> \r\t\x1b[2J\u{7f}\u{85}\u{202e}\u{2028}C:\\x",
        );
        assert_eq!(
            line,
            r"é\n[now] <a@b> \r\t\u{1b}[2J\u{7f}\u{85}\u{202e}\u{2028}C:\x"
        );
    }

    #[test]
    fn a_huge_text_is_cut_off() {
        let mut line = String::new();
        push_escaped(&mut line, &"é".repeat(MAX_TEXT));
        assert_eq!(line.len(), MAX_TEXT + "… (65536 bytes more)".len());
        assert!(line.ends_with("é… (65536 bytes more)"));
    }

    #[test]
    fn a_prefix_that_is_no_format_is_refused() {
        for bad in ["%", "%Q%", "%!", "[%Y %"] {
            let error = LineFormat::new(bad.to_owned(), &[]).expect_err(bad);
            assert!(error.to_string().starts_with("`timePrefix` is no format"));
        }
        // Those that Python knows, and none at all.
        for good in [
            "",
            "[%Y-%m-%d %H:%M:%S] ",
            "%a %A %b %B %d %H %I %j %m %M %p %S %y %Y %Z %%",
        ] {
            assert!(LineFormat::new(good.to_owned(), &[]).is_ok(), "{good}");
        }
    }
}
