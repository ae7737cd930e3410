//! A message as a line for people.

use std::io::IsTerminal;

use kozo_ground::interest::Kind;
use kozo_ground::text::{
    Tone, bytes, columns, cut, padded, printable, printable_json, span, toned,
};
use kozo_status::PassedMessage;

use crate::log::shows_colours;

/// How wide the column of senders begins, and how wide it gets, in columns of a terminal.
const SENDER_WIDTH: std::ops::RangeInclusive<usize> = 14..=40;

/// Makes lines of messages, in columns.
#[derive(Debug)]
pub(super) struct Lines {
    colour: bool,
    /// The width of the terminal, in columns; none: it is no terminal, and nothing is cut.
    width: Option<usize>,
    sender_width: usize,
}

impl Lines {
    /// For the standard output.
    pub(super) fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        let width = stdout.is_terminal().then(|| {
            let size = rustix::termios::tcgetwinsize(&stdout).ok();
            size.map(|size| usize::from(size.ws_col))
        });
        Self::new(
            shows_colours(&stdout),
            width.flatten().filter(|&width| width > 0),
        )
    }

    fn new(colour: bool, width: Option<usize>) -> Self {
        Self {
            colour,
            width,
            sender_width: *SENDER_WIDTH.start(),
        }
    }

    /// What stands above the lines on a terminal.
    pub(super) fn heading(&self) -> Option<String> {
        self.width?;
        let width = self.sender_width;
        let heading = format!(
            "{:>8}  {:>7}  {:width$}  kind   type, channel, data",
            "age", "to", "from"
        );
        Some(toned(&heading, Tone::Strong, self.colour) + "\n")
    }

    /// The line of a message.
    pub(super) fn line(&mut self, message: &PassedMessage) -> String {
        let sender = format!("{}@{}", message.role, message.node);
        let sender = printable(&sender);
        let length = columns(&sender).min(*SENDER_WIDTH.end());
        self.sender_width = self.sender_width.max(length);
        let (kind, tone) = match message.kind {
            Kind::Event => ("event", Tone::Good),
            Kind::Order => ("order", Tone::Doubtful),
            Kind::Log => ("log", Tone::Plain),
        };
        let before = format!(
            "{:>8}  {:>7}  {}  ",
            span(message.age_seconds),
            way(message),
            padded(&sender, self.sender_width),
        );
        let kind_width = 5;
        let mut rest = String::new();
        if !message.type_name.is_empty() {
            rest += &format!("  {}", printable(&message.type_name));
        }
        if let Some(channel) = &message.channel {
            rest += &format!("  #{}", printable(channel));
        }
        if !message.buses.is_empty() {
            rest += &format!("  (bus {})", printable(&message.buses.join(", ")));
        }
        if let Some(data) = data(message) {
            rest += &format!("  {data}");
        }
        let used = columns(&before) + kind_width;
        let rest = match self.width {
            Some(width) => cut(&rest, width.saturating_sub(used)),
            None => rest,
        };
        let kind = toned(&format!("{kind:kind_width$}"), tone, self.colour);
        format!("{before}{kind}{rest}\n")
    }
}

/// How many roles here and other nodes it went to.
fn way(message: &PassedMessage) -> String {
    match (message.roles, message.nodes) {
        (0, 0) if message.buses.is_empty() => "nobody".to_owned(),
        (roles, 0) => format!("{roles}"),
        (roles, nodes) => format!("{roles}+{nodes}n"),
    }
}

/// The data as JSON; none where there is none.
fn data(message: &PassedMessage) -> Option<String> {
    if message.data_left_out {
        return Some(format!("({}, not shown)", bytes(message.data_bytes as u64)));
    }
    if message.data.is_null() {
        return None;
    }
    Some(printable_json(&message.data.to_string()).into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message() -> PassedMessage {
        PassedMessage {
            kind: Kind::Event,
            node: "clock".to_owned(),
            role: "timer".to_owned(),
            type_name: "tick".to_owned(),
            channel: Some("hall\u{1b}".to_owned()),
            timestamp: 0.0,
            age_seconds: 0.0012,
            roles: 2,
            nodes: 1,
            buses: vec![],
            data: json!({"text": "\u{202e}x", "n": 1}),
            data_bytes: 20,
            data_left_out: false,
        }
    }

    #[test]
    fn a_message_is_one_harmless_line() {
        let mut lines = Lines::new(false, None);
        assert_eq!(
            lines.line(&message()),
            "  1.2 ms     2+1n  timer@clock     event  tick  #hall\\u{1b}  \
             {\"n\":1,\"text\":\"\\u202ex\"}\n"
        );
        let log = PassedMessage {
            kind: Kind::Log,
            type_name: String::new(),
            channel: None,
            data: json!("text"),
            roles: 0,
            nodes: 0,
            ..message()
        };
        let line = lines.line(&log);
        assert!(
            line.ends_with("  nobody  timer@clock     log    \"text\"\n"),
            "{line}"
        );
        assert!(Lines::new(true, None).line(&log).contains("log"));
    }

    #[test]
    fn the_buses_that_it_goes_or_came_over_are_named() {
        let over_buses = PassedMessage {
            buses: vec!["fleet".to_owned(), "yard".to_owned()],
            roles: 0,
            nodes: 0,
            ..message()
        };
        assert_eq!(
            Lines::new(false, None).line(&over_buses),
            "  1.2 ms        0  timer@clock     event  tick  #hall\\u{1b}  (bus fleet, yard)  \
             {\"n\":1,\"text\":\"\\u202ex\"}\n"
        );
    }

    #[test]
    fn a_line_is_no_wider_than_the_terminal() {
        for width in [1, 40, 50, 60, 79] {
            let mut lines = Lines::new(false, Some(width));
            let line = lines.line(&message());
            // What comes first is never cut.
            assert!(columns(line.trim_end()) <= width.max(40), "{line}");
        }
        let wide = PassedMessage {
            type_name: "鳩時計".repeat(20),
            ..message()
        };
        let line = Lines::new(false, Some(60)).line(&wide);
        // Half of a wide character is none.
        assert!((59..=60).contains(&columns(line.trim_end())), "{line}");
        let long = PassedMessage {
            data: Default::default(),
            data_bytes: 100_000,
            data_left_out: true,
            ..message()
        };
        let line = Lines::new(false, None).line(&long);
        assert!(line.ends_with("(97.7 KiB, not shown)\n"), "{line}");
    }
}
