//! What the demo shows: the lines of all nodes, in the order in which they came.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kozo_ground::text::printable;

use crate::log::{Fields, Line, shows_colours};

/// The escape sequences with which a terminal tells the nodes apart.
const COLOURS: [&str; 6] = [
    "\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m", "\x1b[34m", "\x1b[31m",
];
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// Where the time of day stands in a line's time (`2026-11-20T12:00:00.123Z`).
const TIME_OF_DAY: std::ops::Range<usize> = 11..23;

/// What nodes call it that a link stands, and that it does not any more.
const LINK: &str = "link";
const UP: &str = "up";
const DOWN: &str = "down";

/// Shows lines of nodes.
#[derive(Debug)]
pub(super) struct Screen {
    nodes: Vec<String>,
    colour: bool,
    /// The links that stand, by the names of their ends in order, with what was shown of them.
    links: BTreeMap<(String, String), String>,
}

impl Screen {
    /// For the standard output, with colours if that is a terminal that should have them.
    pub(super) fn of_stdout(nodes: &[&str]) -> Self {
        Self::new(nodes, shows_colours(&std::io::stdout()))
    }

    fn new(nodes: &[&str], colour: bool) -> Self {
        Self {
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            colour,
            links: BTreeMap::new(),
        }
    }

    /// What to print for a line of a node. Nothing when it says what another one said already.
    pub(super) fn line(&mut self, node: &str, text: &str) -> Option<String> {
        let Ok(mut line) = serde_json::from_str::<Line>(text) else {
            return Some(self.columns("", node, &printable(text)));
        };
        let time = line.time.get(TIME_OF_DAY).unwrap_or_default();
        if line.target == LINK
            && let Some(peer) = line.fields.text("peer")
        {
            let ends = match node < peer {
                true => (node.to_owned(), peer.to_owned()),
                false => (peer.to_owned(), node.to_owned()),
            };
            if line.message == UP {
                return self.link_up(ends, time, &line);
            }
            if line.message == DOWN {
                self.links.remove(&ends);
            }
        }
        let level = match line.level.as_str() {
            "INFO" => String::new(),
            level => format!("{level} "),
        };
        leave_out_the_obvious(&mut line.fields, node);
        let text = format!("{level}{}: {}", line.target, line.text());
        Some(self.columns(time, node, &text))
    }

    /// Both ends report a link; it is shown once.
    fn link_up(&mut self, ends: (String, String), time: &str, line: &Line) -> Option<String> {
        let carrier: Vec<&str> = ["transport", "address"]
            .iter()
            .filter_map(|field| line.fields.text(field))
            .collect();
        let carrier = printable(&carrier.join(" ")).into_owned();
        let transport = line.fields.text("transport").unwrap_or_default().to_owned();
        if self.links.get(&ends) == Some(&transport) {
            return None;
        }
        let text = format!("{} ⇄ {}  {carrier}", printable(&ends.0), printable(&ends.1));
        self.links.insert(ends, transport);
        let text = match self.colour {
            true => format!("{BOLD}{text}{RESET}"),
            false => text,
        };
        Some(self.columns(time, "", &text))
    }

    fn columns(&self, time: &str, node: &str, text: &str) -> String {
        let width = self.nodes.iter().map(|node| node.chars().count()).max();
        let width = width.unwrap_or_default();
        let mut line = format!("{time:<12}  ");
        // Writing to a text cannot fail.
        let _ = match self.nodes.iter().position(|known| known == node) {
            Some(index) if self.colour => {
                let colour = COLOURS[index % COLOURS.len()];
                write!(line, "{colour}{node:<width$}{RESET}")
            }
            _ => write!(line, "{node:<width$}"),
        };
        line + "  " + text + "\n"
    }
}

/// Leaves out the node, which has a column of its own, and the module that is called like its role.
fn leave_out_the_obvious(fields: &mut Fields, node: &str) {
    let role = fields.text("role").map(str::to_owned);
    fields.0.retain(|(name, value)| match name.as_str() {
        "node" => value != node,
        "module" => role.is_none() || value.as_str() != role.as_deref(),
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 3] = ["clock", "cottage", "scribe"];

    fn screen() -> Screen {
        Screen::new(&NODES, false)
    }

    fn json(level: &str, target: &str, message: &str, fields: &str) -> String {
        format!(
            r#"{{"time":"2026-11-20T12:00:00.123Z","level":"{level}","target":"{target}","message":"{message}","fields":{fields}}}"#
        )
    }

    #[test]
    fn a_line_shows_time_node_and_text() {
        let mut screen = screen();
        let tick = json("INFO", "role", "Ping!", r#"{"role":"timer"}"#);
        assert_eq!(
            screen.line("clock", &tick).unwrap(),
            "12:00:00.123  clock    role: Ping! role=timer\n"
        );
        let trouble = json("WARN", "storage", "the disk is full", "{}");
        assert_eq!(
            screen.line("cottage", &trouble).unwrap(),
            "12:00:00.123  cottage  WARN storage: the disk is full\n"
        );
    }

    #[test]
    fn what_is_obvious_is_left_out() {
        let fields = r#"{"node":"clock","role":"timer","module":"timer"}"#;
        let line = screen().line("clock", &json("INFO", "role", "Ping!", fields));
        assert!(line.unwrap().ends_with("role: Ping! role=timer\n"));
        let fields = r#"{"node":"scribe","role":"a","module":"b"}"#;
        let line = screen().line("clock", &json("INFO", "role", "Ping!", fields));
        assert!(
            line.unwrap()
                .ends_with("Ping! node=scribe role=a module=b\n")
        );
    }

    #[test]
    fn a_link_is_shown_once_for_both_ends() {
        let mut screen = screen();
        let up = |peer: &str, address: &str| {
            let fields = format!(r#"{{"peer":"{peer}","transport":"tcp","address":"{address}"}}"#);
            json("INFO", "link", "up", &fields)
        };
        assert_eq!(
            screen
                .line("scribe", &up("clock", "127.0.0.1:6020"))
                .unwrap(),
            "12:00:00.123           clock ⇄ scribe  tcp 127.0.0.1:6020\n"
        );
        assert_eq!(screen.line("clock", &up("scribe", "127.0.0.1:50000")), None);
        let down = json("INFO", "link", "down", r#"{"peer":"scribe"}"#);
        assert!(screen.line("clock", &down).is_some());
        assert!(
            screen
                .line("clock", &up("scribe", "127.0.0.1:6020"))
                .is_some()
        );
    }

    #[test]
    fn what_is_no_line_of_a_log_is_shown_as_it_is_but_harmless() {
        assert_eq!(
            screen()
                .line("scribe", "thread 'main' \x1b[2Jpanicked")
                .unwrap(),
            "              scribe   thread 'main' \\u{1b}[2Jpanicked\n"
        );
    }

    #[test]
    fn each_node_has_a_colour_of_its_own() {
        let mut screen = Screen::new(&NODES, true);
        let shown = NODES.map(|node| screen.line(node, "x").unwrap());
        for (index, line) in shown.iter().enumerate() {
            assert!(line.contains(COLOURS[index]), "{line:?}");
        }
    }
}
