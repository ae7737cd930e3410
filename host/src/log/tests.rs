//! Lines as they are written.

use std::sync::{Arc, Mutex};

use kozo_ground::text::printable;
use serde_json::{Value, json};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::line::{Fields, Line};
use super::output::LogLayer;
use super::style::Style;

const TEXT: Style = Style::Text { colour: false };

/// What is logged meanwhile.
fn logged(log: impl FnOnce()) -> Vec<Line> {
    let lines: Arc<Mutex<Vec<Line>>> = Arc::default();
    let kept = Arc::clone(&lines);
    let output = LogLayer::new(move |line: Line, _| kept.lock().unwrap().push(line));
    tracing::subscriber::with_default(Registry::default().with(output), log);
    std::mem::take(&mut *lines.lock().unwrap())
}

fn line(message: &str, fields: &[(&str, Value)]) -> Line {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Line {
        time: "2026-11-20T12:00:00.123Z".to_owned(),
        level: "INFO".to_owned(),
        target: "link".to_owned(),
        message: message.to_owned(),
        fields: Fields(fields.collect()),
        more: None,
    }
}

#[test]
fn a_line_of_text_has_time_level_part_message_and_fields() {
    let up = line("up", &[("peer", json!("scribe")), ("attempts", json!(2))]);
    assert_eq!(
        up.rendered(TEXT),
        "2026-11-20T12:00:00.123Z INFO link: up peer=scribe attempts=2\n"
    );
}

#[test]
fn a_line_for_the_journal_has_its_priority_and_no_time() {
    let mut up = line("up", &[("peer", json!("scribe"))]);
    for (level, priority) in [
        ("ERROR", 3),
        ("WARN", 4),
        ("INFO", 6),
        ("DEBUG", 7),
        ("TRACE", 7),
    ] {
        up.level = level.to_owned();
        assert_eq!(
            up.rendered(Style::Journal),
            format!("<{priority}>link: up peer=scribe\n")
        );
    }
}

#[test]
fn a_line_of_json_is_one_object_and_reads_back() {
    let up = line(
        "up\n",
        &[("peer", json!("scribe")), ("address", json!("a"))],
    );
    let text = up.rendered(Style::Json);
    assert_eq!(
        text,
        concat!(
            r#"{"time":"2026-11-20T12:00:00.123Z","level":"INFO","target":"link","#,
            r#""message":"up\n","fields":{"peer":"scribe","address":"a"}}"#,
            "\n"
        )
    );
    assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), up);
}

#[test]
fn only_the_coloured_style_has_escape_sequences() {
    let up = line("up", &[]);
    assert!(up.rendered(Style::Text { colour: true }).contains('\x1b'));
    assert!(!up.rendered(TEXT).contains('\x1b'));
}

#[test]
fn nothing_from_outside_forges_a_line_or_reaches_the_terminal() {
    let evil = "x\n2026 ERROR\r\x1b[2J\u{7}\u{9b}\u{202e}";
    let mut forged = line(evil, &[("peer", json!(evil))]);
    forged.target = evil.to_owned();
    for style in [TEXT, Style::Journal, Style::Text { colour: true }] {
        let text = forged.rendered(style).replace("\x1b[2m", "");
        let text = text.replace("\x1b[0m", "").replace("\x1b[32m", "");
        let body = text.strip_suffix('\n').unwrap();
        assert!(!body.contains(|c: char| c.is_control() || c == '\u{202e}'));
    }
    assert_eq!(forged.rendered(Style::Json).matches('\n').count(), 1);
}

#[test]
fn values_that_would_be_misread_have_quotation_marks() {
    let shown = |value: &str| line("", &[("v", json!(value))]).text();
    assert_eq!(shown("plain"), "v=plain");
    assert_eq!(shown(""), r#"v="""#);
    assert_eq!(shown("two words"), r#"v="two words""#);
    assert_eq!(shown("a=b"), r#"v="a=b""#);
    assert_eq!(shown(r#"say "hi" \"#), r#"v="say \"hi\" \\""#);
    assert_eq!(shown("tab\there"), r#"v="tab\there""#);
}

#[test]
fn letters_of_every_script_are_printable() {
    assert_eq!(printable("Kōzō 構造 שלום 🕰"), "Kōzō 構造 שלום 🕰");
    assert_eq!(printable("a\x1bb"), "a\\u{1b}b");
}

#[test]
fn the_part_is_the_room_or_what_the_event_says() {
    let lines = logged(|| {
        tracing::info!(target: "kozo::link::dialer", "one");
        tracing::info!(target: "role", "two");
        tracing::info!(target: "kozo", "three");
    });
    let targets: Vec<&str> = lines.iter().map(|line| line.target.as_str()).collect();
    assert_eq!(targets, ["link", "role", "kozo"]);
}

#[test]
fn fields_keep_their_order_and_their_types() {
    let error = std::io::Error::other("no route");
    let lines = logged(|| {
        tracing::warn!(
            peer = %"scribe",
            attempts = 3,
            wait = 1.5,
            forever = f64::INFINITY,
            final_try = true,
            error = &error as &dyn std::error::Error,
            "cannot connect to {}",
            "scribe"
        );
    });
    assert_eq!(lines[0].message, "cannot connect to scribe");
    assert_eq!(lines[0].level, "WARN");
    assert_eq!(
        lines[0].fields.to_string(),
        "peer=scribe attempts=3 wait=1.5 forever=inf final_try=true error=\"no route\""
    );
}

#[test]
fn the_fields_of_enclosing_spans_follow_those_of_the_event() {
    let lines = logged(|| {
        let outer = tracing::info_span!("link", peer = "scribe", role = tracing::field::Empty);
        outer.record("role", "timer");
        let _outer = outer.enter();
        let _inner = tracing::info_span!("attempt", transport = "tcp").entered();
        tracing::info!(peer = "cottage", "up");
    });
    assert_eq!(
        lines[0].fields.to_string(),
        "peer=cottage transport=tcp role=timer"
    );
}

#[test]
fn what_strangers_sent_does_not_make_a_line_long() {
    let long = "ü".repeat(100_000);
    let lines = logged(|| {
        tracing::info!(reason = long, other = %long, "{long}");
        tracing::info!(reason = "short", "short");
    });
    assert!(
        lines[0].text().len() < 19 * 1024,
        "{}",
        lines[0].text().len()
    );
    assert!(lines[0].message.ends_with("ü… (183616 bytes more)"));
    let reason = lines[0].fields.text("reason").unwrap();
    assert!(reason.ends_with("ü… (198976 bytes more)"));
    assert_eq!(lines[1].text(), "short reason=short");
}
