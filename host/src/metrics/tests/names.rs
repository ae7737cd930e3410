//! What relies on the names: the page of documentation, the dashboard, the alert rules; and a judge.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::*;
use crate::metrics::families::all;
use crate::metrics::family::{Family, Kind};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rules() -> PathBuf {
    root().join("packaging/prometheus/kozo-rules.yml")
}

/// All names of metrics of Kōzō in a text, and those of processes.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("kozo_") || word.starts_with("process_"))
        .collect()
}

fn assert_known(text: &str, file: &str) {
    let known: BTreeSet<&str> = all().map(|family| family.name).collect();
    let names = named(text);
    assert!(names.len() > 10, "{file} names few metrics: {names:?}");
    let unknown: Vec<_> = names.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "{file} names what is no metric: {unknown:?}"
    );
}

/// Gives `promtool` a text and takes what it says; nothing where there is none.
fn promtool(words: &[&str], input: &str) -> Option<Output> {
    let started = Command::new("promtool")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        println!("skipped: there is no `promtool` (apt install prometheus)");
        return None;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Some(child.wait_with_output().unwrap())
}

#[test]
fn promtool_has_nothing_against_the_metrics() {
    let text = written(&node(), Format::Prometheus);
    if let Some(output) = promtool(&["check", "metrics"], &text) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}

#[test]
fn promtool_has_nothing_against_the_alert_rules() {
    let rules = rules();
    if let Some(output) = promtool(&["check", "rules", rules.to_str().unwrap()], "") {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

/// `kozo-rules-test.yml` has metrics over time, and which alerts come of them.
#[test]
fn the_alerts_come_when_they_should() {
    let cases = rules().with_file_name("kozo-rules-test.yml");
    if let Some(output) = promtool(&["test", "rules", cases.to_str().unwrap()], "") {
        let said = String::from_utf8_lossy(&output.stderr);
        let more = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{more}");
    }
}

#[test]
fn every_metric_of_the_alert_rules_exists() {
    assert_known(&fs::read_to_string(rules()).unwrap(), "kozo-rules.yml");
}

#[test]
fn every_metric_of_the_dashboard_exists() {
    let text = fs::read_to_string(root().join("packaging/grafana/kozo.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut expressions = String::new();
    collect_expressions(&dashboard, &mut expressions);
    assert_known(&expressions, "kozo.json");
}

/// All that is asked of Prometheus anywhere in a dashboard.
fn collect_expressions(value: &Value, expressions: &mut String) {
    match value {
        Value::Array(values) => {
            for value in values {
                collect_expressions(value, expressions);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value.as_str()) {
                    ("expr" | "query" | "definition", Some(text)) => {
                        expressions.push_str(text);
                        expressions.push('\n');
                    }
                    _ => collect_expressions(value, expressions),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_page_of_metrics_is_up_to_date() {
    const HEAD: &str = "| metric | kind | labels | what it tells |\n|---|---|---|---|\n";
    let path = root().join("docs/metrics.md");
    let committed = fs::read_to_string(&path).unwrap();
    let (before, rest) = committed.split_once(HEAD).unwrap();
    // The table ends with an empty line.
    let (_, after) = rest.split_once("\n\n").unwrap();
    let rows: String = all().map(row).collect();
    let generated = format!("{before}{HEAD}{rows}\n{after}");
    if std::env::var_os("KOZO_BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    } else {
        assert!(
            committed == generated,
            "docs/metrics.md is not what the table of metrics says: \
             `KOZO_BLESS=1 cargo test -p kozo the_page_of_metrics` writes it anew"
        );
    }
}

fn row(family: &Family) -> String {
    let kind = match family.kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::Info => "info",
    };
    let labels: Vec<_> = family
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    format!(
        "| `{}` | {kind} | {} | {} |\n",
        family.name,
        labels.join(", "),
        family.help
    )
}
